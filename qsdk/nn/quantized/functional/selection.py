"""Comparisons, and what selects values by them, by their order or by indices: rules 7, 22 and 23."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function
from torch.return_types import max as max_result
from torch.return_types import min as min_result
from torch.return_types import topk as topk_result

from qsdk.dispatch import call
from qsdk.errors import QuantizationError
from qsdk.nn.quantized.functional.common import axis_of, need_qtensor, output_qparams, traced
from qsdk.nn.quantized.functional.common import where as place_text
from qsdk.nn.quantized.functional.elementwise import requantize
from qsdk.nn.quantized.functional.extremes import amax, amin
from qsdk.nn.quantized.functional.shape import reshape, squeeze
from qsdk.qtensor import QParams, QTensor, dequantize, quantize
from qsdk.qtensor.moving import one_scale

_ops = torch.ops.qsdk

# Comparisons


def _compare(operator: Any, left: Any, right: Any) -> Any:
    """A bool tensor of the shape that both are stretched to; NotImplemented for what is no tensor and no number."""
    if not all(isinstance(v, (QTensor, Tensor, int, float)) for v in (left, right)):
        return NotImplemented
    values: list[Tensor] = []
    parameters: list[Any] = []
    for value in (left, right):
        if isinstance(value, QTensor) and (value.qparams.per_channel or value.storage.dtype != torch.int8):
            value = dequantize(value)
        if isinstance(value, QTensor):
            parameters += [float(value.qparams.scale), int(value.qparams.device_zero_point)]
            values.append(value.storage)
        else:
            parameters += [None, None]
            values.append(torch.as_tensor(value).to(torch.float32))
    return call(operator, *values, *parameters)


def eq(input: Any, other: Any) -> Any:
    """input == other, of real values."""
    return _compare(_ops.eq.default, input, other)


def ne(input: Any, other: Any) -> Any:
    """input != other, of real values."""
    return _compare(_ops.ne.default, input, other)


def lt(input: Any, other: Any) -> Any:
    """input < other, of real values."""
    return _compare(_ops.lt.default, input, other)


def le(input: Any, other: Any) -> Any:
    """input <= other, of real values."""
    return _compare(_ops.le.default, input, other)


def gt(input: Any, other: Any) -> Any:
    """input > other, of real values."""
    return _compare(_ops.lt.default, other, input)


def ge(input: Any, other: Any) -> Any:
    """input >= other, of real values."""
    return _compare(_ops.le.default, other, input)


# One of two


def _alike(
    what: str, values: list[Any], scale: Any, zero_point: Any, dtype: str, low: Any, high: Any, name: str
) -> tuple[list[QTensor], QParams]:
    """The operands with the same parameters: those given, else those that they have already. Numbers are quantized."""
    tensors = [need_qtensor(v, what, name) for v in values if isinstance(v, (QTensor, Tensor))]
    if scale is not None:
        output = output_qparams(scale, zero_point, dtype, low, high)
    elif all(t.qparams == tensors[0].qparams for t in tensors):
        output = tensors[0].qparams
    else:
        raise QuantizationError(
            f"{what} got tensors of different scales or zero points{place_text(name)}; use FloatFunctional().{what}, "
            "so that calibration observes the result"
        )
    return [
        requantize(v, output, name) if isinstance(v, QTensor) else quantize(torch.tensor(float(v)), output)
        for v in values
    ], output


def maximum(
    input: Any,
    other: Any,
    scale: float | None = None,
    zero_point: int | None = None,
    dtype: str = "quint8",
    quant_min: int | None = None,
    quant_max: int | None = None,
    name: str = "",
) -> Any:
    """The larger one, broadcast. Without scale and zero_point, the operands' have to be equal; with them, operands that
    differ are requantized by a table first. `name` is the layer's, for messages."""
    tail = (scale, zero_point, dtype, quant_min, quant_max)
    if traced((input, other)):
        return handle_torch_function(maximum, (input, other), input, other, *tail, name=name)
    (a, b), output = _alike("maximum", [input, other], *tail, name)
    return QTensor(call(_ops.maximum.default, a.storage, b.storage), output)


def minimum(
    input: Any,
    other: Any,
    scale: float | None = None,
    zero_point: int | None = None,
    dtype: str = "quint8",
    quant_min: int | None = None,
    quant_max: int | None = None,
    name: str = "",
) -> Any:
    """The smaller one; else as maximum."""
    tail = (scale, zero_point, dtype, quant_min, quant_max)
    if traced((input, other)):
        return handle_torch_function(minimum, (input, other), input, other, *tail, name=name)
    (a, b), output = _alike("minimum", [input, other], *tail, name)
    return QTensor(call(_ops.minimum.default, a.storage, b.storage), output)


