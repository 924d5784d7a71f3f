"""Convolution and linear layers: rule 3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from qsdk.dispatch import call
from qsdk.errors import QuantizationError, UnsupportedOperatorError
from qsdk.nn.quantized.functional.common import lowest, need_4d, need_qtensor, pair
from qsdk.qtensor import QParams, QTensor, calling_module, to_qdtype
from qsdk.reference import constants


def bind_constants(
    weight: Tensor, weight_scale: Tensor, bias: Tensor | None, input: QParams, output: QParams, where: str
) -> tuple[Tensor, Tensor, Tensor]:
    """(weight, bias int32, multiplier) of a convolution or linear layer for one input quantization.

    Raises:
        QuantizationError: a channel's constants leave their ranges; starts with `where`.
    """
    try:
        bound, _, integer_bias, multiplier = constants.requantize_constants(
            weight, weight_scale, bias, input.scale, int(input.device_zero_point), output.scale
        )
    except ValueError as error:
        raise QuantizationError(f"{where}: {error}; check its weights and the calibration data") from None
    return bound, integer_bias, multiplier


def conv2d_bound(
    input: QTensor,
    bound: tuple[Tensor, Tensor, Tensor],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    output: QParams,
    relu: bool = False,
) -> QTensor:
    """conv2d with constants from bind_constants; padding is top, left, bottom, right."""
    input = need_4d(input, "conv2d")
    weight, bias, multiplier = bound
    if input.shape[1] != weight.shape[1] * groups:
        raise QuantizationError(
            f"conv2d got {input.shape[1]} channels{calling_module()}, but its weights are for "
            f"{weight.shape[1] * groups}"
        )
    storage = call(
        torch.ops.qsdk.conv2d.default,
        input.storage,
        weight,
        bias,
        multiplier,
        list(stride),
        list(padding),
        list(dilation),
        groups,
        input.qparams.device_zero_point,
        output.scale,
        output.device_zero_point,
        lowest(output, relu),
        output.device_max,
    )
    return QTensor(storage, output)


def linear_bound(input: QTensor, bound: tuple[Tensor, Tensor, Tensor], output: QParams, relu: bool = False) -> QTensor:
    """linear with constants from bind_constants."""
    input = need_qtensor(input, "linear")
    weight, bias, multiplier = bound
    if input.dim() < 1 or input.shape[-1] != weight.shape[1]:
        raise QuantizationError(
            f"linear got shape {list(input.shape)}{calling_module()}, but its weights take {weight.shape[1]} features"
        )
    storage = call(
        torch.ops.qsdk.linear.default,
        input.storage,
        weight,
        bias,
        multiplier,
        input.qparams.device_zero_point,
        output.scale,
        output.device_zero_point,
        lowest(output, relu),
        output.device_max,
    )
    return QTensor(storage, output)


def _weight_parts(weight: QTensor, what: str) -> tuple[Tensor, Tensor]:
    qparams = weight.qparams
    zero_point = torch.as_tensor(qparams.zero_point)
    if qparams.dtype.device_offset or qparams.ch_axis not in (None, 0) or bool((zero_point != 0).any()):
        raise QuantizationError(
            f"{what} needs weights of qsdk.qint8, symmetric, per tensor or per channel along axis 0{calling_module()}"
        )
    return weight.storage, torch.as_tensor(qparams.scale, dtype=torch.float32).expand(weight.shape[0])


def conv2d(
    input: QTensor,
    weight: QTensor,
    bias: Tensor | None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    scale: float = 1.0,
    zero_point: int = 0,
    dtype: Any = "quint8",
) -> QTensor:
    """Convolution of [N, C, H, W] with quantized weights [O, C/groups, KH, KW] and a float bias."""
    if padding_mode != "zeros":
        raise UnsupportedOperatorError(f"conv2d with padding_mode '{padding_mode}'; only 'zeros' is supported")
    input = need_4d(input, "conv2d")
    output = QParams(scale, zero_point, to_qdtype(dtype))
    bound = bind_constants(*_weight_parts(weight, "conv2d"), bias, input.qparams, output, "conv2d")
    return conv2d_bound(input, bound, pair(stride), pair(padding) * 2, pair(dilation), groups, output)


def linear(
    input: QTensor,
    weight: QTensor,
    bias: Tensor | None = None,
    scale: float = 1.0,
    zero_point: int = 0,
    dtype: Any = "quint8",
) -> QTensor:
    """[..., K] times quantized weights [O, K], plus a float bias."""
    input = need_qtensor(input, "linear")
    output = QParams(scale, zero_point, to_qdtype(dtype))
    bound = bind_constants(*_weight_parts(weight, "linear"), bias, input.qparams, output, "linear")
    return linear_bound(input, bound, output)
