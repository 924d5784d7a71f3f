"""Rows of cases.py's table for operators whose activations are float32, while their weights are quantized.

Regimes choose the constants: 'random'; 'extreme' has weights of -128 and 127, scales at the ends of [2^-60, 2^60] and
biases that are denormal, huge, infinite or NaN; 'cancel' has biases close to the products, so that sums get small.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from parity.build import constant, single
from parity.conv_cases import CONVOLUTIONS, geometry
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


def activation(shape: tuple[int, ...], dtype: str = "float32") -> TensorInfo:
    return TensorInfo("x", dtype, shape)


def projection(generator: np.random.Generator, regime: str, n: int, *k: int) -> list[TensorInfo]:
    """weight [n, *k], weight_scale and bias."""
    weight = generator.integers(-128, 128, (n, *k))
    scale = generator.uniform(0.5, 2, n) / 128
    bias = generator.normal(0, 1, n)
    if regime == "extreme":
        weight = generator.choice([-128, 127], (n, *k))
        scale = generator.choice([2.0**-60, 2.0**60, 2.0**-24, 1.0], n)
        bias = np.resize([0.0, -0.0, 1e-45, -1e-40, 3e38, np.inf, -np.inf, np.nan], n)
    elif regime == "cancel":
        weight = np.ones((n, *k))
        scale = np.full(n, 2.0**-60)
        bias = generator.choice([-1, 1, -127, 255, 2.0**-70], n) * 2.0**-60
    arrays = (weight.astype(np.int8), scale.astype(np.float32), bias.astype(np.float32))
    return [constant(name, a) for name, a in zip(("weight", "weight_scale", "bias"), arrays, strict=True)]


def _linear_dynamic(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, n = row
    options = {"per_token": bool(generator.integers(2)), "relu": bool(generator.integers(2))}
    operands = projection(generator, regime, n, shape[-1])
    return single("linear_dynamic", [activation(shape), *operands], None, options)


def _convolution_dynamic(kind: str, axes: int) -> Callable[..., Program]:
    def make(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
        shape, weight, options = geometry(kind, axes, row)
        return single(f"{kind}_dynamic", [activation(shape), *projection(generator, regime, *weight)], None, options)

    return make


# input shape, outputs, bits, group_size
LINEAR_WEIGHT_ONLY = [
    ((1, 1), 1, 4, 0), ((3, 17), 33, 8, 0), ((2, 3, 128), 16, 4, 32), ((70, 15), 15, 8, 32), ((5,), 7, 4, 64),
    ((4, 333), 3, 4, 128), ((9, 100), 67, 8, 64), ((1, 257), 130, 4, 32),
]  # fmt: skip


def weight_only(
    generator: np.random.Generator, regime: str, n: int, k: int, bits: int, group_size: int
) -> list[TensorInfo]:
    """weight, weight_scale and bias."""
    dtype, columns = (np.int8, k) if bits == 8 else (np.uint8, -(-k // 2))
    weight = generator.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, (n, columns))
    *_, bias = projection(generator, regime, n, 1)
    scale = generator.uniform(0.5, 2, (n, -(-k // group_size) if group_size else 1)) / 128
    if regime == "extreme":
        weight = generator.choice([np.iinfo(dtype).min, np.iinfo(dtype).max], weight.shape)
        scale = generator.choice([2.0**-60, 2.0**60, 2.0**-24, 1.0], scale.shape)
    arrays = (weight.astype(dtype), scale.astype(np.float32))
    return [*(constant(name, a) for name, a in zip(("weight", "weight_scale"), arrays, strict=True)), bias]


def _linear_weight_only(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, n, bits, group_size = row
    options = {"bits": bits, "group_size": group_size, "relu": bool(generator.integers(2))}
    operands = weight_only(generator, regime, n, shape[-1], bits, group_size)
    return single("linear_weight_only", [activation(shape), *operands], None, options)


def _conv2d_weight_only(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, (n, *kernel, channels), options = geometry("conv2d", 2, row)
    bits, group_size = (int(v) for v in generator.choice([(8, 0), (8, 32), (4, 0), (4, 32), (4, 64)]))
    options |= {"kernel_size": tuple(kernel), "bits": bits, "group_size": group_size}
    options["relu"] = bool(generator.integers(2))
    operands = weight_only(generator, regime, n, int(np.prod(kernel)) * channels, bits, group_size)
    return single("conv2d_weight_only", [activation(shape), *operands], None, options)


# shape of the indices and their dtype, rows and columns of the table, bits
EMBEDDING = [
    ((1,), "int64", 1, 1, 8), ((2, 5), "int32", 100, 7, 8), ((3, 2, 4), "int64", 9, 33, 4), ((), "int64", 5, 8, 4),
    ((40,), "int32", 1000, 16, 8), ((2, 2), "int64", 3, 1, 4),
]  # fmt: skip
# indices, offsets, whether the last of these only ends a bag, table, bits, mode, padding_idx, weights, dtype
EMBEDDING_BAG = [
    (12, 4, False, (50, 9), 8, "sum", -1, False, "int64"), (12, 4, True, (50, 9), 8, "sum", -1, True, "int32"),
    (30, 7, False, (20, 16), 4, "mean", 0, False, "int64"), (30, 31, True, (20, 5), 4, "mean", 7, False, "int32"),
    (9, 2, False, (6, 17), 8, "max", -1, False, "int64"), (9, 3, True, (6, 3), 4, "max", 5, False, "int64"),
    (1, 1, False, (1, 1), 4, "sum", -1, True, "int64"), (64, 2, False, (300, 31), 8, "sum", 299, True, "int32"),
    (5, 9, False, (3, 2), 8, "mean", 2, False, "int64"), (3, 3, False, (3, 2), 8, "max", 0, False, "int64"),
]  # fmt: skip


def table(generator: np.random.Generator, regime: str, rows: int, columns: int, bits: int) -> list[TensorInfo]:
    """weight, weight_scale and weight_zero_point."""
    weight = generator.integers(0, 256, (rows, columns if bits == 8 else -(-columns // 2)))
    scale, zero_point = generator.uniform(0.01, 3, rows), generator.normal(100, 40, rows)
    if regime == "extreme":
        scale = generator.choice([2.0**-60, 2.0**60, 1.0], rows)
        zero_point = np.resize([0.0, -0.0, 1e-45, -1e-40, 2.0**60, -(2.0**60), 0.1, 2.0**24 + 2], rows)
    arrays = (weight.astype(np.uint8), scale.astype(np.float32), zero_point.astype(np.float32))
    names = ("weight", "weight_scale", "weight_zero_point")
    return [constant(name, a) for name, a in zip(names, arrays, strict=True)]


def _embedding(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, dtype, rows, columns, bits = row
    operands = [activation(shape, dtype), *table(generator, regime, rows, columns, bits)]
    return single("embedding", operands, None, {"embedding_dim": columns, "bits": bits})


def _embedding_bag(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    count, bags, last, (rows, columns), bits, mode, padding, weighted, dtype = row
    operands = [activation((count,), dtype), activation((bags,), "int64")]
    operands += table(generator, regime, rows, columns, bits) + [activation((count,))] * weighted
    options = {"mode": mode, "include_last_offset": last, "padding_idx": padding}
    return single("embedding_bag", operands, None, options | {"embedding_dim": columns, "bits": bits})


# steps, batch, inputs, hidden
RECURRENT = [(1, 1, 1, 1), (5, 1, 16, 8), (3, 2, 5, 7), (20, 1, 33, 17), (9, 3, 4, 31), (2, 9, 8, 16), (17, 4, 3, 2)]
RECURRENT_REGIMES = ("random", "extreme", "reverse", "per_step", "reverse per_step")


def _recurrent(kind: str, states: int, gates: int) -> Callable[..., Program]:
    def make(generator: np.random.Generator, regime: str, row: tuple[int, int, int, int]) -> Program:
        steps, batch, inputs, hidden = row
        operands = [activation((steps, batch, inputs)), *[activation((batch, hidden))] * states]
        of_weights = "extreme" if regime == "extreme" else "random"
        for width in (inputs, hidden):
            operands += projection(generator, of_weights, gates * hidden, width)
        options = {name: name in regime for name in ("reverse", "per_step")}
        if kind == "rnn_dynamic":
            options["relu"] = bool(generator.integers(2))
        return single(kind, operands, None, options)

    return make


FLOAT_TABLE: list[tuple[str, Callable[..., Program], list, tuple[str, ...]]] = [  # type: ignore[type-arg]
    ("linear_dynamic", _linear_dynamic, LINEAR_DYNAMIC, ("random", "extreme", "cancel", "again")),
    *(
        (f"{kind}_dynamic", _convolution_dynamic(kind, axes), rows, ("random", "extreme"))
        for kind, (axes, rows) in CONVOLUTIONS.items()
    ),
    ("linear_weight_only", _linear_weight_only, LINEAR_WEIGHT_ONLY, ("random", "extreme", "again")),
    ("conv2d_weight_only", _conv2d_weight_only, CONVOLUTIONS["conv2d"][1], ("random", "extreme", "again")),
    ("embedding", _embedding, EMBEDDING, ("random", "extreme")),
    ("embedding_bag", _embedding_bag, EMBEDDING_BAG, ("random", "extreme")),
    ("lstm_dynamic", _recurrent("lstm_dynamic", 2, 4), RECURRENT, RECURRENT_REGIMES),
    ("gru_dynamic", _recurrent("gru_dynamic", 1, 3), RECURRENT, RECURRENT_REGIMES),
    ("rnn_dynamic", _recurrent("rnn_dynamic", 1, 1), RECURRENT, RECURRENT_REGIMES),
]
