"""Functions that are several of slice, reshape, permute and cat. They move integers and keep their parameters: rule 7.

Those about channels work with the channels last, as files have them, so that export needs no more permutes.
"""

from __future__ import annotations

from typing import Any

import torch

from qsdk.dispatch import call
from qsdk.errors import QuantizationError, UnsupportedOperatorError
from qsdk.nn.quantized.functional.common import axis_of, ints
from qsdk.nn.quantized.functional.shape import permute, reshape, transpose
from qsdk.qtensor import QTensor, calling_module, slice_positions


def expand(input: QTensor, *sizes: Any) -> QTensor:
    """Repeat along axes of extent 1, and along new ones in front; -1 keeps an extent."""
    wanted = ints(sizes)
    new = len(wanted) - input.dim()
    given = [1] * new + list(input.shape)
    shape = [g if w == -1 and axis >= new else w for axis, (g, w) in enumerate(zip(given, wanted, strict=new >= 0))]
    if new < 0 or any(w < 1 or g not in (1, w) for g, w in zip(given, shape, strict=True)):
        raise QuantizationError(f"shape {list(input.shape)} cannot be expanded to {wanted}{calling_module()}")
    source = reshape(input, given) if new or shape == given else input
    if shape == given:
        return source
    return slice_positions(source, shape, [0] * len(shape), [int(g == w) for g, w in zip(given, shape, strict=True)])


def expand_as(input: QTensor, other: Any) -> QTensor:
    """Expanded to the shape of another tensor."""
    return expand(input, list(other.shape))


def repeat(input: QTensor, *repeats: Any) -> QTensor:
    """Copies of the whole, `repeats` times along each axis; axes that are missing are put in front."""
    counts = ints(repeats)
    shape = [1] * (len(counts) - input.dim()) + list(input.shape)
    if len(shape) != len(counts):
        raise QuantizationError(f"repeat({counts}) of a tensor with {input.dim()} axes{calling_module()}")
    split, expanded = [], []
    for extent, count in zip(shape, counts, strict=True):
        apart = count > 1 and extent > 1  # else one axis is enough
        split += [1, extent] if apart else [extent]
        expanded += [count, extent] if apart else [extent * count]
    result = expand(reshape(input, split), expanded)
    return reshape(result, [extent * count for extent, count in zip(shape, counts, strict=True)])


def tile(input: QTensor, *dims: Any) -> QTensor:
    """As repeat; counts that are missing are 1."""
    counts = ints(dims)
    return repeat(input, [1] * (input.dim() - len(counts)) + counts)


def repeat_interleave(input: QTensor, repeats: Any, dim: int | None = None, *, output_size: Any = None) -> QTensor:
    """Each element `repeats` times, one number for all; without `dim` of the flattened tensor."""
    if not isinstance(repeats, int):
        raise UnsupportedOperatorError(f"repeat_interleave{calling_module()} of a quantized tensor takes one number")
    if dim is None:
        input, dim = reshape(input, input.numel()), 0
    axis = axis_of(dim, input.dim()) + 1
    shape = list(input.shape)
    result = expand(reshape(input, [*shape[:axis], 1, *shape[axis:]]), [*shape[:axis], repeats, *shape[axis:]])
    return reshape(result, [*shape[: axis - 1], shape[axis - 1] * repeats, *shape[axis:]])


def flip(input: QTensor, *dims: Any) -> QTensor:
    """The reverse order along the axes `dims`."""
    axes = {axis_of(d, input.dim()) for d in ints(dims)}
    shape = list(input.shape)
    start = [extent - 1 if axis in axes else 0 for axis, extent in enumerate(shape)]
    return slice_positions(input, shape, start, [-1 if axis in axes else 1 for axis in range(len(shape))])


def fliplr(input: QTensor) -> QTensor:
    """The reverse order along axis 1."""
    return flip(input, 1)


def flipud(input: QTensor) -> QTensor:
    """The reverse order along axis 0."""
    return flip(input, 0)