def where(
    condition: Any,
    input: Any,
    other: Any,
    scale: float | None = None,
    zero_point: int | None = None,
    dtype: str = "quint8",
    quant_min: int | None = None,
    quant_max: int | None = None,
    name: str = "",
) -> Any:
    """condition ? input : other, broadcast; one of them may be a number. Parameters as for maximum."""
    tail = (scale, zero_point, dtype, quant_min, quant_max)
    if traced((condition, input, other)):
        return handle_torch_function(where, (condition, input, other), condition, input, other, *tail, name=name)
    (a, b), output = _alike("where", [input, other], *tail, name)
    return QTensor(call(_ops.where.default, condition, a.storage, b.storage), output)


def masked_fill(input: QTensor, mask: Any, value: Any) -> QTensor:
    """A copy with one real value, quantized with the parameters of `input`, where `mask`, broadcast, is true."""
    source = one_scale(torch.masked_fill, input)
    number = quantize(torch.tensor(float(value)), source.qparams)
    return QTensor(call(_ops.where.default, mask, number.storage, source.storage), source.qparams)


# By order


def topk(input: QTensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The k largest (smallest) values along dim, in order, and their positions; equal ones as they stand."""
    source = one_scale(torch.topk, input)
    axis = axis_of(dim, source.dim())
    if not 1 <= k <= source.shape[axis]:
        raise QuantizationError(f"topk({k}) of {source.shape[axis]} values{place_text('')}")
    values, indices = call(_ops.topk.default, source.storage, k, axis, largest)
    result: Any = topk_result
    return result((QTensor(values, source.qparams), indices))


def _extreme(input: QTensor, dim: Any, keepdim: bool, largest: bool) -> tuple[QTensor, Tensor]:
    if input.dim() == 0:
        input = reshape(input, [1])
        values, indices = topk(input, 1, 0, largest)
        return reshape(values, []), indices.reshape(())
    values, indices = topk(input, 1, dim, largest)
    return (values, indices) if keepdim else (squeeze(values, dim), indices.squeeze(dim))


def max(input: Any, *args: Any, **kwargs: Any) -> Any:
    """torch.max in its three forms: of all values, along dim with positions, or of two tensors."""
    return _max_or_min(input, args, kwargs, maximum, amax, max_result, True)


def min(input: Any, *args: Any, **kwargs: Any) -> Any:
    """torch.min in its three forms."""
    return _max_or_min(input, args, kwargs, minimum, amin, min_result, False)


def _max_or_min(
    input: Any, args: tuple[Any, ...], kwargs: dict[str, Any], pair: Any, over_all: Any, result: Any, largest: bool
) -> Any:
    first = args[0] if args else kwargs.get("other", kwargs.get("dim"))
    if first is None:
        return over_all(input)
    if isinstance(first, (QTensor, Tensor)):
        return pair(input, first)
    keepdim = args[1] if len(args) > 1 else kwargs.get("keepdim", False)
    return result(_extreme(one_scale(torch.max, input), first, keepdim, largest))


def _position(input: QTensor, dim: Any, keepdim: bool, largest: bool) -> Tensor:
    source = one_scale(torch.argmax, input)
    if dim is not None:
        return _extreme(source, dim, keepdim, largest)[1]
    found = _extreme(reshape(source, [source.numel()]), 0, False, largest)[1]
    return found.reshape([1] * source.dim()) if keepdim else found


def argmax(input: QTensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Where the largest value is, int64; of equal ones the first. Without dim in the flattened tensor."""
    return _position(input, dim, keepdim, True)


def argmin(input: QTensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Where the smallest value is, int64; of equal ones the first. Without dim in the flattened tensor."""
    return _position(input, dim, keepdim, False)


# By indices


def index_select(input: QTensor, dim: int, index: Tensor) -> QTensor:
    """Positions index[i] of axis dim."""
    source = one_scale(torch.index_select, input)
    return QTensor(call(_ops.index_select.default, source.storage, axis_of(dim, source.dim()), index), source.qparams)


def gather(input: QTensor, dim: int, index: Tensor) -> QTensor:
    """For each element, the position index[...] of axis dim."""
    source = one_scale(torch.gather, input)
    return QTensor(call(_ops.gather.default, source.storage, axis_of(dim, source.dim()), index), source.qparams)
