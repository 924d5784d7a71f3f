"""Pools over three axes, of those over two and of means: rules 7 and 8. Parameters pass through."""

from __future__ import annotations

from typing import Any

from qsdk.errors import UnsupportedOperatorError
from qsdk.nn.quantized.functional.common import along, need_rank
from qsdk.nn.quantized.functional.pool import max_pool2d, mean
from qsdk.qtensor import QTensor, calling_module
from qsdk.reference import volumes


def max_pool3d(
    input: QTensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> QTensor:
    """As torch.nn.functional.max_pool3d on [N, C, D, H, W]."""
    source = need_rank(input, 5, "max_pool3d")
    if return_indices:
        raise UnsupportedOperatorError(f"max_pool3d with return_indices{calling_module()}; quantized it has none")
    kernel, steps = along(kernel_size, 3), along(stride or kernel_size, 3)
    pooled: QTensor = volumes.max_pool3d(
        max_pool2d, source, kernel, steps, along(padding, 3), along(dilation, 3), ceil_mode
    )
    return pooled


def avg_pool3d(
    input: QTensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> QTensor:
    """As torch.nn.functional.avg_pool3d on [N, C, D, H, W], with the input's scale and zero point.

    Raises:
        UnsupportedOperatorError: windows do not lie side by side inside the input; names the layer.
    """
    source = need_rank(input, 5, "avg_pool3d")
    if divisor_override:
        raise UnsupportedOperatorError(f"avg_pool3d with divisor_override{calling_module()}; quantized it has none")
    kernel, steps = along(kernel_size, 3), along(stride or kernel_size, 3)
    try:
        pooled: QTensor = volumes.avg_pool3d(mean, source, kernel, steps, along(padding, 3), ceil_mode)
    except ValueError as error:
        raise _side_by_side("avg_pool3d", error) from None
    return pooled


def adaptive_avg_pool3d(input: QTensor, output_size: Any) -> QTensor:
    """As torch.nn.functional.adaptive_avg_pool3d on [N, C, D, H, W], with the input's scale and zero point.

    Raises:
        UnsupportedOperatorError: the extents are no multiples of output_size; names the layer.
    """
    source = need_rank(input, 5, "adaptive_avg_pool3d")
    return avg_pool3d(source, _kernel("adaptive_avg_pool3d", source, output_size))


def adaptive_max_pool3d(input: QTensor, output_size: Any, return_indices: bool = False) -> QTensor:
    """As torch.nn.functional.adaptive_max_pool3d on [N, C, D, H, W].

    Raises:
        UnsupportedOperatorError: the extents are no multiples of output_size; names the layer.
    """
    source = need_rank(input, 5, "adaptive_max_pool3d")
    return max_pool3d(source, _kernel("adaptive_max_pool3d", source, output_size), return_indices=return_indices)


def _kernel(name: str, source: QTensor, output_size: Any) -> list[int]:
    wanted = [output_size] * 3 if isinstance(output_size, int) else list(output_size)
    try:
        return volumes.adaptive_kernel(source.shape[2:], wanted)
    except ValueError as error:
        raise _side_by_side(name, error) from None


def _side_by_side(name: str, error: ValueError) -> UnsupportedOperatorError:
    return UnsupportedOperatorError(
        f"{name}{calling_module()} has {error}; quantized, windows of three axes lie side by side: choose sizes that "
        "divide the input's, or leave the layer in float"
    )
