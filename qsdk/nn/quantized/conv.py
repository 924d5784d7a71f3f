"""Quantized convolution."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from qsdk.errors import UnsupportedOperatorError
from qsdk.nn import intrinsic as nni
from qsdk.nn.quantized import functional as qF
from qsdk.nn.quantized.base import WeightedModule, place_of
from qsdk.qtensor import QTensor


def _pair(value: Any) -> tuple[int, int]:
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[1]))


class Conv2d(WeightedModule):
    """2D convolution of [N, C, H, W] with int8 weights; arguments as torch.nn.Conv2d."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        if padding_mode != "zeros":
            raise UnsupportedOperatorError(f"{type(self).__name__} with padding_mode '{padding_mode}'; use 'zeros'")
        self_kernel = _pair(kernel_size)
        super().__init__((out_channels, in_channels // groups, *self_kernel), bias)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = self_kernel
        self.stride = _pair(stride)
        self.padding = padding if isinstance(padding, str) else _pair(padding)
        self.dilation = _pair(dilation)
        self.groups = groups
        self.padding_mode = padding_mode

    def padding_by_side(self) -> tuple[int, int, int, int]:
        """Padding as top, left, bottom, right."""
        if not isinstance(self.padding, str):
            return (*self.padding, *self.padding)
        if self.padding == "valid":
            return (0, 0, 0, 0)
        # 'same': what does not split evenly goes to the end, as in PyTorch.
        total = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        before = [t // 2 for t in total]
        return (before[0], before[1], total[0] - before[0], total[1] - before[1])

    def forward(self, input: QTensor) -> QTensor:
        """[N, C, H, W] to [N, O, OH, OW]."""
        input = self.need_qtensor(input)
        return qF.conv2d_bound(
            input,
            self.bound_constants(input.qparams),
            self.stride,
            self.padding_by_side(),
            self.dilation,
            self.groups,
            self.output_qparams,
            self._relu,
        )

    @classmethod
    def from_float(cls, mod: nn.Module) -> Conv2d:
        """From a prepared and calibrated nn.Conv2d or fused convolution.

        Raises:
            QuantizationError: not calibrated, or not finite; names the layer.
            UnsupportedOperatorError: a padding_mode other than zeros.
        """
        conv, weight, bias = float_conv(mod)
        if conv.padding_mode != "zeros":
            raise UnsupportedOperatorError(
                f"{place_of(mod)} has padding_mode '{conv.padding_mode}'; pad explicitly and use 'zeros', or set its "
                "qconfig to None"
            )
        result = cls(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            conv.stride,
            conv.padding,
            conv.dilation,
            conv.groups,
            bias is not None,
        )
        result._take_float(mod, weight, bias)
        return result

    def extra_repr(self) -> str:
        """Geometry and output parameters."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, groups={self.groups}, {super().extra_repr()}"
        )


def float_conv(mod: nn.Module) -> tuple[nn.Conv2d, Tensor, Tensor | None]:
    """The convolution inside a float or fused module, with batch norm folded into its weight and bias."""
    conv = mod[0] if isinstance(mod, nn.Sequential) else mod
    assert isinstance(conv, nn.Conv2d)
    fold: Any = getattr(mod, "folded", None)
    if fold is not None:  # quantization-aware: the very weight that training quantized
        with torch.no_grad():
            return (conv, *fold())
    if isinstance(mod, (nni.ConvBn2d, nni.ConvBnReLU2d)):
        norm = mod[1]
        assert isinstance(norm, nn.BatchNorm2d)
        with torch.no_grad():
            folded = fuse_conv_bn_eval(conv.eval(), norm.eval())
        return conv, folded.weight, folded.bias
    return conv, conv.weight, conv.bias
