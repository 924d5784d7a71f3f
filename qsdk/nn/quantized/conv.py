"""Quantized convolutions and transposed convolutions, in one, two and three dimensions.

Those in one dimension are those in two on [N, C, 1, L].
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import Self

from qsdk.errors import UnsupportedOperatorError
from qsdk.nn.intrinsic.folding import fold as fold_norm
from qsdk.nn.quantized import functional as qF
from qsdk.nn.quantized.base import WeightedModule
from qsdk.nn.quantized.functional.common import along
from qsdk.qtensor import QTensor

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class Geometry:
    """How a convolution's window moves; mixed into modules, before the class that is made of weight shape and bias.

    Every tuple has one number per axis.

    Attributes:
        in_channels, out_channels, groups: as torch's
        kernel_size, stride, dilation, output_padding: tuples
        padding: a tuple, or 'same' or 'valid'
        padding_mode: 'zeros', or 'reflect', 'replicate' or 'circular', for which padding is an operator of its own
    """

    _axes: int
    _transposed = False
    qweight: Tensor

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
        sizes = (in_channels, out_channels, kernel_size)
        self._make(*sizes, stride, padding, dilation, groups, bias, padding_mode)

    def _make(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        output_padding: Any = 0,
    ) -> None:
        modes = ("zeros",) if self._transposed else _PADDING_MODES
        if padding_mode not in modes:
            raise UnsupportedOperatorError(
                f"{type(self).__name__} with padding_mode '{padding_mode}'; use {' or '.join(map(repr, modes))}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = tuple(along(kernel_size, self._axes))
        self.stride = tuple(along(stride, self._axes))
        self.padding = padding if isinstance(padding, str) else tuple(along(padding, self._axes))
        self.dilation = tuple(along(dilation, self._axes))
        self.output_padding = tuple(along(output_padding, self._axes))
        self.groups = groups
        self.padding_mode = padding_mode
        make_module: Any = super().__init__
        make_module(self.weight_shape(), bias)

    def weight_shape(self) -> tuple[int, ...]:
        """[out_channels, in_channels / groups, *kernel_size], for transposed convolutions too."""
        return (self.out_channels, self.in_channels // self.groups, *self.kernel_size)

    def padding_by_side(self) -> tuple[int, ...]:
        """Padding at the begin of each axis, then at the end of each: of two axes top, left, bottom, right."""
        if not isinstance(self.padding, str):
            return self.padding * 2
        if self.padding == "valid":
            return (0, 0) * self._axes
        # 'same': what does not split evenly goes to the end, as in PyTorch.
        total = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        return (*(t // 2 for t in total), *(t - t // 2 for t in total))

    def _geometry(self) -> tuple[Any, ...]:
        """The operator's arguments; of one axis, those of [N, C, 1, L]."""
        sides = self.padding_by_side() if self.padding_mode == "zeros" else (0, 0) * self._axes
        begin, end = sides[: self._axes], sides[self._axes :]
        lifted = 1 if self._axes == 1 else 0
        stride, dilation = ((1,) * lifted + v for v in (self.stride, self.dilation))
        begin, end, extra = ((0,) * lifted + v for v in (begin, end, self.output_padding))
        if self._transposed:
            return stride, begin, extra, dilation, self.groups
        return stride, begin + end, dilation, self.groups

    def padded(self, input: Any) -> Any:
        """The input, with what a padding_mode other than zeros puts around it."""
        if self.padding_mode == "zeros":
            return input
        sides = self.padding_by_side()
        around = [sides[i] for axis in reversed(range(self._axes)) for i in (axis, axis + self._axes)]
        return F.pad(input, around, self.padding_mode)

    def _operator_weight(self) -> Tensor:
        return self.qweight.unsqueeze(2) if self._axes == 1 else self.qweight

    def geometry_repr(self) -> str:
        """For extra_repr."""
        extra = f", output_padding={self.output_padding}" if self._transposed else ""
        extra += f", padding_mode='{self.padding_mode}'" if self.padding_mode != "zeros" else ""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}{extra}, dilation={self.dilation}, groups={self.groups}"
        )

    @classmethod
    def _of(cls, conv: Any, bias: bool) -> Self:
        """A module of the geometry of a float convolution."""
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        arguments = {name: getattr(conv, name) for name in names}
        if cls._transposed:
            arguments["output_padding"] = conv.output_padding
        make: Any = cls
        result: Self = make(**arguments, bias=bias)
        return result


