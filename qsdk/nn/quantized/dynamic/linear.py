"""Dynamically quantized fully connected layer."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from typing_extensions import Self

from qsdk.nn.quantized import functional as qF
from qsdk.nn.quantized.dynamic.base import DynamicModule
from qsdk.nn.quantized.linear import float_linear
from qsdk.qtensor import qint8


class Linear(DynamicModule):
    """Float [..., in_features] to float [..., out_features], with int8 weights.

    Args:
        in_features, out_features, bias: as torch.nn.Linear
        dtype: of the weights; qint8
        per_token: quantize each row of the last axis by its own range; else the whole input by one, as PyTorch does.
            May be changed at any time
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, dtype: Any = qint8, per_token: bool = False
    ) -> None:
        super().__init__((out_features, in_features), bias, dtype)
        self.in_features = in_features
        self.out_features = out_features
        self.per_token = per_token

    def forward(self, input: Tensor) -> Tensor:
        """[..., in_features] to [..., out_features]."""
        return qF.linear_dynamic(input, self.weights(), self.per_token, self._relu)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From an nn.Linear or LinearReLU that has a qconfig.

        Raises:
            QuantizationError: weights that are not finite, or a qconfig that does not fit; names the layer.
            UnsupportedOperatorError: weights of another dtype than qint8; names the layer.
        """
        weight, bias = float_linear(mod)
        result = cls(weight.shape[1], weight.shape[0], bias is not None)
        result._take_float(mod, weight, bias)
        return result

    def extra_repr(self) -> str:
        """Sizes and per_token."""
        return f"in_features={self.in_features}, out_features={self.out_features}, per_token={self.per_token}"
