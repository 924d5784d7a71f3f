"""What dynamically quantized modules share: int8 weights made of a float module, as their operators take them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from qsdk.errors import QuantizationError, UnsupportedOperatorError
from qsdk.nn.quantized.base import WeightModule, place_of
from qsdk.qtensor import qint8, to_qdtype
from qsdk.reference import constants


def need_int8(dtype: Any, place: str) -> None:
    """Refuse weights of another dtype than qint8.

    Raises:
        UnsupportedOperatorError: names the layer (`place`) and what to use.
    """
    if dtype is torch.float16 or to_qdtype(dtype) is not qint8:
        raise UnsupportedOperatorError(
            f"{place}: dynamic quantization has weights of qsdk.qint8, not of {dtype}; use dtype=qsdk.qint8 "
            "(default_dynamic_qconfig), or set the layer's qconfig to None to leave it in float"
        )


class DynamicModule(WeightModule):
    """A module with int8 weights that takes float tensors and quantizes them as they arrive: rule 10."""

    def __init__(self, weight_shape: tuple[int, ...], bias: bool, dtype: Any = qint8) -> None:
        super().__init__()
        need_int8(dtype, f"a {type(self).__name__}")
        self._init_weight(weight_shape, bias)

    def weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weight int8, its scale and the bias, as operators take them; the same objects every time."""
        bound: tuple[Tensor, Tensor, Tensor] = self._kept("weights", self._bind_weights)
        return bound

    def _bind_weights(self) -> tuple[Tensor, Tensor, Tensor]:
        weight, scale = constants.fit_dynamic(self._operator_weight(), self.weight_scale)
        return weight, scale, torch.zeros_like(scale) if self.float_bias is None else self.float_bias

    def _take_float(self, source: nn.Module, weight: Tensor, bias: Tensor | None) -> None:
        """Path and weights of a float module that has a qconfig; `weight` is [O, ...]."""
        place = place_of(source)
        qconfig: Any = getattr(source, "qconfig", None)
        if qconfig is None:
            raise QuantizationError(
                f"{place} has no qconfig; use quantize_dynamic, or set it to default_dynamic_qconfig"
            )
        need_int8(getattr(qconfig.weight(), "dtype", qint8), place)
        self._take_weight(source, weight, bias)