class TransposedGeometry(Geometry):
    """That of a transposed convolution, whose constructor has output_padding, and other places for groups and dilation.

    Weights are [O, I/groups, ...], with one scale per output channel; torch's own are [I, O/groups, ...].
    """

    _transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
    ) -> None:
        sizes = (in_channels, out_channels, kernel_size)
        self._make(*sizes, stride, padding, dilation, groups, bias, padding_mode, output_padding)


class _ConvNd(Geometry, WeightedModule):
    def forward(self, input: QTensor) -> QTensor:
        """[N, C, ...] to [N, O, ...]."""
        input = self.padded(self.need_qtensor(input))
        bound = self.bound_constants(input.qparams)
        convolve: Any = qF.conv_transpose_bound if self._transposed else qF.conv_bound
        if self._axes == 1:
            input = qF.unsqueeze(qF.need_rank(input, 3, type(self).__name__), 2)
        result = convolve(input, bound, *self._geometry(), self.output_qparams, self._relu)
        return qF.squeeze(result, 2) if self._axes == 1 else result

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a prepared and calibrated float or fused convolution.

        Raises:
            QuantizationError: not calibrated, or not finite; names the layer.
        """
        conv, weight, bias = float_conv(mod)
        result = cls._of(conv, bias is not None)
        result._take_float(mod, weight, bias)
        return result

    def extra_repr(self) -> str:
        """Geometry and output parameters."""
        return f"{self.geometry_repr()}, {super().extra_repr()}"


class Conv1d(_ConvNd):
    """1D convolution of [N, C, L] with int8 weights; arguments as torch.nn.Conv1d."""

    _axes = 1


class Conv2d(_ConvNd):
    """2D convolution of [N, C, H, W] with int8 weights; arguments as torch.nn.Conv2d."""

    _axes = 2


class Conv3d(_ConvNd):
    """3D convolution of [N, C, D, H, W] with int8 weights; arguments as torch.nn.Conv3d."""

    _axes = 3


class ConvTranspose1d(TransposedGeometry, _ConvNd):
    """1D transposed convolution of [N, C, L] with int8 weights [O, I/groups, K]; as torch.nn.ConvTranspose1d."""

    _axes = 1


class ConvTranspose2d(TransposedGeometry, _ConvNd):
    """2D transposed convolution with int8 weights [O, I/groups, KH, KW]; arguments as torch.nn.ConvTranspose2d."""

    _axes = 2


class ConvTranspose3d(TransposedGeometry, _ConvNd):
    """3D transposed convolution with int8 weights [O, I/groups, KD, KH, KW]; as torch.nn.ConvTranspose3d."""

    _axes = 3


def float_conv(mod: nn.Module) -> tuple[nn.Module, Tensor, Tensor | None]:
    """The convolution inside a float or fused module, its weight [O, I/groups, ...] and bias, batch norm folded in."""
    conv: Any = mod[0] if isinstance(mod, nn.Sequential) else mod
    fold: Any = getattr(mod, "folded", None)
    if fold is not None:  # quantization-aware: the very weight that training quantized
        with torch.no_grad():
            return (conv, *fold())
    weight, bias = conv.weight, conv.bias
    if isinstance(mod, nn.Sequential) and isinstance(mod[1], nn.modules.batchnorm._BatchNorm):
        with torch.no_grad():
            weight, bias = fold_norm(conv, mod[1])
    return conv, by_output_channel(conv, weight), bias


def by_output_channel(conv: Any, weight: Tensor) -> Tensor:
    """A convolution's weight as [O, I/groups, ...]; a transposed one has it as [I, O/groups, ...]."""
    if not conv.transposed:
        return weight
    inputs, outputs, *kernel = weight.shape
    grouped = weight.reshape(conv.groups, inputs // conv.groups, outputs, *kernel).transpose(1, 2)
    return grouped.reshape(outputs * conv.groups, inputs // conv.groups, *kernel)
