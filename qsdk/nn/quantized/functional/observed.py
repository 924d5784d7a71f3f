"""Functions of one value, sums, norms and masked softmax, with an output observed by calibration.

What QFunctional's methods call; scale and zero_point are the output's, `name` is the layer's, for messages.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function

from qsdk.dispatch import call
from qsdk.errors import QuantizationError
from qsdk.nn.quantized.functional.common import axis_of, constant, need_qtensor, output_qparams, traced, where
from qsdk.nn.quantized.functional.elementwise import lookup_table
from qsdk.nn.quantized.functional.norm import softmax_bound
from qsdk.qtensor import QTensor
from qsdk.reference import constants

# Functions of one value that have no module, by name. Evaluated in float64.
UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    name: getattr(torch, name)
    for name in (
        "abs", "acos", "asin", "atan", "ceil", "cos", "cosh", "erf", "exp", "expm1", "floor", "frac", "log", "log10",
        "log1p", "log2", "reciprocal", "round", "rsqrt", "sign", "sin", "sinh", "sqrt", "square", "tan", "trunc",
    )
}  # fmt: skip


def unary(
    input: Any,
    function: str,
    scale: float,
    zero_point: int,
    dtype: str = "quint8",
    quant_min: int | None = None,
    quant_max: int | None = None,
    name: str = "",
) -> Any:
    """The function of UNARY with that name, as a table. Infinities saturate, NaN becomes 0."""
    tail = (scale, zero_point, dtype, quant_min, quant_max)
    if traced((input,)):
        return handle_torch_function(unary, (input,), input, function, *tail, name=name)
    if function not in UNARY:
        raise QuantizationError(f"no function '{function}'{where(name)}; there are {', '.join(UNARY)}")
    return lookup_table(input, UNARY[function], output_qparams(*tail), name)


def sum(
    input: Any,
    dim: Any,
    keepdim: bool,
    scale: float,
    zero_point: int,
    dtype: str = "quint8",
    quant_min: int | None = None,
    quant_max: int | None = None,
    name: str = "",
) -> Any:
    """The sum over axes, None: all of them. Rule 8, as a mean of other scale."""
    tail = (scale, zero_point, dtype, quant_min, quant_max)
    if traced((input,)):
        return handle_torch_function(sum, (input,), input, dim, keepdim, *tail, name=name)
    source, output = need_qtensor(input, "sum", name), output_qparams(*tail)
    rank = source.dim()
    axes = sorted({axis_of(d, rank) for d in ([dim] if isinstance(dim, int) else dim or range(rank))})
    count = functools.reduce(lambda n, axis: n * source.shape[axis], axes, 1)
    rescale = constant(constants.sum_rescale, source.qparams.scale, output.scale, float(count), name=name)
    storage = call(
        torch.ops.qsdk.mean.default,
        source.storage,
        axes,
        keepdim,
        rescale,
        source.qparams.device_zero_point,
        output.scale,
        output.device_zero_point,
        output.device_min,
        output.device_max,
    )
    return QTensor(storage, output)


def normalize(
    input: Any,
    dim: int,
    eps: float,
    scale: float,
    zero_point: int,
    dtype: str = "quint8",
    quant_min: int | None = None,
    quant_max: int | None = None,
    name: str = "",
) -> Any:
    """input over its Euclidean norm along dim, or over eps if that is larger."""
    tail = (scale, zero_point, dtype, quant_min, quant_max)
    if traced((input,)):
        return handle_torch_function(normalize, (input,), input, dim, eps, *tail, name=name)
    source, output = need_qtensor(input, "normalize", name), output_qparams(*tail)
    storage = call(
        torch.ops.qsdk.normalize.default,
        source.storage,
        axis_of(dim, source.dim()),
        constants.normalize_epsilon(eps, source.qparams.scale),
        constant(constants.inverse_scale, output.scale, name=name),
        source.qparams.device_zero_point,
        output.scale,
        output.device_zero_point,
        output.device_min,
        output.device_max,
    )
    return QTensor(storage, output)


@functools.lru_cache(maxsize=256)
def _softmax_table(scale: float) -> Tensor:
    return constants.softmax_table(scale)


def softmax(
    input: Any,
    dim: int,
    mask: Any,
    scale: float,
    zero_point: int,
    dtype: str = "quint8",
    quant_min: int | None = None,
    quant_max: int | None = None,
    name: str = "",
) -> Any:
    """exp(x) / sum exp(x) along dim, over the elements whose mask (bool, broadcast; None: all) is true; others are 0.
    So are all where none is true."""
    tail = (scale, zero_point, dtype, quant_min, quant_max)
    if traced((input, mask)):
        return handle_torch_function(softmax, (input, mask), input, dim, mask, *tail, name=name)
    source, output = need_qtensor(input, "softmax", name), output_qparams(*tail)
    inverse = constant(constants.inverse_scale, output.scale, name=name)
    table = _softmax_table(source.qparams.scale).to(source.device)
    return softmax_bound(source, table, dim, inverse, output, mask)
