"""Programs whose operators have enough work to be shared by several threads, in every way in which they share it."""

from __future__ import annotations

import numpy as np
from fixture import BLOCK, RANGE, Draft
from fixture_dynamic import projection, table, with_vectors

from qsdk.export.plan import plan
from qsdk.export.program import Program, SeededInput
from qsdk.reference.constants import softmax_table


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

    first = BLOCK | {"stride": (2, 2, 1, 1), "padding": (1,) * 8, "zero_point": (3, 4), "residual_multiplier": ()}
    first |= {name: BLOCK[name][:3] for name in ("output_min", "output_max")}
    a = d.op("inverted_residual", [q, *d.block(3, 24, 40, 3)], d.tensor((1, 24, 23, 40)), **first)
    a = d.op("inverted_residual", [a, *d.block(40, 90, 40)], d.tensor((1, 24, 23, 40)), **BLOCK)
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


def shared_attention() -> Program:
    """What transformers consist of, on floats and on int8. Layers with 150 rows share these, one with 3 its columns."""
    d = Draft()

    def tensor(*shape: int) -> int:
        return d.tensor(shape, dtype="float32")

    def normal(*shape: int) -> int:
        return d.constant(d.random.normal(0, 1, shape).astype(np.float32))

    x = tensor(150, 40)
    # Three and two that read the same, and one between them that quantizes it in another way.
    a = d.op("linear_dynamic", [x, *projection(d, 99, 40)], tensor(150, 99))
    alike = [d.op("linear_dynamic", [x, *projection(d, n, 40)], tensor(150, n), relu=n > 50) for n in (64, 33)]
    a = d.op("gelu", [a], tensor(150, 99))
    alike.append(d.op("linear_dynamic", [a, *projection(d, 10, 99)], tensor(150, 10)))
    alike.append(d.op("linear_dynamic", [a, *projection(d, 70, 99)], tensor(150, 70), per_token=True))
    a = d.op("linear_dynamic", [a, *projection(d, 100, 99)], tensor(150, 100), per_token=True, relu=True)
    a = d.op("layer_norm", [a, normal(100), normal(100)], tensor(150, 100), eps=1e-5)
    b = d.op("reshape", [a], tensor(3, 50, 100))
    c = d.op("permute", [b], tensor(3, 100, 50), dims=(0, 2, 1))
    c = d.op("matmul", [b, c], tensor(3, 50, 50))
    c = d.op("mul", [c, normal(1)], tensor(3, 50, 50))
    c = d.op("softmax", [c], tensor(3, 50, 50), dim=2)
    b = d.op("matmul", [c, b], tensor(3, 50, 100))
    a = d.op("add", [b, b], tensor(3, 50, 100))
    b = d.op("reshape", [a], tensor(3, 5000))
    wide = d.op("linear_dynamic", [b, *projection(d, 150, 5000)], tensor(3, 150), per_token=True)
    q = d.op("quantize_per_tensor", [a], d.tensor((3, 50, 100)), inverse_scale=20.0, **RANGE)
    p = d.op("permute", [q], d.tensor((3, 100, 50)), dims=(0, 2, 1))
    q = d.op("matmul", [q, p], d.tensor((3, 50, 50)), multiplier=0.02, **RANGE)
    entries = d.constant(softmax_table(0.05).numpy())
    q = d.op("softmax", [q, entries], d.tensor((3, 50, 50), 1 / 64, -128), dim=2, inverse_scale=64.0, **RANGE)
    q = d.op("layer_norm", [q, *d.factors(50, around=40)], d.tensor((3, 50, 50)), eps=0.01, **RANGE)
    y = d.op("dequantize", [q], tensor(3, 50, 50))
    program = plan(Program(tuple(d.tensors), tuple(d.operators), (x,), (y, wide, *alike), name="shared_attention"))
    return with_vectors(program, (SeededInput(-4.0, 8.0 / 2**24),))


def shared_recurrence() -> Program:
    """Layers whose hidden units are shared: threads meet at every step. More rows than are quantized at a time."""
    d = Draft()

    def tensor(*shape: int) -> int:
        return d.tensor(shape, dtype="float32")

    def layer(kind: str, gates: int, x: int, states: list[int], **options: bool) -> list[int]:
        steps, batch, features = d.tensors[x].shape
        hidden = d.tensors[states[0]].shape[1]
        weights = [*projection(d, gates * hidden, features), *projection(d, gates * hidden, hidden)]
        outputs = [tensor(steps, batch, hidden), *(tensor(batch, hidden) for _ in states)]
        d.op(kind, [x, *states, *weights], *outputs, **options)
        return outputs

    x, h, c, many, first = tensor(5, 3, 20), tensor(3, 128), tensor(3, 128), tensor(2, 70, 10), tensor(70, 64)
    outputs = layer("lstm_dynamic", 4, x, [h, c])
    outputs += layer("gru_dynamic", 3, outputs[0], [h], reverse=True)
    outputs += layer("rnn_dynamic", 1, many, [first], per_step=True, relu=True)
    # A reader at the end, so that the inputs do not die early.
    inputs = (x, h, c, many, first)
    sizes = [int(np.prod(d.tensors[i].shape)) for i in inputs]
    outputs += [d.op("reshape", [i], tensor(n)) for i, n in zip(inputs, sizes, strict=True)]
    program = plan(Program(tuple(d.tensors), tuple(d.operators), inputs, tuple(outputs), name="shared_recurrence"))
    return with_vectors(program, (SeededInput(-4.0, 8.0 / 2**24),) * len(inputs))
