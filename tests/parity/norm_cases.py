"""Parity cases of softmax, norms and prelu; see cases.py."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from parity.build import Quantized, constant, single
from parity.regimes import REGIMES, output_range
from parity.regimes import zero_point as drawn_zero_point
from qsdk.export.program import Program, TensorInfo
from qsdk.reference.constants import softmax_table

SOFTMAXES = [((1, 1), 1), ((3, 7), 1), ((2, 4), 0), ((2, 5, 17), 1), ((300,), 0), ((1, 3, 2, 8), 2), ((2, 1031), 1),
             ((1031, 3), 0)]  # fmt: skip
# (input, axes that are normalized)
LAYER_NORMS = [((1, 1), 1), ((3, 7), 1), ((2, 4, 6), 2), ((5, 33), 1), ((2, 1031), 1), ((1, 3, 2, 3), 3), ((67,), 1)]
CHANNELS = [(1, 1), (3, 7), (2, 5, 17), (1, 3, 4, 6), (2, 2, 1, 2, 33)]
GROUP_NORMS = [((1, 1), 1), ((3, 8), 2), ((2, 5, 6), 6), ((1, 3, 4, 6), 1), ((2, 2, 1, 3, 33), 3), ((1, 40, 9, 16), 4)]


def _softmax(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, dim = row
    zero_point = drawn_zero_point(generator, regime) if regime != "random" else -128
    scale = {"ties": 2.0**-60, "extreme": float(generator.choice([2.0**-60, 0.001, 2.0**60]))}.get(regime, 0.05)
    inverse = {"ties": 2.0, "extreme": float(generator.choice([2.0**-60, 2.0**60, 2.0**10]))}.get(regime, 256.0)
    return single(
        "softmax",
        [Quantized(shape, scale, drawn_zero_point(generator, regime)), constant("table", softmax_table(scale).numpy())],
        (1 / 256, zero_point),
        {"dim": dim, "inverse_scale": inverse} | output_range(generator, regime, zero_point),
    )


def _factors(generator: np.random.Generator, regime: str, shape: tuple[int, ...], around: float) -> list[TensorInfo]:
    """Signed factors of magnitudes near `around`, and offsets; 'ties': factors of 0, offsets between integers."""
    factor = generator.normal(0, around, shape)
    offset = generator.normal(0, 30, shape)
    if regime == "ties":
        factor, offset = factor * generator.integers(0, 2, shape), np.round(offset) + 0.5
    elif regime == "extreme":
        factor, offset = (generator.choice([2.0**60, -(2.0**60), 0.0, 1e-42, -1.0], shape) for _ in range(2))
    return [constant("factor", factor.astype(np.float32)), constant("offset", offset.astype(np.float32))]


def _layer_norm(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, axes = row
    return _norm("layer_norm", generator, regime, shape, shape[-axes:], {})


def _norm(
    kind: str,
    generator: np.random.Generator,
    regime: str,
    shape: tuple[int, ...],
    factors: tuple[int, ...],
    options: dict[str, object],
) -> Program:
    zero_point = drawn_zero_point(generator, regime)
    eps = (
        float(generator.choice([2.0**-60, 2.0**60, 1.0])) if regime == "extreme" else float(np.float32(1e-5 / 0.05**2))
    )
    return single(
        kind,
        [Quantized(shape, 0.05, drawn_zero_point(generator, regime)), *_factors(generator, regime, factors, 40)],
        (0.1, zero_point),
        options | {"eps": eps} | output_range(generator, regime, zero_point),
    )


def _batch_norm(generator: np.random.Generator, regime: str, shape: tuple[int, ...]) -> Program:
    zero_point = drawn_zero_point(generator, regime)
    return single(
        "batch_norm",
        [Quantized(shape, 0.05, drawn_zero_point(generator, regime)), *_factors(generator, regime, shape[-1:], 1)],
        (0.1, zero_point),
        output_range(generator, regime, zero_point),
    )


def _group_norm(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, groups = row
    return _norm("group_norm", generator, regime, shape, shape[-1:], {"num_groups": groups})


def _prelu(generator: np.random.Generator, regime: str, shape: tuple[int, ...]) -> Program:
    zero_point = drawn_zero_point(generator, regime)
    slope = _factors(generator, regime if regime == "extreme" else "random", shape[-1:], 1)[0]
    if regime == "ties":
        slope = constant("slope", np.full(shape[-1:], -0.5, np.float32))
    multiplier = {"ties": 0.5, "extreme": float(generator.choice([2.0**-60, 2.0**60]))}.get(regime, 0.75)
    return single(
        "prelu",
        [Quantized(shape, 0.05, drawn_zero_point(generator, regime)), slope],
        (0.1, zero_point),
        {"multiplier": multiplier} | output_range(generator, regime, zero_point),
    )


NORM_TABLE: list[tuple[str, Callable[..., Program], list, tuple[str, ...]]] = [  # type: ignore[type-arg]
    ("softmax", _softmax, SOFTMAXES, REGIMES),
    ("layer_norm", _layer_norm, LAYER_NORMS, REGIMES),
    ("batch_norm", _batch_norm, CHANNELS, REGIMES),
    ("group_norm", _group_norm, GROUP_NORMS, REGIMES),
    ("prelu", _prelu, CHANNELS, REGIMES),
]
