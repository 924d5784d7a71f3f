"""Functions of one or two values, and cat, which may need one: rules 4 to 7."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function

from qsdk.dispatch import call
from qsdk.errors import QuantizationError, UnsupportedOperatorError
from qsdk.nn.quantized.functional.common import (
    axis_of,
    constant,
    lowest,
    need_qtensor,
    number,
    output_qparams,
    traced,
    user_range,
    where,
)
from qsdk.nn.quantized.functional.shape import unsqueeze
from qsdk.qtensor import QParams, QTensor, calling_module
from qsdk.reference import constants


def add(
    input: Any,
    other: Any,
    scale: float,
    zero_point: int,
    dtype: str = "quint8",
    quant_min: int | None = None,
    quant_max: int | None = None,
    relu: bool = False,
    name: str = "",
) -> Any:
    """input + other, broadcast, then ReLU if asked. `name` is the layer's, for messages."""
    if traced((input, other)):
        return handle_torch_function(
            add, (input, other), input, other, scale, zero_point, dtype, quant_min, quant_max, relu=relu, name=name
        )
    output = output_qparams(scale, zero_point, dtype, quant_min, quant_max)
    return _addition(torch.ops.qsdk.add.default, "add", input, other, output, relu, name)


def sub(
    input: Any,
    other: Any,
    scale: float,
    zero_point: int,
    dtype: str = "quint8",
    quant_min: int | None = None,
    quant_max: int | None = None,
    relu: bool = False,
    name: str = "",
) -> Any:
    """input - other, broadcast, then ReLU if asked. `name` is the layer's, for messages."""
    if traced((input, other)):
        return handle_torch_function(
            sub, (input, other), input, other, scale, zero_point, dtype, quant_min, quant_max, relu=relu, name=name
        )
    output = output_qparams(scale, zero_point, dtype, quant_min, quant_max)
    return _addition(torch.ops.qsdk.sub.default, "sub", input, other, output, relu, name)


def _addition(operator: Any, what: str, input: Any, other: Any, output: QParams, relu: bool, name: str) -> QTensor:
    a, b = need_qtensor(input, what, name), need_qtensor(other, what, name)
    multipliers = tuple(constant(constants.rescale, t.qparams.scale, output.scale, name=name) for t in (a, b))
    return _binary(operator, multipliers, a, b, output, relu)


def mul(
    input: Any,
    other: Any,
    scale: float,
    zero_point: int,
    dtype: str = "quint8",
    quant_min: int | None = None,
    quant_max: int | None = None,
    relu: bool = False,
    name: str = "",
) -> Any:
    """input * other, broadcast, then ReLU if asked. `name` is the layer's, for messages."""
    if traced((input, other)):
        return handle_torch_function(
            mul, (input, other), input, other, scale, zero_point, dtype, quant_min, quant_max, relu=relu, name=name
        )
    a, b = need_qtensor(input, "mul", name), need_qtensor(other, "mul", name)
    output = output_qparams(scale, zero_point, dtype, quant_min, quant_max)
    multiplier = constant(constants.product_multiplier, a.qparams.scale, b.qparams.scale, output.scale, name=name)
    return _binary(torch.ops.qsdk.mul.default, (multiplier,), a, b, output, relu)


def _binary(
    operator: Any, multipliers: tuple[float, ...], a: QTensor, b: QTensor, output: QParams, relu: bool
) -> QTensor:
    storage = call(
        operator,
        a.storage,
        b.storage,
        *multipliers,
        a.qparams.device_zero_point,
        b.qparams.device_zero_point,
        output.scale,
        output.device_zero_point,
        lowest(output, relu),
        output.device_max,
    )
    return QTensor(storage, output)


