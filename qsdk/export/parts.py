"""PyTorch's operators that take parts of a tensor, as the file's slice: what it calls shape, start and step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from torch import Tensor


class Part(NamedTuple):
    """One number for each axis of the tensor that is sliced."""

    shape: tuple[int, ...]
    start: tuple[int, ...]
    step: tuple[int, ...]


def _along(input: Tensor, dim: int, start: int, length: int, step: int = 1) -> Part:
    axis, axes = dim % input.dim(), range(input.dim())
    return Part(
        tuple(length if a == axis else input.shape[a] for a in axes),
        tuple(start if a == axis else 0 for a in axes),
        tuple(step if a == axis else 1 for a in axes),
    )


def _slice(input: Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> list[Part]:
    taken = range(*slice(start, end, step).indices(input.shape[dim]))
    return [_along(input, dim, taken.start, len(taken), step)]


def _select(input: Tensor, dim: int, index: int) -> list[Part]:
    return [_along(input, dim, index % input.shape[dim], 1)]


def _flip(input: Tensor, dims: Sequence[int]) -> list[Part]:
    flipped = {d % input.dim() for d in dims}
    start = tuple(extent - 1 if axis in flipped else 0 for axis, extent in enumerate(input.shape))
    return [Part(tuple(input.shape), start, tuple(-1 if axis in flipped else 1 for axis in range(input.dim())))]


def _split(input: Tensor, size: Any, dim: int = 0) -> list[Part]:
    extent = input.shape[dim]
    if isinstance(size, int):
        size = [min(size, extent - start) for start in range(0, extent, size)]
    return [_along(input, dim, end - length, length) for end, length in zip(accumulate(size), size, strict=True)]


def _unbind(input: Tensor, dim: int = 0) -> list[Part]:
    return [_along(input, dim, index, 1) for index in range(input.shape[dim])]


# Name -> the parts that it gives, one for each result; each is then reshaped to the result's shape.
PARTS: dict[str, Callable[..., list[Part]]] = {
    "aten::slice": _slice,
    "aten::select": _select,
    "aten::flip": _flip,
    "aten::split": _split,
    "aten::split_with_sizes": _split,
    "aten::unsafe_split": _split,
    "aten::unbind": _unbind,
}
