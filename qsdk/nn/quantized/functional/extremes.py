"""Largest and smallest values over axes and adaptive windows: max_pool2d, and what moves values to where it wants them.

They keep the input's parameters: rule 7. The smallest value is the negative of the negatives' largest: rule 6, exactly.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from qsdk.dispatch import call
from qsdk.errors import UnsupportedOperatorError
from qsdk.nn.quantized.functional.common import along, axis_of, need_rank
from qsdk.nn.quantized.functional.elementwise import mul_scalar
from qsdk.nn.quantized.functional.pool import max_pool2d
from qsdk.nn.quantized.functional.shape import permute, reshape, squeeze, unsqueeze
from qsdk.qtensor import QTensor, calling_module, slice_positions
from qsdk.qtensor.moving import one_scale


def amax(input: QTensor, dim: Any = (), keepdim: bool = False) -> QTensor:
    """The largest value over axes, all of them by default."""
    source = one_scale(torch.amax, input)
    rank = source.dim()
    named = [dim] if isinstance(dim, int) else list(dim)
    axes = sorted({axis_of(d, rank) for d in named}) or list(range(rank))
    shape = list(source.shape)
    result = [1 if a in axes else e for a, e in enumerate(shape) if keepdim or a not in axes]
    if source.storage.dtype != torch.int8:
        return QTensor(source.storage.amax(axes, keepdim), source.qparams)
    if rank == 4 and axes == [2, 3]:
        return reshape(max_pool2d(source, shape[2:]), result)
    if axes != list(range(axes[0], axes[-1] + 1)) or rank == 4 and axes[0] == 1:  # channels come last in files
        kept = [a for a in range(rank) if a not in axes]
        source = permute(source, [*kept, *axes])
        shape, axes = list(source.shape), list(range(len(kept), rank))
    outer, count, inner = (
        math.prod(part) for part in (shape[: axes[0]], shape[axes[0] : axes[-1] + 1], shape[axes[-1] + 1 :])
    )
    pixels = permute(reshape(source, [outer, count, 1, inner]), [0, 3, 1, 2])
    return reshape(permute(max_pool2d(pixels, [count, 1]), [0, 2, 3, 1]), result)


def amin(input: QTensor, dim: Any = (), keepdim: bool = False) -> QTensor:
    """The smallest value over axes, all of them by default."""
    source = one_scale(torch.amin, input)
    if source.storage.dtype != torch.int8:
        return QTensor(source.storage.amin(dim, keepdim), source.qparams)
    return QTensor(mul_scalar(amax(mul_scalar(source, -1.0), dim, keepdim), -1.0).storage, source.qparams)


def adaptive_max_pool2d(input: QTensor, output_size: Any, return_indices: bool = False) -> QTensor:
    """As torch.nn.functional.adaptive_max_pool2d on [N, C, H, W]; one pool where all windows are of one size."""
    source = need_rank(input, 4, "adaptive_max_pool2d")
    if return_indices:
        raise UnsupportedOperatorError(
            f"adaptive_max_pool2d with return_indices{calling_module()}; quantized it has none"
        )
    given = (output_size, output_size) if isinstance(output_size, int) else tuple(output_size)
    wanted = [extent if want is None else int(want) for extent, want in zip(source.shape[2:], given, strict=True)]
    if all(extent % want == 0 for extent, want in zip(source.shape[2:], wanted, strict=True)):
        return max_pool2d(source, [extent // want for extent, want in zip(source.shape[2:], wanted, strict=True)])
    return _windows(_windows(source, 2, wanted[0]), 3, wanted[1])


def _windows(input: QTensor, axis: int, windows: int) -> QTensor:
    """The largest values of windows floor(i * e / n) .. ceil((i + 1) * e / n) along one axis, each a slice."""
    extent, parts = input.shape[axis], []
    for i in range(windows):
        start, end = i * extent // windows, -(-(i + 1) * extent // windows)
        shape = [end - start if a == axis else e for a, e in enumerate(input.shape)]
        part = slice_positions(input, shape, [start if a == axis else 0 for a in range(4)], [1] * 4)
        parts.append(max_pool2d(part, [end - start, 1] if axis == 2 else [1, end - start]).storage)
    return QTensor(call(torch.ops.qsdk.cat.default, parts, axis), input.qparams)


def adaptive_max_pool1d(input: QTensor, output_size: Any, return_indices: bool = False) -> QTensor:
    """As torch.nn.functional.adaptive_max_pool1d on [N, C, L]."""
    row = unsqueeze(need_rank(input, 3, "adaptive_max_pool1d"), 2)
    return squeeze(adaptive_max_pool2d(row, [1, *along(output_size, 1)], return_indices), 2)
