"""Layers with a batch norm after them: the weight that is fake quantized is the one that convert will store.

That is the one with batch norm's running statistics folded in. While statistics are collected, the result is divided
by the folded factor again and normalized by the batch's own statistics; once they are frozen, and in eval mode, the
folded layer runs as it stands:

    factor = gamma / sqrt(running_var + eps)
    frozen:      layer(x, fake_quant(weight * factor)) + beta + (bias - running_mean) * factor
    collecting:  batch_norm(layer(x, fake_quant(weight * factor)) / factor + bias)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import Self

from qsdk.errors import QuantizationError
from qsdk.nn.intrinsic.folding import fold, norm_factor, scaled_weight
from qsdk.nn.qat import FakeQuantizedConv, FakeQuantizedLinear
from qsdk.nn.qat.layer import FakeQuantizedLayer


class BatchNormFolding(FakeQuantizedLayer):
    """What layers with a batch norm after them share.

    Attributes:
        bn: the batch norm
        freeze_bn: its statistics are not updated
    """

    bn: Any
    freeze_bn: bool

    def _follow(self, norm: Any, freeze_bn: bool = False) -> None:
        if norm.running_var is None:
            raise QuantizationError(
                f"{type(self).__name__} needs batch norm's running statistics; use track_running_stats=True"
            )
        self.bn = norm
        self.freeze_bn = freeze_bn
        self.train(self.training)

    def _take(self, mod: nn.Module, layer: Any) -> None:
        super()._take(mod, layer)
        self._follow(mod[1])  # type: ignore[index]

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias with batch norm's running statistics folded in; the weight before its fake quantize."""
        return fold(self, self.bn)

    def forward(self, input: Tensor) -> Tensor:
        """As the layer, then batch norm, and ReLU if fused."""
        if input.dim() != self.weight.dim():
            sizes = ["N", str(self.weight.shape[1] * getattr(self, "groups", 1)), *["..."][: self.weight.dim() - 2]]
            raise QuantizationError(f"{type(self).__name__} takes [{', '.join(sizes)}], not {list(input.shape)}")
        if self.bn.training:
            factor = norm_factor(self.bn)
            result = self._apply_weight(input, self.weight_fake_quant(scaled_weight(self, factor)), None)
            # A channel whose factor is 0 has no output to divide.
            divisor = torch.where(factor == 0, torch.ones_like(factor), factor)
            shape = (1, -1, *[1] * (result.dim() - 2))
            result = result / divisor.reshape(shape)
            if self.bias is not None:
                result = result + self.bias.reshape(shape)
            result = self.bn(result)
        else:
            weight, bias = self.folded()
            result = self._apply_weight(input, self.weight_fake_quant(weight), bias)
        return F.relu(result) if self._relu else result

    def freeze_bn_stats(self) -> Self:
        """Use batch norm's running statistics and keep them as they are."""
        self.freeze_bn = True
        self.bn.eval()
        return self

    def update_bn_stats(self) -> Self:
        """Normalize by each batch's statistics and update the running ones, in training mode."""
        self.freeze_bn = False
        self.bn.train(self.training)
        return self

    def reset_running_stats(self) -> None:
        """Batch norm's running mean 0 and variance 1."""
        self.bn.reset_running_stats()

    def train(self, mode: bool = True) -> Self:
        """Training or eval mode; frozen statistics stay frozen."""
        super().train(mode)
        if self.freeze_bn:
            self.bn.eval()
        return self


class ConvBn(BatchNormFolding, FakeQuantizedConv):
    """A convolution and batch norm with a fake quantized weight.

    Args:
        in_channels .. padding_mode: as the convolution's; there is no bias unless asked for
        eps, momentum: as batch norm's
        freeze_bn: start with frozen statistics
        qconfig: its `weight` makes the fake quantize
    """

    _NORM: type[nn.Module]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool | None = None,
        padding_mode: str = "zeros",
        eps: float = 1e-5,
        momentum: float = 0.1,
        freeze_bn: bool = False,
        qconfig: Any = None,
    ) -> None:
        geometry = (in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        super().__init__(*geometry, bias=bool(bias), padding_mode=padding_mode, qconfig=qconfig)
        self._follow(self._NORM(out_channels, eps, momentum), freeze_bn)


class LinearBn(BatchNormFolding, FakeQuantizedLinear):
    """A fully connected layer and batch norm with a fake quantized weight.

    Args:
        in_features, out_features, bias: as torch.nn.Linear
        eps, momentum: as torch.nn.BatchNorm1d
        freeze_bn: start with frozen statistics
        qconfig: its `weight` makes the fake quantize
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        eps: float = 1e-5,
        momentum: float = 0.1,
        freeze_bn: bool = False,
        qconfig: Any = None,
    ) -> None:
        super().__init__(in_features, out_features, bias, qconfig=qconfig)
        self._follow(nn.BatchNorm1d(out_features, eps, momentum), freeze_bn)
