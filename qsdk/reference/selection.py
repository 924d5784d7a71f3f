"""Comparisons, and what selects values by them or by indices: rules 7, 22 and 23."""

from collections.abc import Callable

import torch
from torch import Tensor

from qsdk.reference.embedding import OutsideError
from qsdk.reference.floats import canonical
from qsdk.reference.registry import fake, operator
from qsdk.reference.rounding import centered, f32_tensor

_PAIR = (
    "(Tensor input, Tensor other, float? input_scale=None, int? input_zero_point=None, float? other_scale=None, "
    "int? other_zero_point=None) -> Tensor"
)


def _real(value: Tensor, scale: float | None, zero_point: int | None) -> Tensor:
    """Rule 2 of int8; all other types as they are."""
    if scale is None or value.dtype != torch.int8:
        return value
    return centered(value, zero_point or 0) * f32_tensor(scale, value)


def _comparison(name: str, holds: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def compare(
        input: Tensor,
        other: Tensor,
        input_scale: float | None = None,
        input_zero_point: int | None = None,
        other_scale: float | None = None,
        other_zero_point: int | None = None,
    ) -> Tensor:
        left, right = _real(input, input_scale, input_zero_point), _real(other, other_scale, other_zero_point)
        if left.dtype != right.dtype:
            raise ValueError(f"{input.dtype} cannot be compared with {other.dtype}")
        return holds(left, right)

    def shape(input: Tensor, other: Tensor, *_: object) -> Tensor:
        return input.new_empty(torch.broadcast_shapes(input.shape, other.shape), dtype=torch.bool)

    compare.__name__ = name
    operator(_PAIR)(compare)
    fake(name)(shape)
    return compare


# Rule 22: real values, of int8 with a scale and of float32, or integers of one type.
eq = _comparison("eq", torch.eq)
ne = _comparison("ne", torch.ne)
lt = _comparison("lt", torch.lt)
le = _comparison("le", torch.le)


@operator("(Tensor condition, Tensor input, Tensor other) -> Tensor")
def where(condition: Tensor, input: Tensor, other: Tensor) -> Tensor:
    """condition ? input : other, shapes broadcast. condition bool; the others of one type and the same qparams."""
    if condition.dtype != torch.bool or input.dtype != other.dtype:
        raise ValueError(f"{condition.dtype} chooses between {input.dtype} and {other.dtype}")
    return torch.where(condition, input, other).contiguous()


@operator("(Tensor input, Tensor other) -> Tensor")
def maximum(input: Tensor, other: Tensor) -> Tensor:
    """input > other ? input : other, shapes broadcast; int8 of the same qparams."""
    return torch.maximum(input, other).contiguous()


@operator("(Tensor input, Tensor other) -> Tensor")
def minimum(input: Tensor, other: Tensor) -> Tensor:
    """input < other ? input : other, shapes broadcast; int8 of the same qparams."""
    return torch.minimum(input, other).contiguous()


@fake("where")
def _(condition: Tensor, input: Tensor, other: Tensor) -> Tensor:
    return input.new_empty(torch.broadcast_shapes(condition.shape, input.shape, other.shape))


@fake("maximum")
@fake("minimum")
def _(input: Tensor, other: Tensor) -> Tensor:
    return input.new_empty(torch.broadcast_shapes(input.shape, other.shape))


@operator("(Tensor input, int k, int dim, bool largest) -> (Tensor, Tensor)")
def topk(input: Tensor, k: int, dim: int, largest: bool) -> tuple[Tensor, Tensor]:
    """Rule 23: the k largest (smallest) values along dim in descending (ascending) order, and their positions, int64.

    Equal ones come in the order of their positions, -0 being 0. NaN counts as the infinity that comes last.
    """
    key = input
    if input.is_floating_point():
        last = f32_tensor(float("-inf") if largest else float("inf"), input)
        key = torch.where(torch.isnan(input), last, input)
    indices = key.sort(dim=dim, descending=largest, stable=True)[1].narrow(dim, 0, k).contiguous()
    values = input.gather(dim, indices)
    return (canonical(values) if input.is_floating_point() else values), indices


@fake("topk")
def _(input: Tensor, k: int, dim: int, largest: bool) -> tuple[Tensor, Tensor]:
    shape = list(input.shape)
    if not 1 <= k <= shape[dim]:
        raise ValueError(f"{k} of {shape[dim]} values")
    shape[dim] = k
    return input.new_empty(shape), input.new_empty(shape, dtype=torch.int64)


def _check_indices(index: Tensor, extent: int) -> Tensor:
    if index.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"indices are {index.dtype}")
    at = index.to(torch.int64)
    outside = (at < 0) | (at >= extent)
    if bool(outside.any()):
        raise OutsideError(f"index {int(at[outside][0])} is outside an axis of {extent}")
    return at


@operator("(Tensor input, int dim, Tensor index) -> Tensor")
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Positions index[i] of axis dim; index int32 or int64 [N]. One outside of the axis is an OutsideError."""
    return input.index_select(dim, _check_indices(index, input.shape[dim])).contiguous()


@fake("index_select")
def _(input: Tensor, dim: int, index: Tensor) -> Tensor:
    shape = list(input.shape)
    (shape[dim],) = index.shape
    return input.new_empty(shape)


@operator("(Tensor input, int dim, Tensor index) -> Tensor")
def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """output[i] is input[i] with index[i] in place of i's coordinate along dim; index int32 or int64 of input's rank,
    no larger but along dim. One outside of the axis is an OutsideError."""
    return input.gather(dim, _check_indices(index, input.shape[dim])).contiguous()


@fake("gather")
def _(input: Tensor, dim: int, index: Tensor) -> Tensor:
    larger = any(i > e for axis, (i, e) in enumerate(zip(index.shape, input.shape, strict=True)) if axis != dim)
    if larger:
        raise ValueError(f"indices {list(index.shape)} for {list(input.shape)}")
    return input.new_empty(index.shape)
