"""Rows of cases.py's table for operators that compare, select and normalize."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from parity.build import Quantized, constant, single
from parity.regimes import REGIMES, output_range, zero_point
from qsdk.export.program import Program, TensorInfo

PAIRS = [
    ((2, 3, 4, 5), (2, 3, 4, 5)), ((1,), (1,)), ((67,), (67,)), ((2, 4, 8), (1,)), ((8,), (2, 4, 8)),
    ((3, 1, 5), (1, 4, 1)), ((2, 3, 1, 4), (2, 1, 5, 4)), ((), (3,)), ((257,), ()), ((2, 1, 2, 1, 2, 1, 2, 3), (3,)),
]  # fmt: skip
TRIPLES = [
    ((2, 3, 4), (2, 3, 4), (2, 3, 4)), ((4, 1), (1, 33), (4, 33)), ((5,), (), (2, 5)),
    ((1, 3, 1), (2, 1, 4), (1, 1, 1)), ((67,), (67,), (1,)), ((), (3,), (3,)),
]  # fmt: skip
# input, k, dim
TOPK = [((5,), 1, 0), ((3, 17), 3, 1), ((2, 5, 4), 5, 1), ((1, 1), 1, 0), ((9, 2), 2, 0), ((4, 300), 1, 1)]
# input, indices, dim
INDEX_SELECT = [((5,), 3, 0), ((3, 4, 5), 7, 1), ((3, 4, 5), 1, 2), ((2, 33), 2, 0), ((1, 1), 4, 1)]
# input, shape of the indices, dim
GATHER = [
    ((5,), (7,), 0),
    ((3, 4, 5), (2, 6, 5), 1),
    ((3, 4, 5), (3, 4, 1), 2),
    ((4, 1), (9, 1), 0),
    ((2, 3), (1, 1), 1),
]
NORMALIZE = [((1, 1), 0), ((3, 17), 1), ((2, 5, 4), 1), ((9, 2), 0), ((2, 300), 1)]
# input, mask, dim
MASKED = [
    ((2, 3, 7), (2, 3, 7), 2), ((2, 3, 7), (7,), 2), ((2, 4, 5, 5), (5, 5), 3), ((2, 4, 5, 9), (2, 1, 1, 9), 3),
    ((3, 5, 2), (3, 5, 1), 1), ((4, 6), (4, 1), 0), ((1,), (1,), 0), ((2, 4, 5), (), 2),
]  # fmt: skip


def _activation(dtype: str, shape: tuple[int, ...], scale: float = 0.1, zero: int = 5) -> Quantized | TensorInfo:
    return Quantized(shape, scale, zero) if dtype == "int8" else TensorInfo("x", dtype, shape)


def _comparison(kind: str) -> Callable[..., Program]:
    def make(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
        first, second = regime.split() if " " in regime else (regime, regime)
        scales = (0.5, 0.25) if generator.integers(2) else (0.1, 0.3)
        operands = [
            _activation(dtype, shape, scale, int(generator.integers(-128, 128)))
            for dtype, shape, scale in zip((first, second), row, scales, strict=True)
        ]
        return single(kind, operands, None, {})

    return make


def _extreme(kind: str) -> Callable[..., Program]:
    return lambda generator, regime, row: single(kind, [Quantized(s, 0.1, 5) for s in row], None, {})


def _where(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    condition, *shapes = row
    operands = [TensorInfo("condition", "bool", condition), *(_activation(regime, s) for s in shapes)]
    return single("where", operands, (0.1, 5), {})


def _topk(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, k, dim = row
    dtype, *smallest = regime.split()
    return single("topk", [_activation(dtype, shape)], None, {"k": k, "dim": dim, "largest": not smallest})


def _indices(
    generator: np.random.Generator, regime: str, shape: tuple[int, ...], extent: int
) -> tuple[str, TensorInfo]:
    """The dtype of what is selected, and the indices: an input or a constant, int64 or int32."""
    dtype, *constants = regime.split()
    if constants:
        return dtype, constant("index", generator.integers(0, extent, shape).astype(np.int32))
    return dtype, TensorInfo("index", "int64", shape)


def _index_select(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, count, dim = row
    dtype, index = _indices(generator, regime, (count,), shape[dim])
    return single("index_select", [_activation(dtype, shape), index], None, {"dim": dim})


def _gather(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, index_shape, dim = row
    dtype, index = _indices(generator, regime, index_shape, shape[dim])
    return single("gather", [_activation(dtype, shape), index], None, {"dim": dim})


def _normalize(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, dim = row
    zero = zero_point(generator, regime)
    inverse = {"ties": 64.0, "extreme": float(generator.choice([2.0**-60, 2.0**60, 128.0]))}.get(regime, 100.0)
    eps = {"extreme": float(generator.choice([2.0**-60, 2.0**60]))}.get(regime, float(generator.choice([1.0, 50.0])))
    options = {"dim": dim, "eps": eps, "inverse_scale": inverse} | output_range(generator, regime, zero)
    return single("normalize", [Quantized(shape, 0.1, zero_point(generator, regime))], (1 / 128, zero), options)


def _masked(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, mask, dim = row
    zero = zero_point(generator, regime)
    table = generator.integers(0, 2**23 + 1, 256).astype(np.int32)
    table[0] = 2**23
    options = {"dim": dim, "inverse_scale": 256.0} | output_range(generator, regime, zero)
    operands = [Quantized(shape, 0.1, 5), constant("table", table), TensorInfo("mask", "bool", mask)]
    return single("softmax", operands, (1 / 256, zero), options)


MOVED = ("int8", "float32", "int64", "bool")
COMPARED = ("int8", "float32", "int32", "int64", "bool", "int8 float32", "float32 int8")
CHOSEN = ("int8", "float32", "bool", "int8 constant", "int64 constant")

SELECTION_TABLE: list[tuple[str, Callable[..., Program], list, tuple[str, ...]]] = [  # type: ignore[type-arg]
    *((kind, _comparison(kind), PAIRS, COMPARED) for kind in ("eq", "ne", "lt", "le")),
    *((kind, _extreme(kind), PAIRS, ("random",)) for kind in ("maximum", "minimum")),
    ("where", _where, TRIPLES, MOVED),
    ("topk", _topk, TOPK, ("int8", "float32", "int8 smallest", "float32 smallest")),
    ("index_select", _index_select, INDEX_SELECT, CHOSEN),
    ("gather", _gather, GATHER, CHOSEN),
    ("normalize", _normalize, NORMALIZE, REGIMES),
    ("softmax", _masked, MASKED, REGIMES),
]
