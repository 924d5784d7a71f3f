"""Functions on QTensors. Each computes constants, checks its operands and calls one reference operator.

Calls always go through torch.ops.qsdk, so a dispatch mode sees every operator exactly once, on exactly the tensors that
QTensors store. Functions with quantization parameters of their own take them as plain numbers and strings, so that
torch.fx can record a call as one node.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function

from qsdk.errors import QuantizationError, UnsupportedOperatorError
from qsdk.qtensor import QParams, QTensor, calling_module, dequantize, quantize, to_qdtype
from qsdk.reference import constants

__all__ = [
    "adaptive_avg_pool2d",
    "add",
    "add_scalar",
    "avg_pool2d",
    "cat",
    "clamp",
    "conv2d",
    "dequantize",
    "flatten",
    "hardtanh",
    "linear",
    "lookup_table",
    "max_pool2d",
    "mean",
    "mul",
    "mul_scalar",
    "permute",
    "quantize",
    "relu",
    "relu6",
    "requantize",
    "reshape",
    "squeeze",
    "transpose",
    "unflatten",
    "unsqueeze",
]


# Checks


def _where(name: str) -> str:
    return f" (in layer '{name}')" if name else calling_module()


def need_qtensor(value: Any, what: str, name: str = "") -> QTensor:
    """`value`, if it is a QTensor with parameters that an operator can use.

    Raises:
        QuantizationError: it is a float tensor (names QuantStub), per channel, or int32.
    """
    if not isinstance(value, QTensor):
        kind = f"a {value.dtype} tensor" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise QuantizationError(
            f"{what} got {kind}{_where(name)}, but computes on quantized tensors; insert a QuantStub before it"
        )
    if value.qparams.per_channel or value.qparams.dtype.device_offset + 127 != value.qparams.dtype.max:
        raise QuantizationError(
            f"{what} got a tensor of {value.dtype!r}, {value.qscheme()!r}{_where(name)}; operators compute on "
            "per-tensor qint8 and quint8"
        )
    return value


def _need_4d(value: Any, what: str) -> QTensor:
    tensor = need_qtensor(value, what)
    if tensor.dim() != 4:
        raise QuantizationError(
            f"{what} got shape {list(tensor.shape)}{calling_module()}, but needs [N, C, H, W]; add a batch axis of 1"
        )
    return tensor


def _traced(values: Sequence[Any]) -> bool:
    """Whether a tracer's stand-in is among the operands."""
    return any(not isinstance(v, (QTensor, Tensor)) and hasattr(type(v), "__torch_function__") for v in values)


def _constant(function: Callable[..., float], *args: float, name: str = "") -> float:
    try:
        return function(*args)
    except ValueError as error:
        raise QuantizationError(f"{error}{_where(name)}; check the calibration data of its inputs and output") from None


def _pair(value: Any) -> list[int]:
    return [int(value)] * 2 if isinstance(value, int) else [int(v) for v in value]


def _output(scale: float, zero_point: int, dtype: str, quant_min: int | None, quant_max: int | None) -> QParams:
    return QParams(scale, zero_point, to_qdtype(dtype), quant_min, quant_max)


def _lowest(output: QParams, relu: bool) -> int:
    """output_min of an operator; a fused ReLU raises it to the zero point."""
    return max(output.device_min, int(output.device_zero_point)) if relu else output.device_min


