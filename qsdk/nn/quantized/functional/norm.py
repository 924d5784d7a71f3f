"""Normalization and softmax: rules 9 and 14. Constants come from qsdk.reference.constants."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from qsdk.dispatch import call
from qsdk.errors import QuantizationError
from qsdk.nn.quantized.functional.common import axis_of, lowest, need_qtensor
from qsdk.qtensor import QParams, QTensor, calling_module


def _tail(input: QParams, output: QParams, relu: bool = False) -> tuple[int, float, int, int, int]:
    zero_point = int(output.device_zero_point)
    return int(input.device_zero_point), output.scale, zero_point, lowest(output, relu), output.device_max


def _need_channels(input: QTensor, channels: int, what: str) -> QTensor:
    tensor = need_qtensor(input, what)
    if tensor.dim() < 2 or tensor.shape[1] != channels:
        raise QuantizationError(
            f"{what} got shape {list(tensor.shape)}{calling_module()}, but its parameters are for [N, {channels}, ...]"
        )
    return tensor


def batch_norm_bound(input: QTensor, bound: Sequence[Tensor], output: QParams, relu: bool = False) -> QTensor:
    """[N, C, ...] with batch_norm_constants."""
    multiplier, offset = bound
    input = _need_channels(input, len(multiplier), "batch_norm")
    storage = call(
        torch.ops.qsdk.batch_norm.default, input.storage, multiplier, offset, *_tail(input.qparams, output, relu)
    )
    return QTensor(storage, output)


def layer_norm_bound(input: QTensor, bound: Sequence[Tensor], eps: float, output: QParams) -> QTensor:
    """[..., *shape] with norm_constants of that shape and norm_epsilon."""
    weight, bias = bound
    input = need_qtensor(input, "layer_norm")
    if input.shape[max(0, input.dim() - weight.dim()) :] != weight.shape:
        raise QuantizationError(
            f"layer_norm got shape {list(input.shape)}{calling_module()}, but normalizes the last axes "
            f"{list(weight.shape)}"
        )
    storage = call(torch.ops.qsdk.layer_norm.default, input.storage, weight, bias, eps, *_tail(input.qparams, output))
    return QTensor(storage, output)


def group_norm_bound(input: QTensor, bound: Sequence[Tensor], num_groups: int, eps: float, output: QParams) -> QTensor:
    """[N, C, ...] with norm_constants [C] and norm_epsilon."""
    weight, bias = bound
    input = _need_channels(input, len(weight), "group_norm")
    storage = call(
        torch.ops.qsdk.group_norm.default, input.storage, weight, bias, num_groups, eps, *_tail(input.qparams, output)
    )
    return QTensor(storage, output)


def softmax_bound(
    input: QTensor, table: Tensor, dim: int, inverse_scale: float, output: QParams, mask: Tensor | None = None
) -> QTensor:
    """Softmax along dim, with softmax_table and the output's inverse_scale, over elements whose mask is true."""
    input = need_qtensor(input, "softmax")
    storage = call(
        torch.ops.qsdk.softmax.default,
        input.storage,
        table,
        axis_of(dim, input.dim()),
        inverse_scale,
        *_tail(input.qparams, output)[1:],
        mask,
    )
    return QTensor(storage, output)


def prelu_bound(input: QTensor, slope: Tensor, multiplier: float, output: QParams) -> QTensor:
    """[N, C, ...] with prelu_slopes [C] and the factor of values that are not negative."""
    input = _need_channels(input, len(slope), "prelu")
    storage = call(torch.ops.qsdk.prelu.default, input.storage, slope, multiplier, *_tail(input.qparams, output))
    return QTensor(storage, output)
