"""PyTorch's operators on plain tensors (masks, indices, floats) as the file's, where these are several or differ.

Each function takes the arguments of PyTorch's operator and gives its results, calling qsdk's reference operators only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from qsdk.reference.resize import CONSTANT, REFLECT, REPLICATE

_ops = torch.ops.qsdk


def _alike(*values: Any) -> list[Tensor]:
    """Numbers as tensors of the type of the tensors beside them; floats beside integers stay floats."""
    dtype = next(v.dtype for v in values if isinstance(v, Tensor))
    whole = all(isinstance(v, (Tensor, int)) for v in values)
    return [v if isinstance(v, Tensor) else torch.tensor(v, dtype=dtype if whole else torch.float32) for v in values]


def _eq(input: Any, other: Any) -> Tensor:
    return _ops.eq(*_alike(input, other))


def _ne(input: Any, other: Any) -> Tensor:
    return _ops.ne(*_alike(input, other))


def _lt(input: Any, other: Any) -> Tensor:
    return _ops.lt(*_alike(input, other))


def _le(input: Any, other: Any) -> Tensor:
    return _ops.le(*_alike(input, other))


def _where(condition: Tensor, input: Any, other: Any) -> Tensor:
    if not isinstance(input, Tensor) and not isinstance(other, Tensor):
        input, other = torch.tensor(input), torch.tensor(other)
    return _ops.where(condition, *_alike(input, other))


def _masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    return _ops.where(mask, torch.as_tensor(value).to(input.dtype), input)


def _not(input: Tensor) -> Tensor:
    return _ops.eq(input, torch.tensor(False))


def _and(input: Tensor, other: Tensor) -> Tensor:
    return _ops.where(input, other, torch.tensor(False))


def _or(input: Tensor, other: Tensor) -> Tensor:
    return _ops.where(input, torch.tensor(True), other)


def _topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Tensor, Tensor]:
    return _ops.topk(input, k, dim % input.dim(), largest)


def _first(largest: bool) -> Callable[..., tuple[Tensor, Tensor]]:
    def extreme(input: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = _ops.topk(input, 1, dim % input.dim(), largest)
        if keepdim:
            return found
        shape = [e for axis, e in enumerate(input.shape) if axis != dim % input.dim()]
        return _ops.reshape(found[0], shape), _ops.reshape(found[1], shape)

    return extreme


def _extreme(largest: bool) -> Callable[..., Any]:
    def extreme(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
        if dim is not None:
            return _first(largest)(input, dim, keepdim)
        return _ops.reshape(_ops.topk(_ops.reshape(input, [input.numel()]), 1, 0, largest)[0], [])

    return extreme


def _position(largest: bool) -> Callable[..., Tensor]:
    def position(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
        if dim is not None:
            return _first(largest)(input, dim, keepdim)[1]
        found = _ops.topk(_ops.reshape(input, [input.numel()]), 1, 0, largest)[1]
        return _ops.reshape(found, [1] * input.dim() if keepdim else [])

    return position


def _index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    return _ops.index_select(input, dim % input.dim(), index)


def _gather(input: Tensor, dim: int, index: Tensor, sparse_grad: bool = False) -> Tensor:
    return _ops.gather(input, dim % input.dim(), index)


def _expand(input: Tensor, size: Sequence[int], implicit: bool = False) -> Tensor:
    given = [1] * (len(size) - input.dim()) + list(input.shape)
    shape = [g if s == -1 else s for g, s in zip(given, size, strict=True)]
    source = _ops.reshape(input, given) if len(given) != input.dim() else input
    return _ops.slice(source, shape, [0] * len(shape), [int(g == s) for g, s in zip(given, shape, strict=True)])


def _embedding(weight: Tensor, indices: Tensor, *_: Any) -> Tensor:
    rows = _ops.index_select(weight, 0, _ops.reshape(indices, [indices.numel()]))
    return _ops.reshape(rows, [*indices.shape, *weight.shape[1:]])


def _cropped(input: Tensor, before: Sequence[int], behind: Sequence[int]) -> Tensor:
    """Without what negative numbers take away."""
    start = [max(-b, 0) for b in before]
    shape = [e - s - max(-b, 0) for e, s, b in zip(input.shape, start, behind, strict=True)]
    return input if shape == list(input.shape) else _ops.slice(input, shape, start, [1] * len(shape))


def _pad(mode: int) -> Callable[..., Tensor]:
    def pad(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
        untouched = [0] * (input.dim() - len(pad) // 2)
        before, behind = ([*untouched, *reversed(pad[first::2])] for first in (0, 1))
        inside = _cropped(input, before, behind)
        before, behind = ([max(n, 0) for n in numbers] for numbers in (before, behind))
        shape = [f + e + b for f, e, b in zip(before, inside.shape, behind, strict=True)]
        result: Tensor = _ops.pad(inside, shape, before, mode, 0)
        if value == 0:
            return result
        mask = torch.zeros([e if f or b else 1 for e, f, b in zip(shape, before, behind, strict=True)]).bool()
        for axis, (front, back) in enumerate(zip(before, behind, strict=True)):
            mask.narrow(axis, 0, front).fill_(True)
            mask.narrow(axis, mask.shape[axis] - back, back).fill_(True)
        return _ops.where(mask, torch.tensor(value).to(input.dtype), result)

    return pad


# By the names of ATen's operators; all their overloads.
DECOMPOSED: dict[str, Callable[..., Any]] = {
    "aten::eq": _eq,
    "aten::ne": _ne,
    "aten::lt": _lt,
    "aten::le": _le,
    "aten::gt": lambda input, other: _lt(other, input),
    "aten::ge": lambda input, other: _le(other, input),
    "aten::where": _where,
    "aten::masked_fill": _masked_fill,
    **dict.fromkeys(("aten::logical_not", "aten::bitwise_not"), _not),
    **dict.fromkeys(("aten::logical_and", "aten::bitwise_and"), _and),
    **dict.fromkeys(("aten::logical_or", "aten::bitwise_or"), _or),
    "aten::topk": _topk,
    "aten::max": _extreme(True),
    "aten::min": _extreme(False),
    "aten::argmax": _position(True),
    "aten::argmin": _position(False),
    "aten::index_select": _index_select,
    "aten::gather": _gather,
    "aten::expand": _expand,
    "aten::embedding": _embedding,
    "aten::constant_pad_nd": _pad(CONSTANT),
    **{f"aten::reflection_pad{axes}d": _pad(REFLECT) for axes in (1, 2, 3)},
    **{f"aten::replication_pad{axes}d": _pad(REPLICATE) for axes in (1, 2, 3)},
}