# Rule 3


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
    input = _need_4d(input, "conv2d")
    weight, bias, multiplier = bound
    if input.shape[1] != weight.shape[1] * groups:
        raise QuantizationError(
            f"conv2d got {input.shape[1]} channels{calling_module()}, but its weights are for "
            f"{weight.shape[1] * groups}"
        )
    storage = torch.ops.qsdk.conv2d.default(
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
        _lowest(output, relu),
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
    storage = torch.ops.qsdk.linear.default(
        input.storage,
        weight,
        bias,
        multiplier,
        input.qparams.device_zero_point,
        output.scale,
        output.device_zero_point,
        _lowest(output, relu),
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
    input = _need_4d(input, "conv2d")
    output = QParams(scale, zero_point, to_qdtype(dtype))
    bound = bind_constants(*_weight_parts(weight, "conv2d"), bias, input.qparams, output, "conv2d")
    return conv2d_bound(input, bound, _pair(stride), _pair(padding) * 2, _pair(dilation), groups, output)


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


# Rules 4, 5, 6


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
    if _traced((input, other)):
        return handle_torch_function(
            add, (input, other), input, other, scale, zero_point, dtype, quant_min, quant_max, relu=relu, name=name
        )

    def multipliers(a: float, b: float, output: float) -> tuple[float, ...]:
        return _constant(constants.rescale, a, output, name=name), _constant(constants.rescale, b, output, name=name)

    output = _output(scale, zero_point, dtype, quant_min, quant_max)
    return _binary("add", multipliers, input, other, output, relu, name)


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
    if _traced((input, other)):
        return handle_torch_function(
            mul, (input, other), input, other, scale, zero_point, dtype, quant_min, quant_max, relu=relu, name=name
        )

    def multipliers(a: float, b: float, output: float) -> tuple[float, ...]:
        return (_constant(constants.product_multiplier, a, b, output, name=name),)

    output = _output(scale, zero_point, dtype, quant_min, quant_max)
    return _binary("mul", multipliers, input, other, output, relu, name)


def _binary(
    kind: str,
    multipliers: Callable[[float, float, float], tuple[float, ...]],
    input: Any,
    other: Any,
    output: QParams,
    relu: bool,
    name: str,
) -> QTensor:
    """The operator `kind` of two tensors; `multipliers` makes its constants from both scales and the output's."""
    a, b = need_qtensor(input, kind, name), need_qtensor(other, kind, name)
    storage = getattr(torch.ops.qsdk, kind).default(
        a.storage,
        b.storage,
        *multipliers(a.qparams.scale, b.qparams.scale, output.scale),
        a.qparams.device_zero_point,
        b.qparams.device_zero_point,
        output.scale,
        output.device_zero_point,
        _lowest(output, relu),
        output.device_max,
    )
    return QTensor(storage, output)


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


def lookup_table(input: QTensor, function: Callable[[Tensor], Tensor], output: QParams, name: str = "") -> QTensor:
    """Rule 6: any function of one value, as a table. `function` maps float64 tensors element by element."""
    input = need_qtensor(input, "lookup_table", name)
    try:
        table = _table(function, input.qparams, output).to(input.device)
    except ValueError as error:
        raise QuantizationError(f"{error}{_where(name)}; check the calibration data") from None
    storage = torch.ops.qsdk.lookup_table.default(input.storage, table, output.scale, output.device_zero_point)
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
    if _traced((input,)):
        return handle_torch_function(add_scalar, (input,), input, value, name=name)
    source = need_qtensor(input, "add_scalar", name).qparams
    low, high = _user_range(source)
    zero_point = int(source.zero_point) - round(_number(value, "add_scalar", name) / source.scale)
    scale = source.scale
    if zero_point < low:
        scale, zero_point = scale * (high - zero_point) / (high - low), low
    elif zero_point > high:
        scale, zero_point = scale * (zero_point - low) / (high - low), high
    output = QParams(scale, zero_point, source.dtype, low, high)
    return lookup_table(input, _Affine(1.0, float(value)), output, name)


def mul_scalar(input: Any, value: float, name: str = "") -> Any:
    """input * value. The scale is multiplied by |value|; a negative value mirrors the range."""
    if _traced((input,)):
        return handle_torch_function(mul_scalar, (input,), input, value, name=name)
    source = need_qtensor(input, "mul_scalar", name).qparams
    low, high = _user_range(source)
    factor = _number(value, "mul_scalar", name)
    scale, zero_point = source.scale * abs(factor), int(source.zero_point)
    if factor == 0:
        scale, zero_point = 1.0, min(max(0, low), high)
    elif factor < 0:
        zero_point = low + high - zero_point
    return lookup_table(input, _Affine(factor, 0.0), QParams(scale, zero_point, source.dtype, low, high), name)


def _user_range(qparams: QParams) -> tuple[int, int]:
    offset = qparams.dtype.device_offset
    return qparams.device_min + offset, qparams.device_max + offset


def _number(value: Any, what: str, name: str) -> float:
    if isinstance(value, (QTensor, Tensor)) or not math.isfinite(value):
        raise QuantizationError(f"{what} takes a finite number{_where(name)}, not {value}")
    return float(value)


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
    if _traced(tensors):
        return handle_torch_function(
            cat, tuple(tensors), tensors, dim, scale, zero_point, dtype, quant_min, quant_max, name=name
        )
    if not tensors:
        raise QuantizationError(f"cat of no tensors{_where(name)}")
    inputs = [need_qtensor(t, "cat", name) for t in tensors]
    if scale is None or zero_point is None:
        output = inputs[0].qparams
        if any(t.qparams != output for t in inputs):
            raise QuantizationError(
                f"cat got tensors of different scales or zero points{_where(name)}; use FloatFunctional().cat, so that "
                "calibration observes the result"
            )
    else:
        output = _output(scale, zero_point, dtype, quant_min, quant_max)
        inputs = [requantize(t, output, name) for t in inputs]
    axis = dim + inputs[0].dim() if dim < 0 else dim
    return QTensor(torch.ops.qsdk.cat.default([t.storage for t in inputs], axis), output)


# Rule 7: parameters pass through


def _clamped(input: QTensor, lowest: int, highest: int, inplace: bool) -> QTensor:
    storage = torch.ops.qsdk.clamp.default(input.storage, lowest, highest)
    if inplace:
        input.storage = storage
        return input
    return QTensor(storage, input.qparams)


def relu(input: QTensor, inplace: bool = False) -> QTensor:
    """max(x, 0)."""
    input = need_qtensor(input, "relu")
    return _clamped(input, _lowest(input.qparams, True), input.qparams.device_max, inplace)


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


def hardtanh(input: QTensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> QTensor:
    """Clamp to [min_val, max_val]."""
    return clamp(input, min_val, max_val, inplace=inplace)


def relu6(input: QTensor, inplace: bool = False) -> QTensor:
    """Clamp to [0, 6]."""
    return clamp(input, 0.0, 6.0, inplace=inplace)


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
    input = _need_4d(input, "max_pool2d")
    if return_indices:
        raise UnsupportedOperatorError(f"max_pool2d with return_indices{calling_module()}; quantized it has none")
    kernel = _pair(kernel_size)
    storage = torch.ops.qsdk.max_pool2d.default(
        input.storage, kernel, _pair(stride) if stride else kernel, _pair(padding), _pair(dilation), ceil_mode
    )
    return QTensor(storage, input.qparams)


def _axis(dim: int, rank: int) -> int:
    if not -rank <= dim < rank:
        raise QuantizationError(f"axis {dim} of a tensor with {rank} axes{calling_module()}")
    return dim % rank


def _ints(values: tuple[Any, ...]) -> list[int]:
    if len(values) == 1 and isinstance(values[0], (list, tuple)):
        values = tuple(values[0])
    return [int(v) for v in values]


def reshape(input: QTensor, *shape: Any) -> QTensor:
    """The same values in row-major order under another shape; one extent may be -1."""
    extents = _ints(shape)
    if extents.count(-1) == 1:
        known = math.prod(e for e in extents if e != -1)
        if known and input.numel() % known == 0:
            extents[extents.index(-1)] = input.numel() // known
    if math.prod(extents) != input.numel() or any(e < 0 for e in extents):
        raise QuantizationError(f"shape {list(input.shape)} cannot become {_ints(shape)}{calling_module()}")
    if input.qparams.per_channel:
        raise QuantizationError(f"reshape of a tensor quantized per channel{calling_module()}; dequantize it first")
    return QTensor(torch.ops.qsdk.reshape.default(input.storage, extents), input.qparams)


def flatten(input: QTensor, start_dim: int = 0, end_dim: int = -1) -> QTensor:
    """Join the axes start_dim..end_dim into one."""
    rank = input.dim()
    if rank == 0:
        return reshape(input, 1)
    start, end = _axis(start_dim, rank), _axis(end_dim, rank)
    shape = list(input.shape)
    return reshape(input, [*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]])


def unflatten(input: QTensor, dim: int, sizes: Any) -> QTensor:
    """Split axis dim into `sizes`, one of which may be -1."""
    axis = _axis(dim, input.dim())
    extents = [int(s) for s in sizes]
    if -1 in extents:
        known = math.prod(e for e in extents if e != -1)
        extents[extents.index(-1)] = input.shape[axis] // known if known else 0
    return reshape(input, [*input.shape[:axis], *extents, *input.shape[axis + 1 :]])


def squeeze(input: QTensor, *dim: Any) -> QTensor:
    """Drop axes of extent 1: all, or those named."""
    axes = [_axis(d, input.dim()) for d in _ints(dim)] if dim else range(input.dim())
    return reshape(input, [e for axis, e in enumerate(input.shape) if e != 1 or axis not in axes])


def unsqueeze(input: QTensor, dim: int) -> QTensor:
    """Insert an axis of extent 1."""
    axis = _axis(dim, input.dim() + 1)
    return reshape(input, [*input.shape[:axis], 1, *input.shape[axis:]])


def clone(input: QTensor, memory_format: Any = None) -> QTensor:
    """A copy. An operator like any other, so that captures keep track of the tensor."""
    if input.qparams.per_channel or input.storage.dtype != torch.int8:
        return QTensor(input.storage.clone(), input.qparams)
    return reshape(input, list(input.shape))


def permute(input: QTensor, *dims: Any) -> QTensor:
    """Reorder the axes: output.shape[i] = input.shape[dims[i]]."""
    axes = [_axis(d, input.dim()) for d in _ints(dims)]
    if sorted(axes) != list(range(input.dim())):
        raise QuantizationError(f"permute({_ints(dims)}) of a tensor with {input.dim()} axes{calling_module()}")
    qparams = input.qparams
    if qparams.ch_axis is not None:
        raise QuantizationError(f"permute of a tensor quantized per channel{calling_module()}; dequantize it first")
    return QTensor(torch.ops.qsdk.permute.default(input.storage, axes), qparams)


def transpose(input: QTensor, dim0: int, dim1: int) -> QTensor:
    """Swap two axes."""
    axes = list(range(input.dim()))
    first, second = _axis(dim0, input.dim()), _axis(dim1, input.dim())
    axes[first], axes[second] = axes[second], axes[first]
    return permute(input, axes)


def dropout(input: QTensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> QTensor:
    """Itself; dropout only acts in training, which quantized tensors do not take part in."""
    if training:
        raise QuantizationError(f"dropout in training mode{calling_module()} on a quantized tensor; call eval()")
    return input


# Rule 8: parameters pass through, so the rescale factor is f32(scale / scale) = 1


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
    input = _need_4d(input, "avg_pool2d")
    kernel = _pair(kernel_size)
    qparams = input.qparams
    storage = torch.ops.qsdk.avg_pool2d.default(
        input.storage,
        kernel,
        _pair(stride) if stride else kernel,
        _pair(padding),
        ceil_mode,
        count_include_pad,
        divisor_override or 0,
        1.0,
        *_shared_tail(qparams),
    )
    return QTensor(storage, qparams)


def _shared_tail(qparams: QParams) -> tuple[int, float, int, int, int]:
    zero_point = int(qparams.device_zero_point)
    return zero_point, float(qparams.scale), zero_point, qparams.device_min, qparams.device_max


def adaptive_avg_pool2d(input: QTensor, output_size: Any) -> QTensor:
    """As torch.nn.functional.adaptive_avg_pool2d on [N, C, H, W], with the input's scale and zero point."""
    input = _need_4d(input, "adaptive_avg_pool2d")
    wanted = (output_size, output_size) if isinstance(output_size, int) else tuple(output_size)
    size = [input.shape[2 + i] if extent is None else int(extent) for i, extent in enumerate(wanted)]
    storage = torch.ops.qsdk.adaptive_avg_pool2d.default(input.storage, size, 1.0, *_shared_tail(input.qparams))
    return QTensor(storage, input.qparams)


def mean(input: QTensor, dim: Any = None, keepdim: bool = False) -> QTensor:
    """Mean over axes (all of them by default), with the input's scale and zero point."""
    input = need_qtensor(input, "mean")
    rank = input.dim()
    named = [] if dim is None else [dim] if isinstance(dim, int) else list(dim)
    axes = sorted({_axis(d, rank) for d in named}) or list(range(rank))
    storage = torch.ops.qsdk.mean.default(input.storage, axes, keepdim, 1.0, *_shared_tail(input.qparams))
    return QTensor(storage, input.qparams)
