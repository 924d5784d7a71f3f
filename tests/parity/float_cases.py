"""Rows of cases.py's table for operators whose activations are float32.

Regimes choose the constants: 'random'; 'extreme' has weights of -128 and 127, scales at the ends of [2^-60, 2^60] and
biases that are denormal, huge, infinite or NaN; 'cancel' has biases close to the products, so that sums get small.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from parity.build import constant, single
from qsdk.export.program import Program, TensorInfo

# input shape, outputs
LINEAR_DYNAMIC = [
    ((1, 1), 1),
    ((1, 64), 10),
    ((3, 17), 33),
    ((2, 3, 128), 16),
    ((70, 15), 15),
    ((5,), 7),
    ((4, 1000), 3),
]
SIZES = [1, 7, 8, 33, 257]
BROADCASTS = [
    ((2, 3, 4, 5), (2, 3, 4, 5)), ((67,), (67,)), ((2, 4, 8), (1,)), ((8,), (2, 4, 8)), ((3, 1, 5), (1, 4, 1)),
    ((2, 3, 1, 4), (2, 1, 5, 4)), ((), ()),
]  # fmt: skip


def activation(shape: tuple[int, ...], dtype: str = "float32") -> TensorInfo:
    return TensorInfo("x", dtype, shape)


def projection(generator: np.random.Generator, regime: str, n: int, k: int) -> list[TensorInfo]:
    """weight, weight_scale and bias."""
    weight = generator.integers(-128, 128, (n, k))
    scale = generator.uniform(0.5, 2, n) / 128
    bias = generator.normal(0, 1, n)
    if regime == "extreme":
        weight = generator.choice([-128, 127], (n, k))
        scale = generator.choice([2.0**-60, 2.0**60, 2.0**-24, 1.0], n)
        bias = np.resize([0.0, -0.0, 1e-45, -1e-40, 3e38, np.inf, -np.inf, np.nan], n)
    elif regime == "cancel":
        weight = np.ones((n, k))
        scale = np.full(n, 2.0**-60)
        bias = generator.choice([-1, 1, -127, 255, 2.0**-70], n) * 2.0**-60
    arrays = (weight.astype(np.int8), scale.astype(np.float32), bias.astype(np.float32))
    return [constant(name, a) for name, a in zip(("weight", "weight_scale", "bias"), arrays, strict=True)]


def _linear_dynamic(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, n = row
    options = {"per_token": bool(generator.integers(2)), "relu": bool(generator.integers(2))}
    operands = projection(generator, regime, n, shape[-1])
    return single("linear_dynamic", [activation(shape), *operands], None, options)


def _relu(generator: np.random.Generator, regime: str, size: int) -> Program:
    return single("relu", [activation((size,))], None, {})


def _add_float(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    return single("add_float", [activation(shape) for shape in row], None, {})


FLOAT_TABLE: list[tuple[str, Callable[..., Program], list, tuple[str, ...]]] = [  # type: ignore[type-arg]
    ("linear_dynamic", _linear_dynamic, LINEAR_DYNAMIC, ("random", "extreme", "cancel", "again")),
    ("relu", _relu, SIZES, ("random",)),
    ("add_float", _add_float, BROADCASTS, ("random",)),
]
