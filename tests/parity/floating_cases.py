"""Rows of cases.py's table for operators on float32 that quantize nothing: rule 11.

Regimes choose the constants: 'float'; 'float extreme' has weights of any magnitude up to 2^60, denormals and zeros of
either sign; 'float cancel' has ones and minus ones, so that a sum's order decides what is left of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from parity.build import constant, single
from parity.conv_cases import CONVOLUTIONS, geometry
from parity.float_cases import activation
from qsdk.export.program import Program, TensorInfo

FLOAT = ("float",)
FLOATS = ("float", "float extreme", "float cancel")
SIZES = [1, 7, 8, 33, 257]
BROADCASTS = [
    ((2, 3, 4, 5), (2, 3, 4, 5)), ((67,), (67,)), ((2, 4, 8), (1,)), ((8,), (2, 4, 8)), ((3, 1, 5), (1, 4, 1)),
    ((2, 3, 1, 4), (2, 1, 5, 4)), ((), ()), ((1,), (40,)),
]  # fmt: skip
# input shape, outputs: below 16 outputs, sums are row sums
LINEAR = [((1, 1), 1), ((1, 64), 10), ((3, 17), 33), ((2, 3, 40), 16), ((9, 15), 15), ((5,), 7), ((2, 300), 70)]
MATMUL = [
    ((1, 1), (1, 1)), ((3, 17), (17, 33)), ((9, 5), (5, 64)), ((2, 4, 8, 3), (3, 5)), ((2, 1, 3, 7), (4, 7, 40)),
    ((1, 300), (300, 2)),
]  # fmt: skip
ROWS = [(1, 1), (3, 7), (2, 2, 16), (1, 33), (5, 100), (1031,)]
LAYER_NORM = [((1, 1), 1), ((3, 7), 1), ((2, 4, 6), 2), ((5, 33), 1), ((2, 1031), 1), ((67,), 1)]
MEAN = [
    ((1, 4, 5, 16), (1, 2), False), ((2, 3, 3, 5), (1, 2), True), ((2, 40), (1,), False), ((3, 100, 33), (1,), True),
    ((7,), (0,), False), ((2, 3, 4), (0, 1, 2), False), ((2, 1, 3), (1,), False),
]  # fmt: skip
CHANNELS = [(1, 3, 3, 16), (2, 4, 17), (3, 33), (1, 1, 1, 1), (1, 2, 2, 2, 5)]
# (n, h, w, c), kernel, stride, padding, then dilation, ceil_mode; or ceil_mode, count_include_pad, divisor_override
MAX_POOL2D = [
    ((1, 8, 8, 16), (2, 2), (2, 2), (0, 0), (1, 1), False), ((2, 7, 9, 17), (3, 3), (2, 2), (1, 1), (1, 1), False),
    ((1, 7, 7, 5), (3, 2), (2, 2), (1, 0), (1, 1), True), ((1, 9, 9, 33), (3, 3), (1, 1), (1, 1), (2, 2), False),
]  # fmt: skip
AVG_POOL2D = [
    ((1, 8, 8, 16), (2, 2), (2, 2), (0, 0), False, True, 0), ((2, 7, 9, 17), (3, 3), (2, 2), (1, 1), False, False, 0),
    ((1, 7, 7, 5), (3, 2), (2, 2), (1, 1), True, True, 0), ((1, 6, 6, 40), (3, 3), (1, 1), (0, 0), False, True, 5),
]  # fmt: skip
ADAPTIVE = [((1, 7, 7, 17), (1, 1)), ((2, 8, 6, 16), (3, 4)), ((1, 5, 5, 3), (7, 7))]
FUNCTIONS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("relu", "sigmoid", "tanh", "exp", "neg", "abs", "sqrt", "rsqrt"), {}),
    **dict.fromkeys(("silu", "hardsigmoid", "hardswish"), {}),
    "gelu": {"approximate": (False, True)},
    "elu": {"alpha": (1.0, 0.75, -3.0)},
    "leaky_relu": {"negative_slope": (0.25, 0.0, 2.0)},
    "clamp": {"min": (-1.0, 0.0, float("-inf")), "max": (1.0, 6.0, float("inf"))},
}


def constants(generator: np.random.Generator, regime: str, *shapes: tuple[int, ...]) -> list[TensorInfo]:
    """Weights, biases and the like."""
    arrays = []
    for shape in shapes:
        values = generator.normal(0, 1, shape)
        if regime == "float extreme":
            values = np.resize([0.0, -0.0, 1e-45, -1e-40, 2.0**60, -(2.0**60), 1.5, -(2.0**-60)], shape)
        elif regime == "float cancel":
            values = generator.choice([-1.0, 1.0], shape)
        arrays.append(constant("w", values.astype(np.float32)))
    return arrays


def _function(kind: str) -> Callable[..., Program]:
    def make(generator: np.random.Generator, regime: str, size: int) -> Program:
        which = SIZES.index(size)
        options = {name: values[which % len(values)] for name, values in FUNCTIONS[kind].items()}
        return single(kind, [activation((size,))], None, options)

    return make


def _binary(kind: str) -> Callable[..., Program]:
    return lambda generator, regime, row: single(kind, [activation(shape) for shape in row], None, {})


def _linear(generator: np.random.Generator, regime: str, row: tuple[tuple[int, ...], int]) -> Program:
    shape, n = row
    return single("linear", [activation(shape), *constants(generator, regime, (n, shape[-1]), (n,))], None, {})


def _softmax(generator: np.random.Generator, regime: str, shape: tuple[int, ...]) -> Program:
    return single("softmax", [activation(shape)], None, {"dim": len(shape) - 1})


def _layer_norm(generator: np.random.Generator, regime: str, row: tuple[tuple[int, ...], int]) -> Program:
    shape, axes = row
    weights = constants(generator, regime, shape[-axes:], shape[-axes:])
    eps = 0.0 if regime == "float extreme" else float(np.float32(1e-5))
    return single("layer_norm", [activation(shape), *weights], None, {"eps": eps})


def _mean(generator: np.random.Generator, regime: str, row: tuple[tuple[int, ...], tuple[int, ...], bool]) -> Program:
    shape, dim, keepdim = row
    return single("mean", [activation(shape)], None, {"dim": dim, "keepdim": keepdim})


def _convolution(kind: str, axes: int) -> Callable[..., Program]:
    def make(generator: np.random.Generator, regime: str, row: tuple[Any, ...]) -> Program:
        shape, weight, options = geometry(kind, axes, row)
        return single(kind, [activation(shape), *constants(generator, regime, weight, weight[:1])], None, options)

    return make


def _batch_norm(generator: np.random.Generator, regime: str, shape: tuple[int, ...]) -> Program:
    operands = constants(generator, regime, shape[-1:], shape[-1:])
    return single("batch_norm", [activation(shape), *operands], None, {})


def _group_norm(generator: np.random.Generator, regime: str, row: tuple[tuple[int, ...], int]) -> Program:
    shape, groups = row
    operands = [activation(shape), *constants(generator, regime, shape[-1:], shape[-1:])]
    return single("group_norm", operands, None, {"num_groups": groups, "eps": float(np.float32(1e-5))})


def _prelu(generator: np.random.Generator, regime: str, shape: tuple[int, ...]) -> Program:
    return single("prelu", [activation(shape), *constants(generator, regime, shape[-1:])], None, {})


def _pool(kind: str, *names: str) -> Callable[..., Program]:
    def make(generator: np.random.Generator, regime: str, row: tuple[Any, ...]) -> Program:
        return single(kind, [activation(row[0])], None, dict(zip(names, row[1:], strict=True)))

    return make


GROUP_NORM = [((1, 3, 3, 16), 4), ((2, 5, 6), 6), ((3, 7), 1), ((2, 2, 2, 2, 6), 2)]
UPSAMPLE = [((1, 3, 4, 5), (6, 8), 0.5, 0.5), ((2, 5, 7, 3), (4, 13), 1.25, float(np.float32(7 / 13)))]
WINDOW = ("kernel_size", "stride", "padding")
FLOATING_TABLE: list[tuple[str, Callable[..., Program], list, tuple[str, ...]]] = [  # type: ignore[type-arg]
    *((kind, _function(kind), SIZES, FLOAT) for kind in FUNCTIONS),
    *((kind, _binary(kind), BROADCASTS, FLOAT) for kind in ("add", "sub", "mul", "div", "maximum", "minimum")),
    ("linear", _linear, LINEAR, FLOATS),
    ("matmul", _binary("matmul"), MATMUL, FLOAT),
    ("softmax", _softmax, ROWS, FLOAT),
    ("layer_norm", _layer_norm, LAYER_NORM, FLOATS),
    ("mean", _mean, MEAN, FLOAT),
    *((kind, _convolution(kind, axes), rows, FLOATS) for kind, (axes, rows) in CONVOLUTIONS.items()),
    ("batch_norm", _batch_norm, CHANNELS, FLOATS),
    ("max_pool2d", _pool("max_pool2d", *WINDOW, "dilation", "ceil_mode"), MAX_POOL2D, FLOAT),
    (
        "avg_pool2d",
        _pool("avg_pool2d", *WINDOW, "ceil_mode", "count_include_pad", "divisor_override"),
        AVG_POOL2D,
        FLOAT,
    ),
    ("group_norm", _group_norm, GROUP_NORM, FLOATS),
    ("prelu", _prelu, CHANNELS, FLOATS),
    (
        "upsample_nearest2d",
        _pool("upsample_nearest2d", "output_size", "scale_height", "scale_width"),
        UPSAMPLE,
        FLOAT,
    ),
    ("adaptive_avg_pool2d", _pool("adaptive_avg_pool2d", "output_size"), ADAPTIVE, FLOAT),
]
