"""Pools of [N, C, D, H, W] by operators on images, exactly: rules 7, 8 and 11 hold for them as they are.

They move elements by the tensors' own methods, so that plain and quantized tensors both do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def max_pool3d(
    pool: Callable[..., Any],
    input: Any,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
) -> Any:
    """The largest values over height and width, then the largest of those over depth; pool is max_pool2d."""
    geometry = (kernel_size, stride, padding, dilation)
    n, c, d = input.shape[:3]
    planes = input.permute(0, 2, 1, 3, 4).reshape(n * d, c, *input.shape[3:])
    planes = pool(planes, *(list(sizes[1:]) for sizes in geometry), ceil_mode)
    h, w = planes.shape[2:]
    columns = planes.reshape(n, d, c, h * w).permute(0, 2, 1, 3)
    sides = ([sizes[0], other] for sizes, other in zip(geometry, (1, 1, 0, 1), strict=True))
    pooled = pool(columns, *sides, ceil_mode)
    return pooled.reshape(n, c, pooled.shape[2], h, w)


def avg_pool3d(
    mean: Callable[..., Any], input: Any, kernel_size: Sequence[int], stride: Sequence[int], padding: Sequence[int],
    ceil_mode: bool,
) -> Any:  # fmt: skip
    """Means of blocks that lie side by side; mean takes axes and keepdim.

    Raises:
        ValueError: windows overlap, leave gaps, or reach over the edge.
    """
    for axis, (extent, size, step, pad) in enumerate(zip(input.shape[2:], kernel_size, stride, padding, strict=True)):
        windows = (extent - size) // step + 1
        if pad or windows < 1 or (windows > 1 and step != size) or (ceil_mode and extent != windows * size):
            raise ValueError("windows that overlap, leave gaps or reach over the edge")
        if extent != windows * size:
            input = input[(slice(None),) * (axis + 2) + (slice(windows * size),)]
    n, c, *extents = input.shape
    counts = [extent // size for extent, size in zip(extents, kernel_size, strict=True)]
    if counts == [1, 1, 1]:
        return mean(input, [2, 3, 4], True)
    blocks = [side for pair in zip(counts, kernel_size, strict=True) for side in pair]
    return mean(input.reshape(n * c, *blocks), [2, 4, 6], False).reshape(n, c, *counts)


def adaptive_kernel(extents: Sequence[int], output_size: Sequence[int | None]) -> list[int]:
    """The window of an adaptive pool; None keeps an axis as it is.

    Raises:
        ValueError: windows would have different sizes, or overlap.
    """
    wanted = [extent if want is None else want for extent, want in zip(extents, output_size, strict=True)]
    if any(want < 1 or extent % want for extent, want in zip(extents, wanted, strict=True)):
        raise ValueError(f"windows of different sizes, for {list(extents)} become {wanted}")
    return [extent // want for extent, want in zip(extents, wanted, strict=True)]
