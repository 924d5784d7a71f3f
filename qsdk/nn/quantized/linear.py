"""Quantized fully connected layer."""

from __future__ import annotations

from torch import nn

from qsdk.nn.quantized import functional as qF
from qsdk.nn.quantized.base import WeightedModule
from qsdk.qtensor import QTensor


class Linear(WeightedModule):
    """[..., in_features] to [..., out_features] with int8 weights; arguments as torch.nn.Linear."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__((out_features, in_features), bias)
        self.in_features = in_features
        self.out_features = out_features

    def forward(self, input: QTensor) -> QTensor:
        """[..., in_features] to [..., out_features]."""
        input = self.need_qtensor(input)
        return qF.linear_bound(input, self.bound_constants(input.qparams), self.output_qparams, self._relu)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Linear:
        """From a prepared and calibrated nn.Linear or LinearReLU.

        Raises:
            QuantizationError: not calibrated, or not finite; names the layer.
        """
        linear = mod[0] if isinstance(mod, nn.Sequential) else mod
        assert isinstance(linear, nn.Linear)
        result = cls(linear.in_features, linear.out_features, linear.bias is not None)
        result._take_float(mod, linear.weight, linear.bias)
        return result

    def extra_repr(self) -> str:
        """Sizes and output parameters."""
        return f"in_features={self.in_features}, out_features={self.out_features}, {super().extra_repr()}"
