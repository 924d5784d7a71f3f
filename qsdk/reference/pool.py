"""Pooling and means: max_pool2d (rule 7), avg_pool2d, adaptive_avg_pool2d, mean (rule 8).

    average = clamp(rne(f32(f32(sum input') * f32(rescale / f32(n)))) + output_zero_point, output_min, output_max)

n is the count of the window: PyTorch's rules, restated in `divisors`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from qsdk.reference.registry import fake, operator
from qsdk.reference.rounding import f32_tensor, round_clamp, wrap_int32


def pooled_extent(extent: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """Number of windows along one axis. With ceil_mode the last window may hang over, but it has to start inside the
    input or the padding before it."""
    span = extent + 2 * padding - dilation * (kernel - 1) - 1
    windows = (span + (stride - 1 if ceil_mode else 0)) // stride + 1
    if ceil_mode and (windows - 1) * stride >= extent + padding:
        windows -= 1
    return windows


def _average(total: Tensor, count: Tensor, rescale: float, zero_point: int, lowest: int, highest: int) -> Tensor:
    factor = f32_tensor(rescale, total) / count.to(torch.float32)
    scaled = wrap_int32(total).to(torch.float32) * factor
    return round_clamp(scaled, zero_point, lowest, highest).contiguous()


@operator(
    "(Tensor input, int[] kernel_size, int[] stride, int[] padding, int[] dilation, bool ceil_mode) -> Tensor",
)
def max_pool2d(
    input: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
) -> Tensor:
    """input int8 [N,C,H,W]; padding is h, w. Padding is never the maximum; a window of padding alone gives -128."""
    result = F.max_pool2d(
        input.to(torch.float32), list(kernel_size), list(stride), list(padding), list(dilation), ceil_mode
    )
    return result.clamp(min=-128).to(torch.int8).contiguous()


@fake("max_pool2d")
def _(
    input: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
) -> Tensor:
    extents = [
        pooled_extent(input.shape[2 + i], kernel_size[i], stride[i], padding[i], dilation[i], ceil_mode)
        for i in range(2)
    ]
    return input.new_empty([*input.shape[:2], *extents])


def divisors(extent: int, kernel: int, stride: int, padding: int, windows: int) -> tuple[Tensor, Tensor]:
    """Per window along one axis: positions in input and padding together, and positions in the input."""
    start = torch.arange(windows) * stride - padding
    end = torch.minimum(start + kernel, torch.tensor(extent + padding))
    inside = torch.minimum(end, torch.tensor(extent)) - start.clamp(min=0)
    return end - start, inside


@operator(
    "(Tensor input, int[] kernel_size, int[] stride, int[] padding, bool ceil_mode, bool count_include_pad, "
    "int divisor_override, float rescale, int input_zero_point, float output_scale, int output_zero_point, "
    "int output_min, int output_max) -> Tensor",
)
def avg_pool2d(
    input: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int,
    rescale: float,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """input int8 [N,C,H,W]; padding is h, w; divisor_override 0 means none."""
    value = input.to(torch.float64) - input_zero_point
    # With a divisor of 1 this is the exact sum of the window, padding counting as 0.
    total = F.avg_pool2d(
        value, list(kernel_size), list(stride), list(padding), ceil_mode, count_include_pad, divisor_override=1
    )
    if divisor_override:
        count = torch.full(total.shape[2:], divisor_override)
    else:
        sides = [
            divisors(input.shape[2 + i], kernel_size[i], stride[i], padding[i], total.shape[2 + i])[
                0 if count_include_pad else 1
            ].clamp(min=1)
            for i in range(2)
        ]
        count = sides[0][:, None] * sides[1][None, :]
    return _average(total, count.to(input.device), rescale, output_zero_point, output_min, output_max)


@fake("avg_pool2d")
def _(
    input: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int,
    rescale: float,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    extents = [pooled_extent(input.shape[2 + i], kernel_size[i], stride[i], padding[i], 1, ceil_mode) for i in range(2)]
    return input.new_empty([*input.shape[:2], *extents])


def _window_sums(value: Tensor, axis: int, windows: int) -> tuple[Tensor, Tensor]:
    """Sums over the adaptive windows floor(i*e/n) .. ceil((i+1)*e/n) along `axis`, and their lengths."""
    extent = value.shape[axis]
    index = torch.arange(windows, device=value.device)
    start = index * extent // windows
    end = ((index + 1) * extent + windows - 1) // windows
    running = torch.cat([torch.zeros_like(value.narrow(axis, 0, 1)), value.cumsum(axis)], axis)
    return running.index_select(axis, end) - running.index_select(axis, start), end - start


@operator(
    "(Tensor input, int[] output_size, float rescale, int input_zero_point, float output_scale, "
    "int output_zero_point, int output_min, int output_max) -> Tensor",
)
def adaptive_avg_pool2d(
    input: Tensor,
    output_size: Sequence[int],
    rescale: float,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """input int8 [N,C,H,W]; window i of n over extent e is floor(i*e/n) .. ceil((i+1)*e/n)."""
    value = input.to(torch.int64) - input_zero_point
    rows, heights = _window_sums(value, 2, output_size[0])
    total, widths = _window_sums(rows, 3, output_size[1])
    count = heights[:, None] * widths[None, :]
    return _average(total, count, rescale, output_zero_point, output_min, output_max)


@fake("adaptive_avg_pool2d")
def _(
    input: Tensor,
    output_size: Sequence[int],
    rescale: float,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    return input.new_empty([*input.shape[:2], *output_size])


@operator(
    "(Tensor input, int[] dim, bool keepdim, float rescale, int input_zero_point, float output_scale, "
    "int output_zero_point, int output_min, int output_max) -> Tensor",
)
def mean(
    input: Tensor,
    dim: Sequence[int],
    keepdim: bool,
    rescale: float,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """Mean over the axes dim (ascending, each >= 0)."""
    total = (input.to(torch.int64) - input_zero_point).sum(list(dim), keepdim=keepdim)
    count = 1
    for axis in dim:
        count *= input.shape[axis]
    divisor = torch.tensor(count, device=input.device)
    return _average(total, divisor, rescale, output_zero_point, output_min, output_max)


@fake("mean")
def _(
    input: Tensor,
    dim: Sequence[int],
    keepdim: bool,
    rescale: float,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    shape = [1 if axis in dim else extent for axis, extent in enumerate(input.shape) if keepdim or axis not in dim]
    return input.new_empty(shape)
