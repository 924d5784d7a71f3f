"""A program whose operators have enough work to be shared by several threads, in every way in which they share it."""

from __future__ import annotations

import numpy as np
from fixture import RANGE, Draft
from fixture_dynamic import table, with_vectors

from qsdk.export.plan import plan
from qsdk.export.program import Program, SeededInput


def shared_operators() -> Program:
    d = Draft()
    x, tokens = d.tensor((1, 3, 48, 46), dtype="float32"), d.tensor((4,), dtype="int32")
    q = d.op("quantize_per_tensor", [x], d.tensor((1, 3, 48, 46)), inverse_scale=20.0, **RANGE)
    q = d.op("permute", [q], d.tensor((1, 48, 46, 3)), dims=(0, 2, 3, 1))

    def conv(a: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> int:
        batch, height, width, inputs = d.tensors[a].shape
        padding = kernel // 2
        shape = (batch, (height - 1) // stride + 1, (width - 1) // stride + 1, outputs)
        weights = d.weights(outputs, kernel, kernel, inputs // groups)
        options = {"stride": (stride,) * 2, "padding": (padding,) * 4, "dilation": (1, 1), "groups": groups}
        return d.op("conv2d", [a, *weights], d.tensor(shape), **options, **RANGE)

    a = conv(q, 40, 3, 2)
    b = conv(a, 40, 3, 1, groups=40)
    multipliers = {"input_multiplier": 0.5, "other_multiplier": 0.75, **RANGE}
    a = d.op("add", [a, b], d.tensor(d.tensors[a].shape), **multipliers)
    b = conv(a, 24, 1, 1)
    c = conv(b, 40, 1, 1)
    a = d.op("mul", [a, c], d.tensor(d.tensors[a].shape), multiplier=0.02, **RANGE)
    values = d.constant(d.random.integers(-128, 128, 256).astype(np.int8))
    a = d.op("lookup_table", [a, values], d.tensor(d.tensors[a].shape))
    pool = {"kernel_size": (3, 3), "stride": (2, 2), "padding": (1, 1), "ceil_mode": False}
    batch, height, width, channels = d.tensors[a].shape
    smaller = (batch, (height - 1) // 2 + 1, (width - 1) // 2 + 1, channels)
    b = d.op("avg_pool2d", [a], d.tensor(smaller), rescale=1.0, **pool)
    a = d.op("max_pool2d", [a], d.tensor(smaller), dilation=(1, 1), **pool)
    a = d.op("add", [a, b], d.tensor(smaller), **multipliers)
    rows = d.op("embedding", [tokens, *table(d, 10, 6)], d.tensor((4, 6), dtype="float32"), embedding_dim=6)
    a = conv(a, 72, 5, 2)
    a = conv(a, 72, 5, 2, groups=72)
    a = conv(a, 200, 3, 2)  # more columns than pixels: each thread takes some of them
    size = d.tensors[a].shape
    a = d.op("permute", [a], d.tensor((size[0], size[3], size[1], size[2])), dims=(0, 3, 1, 2))
    a = d.op("reshape", [a], d.tensor((size[0], size[1] * size[2] * size[3])))
    c = d.op("linear", [a, *d.weights(300, d.tensors[a].shape[1])], d.tensor((size[0], 300)), **RANGE)
    c = d.op("reshape", [c], d.tensor((50, 6)))
    c = d.op("linear", [c, *d.weights(400, 6)], d.tensor((50, 400)), **RANGE)
    y = d.op("dequantize", [c], d.tensor((50, 400), dtype="float32"))
    inputs, outputs = (x, tokens), (y, rows)
    program = plan(Program(tuple(d.tensors), tuple(d.operators), inputs, outputs, name="shared_operators"))
    return with_vectors(program, (SeededInput(-4.0, 8.0 / 2**24), SeededInput(least=0, most=9)))
