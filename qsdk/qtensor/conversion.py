"""Float tensors to QTensors and back: rules 1, 2 and 16."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import torch
from torch import Tensor

from qsdk.dispatch import call
from qsdk.errors import QuantizationError
from qsdk.qparams import QParams, qint32, to_qdtype
from qsdk.qtensor.table import calling_module
from qsdk.qtensor.tensor import QTensor
from qsdk.reference import ops as _reference_ops  # noqa: F401  (defines torch.ops.qsdk)
from qsdk.reference.constants import inverse_scale
from qsdk.reference.rounding import round_clamp_int32


def quantize(input: Tensor, qparams: QParams) -> QTensor:
    """Rule 1 with the given parameters, per tensor or per channel; rule 16 with float zero points.

    Raises:
        QuantizationError: `input` is not a float tensor, or its extent along ch_axis is not the number of scales.
    """
    if isinstance(input, QTensor):
        raise QuantizationError(
            f"quantize got a tensor that is quantized already{calling_module()}; remove one of the two QuantStubs"
        )
    if not isinstance(input, Tensor) or not input.is_floating_point():
        raise QuantizationError(
            f"quantize{calling_module()} needs a float tensor, not {getattr(input, 'dtype', type(input))}"
        )
    if qparams.per_channel or qparams.dtype is qint32:
        return _quantize_in_python(input, qparams)
    storage = call(
        torch.ops.qsdk.quantize_per_tensor.default,
        input,
        inverse_scale(qparams.scale),
        qparams.scale,
        qparams.device_zero_point,
        qparams.device_min,
        qparams.device_max,
    )
    return QTensor(storage, qparams)


def _quantize_in_python(input: Tensor, qparams: QParams) -> QTensor:
    """For tensors that no device file holds as activations: per channel, or int32."""
    axis = qparams.ch_axis
    if axis is not None and (not -input.dim() <= axis < input.dim() or input.shape[axis] != qparams.scale.numel()):
        raise QuantizationError(
            f"{qparams.scale.numel()} scales along axis {axis} do not fit a tensor of shape {list(input.shape)}"
        )
    scale, zero_point = _broadcast(qparams, input)
    scaled = input.detach().to(torch.float32) * (1.0 / scale)
    if qparams.float_zero_point:
        scaled, zero_point = scaled + zero_point, torch.zeros_like(zero_point)
    storage = round_clamp_int32(scaled, zero_point, qparams.device_min, qparams.device_max)
    return QTensor(storage.to(qparams.storage_dtype), qparams)


def _broadcast(qparams: QParams, like: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and device zero point as tensors on the device of `like`, in a shape that broadcasts against it."""
    scale = torch.as_tensor(qparams.scale, dtype=torch.float32, device=like.device)
    zero_point = torch.as_tensor(qparams.device_zero_point, device=like.device)
    if qparams.ch_axis is None:
        return scale, zero_point
    shape = [1] * like.dim()
    shape[qparams.ch_axis] = -1
    return scale.reshape(shape), zero_point.reshape(shape)


@overload
def quantize_per_tensor(input: Tensor, scale: Any, zero_point: Any, dtype: Any) -> QTensor: ...
@overload
def quantize_per_tensor(input: Sequence[Tensor], scale: Any, zero_point: Any, dtype: Any) -> tuple[QTensor, ...]: ...
def quantize_per_tensor(input: Any, scale: Any, zero_point: Any, dtype: Any) -> Any:
    """Rule 1: q = clamp(rne(f32(x * f32(1/scale))) + zero_point) over the whole range of `dtype`; NaN gives zero_point.

    Args:
        input: float tensor of any shape, or a list of them; then the result is a tuple
        scale, zero_point: numbers or one-element tensors; for a list, one for each
        dtype: qint8, quint8 or qint32, ours or torch's

    Raises:
        QuantizationError: the parameters are out of range, not float, or not as many as the tensors.
    """
    kind = to_qdtype(dtype)
    if not isinstance(input, (list, tuple)):
        return quantize(input, QParams(scale, zero_point, kind))
    if not len(input) == len(scale) == len(zero_point):
        raise QuantizationError(
            f"quantize_per_tensor got {len(input)} tensors, but {len(scale)} scales and {len(zero_point)} zero points"
        )
    return tuple(quantize(x, QParams(s, z, kind)) for x, s, z in zip(input, scale, zero_point, strict=True))


def quantize_per_channel(input: Tensor, scales: Any, zero_points: Any, axis: int, dtype: Any) -> QTensor:
    """Rule 1 with one scale and zero point per index of `axis`; rule 16 if the zero points are float.

    Args:
        input: float tensor
        scales, zero_points: [C], C = input.shape[axis]; zero points of integers, or of floats for embedding tables
        axis: the channel axis
        dtype: qint8, quint8 or qint32, ours or torch's; with float zero points quint8 or quint4x2

    Raises:
        QuantizationError: the parameters are out of range or do not fit `input` or each other.
    """
    return quantize(input, QParams(scales, zero_points, to_qdtype(dtype), ch_axis=axis))


@overload
def dequantize(input: QTensor) -> Tensor: ...
@overload
def dequantize(input: Sequence[QTensor]) -> tuple[Tensor, ...]: ...
def dequantize(input: Any) -> Any:
    """Rule 2: f32(scale * f32(q - zero_point)), float32; rule 16 for embedding tables.

    Args:
        input: a QTensor, or a list of them; then the result is a tuple

    Raises:
        QuantizationError: it is not quantized.
    """
    if isinstance(input, (list, tuple)):
        return tuple(dequantize(item) for item in input)
    if not isinstance(input, QTensor):
        raise QuantizationError(
            f"dequantize{calling_module()} needs a quantized tensor, not {getattr(input, 'dtype', type(input))}; "
            "quantize it first, or leave the call out"
        )
    qparams = input.qparams
    if qparams.dtype is not qint32 and not qparams.per_channel:
        return call(torch.ops.qsdk.dequantize.default, input.storage, qparams.scale, qparams.device_zero_point)
    scale, zero_point = _broadcast(qparams, input.storage)
    if qparams.float_zero_point:
        return scale * (input.storage.to(torch.float32) - zero_point)
    return scale * (input.storage.to(torch.int64) - zero_point).to(torch.float32)
