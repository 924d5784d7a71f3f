"""Fused modules that fake quantize their weights, for quantization-aware training.

Those with batch norm quantize the weight that convert will store: the one with batch norm's running statistics folded
in. While statistics are collected, the result is divided by the folded factor again and normalized by the batch's own
statistics; once they are frozen, and in eval mode, the folded layer runs as it stands:

    factor = gamma / sqrt(running_var + eps)
    frozen:      conv(x, fake_quant(weight * factor)) + beta + (bias - running_mean) * factor
    collecting:  batch_norm(conv(x, fake_quant(weight * factor)) / factor + bias)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import Self

from qsdk.errors import QuantizationError
from qsdk.nn import qat as nnqat
from qsdk.nn.qat import conv2d_arguments, make_weight_fake_quant


class ConvReLU2d(nnqat.Conv2d):
    """relu(conv(x, fake_quant(weight))); arguments as torch.nn.Conv2d, and a qconfig."""

    _relu = True


class LinearReLU(nnqat.Linear):
    """relu(linear(x, fake_quant(weight))); arguments as torch.nn.Linear, and a qconfig."""

    _relu = True


if TYPE_CHECKING:
    _Base = nn.Module
else:
    _Base = object


class BatchNormFolding(_Base):
    """What layers with a batch norm after them share. The layer's own class says how to apply a weight.

    Attributes:
        bn: the batch norm
        freeze_bn: its statistics are not updated
    """

    weight: Any
    bias: Any
    bn: Any
    weight_fake_quant: nn.Module
    qconfig: Any
    freeze_bn: bool
    _apply_weight: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    _relu = False

    def _init_folding(self, norm: nn.Module, qconfig: Any, freeze_bn: bool) -> None:
        if getattr(norm, "running_var", None) is None:
            raise QuantizationError(
                f"{type(self).__name__} needs batch norm's running statistics; use track_running_stats=True"
            )
        self.bn = norm
        self.qconfig = qconfig
        self.weight_fake_quant = make_weight_fake_quant(type(self), qconfig).to(self.weight.device)
        self.freeze_bn = freeze_bn
        self.train(self.training)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias with batch norm's running statistics folded in; the weight before its fake quantize."""
        factor = self._factor()
        shift = 0.0 if self.bn.bias is None else self.bn.bias
        offset = -self.bn.running_mean if self.bias is None else self.bias - self.bn.running_mean
        return self._scaled(factor), shift + offset * factor

    def _factor(self) -> Tensor:
        inverse: Tensor = 1.0 / torch.sqrt(self.bn.running_var + self.bn.eps)
        return inverse if self.bn.weight is None else self.bn.weight * inverse

    def _scaled(self, factor: Tensor) -> Tensor:
        scaled: Tensor = self.weight * factor.reshape(-1, *[1] * (self.weight.dim() - 1))
        return scaled

    def forward(self, input: Tensor) -> Tensor:
        """As the layer, then batch norm, and ReLU if fused."""
        if self.bn.training:
            factor = self._factor()
            result = self._apply_weight(input, self.weight_fake_quant(self._scaled(factor)), None)
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


class ConvBn2d(BatchNormFolding, nn.Conv2d):
    """Conv2d and BatchNorm2d with a fake quantized weight.

    Args:
        in_channels .. padding_mode: as torch.nn.Conv2d
        eps, momentum: as torch.nn.BatchNorm2d
        freeze_bn: start with frozen statistics
        qconfig: its `weight` makes the fake quantize
    """

    freeze_bn = False

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
        geometry: Any = (in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        rest: Any = {"bias": bool(bias), "padding_mode": padding_mode}
        nn.Conv2d.__init__(self, *geometry, **rest)
        self._init_folding(nn.BatchNorm2d(out_channels, eps, momentum), qconfig, freeze_bn)

    def _apply_weight(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self._conv_forward(input, weight, bias)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From qsdk.nn.intrinsic's module of the same name with a qconfig; takes parameters and statistics over."""
        assert isinstance(mod, nn.Sequential)
        conv: Any = mod[0]
        make: Any = cls
        result: Self = make(*conv2d_arguments(conv), qconfig=getattr(mod, "qconfig", None))
        result.weight, result.bias = conv.weight, conv.bias
        result._init_folding(mod[1], result.qconfig, False)
        return result


class ConvBnReLU2d(ConvBn2d):
    """relu of ConvBn2d."""

    _relu = True


class LinearBn1d(BatchNormFolding, nn.Linear):
    """Linear and BatchNorm1d with a fake quantized weight, on [N, in_features].

    Args:
        in_features, out_features, bias: as torch.nn.Linear
        eps, momentum: as torch.nn.BatchNorm1d
        freeze_bn: start with frozen statistics
        qconfig: its `weight` makes the fake quantize
    """

    freeze_bn = False

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
        nn.Linear.__init__(self, in_features, out_features, bias)
        self._init_folding(nn.BatchNorm1d(out_features, eps, momentum), qconfig, freeze_bn)

    def _apply_weight(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if input.dim() != 2:
            raise QuantizationError(f"LinearBn1d takes [N, {self.in_features}], not {list(input.shape)}")
        return F.linear(input, weight, bias)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From qsdk.nn.intrinsic.LinearBn1d with a qconfig; takes parameters and statistics over."""
        assert isinstance(mod, nn.Sequential)
        linear: Any = mod[0]
        qconfig = getattr(mod, "qconfig", None)
        result = cls(linear.in_features, linear.out_features, linear.bias is not None, qconfig=qconfig)
        result.weight, result.bias = linear.weight, linear.bias
        result._init_folding(mod[1], result.qconfig, False)
        return result


def freeze_bn_stats(mod: nn.Module) -> None:
    """For model.apply: keep the statistics of fused batch norms as they are."""
    if isinstance(mod, BatchNormFolding):
        mod.freeze_bn_stats()


def update_bn_stats(mod: nn.Module) -> None:
    """For model.apply: update the statistics of fused batch norms in training mode."""
    if isinstance(mod, BatchNormFolding):
        mod.update_bn_stats()


__all__ = [
    "ConvBn2d",
    "ConvBnReLU2d",
    "ConvReLU2d",
    "LinearBn1d",
    "LinearReLU",
    "freeze_bn_stats",
    "update_bn_stats",
]
