"""Other extents: pad (rule 7), and upsampling of images to nearest pixels and by bilinear weights (rule 19)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qsdk.reference.registry import fake, operator
from qsdk.reference.rounding import f32_tensor, round_clamp

CONSTANT, REFLECT, REPLICATE, CIRCULAR = range(4)
ONE = 1 << 11  # the sum of the two weights along one axis


@operator("(Tensor input, int[] shape, int[] before, int mode, int value) -> Tensor")
def pad(input: Tensor, shape: Sequence[int], before: Sequence[int], mode: int, value: int) -> Tensor:
    """Positions in front of and behind those of each axis, to `shape`.

    Args:
        before: how many are in front, along each axis
        mode: 0: they are `value`; 1: as if mirrored at the first and the last element; 2: as these; 3: as if repeated

    Raises:
        ValueError: the numbers do not fit the input, or mode 1 or 3 would need more elements than there are.
    """
    _check_padding(input, shape, before, mode)
    result, inside = input, torch.ones([], dtype=torch.bool, device=input.device)
    for axis, (extent, front) in enumerate(zip(shape, before, strict=True)):
        has = input.shape[axis]
        positions = torch.arange(extent, device=input.device) - front
        within = (positions >= 0) & (positions < has)
        if mode == REFLECT:
            positions = (has - 1) - ((has - 1) - positions.abs()).abs()
        elif mode == CIRCULAR:
            positions = positions % has
        result = result.index_select(axis, positions.clamp(0, has - 1))
        inside = inside & within.reshape([-1] + [1] * (len(shape) - 1 - axis))
    if mode == CONSTANT:
        result = torch.where(inside, result, value)
    return result.clone(memory_format=torch.contiguous_format).to(input.dtype)


@fake("pad")
def _(input: Tensor, shape: Sequence[int], before: Sequence[int], mode: int, value: int) -> Tensor:
    _check_padding(input, shape, before, mode)
    return input.new_empty(list(shape))


def _check_padding(input: Tensor, shape: Sequence[int], before: Sequence[int], mode: int) -> None:
    if not 0 <= mode <= CIRCULAR:
        raise ValueError(f"mode {mode} of pad")
    for axis, (has, extent, front) in enumerate(zip(input.shape, shape, before, strict=True)):
        behind = extent - has - front
        most = {REFLECT: has - 1, CIRCULAR: has}.get(mode, extent)
        if not (0 <= front <= most and 0 <= behind <= most):
            raise ValueError(f"axis {axis}: {has} elements do not become {extent}, {front} before them, in mode {mode}")


@operator("(Tensor input, int[] output_size, float scale_height, float scale_width) -> Tensor")
def upsample_nearest2d(input: Tensor, output_size: Sequence[int], scale_height: float, scale_width: float) -> Tensor:
    """input int8 [N,C,H,W]; position i along an axis is that of the input at floor(f32(i * scale)), or its last."""
    result = input
    for axis, size, scale in zip((2, 3), output_size, (scale_height, scale_width), strict=True):
        at = torch.arange(size, dtype=torch.float32, device=input.device) * f32_tensor(scale, input)
        result = result.index_select(axis, at.clamp(max=input.shape[axis] - 1).to(torch.int64))
    return result.contiguous()


@fake("upsample_nearest2d")
def _(input: Tensor, output_size: Sequence[int], scale_height: float, scale_width: float) -> Tensor:
    return input.new_empty([*input.shape[:2], *output_size])


@operator(
    "(Tensor input, int[] output_size, bool align_corners, float scale_height, float scale_width, "
    "int input_zero_point) -> Tensor"
)
def upsample_bilinear2d(
    input: Tensor,
    output_size: Sequence[int],
    align_corners: bool,
    scale_height: float,
    scale_width: float,
    input_zero_point: int,
) -> Tensor:
    """input int8 [N,C,H,W]; the weighted sum of four pixels, with weights of 11 bits along each axis."""
    total = input.to(torch.int64) - input_zero_point
    for axis, size, scale in zip((2, 3), output_size, (scale_height, scale_width), strict=True):
        i = torch.arange(size, dtype=torch.float32, device=input.device)
        if align_corners:
            at = i * f32_tensor(scale, input)
        else:
            at = ((i + 0.5) * f32_tensor(scale, input) - 0.5).clamp(min=0)
        at = at.clamp(max=input.shape[axis] - 1)
        first = at.floor()
        weight = torch.round((at - first) * ONE).to(torch.int64).reshape([-1] + [1] * (3 - axis))
        first = first.to(torch.int64)
        second = (first + 1).clamp(max=input.shape[axis] - 1)
        total = total.index_select(axis, first) * (ONE - weight) + total.index_select(axis, second) * weight
    scaled = total.to(torch.float32) * f32_tensor(ONE**-2, input)
    return round_clamp(scaled, input_zero_point, -128, 127).contiguous()


@fake("upsample_bilinear2d")
def _(
    input: Tensor,
    output_size: Sequence[int],
    align_corners: bool,
    scale_height: float,
    scale_width: float,
    input_zero_point: int,
) -> Tensor:
    return input.new_empty([*input.shape[:2], *output_size])
