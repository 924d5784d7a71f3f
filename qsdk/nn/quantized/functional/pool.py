"""Pooling and means: rules 7 and 8. Parameters pass through, so the rescale factor is f32(scale / scale) = 1."""

from __future__ import annotations

from typing import Any

import torch

from qsdk.dispatch import call
from qsdk.errors import UnsupportedOperatorError
from qsdk.nn.quantized.functional.common import along, axis_of, need_qtensor, need_rank, shared_tail
from qsdk.nn.quantized.functional.shape import squeeze, unsqueeze
from qsdk.qtensor import QTensor, calling_module


def max_pool2d(
    input: QTensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> QTensor:
    """As torch.nn.functional.max_pool2d on [N, C, H, W]."""
    input = need_rank(input, 4, "max_pool2d")
    if return_indices:
        raise UnsupportedOperatorError(f"max_pool2d with return_indices{calling_module()}; quantized it has none")
    kernel = along(kernel_size, 2)
    storage = call(
        torch.ops.qsdk.max_pool2d.default,
        input.storage,
        kernel,
        along(stride, 2) if stride else kernel,
        along(padding, 2),
        along(dilation, 2),
        ceil_mode,
    )
    return QTensor(storage, input.qparams)


def avg_pool2d(
    input: QTensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> QTensor:
    """As torch.nn.functional.avg_pool2d on [N, C, H, W], with the input's scale and zero point."""
    input = need_rank(input, 4, "avg_pool2d")
    kernel = along(kernel_size, 2)
    qparams = input.qparams
    storage = call(
        torch.ops.qsdk.avg_pool2d.default,
        input.storage,
        kernel,
        along(stride, 2) if stride else kernel,
        along(padding, 2),
        ceil_mode,
        count_include_pad,
        divisor_override or 0,
        1.0,
        *shared_tail(qparams),
    )
    return QTensor(storage, qparams)


def adaptive_avg_pool2d(input: QTensor, output_size: Any) -> QTensor:
    """As torch.nn.functional.adaptive_avg_pool2d on [N, C, H, W], with the input's scale and zero point."""
    input = need_rank(input, 4, "adaptive_avg_pool2d")
    wanted = (output_size, output_size) if isinstance(output_size, int) else tuple(output_size)
    size = [input.shape[2 + i] if extent is None else int(extent) for i, extent in enumerate(wanted)]
    storage = call(torch.ops.qsdk.adaptive_avg_pool2d.default, input.storage, size, 1.0, *shared_tail(input.qparams))
    return QTensor(storage, input.qparams)


def _one_row(input: QTensor, what: str, pool: Any, *geometry: Any) -> QTensor:
    """A pool of [N, C, L] as the 2D pool of [N, C, 1, L]."""
    return squeeze(pool(unsqueeze(need_rank(input, 3, what), 2), *geometry), 2)


def max_pool1d(
    input: QTensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> QTensor:
    """As torch.nn.functional.max_pool1d on [N, C, L]."""
    kernel, step = along(kernel_size, 1), along(stride or kernel_size, 1)
    geometry = ([1, *kernel], [1, *step], [0, *along(padding, 1)], [1, *along(dilation, 1)])
    return _one_row(input, "max_pool1d", max_pool2d, *geometry, ceil_mode, return_indices)


def avg_pool1d(
    input: QTensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> QTensor:
    """As torch.nn.functional.avg_pool1d on [N, C, L], with the input's scale and zero point."""
    kernel, step = along(kernel_size, 1), along(stride or kernel_size, 1)
    geometry = ([1, *kernel], [1, *step], [0, *along(padding, 1)])
    return _one_row(input, "avg_pool1d", avg_pool2d, *geometry, ceil_mode, count_include_pad)


def adaptive_avg_pool1d(input: QTensor, output_size: Any) -> QTensor:
    """As torch.nn.functional.adaptive_avg_pool1d on [N, C, L], with the input's scale and zero point."""
    return _one_row(input, "adaptive_avg_pool1d", adaptive_avg_pool2d, [1, *along(output_size, 1)])


def mean(input: QTensor, dim: Any = None, keepdim: bool = False) -> QTensor:
    """Mean over axes (all of them by default), with the input's scale and zero point."""
    input = need_qtensor(input, "mean")
    rank = input.dim()
    named = [] if dim is None else [dim] if isinstance(dim, int) else list(dim)
    axes = sorted({axis_of(d, rank) for d in named}) or list(range(rank))
    storage = call(torch.ops.qsdk.mean.default, input.storage, axes, keepdim, 1.0, *shared_tail(input.qparams))
    return QTensor(storage, input.qparams)