def matmul(
    input: Any,
    other: Any,
    scale: float,
    zero_point: int,
    dtype: str = "quint8",
    quant_min: int | None = None,
    quant_max: int | None = None,
    name: str = "",
) -> Any:
    """Rule 15: [..., M, K] times [..., K, N]; leading axes broadcast. `name` is the layer's, for messages."""
    if traced((input, other)):
        return handle_torch_function(
            matmul, (input, other), input, other, scale, zero_point, dtype, quant_min, quant_max, name=name
        )
    a, b = need_qtensor(input, "matmul", name), need_qtensor(other, "matmul", name)
    if a.dim() < 2 or b.dim() < 2 or a.shape[-1] != b.shape[-2]:
        raise QuantizationError(
            f"matmul got shapes {list(a.shape)} and {list(b.shape)}{where(name)}, but needs [..., M, K] and [..., K, N]"
        )
    output = output_qparams(scale, zero_point, dtype, quant_min, quant_max)
    multiplier = constant(constants.product_multiplier, a.qparams.scale, b.qparams.scale, output.scale, name=name)
    return _binary(torch.ops.qsdk.matmul.default, (multiplier,), a, b, output, False)


def _identity(value: Tensor) -> Tensor:
    return value


@functools.lru_cache(maxsize=256)
def _table(function: Callable[[Tensor], Tensor], source: QParams, output: QParams) -> Tensor:
    return constants.lookup_table(
        function,
        source.scale,
        int(source.device_zero_point),
        output.scale,
        int(output.device_zero_point),
        output.device_min,
        output.device_max,
    )


def table_of(function: Callable[[Tensor], Tensor], source: QParams, output: QParams, name: str = "") -> Tensor:
    """Rule 6's int8 table of a function of one value, for these parameters of its argument and its result."""
    try:
        return _table(function, source, output)
    except ValueError as error:
        raise QuantizationError(f"{error}{where(name)}; check the calibration data") from None


def lookup_table(input: QTensor, function: Callable[[Tensor], Tensor], output: QParams, name: str = "") -> QTensor:
    """Rule 6: any function of one value, as a table. `function` maps float64 tensors element by element."""
    input = need_qtensor(input, "lookup_table", name)
    table = table_of(function, input.qparams, output, name).to(input.device)
    storage = call(torch.ops.qsdk.lookup_table.default, input.storage, table, output.scale, output.device_zero_point)
    return QTensor(storage, output)


@dataclass(frozen=True)
class _Affine:
    """x * factor + offset; equal ones share their tables."""

    factor: float
    offset: float

    def __call__(self, value: Tensor) -> Tensor:
        return value * self.factor + self.offset


def add_scalar(input: Any, value: float, name: str = "") -> Any:
    """input + value. The zero point moves by value; where it would leave the range, the scale grows instead."""
    if traced((input,)):
        return handle_torch_function(add_scalar, (input,), input, value, name=name)
    source = need_qtensor(input, "add_scalar", name).qparams
    low, high = user_range(source)
    zero_point = int(source.zero_point) - round(number(value, "add_scalar", name) / source.scale)
    scale = source.scale
    if zero_point < low:
        scale, zero_point = scale * (high - zero_point) / (high - low), low
    elif zero_point > high:
        scale, zero_point = scale * (zero_point - low) / (high - low), high
    output = QParams(scale, zero_point, source.dtype, low, high)
    return lookup_table(input, _Affine(1.0, float(value)), output, name)


def mul_scalar(input: Any, value: float, name: str = "") -> Any:
    """input * value. The scale is multiplied by |value|; a negative value mirrors the range."""
    if traced((input,)):
        return handle_torch_function(mul_scalar, (input,), input, value, name=name)
    source = need_qtensor(input, "mul_scalar", name).qparams
    low, high = user_range(source)
    factor = number(value, "mul_scalar", name)
    scale, zero_point = source.scale * abs(factor), int(source.zero_point)
    if factor == 0:
        scale, zero_point = 1.0, min(max(0, low), high)
    elif factor < 0:
        zero_point = low + high - zero_point
    return lookup_table(input, _Affine(factor, 0.0), QParams(scale, zero_point, source.dtype, low, high), name)


def _passes_as(source: QParams, output: QParams) -> bool:
    """Whether the integers of `source` mean the same under `output` and stay within its range."""
    return (
        source.scale == output.scale
        and source.device_zero_point == output.device_zero_point
        and source.device_min >= output.device_min
        and source.device_max <= output.device_max
    )


