"""What the functions on QTensors share: checks of operands, and numbers that stand for quantization parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from qsdk import dispatch
from qsdk.errors import QuantizationError
from qsdk.qtensor import QParams, QTensor, calling_module, qint8, quint8, to_qdtype


def where(name: str) -> str:
    """' (in layer ...)' for messages: the layer named, else the one that is running."""
    return f" (in layer '{name}')" if name else calling_module()


def need_qtensor(value: Any, what: str, name: str = "") -> QTensor:
    """`value`, if it is a QTensor with parameters that an operator can use.

    Raises:
        QuantizationError: it is a float tensor (names QuantStub), per channel, or int32.
    """
    if not isinstance(value, QTensor):
        kind = f"a {value.dtype} tensor" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise QuantizationError(
            f"{what} got {kind}{where(name)}, but computes on quantized tensors; insert a QuantStub before it"
        )
    if value.qparams.per_channel or value.dtype not in (qint8, quint8):
        raise QuantizationError(
            f"{what} got a tensor of {value.dtype!r}, {value.qscheme()!r}{where(name)}; operators compute on "
            "per-tensor qint8 and quint8"
        )
    dispatch.need_activation(value.dtype, f"{what}{where(name)}")
    return value


_LAYOUTS = {3: "[N, C, L]", 4: "[N, C, H, W]", 5: "[N, C, D, H, W]"}


def need_rank(value: Any, rank: int, what: str) -> QTensor:
    """As need_qtensor, with `rank` axes: batch, channels and 1 to 3 more."""
    tensor = need_qtensor(value, what)
    if tensor.dim() != rank:
        raise QuantizationError(
            f"{what} got shape {list(tensor.shape)}{calling_module()}, but needs {_LAYOUTS[rank]}; add a batch axis of "
            "1 if that is what is missing"
        )
    return tensor


def traced(values: Sequence[Any]) -> bool:
    """Whether a tracer's stand-in is among the operands."""
    return any(not isinstance(v, (QTensor, Tensor)) and hasattr(type(v), "__torch_function__") for v in values)


def constant(function: Callable[..., float], *args: float, name: str = "") -> float:
    """function(*args); its ValueError becomes an error that names the layer."""
    try:
        return function(*args)
    except ValueError as error:
        raise QuantizationError(f"{error}{where(name)}; check the calibration data of its inputs and output") from None


def along(value: Any, axes: int) -> list[int]:
    """One number for each of `axes` axes, from one for all or one for each."""
    if isinstance(value, int):
        return [value] * axes
    numbers = [int(v) for v in value]
    if len(numbers) == 1:
        return numbers * axes
    if len(numbers) != axes:
        raise QuantizationError(
            f"{tuple(numbers)}{calling_module()} has {len(numbers)} numbers, but there are {axes} axes"
        )
    return numbers


def output_qparams(scale: float, zero_point: int, dtype: str, quant_min: int | None, quant_max: int | None) -> QParams:
    """The output's parameters from the plain values that torch.fx can record."""
    return QParams(scale, zero_point, to_qdtype(dtype), quant_min, quant_max)


def lowest(output: QParams, relu: bool) -> int:
    """output_min of an operator; a fused ReLU raises it to the zero point."""
    return max(output.device_min, int(output.device_zero_point)) if relu else output.device_min


def user_range(qparams: QParams) -> tuple[int, int]:
    """quant_min and quant_max in the user's dtype."""
    offset = qparams.device_offset
    return qparams.device_min + offset, qparams.device_max + offset


def number(value: Any, what: str, name: str) -> float:
    """`value`, if it is a finite number."""
    if isinstance(value, (QTensor, Tensor)) or not math.isfinite(value):
        raise QuantizationError(f"{what} takes a finite number{where(name)}, not {value}")
    return float(value)


def axis_of(dim: int, rank: int) -> int:
    """dim counted from the front."""
    if not -rank <= dim < rank:
        raise QuantizationError(f"axis {dim} of a tensor with {rank} axes{calling_module()}")
    return dim % rank


def ints(values: tuple[Any, ...]) -> list[int]:
    """Integers given one by one or as one list."""
    if len(values) == 1 and isinstance(values[0], (list, tuple)):
        values = tuple(values[0])
    return [int(v) for v in values]


def shared_tail(qparams: QParams) -> tuple[int, float, int, int, int]:
    """The last arguments of an operator whose output keeps its input's parameters."""
    zero_point = int(qparams.device_zero_point)
    return zero_point, float(qparams.scale), zero_point, qparams.device_min, qparams.device_max
