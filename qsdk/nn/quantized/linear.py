"""Quantized fully connected layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from qsdk.nn import intrinsic as nni
from qsdk.nn.intrinsic.folding import fold as fold_norm
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
        weight, bias = float_linear(mod)
        result = cls(linear.in_features, linear.out_features, bias is not None)
        result._take_float(mod, weight, bias)
        return result

    def extra_repr(self) -> str:
        """Sizes and output parameters."""
        return f"in_features={self.in_features}, out_features={self.out_features}, {super().extra_repr()}"


def float_linear(mod: nn.Module) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a float or fused module, with batch norm folded in."""
    fold: Any = getattr(mod, "folded", None)
    if fold is not None:  # quantization-aware: the very weight that training quantized
        with torch.no_grad():
            weight, bias = fold()
            return weight, bias
    linear: Any = mod[0] if isinstance(mod, nn.Sequential) else mod
    if isinstance(mod, nni.LinearBn1d):
        with torch.no_grad():
            return fold_norm(linear, mod[1])
    return linear.weight, linear.bias
