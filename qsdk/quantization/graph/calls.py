"""Calls of torch's functions as calls of FloatFunctional's methods: which arguments become which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from qsdk.nn.quantized.functional import UNARY

Arguments = tuple[Any, ...] | None  # None: such a call stays float


def _pair(input: Any, other: Any) -> Arguments:
    return input, other


def _where(condition: Any, input: Any, other: Any) -> Arguments:
    return condition, input, other


def _masked_fill(input: Any, mask: Any, value: Any) -> Arguments:
    # What is far outside of all values means -infinity, which has no place in a range.
    return (mask, value, input) if isinstance(value, (int, float)) and abs(value) < 1e4 else None


def _sum(input: Any, dim: Any = None, keepdim: bool = False, *, axis: Any = None, dtype: Any = None) -> Arguments:
    return (input, axis if dim is None else dim, keepdim) if dtype in (None, torch.float32) else None


def _normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Arguments:
    return (input, dim, eps) if p == 2 and isinstance(dim, int) and out is None else None


def _masked_softmax(x: Any, mask: Any, dim: int = -1) -> Arguments:
    return x, dim, mask


def _unary(name: str) -> Callable[..., Arguments]:
    return lambda input: (input, name)


# Name that the operator table has for a function -> method, and its arguments for those of the function.
CALLS: dict[str, tuple[str, Callable[..., Arguments]]] = {
    "maximum": ("maximum", _pair),
    "minimum": ("minimum", _pair),
    "where": ("where", _where),
    "masked_fill": ("where", _masked_fill),
    "sum": ("sum", _sum),
    "normalize": ("normalize", _normalize),
    "masked_softmax": ("softmax", _masked_softmax),
    **{name: ("unary", _unary(name)) for name in UNARY},
}
