"""Pooling and means: rules 7 and 8. Parameters pass through, so the rescale factor is f32(scale / scale) = 1."""

from __future__ import annotations

from typing import Any

import torch

from qsdk.dispatch import call
from qsdk.errors import UnsupportedOperatorError
from qsdk.nn.quantized.functional.common import axis_of, need_4d, need_qtensor, pair, shared_tail
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
    input = need_4d(input, "max_pool2d")
    if return_indices:
        raise UnsupportedOperatorError(f"max_pool2d with return_indices{calling_module()}; quantized it has none")
    kernel = pair(kernel_size)
    storage = call(
        torch.ops.qsdk.max_pool2d.default,
        input.storage,
        kernel,
        pair(stride) if stride else kernel,
        pair(padding),
        pair(dilation),
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
    input = need_4d(input, "avg_pool2d")
    kernel = pair(kernel_size)
    qparams = input.qparams
    storage = call(
        torch.ops.qsdk.avg_pool2d.default,
        input.storage,
        kernel,
        pair(stride) if stride else kernel,
        pair(padding),
        ceil_mode,
        count_include_pad,
        divisor_override or 0,
        1.0,
        *shared_tail(qparams),
    )
    return QTensor(storage, qparams)


def adaptive_avg_pool2d(input: QTensor, output_size: Any) -> QTensor:
    """As torch.nn.functional.adaptive_avg_pool2d on [N, C, H, W], with the input's scale and zero point."""
    input = need_4d(input, "adaptive_avg_pool2d")
    wanted = (output_size, output_size) if isinstance(output_size, int) else tuple(output_size)
    size = [input.shape[2 + i] if extent is None else int(extent) for i, extent in enumerate(wanted)]
    storage = call(torch.ops.qsdk.adaptive_avg_pool2d.default, input.storage, size, 1.0, *shared_tail(input.qparams))
    return QTensor(storage, input.qparams)


def mean(input: QTensor, dim: Any = None, keepdim: bool = False) -> QTensor:
    """Mean over axes (all of them by default), with the input's scale and zero point."""
    input = need_qtensor(input, "mean")
    rank = input.dim()
    named = [] if dim is None else [dim] if isinstance(dim, int) else list(dim)
    axes = sorted({axis_of(d, rank) for d in named}) or list(range(rank))
    storage = call(torch.ops.qsdk.mean.default, input.storage, axes, keepdim, 1.0, *shared_tail(input.qparams))
    return QTensor(storage, input.qparams)