def requantize(input: QTensor, output: QParams, name: str = "") -> QTensor:
    """The same real values under other parameters; no operator where the integers stay the same."""
    input = need_qtensor(input, "requantize", name)
    if _passes_as(input.qparams, output):
        return QTensor(input.storage, output)
    return lookup_table(input, _identity, output, name)


def cat(
    tensors: Any,
    dim: int = 0,
    scale: float | None = None,
    zero_point: int | None = None,
    dtype: str = "quint8",
    quant_min: int | None = None,
    quant_max: int | None = None,
    name: str = "",
) -> Any:
    """Join tensors along dim. Without scale and zero_point, their parameters have to be equal; with them, inputs that
    differ are requantized by a table first. `name` is the layer's, for messages."""
    if traced(tensors):
        return handle_torch_function(
            cat, tuple(tensors), tensors, dim, scale, zero_point, dtype, quant_min, quant_max, name=name
        )
    if not tensors:
        raise QuantizationError(f"cat of no tensors{where(name)}")
    inputs = [need_qtensor(t, "cat", name) for t in tensors]
    if scale is None or zero_point is None:
        output = inputs[0].qparams
        if any(t.qparams != output for t in inputs):
            raise QuantizationError(
                f"cat got tensors of different scales or zero points{where(name)}; use FloatFunctional().cat, so that "
                "calibration observes the result"
            )
    else:
        output = output_qparams(scale, zero_point, dtype, quant_min, quant_max)
        inputs = [requantize(t, output, name) for t in inputs]
    axis = dim + inputs[0].dim() if dim < 0 else dim
    return QTensor(call(torch.ops.qsdk.cat.default, [t.storage for t in inputs], axis), output)


def stack(tensors: Any, dim: int = 0) -> QTensor:
    """Join tensors of equal shape and parameters along a new axis."""
    inputs = [need_qtensor(t, "stack") for t in tensors]
    return cat([unsqueeze(t, dim) for t in inputs], axis_of(dim, inputs[0].dim() + 1))


def _clamped(input: QTensor, lowest: int, highest: int, inplace: bool) -> QTensor:
    storage = call(torch.ops.qsdk.clamp.default, input.storage, lowest, highest)
    if inplace:
        input.storage = storage
        return input
    return QTensor(storage, input.qparams)


def relu(input: QTensor, inplace: bool = False) -> QTensor:
    """max(x, 0)."""
    input = need_qtensor(input, "relu")
    return _clamped(input, lowest(input.qparams, True), input.qparams.device_max, inplace)


def relu_(input: QTensor) -> QTensor:
    """max(x, 0), in place."""
    return relu(input, inplace=True)


def clamp(input: QTensor, min: float | None = None, max: float | None = None, *, inplace: bool = False) -> QTensor:
    """Clamp to real bounds, which are quantized by rule 1."""
    input = need_qtensor(input, "clamp")
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        raise UnsupportedOperatorError(f"clamp with tensor bounds on a quantized tensor{calling_module()}; use numbers")
    qparams = input.qparams

    def bound(value: float | None, default: int) -> int:
        if value is None:
            return default
        return constants.quantize_value(
            value, qparams.scale, int(qparams.device_zero_point), qparams.device_min, qparams.device_max
        )

    lowest, highest = bound(min, qparams.device_min), bound(max, qparams.device_max)
    if lowest > highest:  # noqa: PLR1730  (`min` is an argument here)
        lowest = highest  # as torch: where min > max, the result is max
    return _clamped(input, lowest, highest, inplace)


def clamp_(input: QTensor, min: float | None = None, max: float | None = None) -> QTensor:
    """As clamp, in place."""
    return clamp(input, min, max, inplace=True)


def hardtanh(input: QTensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> QTensor:
    """Clamp to [min_val, max_val]."""
    return clamp(input, min_val, max_val, inplace=inplace)


def relu6(input: QTensor, inplace: bool = False) -> QTensor:
    """Clamp to [0, 6]."""
    return clamp(input, 0.0, 6.0, inplace=inplace)
