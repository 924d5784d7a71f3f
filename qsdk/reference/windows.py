"""Convolutions, transposed convolutions, batch norm and pools of float32. Rule 11.

Tensors are NCHW here, but sums run as they lie in the file: over the window's rows, then columns, then channels, from
+0, each product rounded, then added; a bias is added last. Padding adds nothing. Every NaN written is 0x7fc00000.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from qsdk.reference.conv import convolution_shape, transposed_convolution_shape
from qsdk.reference.functions import canonical
from qsdk.reference.pool import divisors, pooled_extent
from qsdk.reference.registry import fake, operator
from qsdk.reference.sums import normalized

_CONV = "(Tensor input, Tensor weight, Tensor bias, int[] stride, int[] padding, int[] dilation, int groups) -> Tensor"
_CONV_TRANSPOSE = _CONV.replace("int[] padding,", "int[] padding, int[] output_padding,")


def _taps(kernel: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return product(*map(range, kernel))


def _inner(*axes: Any) -> Any:
    """An index of the last axes."""
    return (..., *axes)


def _grouped(x: Tensor, groups: int) -> Tensor:
    """[N, C, ...] as [N, groups, 1, C / groups, ...]."""
    return x.unflatten(1, (groups, 1, -1))


def _add_products(total: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """total [N, G, O, ...] and, channel after channel, x [N, G, 1, C, ...] times weight [G, O, C]."""
    ones = [1] * (x.dim() - 4)
    for channel in range(x.shape[3]):
        total = total + x[:, :, :, channel] * weight[:, :, channel].reshape(1, *weight.shape[:2], *ones)
    return total


def _with_bias(total: Tensor, bias: Tensor) -> Tensor:
    total = total.flatten(1, 2)
    return canonical(total + bias.reshape(-1, *[1] * (total.dim() - 2)))


def _convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    axes = weight.dim() - 2
    sides = [side for axis in reversed(range(axes)) for side in (padding[axis], padding[axis + axes])]
    padded = _grouped(F.pad(input, sides), groups)
    n, outputs, *extents = convolution_shape(input, weight, stride, padding, dilation)
    by_group = weight.unflatten(0, (groups, -1))
    total = input.new_zeros([n, groups, outputs // groups, *extents])
    for tap in _taps(weight.shape[2:]):
        window = [
            slice(t * d, t * d + (e - 1) * s + 1, s) for t, d, e, s in zip(tap, dilation, extents, stride, strict=True)
        ]
        total = _add_products(total, padded[_inner(*window)], by_group[_inner(*tap)])
    return _with_bias(total, bias)


def _transposed_convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    shape = transposed_convolution_shape(input, weight, stride, padding, output_padding, dilation)
    extents, x = shape[2:], _grouped(input, groups)
    by_group = weight.unflatten(0, (groups, -1))
    whole = [e + p + p for e, p in zip(extents, padding, strict=True)]
    total = input.new_zeros([shape[0], groups, shape[1] // groups, *whole])
    for tap in _taps(weight.shape[2:]):
        target = _inner(
            *(
                slice(t * d, t * d + (n - 1) * s + 1, s)
                for t, d, n, s in zip(tap, dilation, input.shape[2:], stride, strict=True)
            )
        )
        total[target] = _add_products(total[target], x, by_group[_inner(*tap)])
    inner = _inner(*(slice(p, p + e) for p, e in zip(padding, extents, strict=True)))
    return _with_bias(total[inner], bias)


@operator(_CONV, "conv2d.float")
def conv2d_float(input: Tensor, weight: Tensor, bias: Tensor, *geometry: Any) -> Tensor:
    """input [N,C,H,W]; weight [O,C/groups,KH,KW]; bias [O]; padding is top, left, bottom, right."""
    return _convolution(input, weight, bias, *geometry)


@operator(_CONV, "conv3d.float")
def conv3d_float(input: Tensor, weight: Tensor, bias: Tensor, *geometry: Any) -> Tensor:
    """As conv2d, with depth before height."""
    return _convolution(input, weight, bias, *geometry)


@operator(_CONV_TRANSPOSE, "conv_transpose2d.float")
def conv_transpose2d_float(input: Tensor, weight: Tensor, bias: Tensor, *geometry: Any) -> Tensor:
    """input [N,C,H,W]; weight [O,C/groups,KH,KW]; bias [O]. Taps in ascending order, those that meet a pixel."""
    return _transposed_convolution(input, weight, bias, *geometry)


@operator(_CONV_TRANSPOSE, "conv_transpose3d.float")
def conv_transpose3d_float(input: Tensor, weight: Tensor, bias: Tensor, *geometry: Any) -> Tensor:
    """As conv_transpose2d, with depth before height."""
    return _transposed_convolution(input, weight, bias, *geometry)


@fake("conv2d.float")
@fake("conv3d.float")
def _(input: Tensor, weight: Tensor, bias: Tensor, stride: Any, padding: Any, dilation: Any, groups: int) -> Tensor:
    return input.new_empty(convolution_shape(input, weight, stride, padding, dilation))


@fake("conv_transpose2d.float")
@fake("conv_transpose3d.float")
def _(input: Tensor, weight: Tensor, bias: Tensor, *geometry: Any) -> Tensor:
    return input.new_empty(transposed_convolution_shape(input, weight, *geometry[:4]))


@operator("(Tensor input, Tensor multiplier, Tensor offset) -> Tensor", "batch_norm.float")
def batch_norm_float(input: Tensor, multiplier: Tensor, offset: Tensor) -> Tensor:
    """A window of one tap for each channel: +0 + f32(x * multiplier[c]), then + offset[c]. input [N,C,...]."""
    shape = (-1, *[1] * (input.dim() - 2))
    total = torch.zeros_like(input) + input * multiplier.reshape(shape)
    return canonical(total + offset.reshape(shape))


@fake("batch_norm.float")
def _(input: Tensor, multiplier: Tensor, offset: Tensor) -> Tensor:
    return input.new_empty(input.shape)


def _pooled(input: Tensor, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> list[int]:
    return [
        pooled_extent(input.shape[2 + i], kernel_size[i], stride[i], padding[i], dilation[i], ceil_mode)
        for i in range(2)
    ]


def _windows(
    input: Tensor, extents: Sequence[int], kernel: Any, stride: Any, padding: Any, dilation: Any, fill: float
) -> Iterator[Tensor]:
    """What each tap sees of the input, row after row; `fill` outside of it."""
    reach = [
        max(0, (e - 1) * s + (k - 1) * d + 1 - p - n)
        for e, s, k, d, p, n in zip(extents, stride, kernel, dilation, padding, input.shape[2:], strict=True)
    ]
    padded = F.pad(input, (padding[1], reach[1], padding[0], reach[0]), value=fill)
    for tap in _taps(kernel):
        y, x = (
            slice(t * d, t * d + (e - 1) * s + 1, s) for t, d, e, s in zip(tap, dilation, extents, stride, strict=True)
        )
        yield padded[:, :, y, x]


@operator(
    "(Tensor input, int[] kernel_size, int[] stride, int[] padding, int[] dilation, bool ceil_mode) -> Tensor",
    "max_pool2d.float",
)
def max_pool2d_float(
    input: Tensor, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Tensor:
    """m = -infinity, then x > m ? x : m for each tap, row after row; so NaN is left out, and padding never wins."""
    extents = _pooled(input, kernel_size, stride, padding, dilation, ceil_mode)
    lowest = -float("inf")
    most = input.new_full([*input.shape[:2], *extents], lowest)
    for x in _windows(input, extents, kernel_size, stride, padding, dilation, lowest):
        most = torch.where(x > most, x, most)
    return most


@fake("max_pool2d.float")
def _(input: Tensor, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Tensor:
    return input.new_empty([*input.shape[:2], *_pooled(input, kernel_size, stride, padding, dilation, ceil_mode)])


@operator(
    "(Tensor input, int[] kernel_size, int[] stride, int[] padding, bool ceil_mode, bool count_include_pad, "
    "int divisor_override) -> Tensor",
    "avg_pool2d.float",
)
def avg_pool2d_float(
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int,
) -> Tensor:
    """f32(sum / f32(n)), the sum from +0, tap after tap; n as of the operator on integers."""
    extents = _pooled(input, kernel_size, stride, padding, (1, 1), ceil_mode)
    total = input.new_zeros([*input.shape[:2], *extents])
    for x in _windows(input, extents, kernel_size, stride, padding, (1, 1), 0.0):
        total = total + x
    if divisor_override:
        count = torch.full(extents, divisor_override)
    else:
        sides = [
            divisors(input.shape[2 + i], kernel_size[i], stride[i], padding[i], extents[i])[not count_include_pad]
            for i in range(2)
        ]
        count = sides[0][:, None] * sides[1][None, :]
    return canonical(total / count.to(torch.float32))


@fake("avg_pool2d.float")
def _(input: Tensor, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, *_: Any) -> Tensor:
    return input.new_empty([*input.shape[:2], *_pooled(input, kernel_size, stride, padding, (1, 1), ceil_mode)])


@operator("(Tensor input, int[] output_size) -> Tensor", "adaptive_avg_pool2d.float")
def adaptive_avg_pool2d_float(input: Tensor, output_size: Sequence[int]) -> Tensor:
    """f32(sum / f32(n)) over windows floor(i*e/n) .. ceil((i+1)*e/n), the sum from +0, row after row."""
    starts, lengths = [], []
    for extent, windows in zip(input.shape[2:], output_size, strict=True):
        index = torch.arange(windows)
        starts.append(index * extent // windows)
        lengths.append(((index + 1) * extent + windows - 1) // windows - starts[-1])
    total = input.new_zeros([*input.shape[:2], *output_size])
    for y, x in product(range(int(lengths[0].max())), range(int(lengths[1].max()))):
        rows, columns = ((s + t).clamp(max=e - 1) for s, t, e in zip(starts, (y, x), input.shape[2:], strict=True))
        inside = (y < lengths[0])[:, None] & (x < lengths[1])[None, :]
        value = input.index_select(2, rows).index_select(3, columns)
        total = total + torch.where(inside, value, torch.zeros_like(value))
    return canonical(total / (lengths[0][:, None] * lengths[1][None, :]).to(torch.float32))


@fake("adaptive_avg_pool2d.float")
def _(input: Tensor, output_size: Sequence[int]) -> Tensor:
    return input.new_empty([*input.shape[:2], *output_size])


@operator("(Tensor input, Tensor weight, Tensor bias, int num_groups, float eps) -> Tensor", "group_norm.float")
def group_norm_float(input: Tensor, weight: Tensor, bias: Tensor, num_groups: int, eps: float) -> Tensor:
    """f32(f32(h * weight[c]) + bias[c]), h as layer_norm's over a group's positions, and its channels at each."""
    last = input.movedim(1, -1)
    groups = last.unflatten(-1, (num_groups, -1)).movedim(-2, 1)  # [N, groups, ..., C / groups]
    h = normalized(groups.flatten(2), eps).reshape(groups.shape)
    return canonical(h.movedim(1, -2).flatten(-2) * weight + bias).movedim(-1, 1)


@fake("group_norm.float")
def _(input: Tensor, weight: Tensor, bias: Tensor, num_groups: int, eps: float) -> Tensor:
    return input.new_empty(input.shape)


@operator("(Tensor input, Tensor slope) -> Tensor", "prelu.float")
def prelu_float(input: Tensor, slope: Tensor) -> Tensor:
    """x > 0 ? x : f32(x * slope[c]). input [N,C,...]."""
    factors = slope.reshape(-1, *[1] * (input.dim() - 2))
    return canonical(torch.where(input > 0, input, input * factors))


@fake("prelu.float")
def _(input: Tensor, slope: Tensor) -> Tensor:
    return input.new_empty(input.shape)