def rot90(input: QTensor, k: int = 1, dims: Any = (0, 1)) -> QTensor:
    """Turned by 90 degrees `k` times, from the first towards the second of two axes."""
    first, second = dims
    if k % 4 == 2:
        return flip(input, first, second)
    if k % 4 == 0:
        return flip(input, [])
    return transpose(flip(input, second if k % 4 == 1 else first), first, second)


def roll(input: QTensor, shifts: Any, dims: Any = None) -> QTensor:
    """Moved along axes, with what leaves at the end coming back at the front; without `dims` the flattened tensor."""
    shape = list(input.shape)
    if dims is None or dims == ():
        return reshape(roll(reshape(input, input.numel()), shifts, 0), shape)
    result = input
    for shift, dim in zip(ints((shifts,)), ints((dims,)), strict=True):
        axis = axis_of(dim, len(shape))
        cut = -shift % shape[axis]
        parts = [(cut, shape[axis] - cut), (0, cut)]
        moved = [_narrow(result, axis, start, length).storage for start, length in parts if length]
        result = QTensor(call(torch.ops.qsdk.cat.default, moved, axis), input.qparams)
    return result


def _narrow(input: QTensor, axis: int, start: int, length: int) -> QTensor:
    rank = input.dim()
    shape = [length if a == axis else extent for a, extent in enumerate(input.shape)]
    return slice_positions(input, shape, [start if a == axis else 0 for a in range(rank)], [1] * rank)


def pixel_shuffle(input: QTensor, upscale_factor: int) -> QTensor:
    """[..., C * r * r, H, W] to [..., C, H * r, W * r]."""
    r = upscale_factor
    batch, (channels, height, width) = _image(input, "pixel_shuffle")
    if r < 1 or channels % (r * r):
        raise QuantizationError(f"pixel_shuffle({r}) of {channels} channels{calling_module()}; they are not r * r * C")
    n = len(batch)
    x = reshape(_channels_last(input), [*batch, height, width, channels // (r * r), r, r])
    x = permute(x, [*range(n), n, n + 3, n + 1, n + 4, n + 2])
    return _channels_first(reshape(x, [*batch, height * r, width * r, channels // (r * r)]))


def pixel_unshuffle(input: QTensor, downscale_factor: int) -> QTensor:
    """[..., C, H * r, W * r] to [..., C * r * r, H, W]."""
    r = downscale_factor
    batch, (channels, height, width) = _image(input, "pixel_unshuffle")
    if r < 1 or height % r or width % r:
        raise QuantizationError(f"pixel_unshuffle({r}) of {height} x {width} pixels{calling_module()}")
    n = len(batch)
    x = reshape(_channels_last(input), [*batch, height // r, r, width // r, r, channels])
    x = permute(x, [*range(n), n, n + 2, n + 4, n + 1, n + 3])
    return _channels_first(reshape(x, [*batch, height // r, width // r, channels * r * r]))


def _image(input: QTensor, what: str) -> tuple[list[int], list[int]]:
    shape = list(input.shape)
    if len(shape) < 3:
        raise QuantizationError(f"{what} got shape {shape}{calling_module()}, but needs [..., C, H, W]")
    return shape[:-3], shape[-3:]


def _channels_last(input: QTensor) -> QTensor:
    n = input.dim() - 3
    return permute(input, [*range(n), n + 1, n + 2, n])


def _channels_first(input: QTensor) -> QTensor:
    n = input.dim() - 3
    return permute(input, [*range(n), n + 2, n, n + 1])


def channel_shuffle(input: QTensor, groups: int) -> QTensor:
    """Channel g * C / groups + c of [N, C, ...] becomes channel c * groups + g."""
    rank, channels = input.dim(), input.shape[1]
    if channels % groups:
        raise QuantizationError(f"channel_shuffle of {channels} channels in {groups} groups{calling_module()}")
    x = permute(input, [0, *range(2, rank), 1])
    shape = list(x.shape)
    x = transpose(reshape(x, [*shape[:-1], groups, channels // groups]), -1, -2)
    return permute(reshape(x, shape), [0, rank - 1, *range(1, rank - 1)])
