"""dynamic.qsdk, embedding.qsdk, recurrent.qsdk, weight_only.qsdk, lstm.qsdk, gru.qsdk and selection.qsdk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from fixture import RANGE, Draft

from qsdk.export.plan import plan
from qsdk.export.program import Program, SeededInput, TestVector
from qsdk.export.vectors import crc, seeded_inputs
from qsdk.reference.constants import softmax_table
from qsdk.reference.interpreter import run


def projection(d: Draft, n: int, *k: int) -> list[int]:
    """weight [n, *k], weight_scale and bias."""
    weight = d.random.integers(-128, 128, (n, *k)).astype(np.int8)
    scale, bias = d.random.uniform(0.001, 0.003, n), d.random.normal(0, 1, n)
    return [d.constant(a) for a in (weight, scale.astype(np.float32), bias.astype(np.float32))]


def every_dynamic_operator() -> Program:
    d = Draft()
    x = d.tensor((3, 8), dtype="float32")
    a = d.op("linear_dynamic", [x, *projection(d, 12, 8)], d.tensor((3, 12), dtype="float32"), per_token=True)
    b = d.op("relu", [a], d.tensor((3, 12), dtype="float32"))
    c = d.op("linear_dynamic", [b, *projection(d, 12, 12)], d.tensor((3, 12), dtype="float32"), relu=True)
    y = d.op("add", [c, b], d.tensor((3, 12), dtype="float32"))
    e = d.op("reshape", [x], d.tensor((2, 3, 4), dtype="float32"))
    outputs = [y, a, b, c, e]
    for axes in (2, 3):
        f = d.op("reshape", [y], d.tensor((1, 3, 3, 2, 2)[: axes + 2] if axes == 3 else (1, 3, 3, 4), dtype="float32"))
        channels, kernel, one = 8 - 2 * axes, (3, 2, 2)[:axes], (1,) * axes
        window = {"stride": (2, 1, 1)[:axes], "padding": (1, 0, 0)[:axes] + (0, 1, 0)[:axes], "dilation": one}
        g = d.op(
            f"conv{axes}d_dynamic",
            [f, *projection(d, 6, *kernel, channels // 2)],
            d.tensor((1, 1, 3, 1)[: axes + 1] + (6,), dtype="float32"),
            groups=2,
            **window,
        )
        window |= {"padding": (1, 0, 0)[:axes], "output_padding": (1, 0, 0)[:axes]}
        h = d.op(
            f"conv_transpose{axes}d_dynamic",
            [f, *projection(d, 4, *kernel, channels // 2)],
            d.tensor((1, 6, 4, 3)[: axes + 1] + (4,), dtype="float32"),
            groups=2,
            **window,
        )
        outputs += [f, g, h]
    # Nothing dies early, so that nothing is in place and every shape may change without an overlap.
    program = plan(Program(tuple(d.tensors), tuple(d.operators), (x,), tuple(outputs), name="dynamic"))
    return with_vectors(program, (SeededInput(-4.0, 8.0 / 2**24),))


def every_weight_only_operator() -> Program:
    """Rows of 40 values with 8 bits, in groups of 32 with 4; a convolution of two groups."""
    d = Draft()
    x = d.tensor((3, 40), dtype="float32")

    def weights(n: int, k: int, bits: int, groups: int) -> list[int]:
        weight = d.random.integers(-100, 100, (n, k)).astype(np.int8 if bits == 8 else np.uint8)
        scale, bias = d.random.uniform(0.001, 0.003, (n, groups)), d.random.normal(0, 1, n)
        return [d.constant(a) for a in (weight, scale.astype(np.float32), bias.astype(np.float32))]

    a = d.op("linear_weight_only", [x, *weights(12, 40, 8, 1)], d.tensor((3, 12), dtype="float32"), relu=True)
    b = d.op("linear_weight_only", [x, *weights(6, 20, 4, 2)], d.tensor((3, 6), dtype="float32"), bits=4, group_size=32)
    e = d.op("reshape", [x], d.tensor((2, 5, 3, 4), dtype="float32"))
    c = d.op(
        "conv2d_weight_only",
        [e, *weights(6, 6, 4, 1)],
        d.tensor((2, 3, 3, 6), dtype="float32"),
        kernel_size=(3, 2),
        stride=(2, 1),
        padding=(1, 0, 1, 1),
        dilation=(1, 1),
        groups=2,
        bits=4,
    )
    f = d.op("reshape", [x], d.tensor((120,), dtype="float32"))
    program = plan(Program(tuple(d.tensors), tuple(d.operators), (x,), (a, b, c, e, f), name="weight_only"))
    return with_vectors(program, (SeededInput(-4.0, 8.0 / 2**24),))


def every_recurrent_operator() -> Program:
    """Two steps, three in a batch, four inputs; two in the hidden state."""
    d = Draft()
    x, h, c = (d.tensor(shape, dtype="float32") for shape in ((2, 3, 4), (3, 2), (3, 2)))

    def weights(gates: int) -> list[int]:
        return [*projection(d, 2 * gates, 4), *projection(d, 2 * gates, 2)]

    outputs: list[int] = []
    for kind, states, gates in (("lstm", [h, c], 4), ("gru", [h], 3), ("rnn", [h], 1)):
        operands = [x, *states, *weights(gates)]
        made = [d.tensor((2, 3, 2), dtype="float32"), *(d.tensor((3, 2), dtype="float32") for _ in states)]
        d.op(f"{kind}_dynamic", operands, *made, reverse=kind == "gru", per_step=kind == "rnn")
        outputs += made
    outputs.append(d.op("sigmoid", [outputs[0]], d.tensor((2, 3, 2), dtype="float32")))
    outputs.append(d.op("tanh", [outputs[0]], d.tensor((2, 3, 2), dtype="float32")))
    # A reader at the end, so that the inputs do not die early.
    outputs += [d.op("reshape", [i], d.tensor((24 // n,), dtype="float32")) for i, n in ((x, 1), (h, 4), (c, 4))]
    program = plan(Program(tuple(d.tensors), tuple(d.operators), (x, h, c), tuple(outputs), name="recurrent"))
    return with_vectors(program, (SeededInput(-4.0, 8.0 / 2**24),) * 3)


def quantized_lstm() -> Program:
    """Two steps, three in a batch, four inputs; two in the states, which have parameters of their own."""
    d = Draft()
    x, h, c = d.tensor((2, 3, 4)), d.tensor((3, 2), 0.01, -5), d.tensor((3, 2), 0.03, 7)
    tables = [d.constant(d.random.integers(-128, 128, 256).astype(np.int8)) for _ in range(3)]
    made = [d.tensor((2, 3, 2), 0.01, -5), d.tensor((3, 2), 0.01, -5), d.tensor((3, 2), 0.03, 7)]
    d.op(
        "lstm",
        [x, h, c, *d.weights(8, 4), *d.weights(8, 2), *tables],
        *made,
        reverse=True,
        zero_point=(1, -2, 3, -4, 5, -128, 0, 6),
        output_min=(-128,) * 7,
        output_max=(127, 127, 100, 127, 127, 127, 120),
        multiplier=(0.5, 0.75, 0.01, 0.02, 0.5, 0.6, 0.03),
    )
    # A reader at the end, so that the inputs do not die early.
    outputs = made + [
        d.op("reshape", [i], d.tensor((24 // n,), *q))
        for i, n, q in ((x, 1, ()), (h, 4, (0.01, -5)), (c, 4, (0.03, 7)))
    ]
    program = plan(Program(tuple(d.tensors), tuple(d.operators), (x, h, c), tuple(outputs), name="lstm"))
    return with_vectors(program, (SeededInput(),) * 3)


def quantized_gru() -> Program:
    """As quantized_lstm, with one state."""
    d = Draft()
    x, h = d.tensor((2, 3, 4)), d.tensor((3, 2), 0.01, -5)
    tables = [d.constant(d.random.integers(-128, 128, 256).astype(np.int8)) for _ in range(4)]
    made = [d.tensor((2, 3, 2), 0.01, -5), d.tensor((3, 2), 0.01, -5)]
    d.op(
        "gru",
        [x, h, *d.weights(6, 4), *d.weights(6, 2), *tables],
        *made,
        reverse=True,
        zero_point=(1, -2, 3, -4, 5, 7, -8, -128, -127, -126, 6),
        output_min=(-128,) * 8,
        output_max=(127, 127, 100, 127, 127, 127, 127, 120),
        multiplier=(0.5, 0.75, 0.01, 0.5, 0.6, 0.02, 0.03, 0.7, 0.8),
    )
    outputs = made + [d.op("reshape", [i], d.tensor((24 // n,), *q)) for i, n, q in ((x, 1, ()), (h, 4, (0.01, -5)))]
    program = plan(Program(tuple(d.tensors), tuple(d.operators), (x, h), tuple(outputs), name="gru"))
    return with_vectors(program, (SeededInput(),) * 2)


def table(d: Draft, rows: int, columns: int) -> list[int]:
    """weight, weight_scale and weight_zero_point; `columns` bytes."""
    weight = d.random.integers(0, 256, (rows, columns)).astype(np.uint8)
    scale, zero_point = d.random.uniform(0.001, 0.003, rows), d.random.normal(100, 30, rows)
    return [d.constant(a) for a in (weight, scale.astype(np.float32), zero_point.astype(np.float32))]


def every_table() -> Program:
    """The last bag's offsets are constants, and so are one table's indices."""
    d = Draft()
    tokens, indices, offsets, weights = (
        d.tensor(shape, dtype=dtype)
        for shape, dtype in (((2, 3), "int32"), ((6,), "int64"), ((4,), "int64"), ((6,), "float32"))
    )
    a = d.op("embedding", [tokens, *table(d, 10, 5)], d.tensor((2, 3, 5), dtype="float32"), embedding_dim=5)
    bag = {"embedding_dim": 5, "bits": 4, "padding_idx": 2, "mode": "sum"}
    b = d.op(
        "embedding_bag",
        [indices, offsets, *table(d, 8, 3), weights],
        d.tensor((3, 5), dtype="float32"),
        include_last_offset=True,
        **bag,
    )
    fixed = d.constant(np.array([0, 2, 5], np.int32))
    c = d.op(
        "embedding_bag", [indices, fixed, *table(d, 8, 3)], d.tensor((3, 5), dtype="float32"), **bag | {"mode": "mean"}
    )
    known = d.constant(np.array([[1, 0]], np.int64))
    e = d.op("embedding", [known, *table(d, 2, 6)], d.tensor((1, 2, 6), dtype="float32"), embedding_dim=6)
    inputs = (tokens, indices, offsets, weights)
    program = plan(Program(tuple(d.tensors), tuple(d.operators), inputs, (a, b, c, e), name="embedding"))
    bounds = [SeededInput(least=0, most=most, ascending=up) for most, up in ((9, False), (7, False), (6, True))]
    return with_vectors(program, (*bounds, SeededInput(-4.0, 8.0 / 2**24)))


def every_selection() -> Program:
    """Comparisons, and what they, an order or indices select, on int8 [2, 3, 8]."""
    d = Draft()
    shape = (2, 3, 8)
    x, y = d.tensor(shape), d.tensor((3, 1))
    index, mask = d.tensor((5,), dtype="int64"), d.tensor((8,), dtype="bool")
    outputs = [d.op("maximum", [x, y], d.tensor(shape)), d.op("minimum", [x, y], d.tensor(shape))]
    conditions = [d.op(kind, [x, y], d.tensor(shape, dtype="bool")) for kind in ("eq", "ne", "lt", "le")]
    outputs.append(d.op("where", [conditions[2], x, y], d.tensor(shape)))
    values, positions = d.tensor((2, 3, 2)), d.tensor((2, 3, 2), dtype="int64")
    d.op("topk", [x], values, positions, k=2, dim=2, largest=True)
    outputs.append(d.op("gather", [x, positions], d.tensor((2, 3, 2)), dim=2))
    outputs.append(d.op("index_select", [x, index], d.tensor((2, 5, 8)), dim=1))
    outputs.append(d.op("normalize", [x], d.tensor(shape, 1 / 128, 0), dim=2, eps=1.0, inverse_scale=128.0, **RANGE))
    table = d.constant(softmax_table(0.05).numpy())
    outputs.append(d.op("softmax", [x, table, mask], d.tensor(shape, 1 / 64, -128), dim=2, inverse_scale=64.0, **RANGE))
    inputs, results = (x, y, index, mask), (*outputs, *conditions, values, positions)
    program = plan(Program(tuple(d.tensors), tuple(d.operators), inputs, results, name="selection"))
    integers = SeededInput(least=0, most=2), SeededInput(least=0, most=1)
    return with_vectors(program, (SeededInput(), SeededInput(), *integers))


def with_vectors(program: Program, seeded: tuple[SeededInput, ...]) -> Program:
    first = seeded_inputs([program.tensors[i] for i in program.inputs], 7, seeded)
    outputs = run(program, *first)
    vectors = (
        TestVector(seed=7, seeded=seeded, output_crc=tuple(crc(o) for o in outputs)),
        TestVector(inputs=tuple(first), outputs=tuple(outputs)),
    )
    return replace(program, test_vectors=vectors)
