"""Where tensors become quantized and float again."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from qsdk import dispatch
from qsdk.nn.quantized.base import ObservedOutputModule, QuantizedModule, observed_qparams, place_of
from qsdk.nn.quantized.functional import requantize
from qsdk.qtensor import QParams, QTensor, dequantize, quantize, to_qdtype


class Quantize(ObservedOutputModule):
    """Quantizes a float tensor with a fixed scale and zero point."""

    def __init__(self, scale: Any = 1.0, zero_point: Any = 0, dtype: Any = "quint8") -> None:
        super().__init__(QParams(float(scale), int(zero_point), to_qdtype(dtype)))

    def forward(self, X: Tensor) -> QTensor:
        """Float tensor of any shape to a QTensor."""
        dispatch.need_activation(self.output_qparams.dtype, place_of(self))
        return quantize(X, self.output_qparams)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Quantize:
        """From a prepared and calibrated QuantStub.

        Raises:
            QuantizationError: not calibrated, or not finite; names the layer.
        """
        result = cls()
        result.output_qparams = observed_qparams(getattr(mod, "activation_post_process", None), place_of(mod))
        return result


class Requantize(ObservedOutputModule):
    """Gives a quantized tensor another scale and zero point."""

    def __init__(self, scale: Any = 1.0, zero_point: Any = 0, dtype: Any = "quint8") -> None:
        super().__init__(QParams(float(scale), int(zero_point), to_qdtype(dtype)))

    def forward(self, Xq: QTensor) -> QTensor:
        """QTensor of any shape."""
        return requantize(self.need_qtensor(Xq), self.output_qparams, self._qualified_name)


class DeQuantize(QuantizedModule):
    """Turns a QTensor into a float tensor; float tensors pass."""

    def forward(self, Xq: Any) -> Tensor:
        """QTensor of any shape to float32."""
        return dequantize(Xq) if isinstance(Xq, QTensor) else Xq

    @classmethod
    def from_float(cls, mod: nn.Module) -> DeQuantize:
        """From a DeQuantStub."""
        return cls()
