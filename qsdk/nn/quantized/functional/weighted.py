"""Convolutions, transposed convolutions and linear layers: rule 3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from qsdk.dispatch import call
from qsdk.errors import QuantizationError
from qsdk.nn.quantized.functional.common import along, lowest, need_qtensor, need_rank
from qsdk.nn.quantized.functional.resize import pad
from qsdk.nn.quantized.functional.shape import squeeze, unsqueeze
from qsdk.qtensor import QParams, QTensor, calling_module, qint8, to_qdtype
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


def conv_bound(
    input: QTensor,
    bound: tuple[Tensor, Tensor, Tensor],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    output: QParams,
    relu: bool = False,
) -> QTensor:
    """conv2d or conv3d, by the rank of the weight, with constants from bind_constants.

    padding: the begin of each axis, then the end of each; h, w of conv2d: top, left, bottom, right.
    """
    operator = {4: torch.ops.qsdk.conv2d.default, 5: torch.ops.qsdk.conv3d.default}[bound[0].dim()]
    geometry = (list(stride), list(padding), list(dilation), groups)
    return _convolve(operator, input, bound, geometry, groups, output, relu)


def conv_transpose_bound(
    input: QTensor,
    bound: tuple[Tensor, Tensor, Tensor],
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    output: QParams,
    relu: bool = False,
) -> QTensor:
    """conv_transpose2d or conv_transpose3d, by the rank of the weight [O, I/groups, ...]; padding is one per axis."""
    operator = {4: torch.ops.qsdk.conv_transpose2d.default, 5: torch.ops.qsdk.conv_transpose3d.default}[bound[0].dim()]
    geometry = (list(stride), list(padding), list(output_padding), list(dilation), groups)
    return _convolve(operator, input, bound, geometry, groups, output, relu)


def _convolve(
    operator: Any,
    input: QTensor,
    bound: tuple[Tensor, Tensor, Tensor],
    geometry: tuple[Any, ...],
    groups: int,
    output: QParams,
    relu: bool,
) -> QTensor:
    name = operator._schema.name.removeprefix("qsdk::")
    weight, bias, multiplier = bound
    input = need_rank(input, weight.dim(), name)
    if input.shape[1] != weight.shape[1] * groups:
        raise QuantizationError(
            f"{name} got {input.shape[1]} channels{calling_module()}, but its weights are for "
            f"{weight.shape[1] * groups}"
        )
    storage = call(
        operator,
        input.storage,
        weight,
        bias,
        multiplier,
        *geometry,
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
    if qparams.dtype is not qint8 or qparams.ch_axis not in (None, 0) or bool((zero_point != 0).any()):
        raise QuantizationError(
            f"{what} needs weights of qsdk.qint8, symmetric, per tensor or per channel along axis 0{calling_module()}"
        )
    return weight.storage, torch.as_tensor(qparams.scale, dtype=torch.float32).expand(weight.shape[0])


def _conv(
    axes: int,
    input: QTensor,
    weight: QTensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
    padding_mode: str,
    scale: float,
    zero_point: int,
    dtype: Any,
) -> QTensor:
    name = f"conv{axes}d"
    input = need_rank(input, axes + 2, name)
    if padding_mode != "zeros":
        around = [side for p in reversed(along(padding, axes)) for side in (p, p)]
        input, padding = pad(input, around, padding_mode), 0
    output = QParams(scale, zero_point, to_qdtype(dtype))
    values, scales = _weight_parts(weight, name)
    geometry = [along(v, axes) for v in (stride, padding, dilation)]
    if axes == 1:
        input, values = unsqueeze(input, 2), values.unsqueeze(2)
        geometry = [[first, *rest] for first, rest in zip((1, 0, 1), geometry, strict=True)]
    bound = bind_constants(values, scales, bias, input.qparams, output, name)
    result = conv_bound(input, bound, geometry[0], geometry[1] * 2, geometry[2], groups, output)
    return squeeze(result, 2) if axes == 1 else result


def conv1d(
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
    """Convolution of [N, C, L] with quantized weights [O, C/groups, K] and a float bias."""
    return _conv(1, input, weight, bias, stride, padding, dilation, groups, padding_mode, scale, zero_point, dtype)


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
    return _conv(2, input, weight, bias, stride, padding, dilation, groups, padding_mode, scale, zero_point, dtype)


def conv3d(
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
    """Convolution of [N, C, D, H, W] with quantized weights [O, C/groups, KD, KH, KW] and a float bias."""
    return _conv(3, input, weight, bias, stride, padding, dilation, groups, padding_mode, scale, zero_point, dtype)


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
