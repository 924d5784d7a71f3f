"""The table of parity cases: operator x shapes x qparams x fill. Adding an operator adds rows here.

A case is a one-operator program and a stack of input samples: random bytes, all minimum, all maximum, alternating
extremes, all zero points. Regimes choose the qparams: 'random'; 'extreme' puts zero points at the ends of the range;
'ties' uses power-of-two multipliers, so that a large share of results falls exactly between two integers; 'narrow'
clamps hard.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from parity.build import Quantized, constant, single
from parity.conv_cases import CONVOLUTIONS, INVERTED_RESIDUAL, geometry
from parity.float_cases import FLOAT_TABLE
from parity.floating_cases import FLOATING_TABLE
from parity.norm_cases import NORM_TABLE
from parity.regimes import REGIMES
from parity.regimes import output_range as _range
from parity.regimes import zero_point as _zero_point
from parity.selection_cases import SELECTION_TABLE
from qsdk.export.program import Program, SeededInput, TensorInfo
from qsdk.export.vectors import seeded_ranges

MOVED = ("int8", "float32", "int64", "bool")


@dataclass(frozen=True)
class Case:
    """name is unique; program() builds it; samples(program) are the stacked inputs, one array per input."""

    name: str
    make: Callable[[np.random.Generator], Program]

    @property
    def generator(self) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(self.name.encode()))

    def program(self) -> Program:
        return self.make(self.generator)

    def samples(self) -> list[list[np.ndarray]]:
        """Several samples, each a list with one array per input."""
        generator = self.generator
        program = self.program()
        inputs = list(zip((program.tensors[i] for i in program.inputs), seeded_ranges(program), strict=True))
        return [
            [_fill(generator, tensor, spec, how) for tensor, spec in inputs]
            for how in ("random", "random", "min", "max", "alternating", "zero")
        ]


def _fill(generator: np.random.Generator, tensor: TensorInfo, spec: SeededInput, how: str) -> np.ndarray:
    if tensor.dtype == "float32":
        return _float_fill(generator, tensor, how)
    if tensor.dtype in ("int32", "int64", "bool"):
        return _index_fill(generator, tensor, spec, how)
    flat = {
        "random": lambda: generator.integers(-128, 128, tensor.elements),
        "min": lambda: np.full(tensor.elements, -128),
        "max": lambda: np.full(tensor.elements, 127),
        "alternating": lambda: np.where(np.arange(tensor.elements) % 2, 127, -128),
        "zero": lambda: np.full(tensor.elements, tensor.zero_point[0]),
    }[how]()
    return flat.astype(np.int8).reshape(tensor.shape)


def _index_fill(generator: np.random.Generator, tensor: TensorInfo, spec: SeededInput, how: str) -> np.ndarray:
    count = tensor.elements
    ends = {"min": [spec.least], "max": [spec.most], "alternating": [spec.least, spec.most], "zero": [0]}
    values = np.resize(ends[how], count) if how in ends else generator.integers(spec.least, spec.most + 1, count)
    if spec.ascending:
        values = np.sort(values)
        values[0] = spec.least
    return values.astype(tensor.dtype).reshape(tensor.shape)


def _float_fill(generator: np.random.Generator, tensor: TensorInfo, how: str) -> np.ndarray:
    """min: special values; max: of any magnitude; alternating: denormals; zero: of either sign."""
    count = tensor.elements
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-40, 3e38, -3e38, 0.5, -0.5, 1.5, 2.5, 127.5])
    if how == "random":
        values = generator.normal(0, 40, count)
        values[::3] = np.round(values[::3] * 2) / 2  # ties, for scales that are powers of two
    elif how == "max":
        values = np.ldexp(generator.uniform(-1, 1, count), generator.integers(-149, 129, count))
    else:
        values = np.resize({"min": special, "alternating": [1e-40, -1e-42], "zero": [0.0, -0.0]}[how], count)
    return values.astype(np.float32).reshape(tensor.shape)


def _weights(generator: np.random.Generator, regime: str, shape: tuple[int, ...], reach: int) -> list[TensorInfo]:
    """weight, bias and multiplier operands; `reach` products go into one accumulator."""
    channels = shape[0]
    weight = generator.integers(-128, 128, shape)
    if regime == "extreme":
        weight = generator.choice([-128, 127], shape)
    bias = generator.integers(-(2**18), 2**18, channels)
    if regime == "ties":
        weight = generator.integers(-2, 3, shape)
        bias = generator.integers(-64, 64, channels)
        multiplier = np.full(channels, 0.5)
    elif regime == "extreme":
        bias = generator.choice([-(2**31), 2**31 - 1, 0], channels)
        multiplier = generator.choice([2.0**-60, 2.0**60, 2.0**-24, 1.0], channels)
    else:
        multiplier = generator.uniform(0.3, 3, channels) / (74 * 74 * np.sqrt(reach)) * 40
    return [
        constant("weight", weight.astype(np.int8)),
        constant("bias", bias.astype(np.int32)),
        constant("multiplier", multiplier.astype(np.float32)),
    ]


def _factors(generator: np.random.Generator, regime: str, per: tuple[int, ...]) -> tuple[float, ...]:
    """Multipliers, each divided by one of `per`."""
    factors = {
        "ties": np.full(len(per), 0.5),
        "extreme": generator.choice([2.0**-60, 2.0**60, 1.0], len(per)),
    }.get(regime, generator.uniform(0.2, 1.5, len(per)) / per)
    return tuple(map(float, factors.astype(np.float32)))


# ---- rows ----------------------------------------------------------------------------------------------------------

LINEAR = [(1, 1, 1), (1, 64, 10), (3, 17, 33), (5, 128, 16), (4, 15, 15), (1, 1000, 3), (7, 2, 64)]
# (input, other, their zero points or None: the regime's); the last sums leave int32
MATMUL = [
    ((1, 1), (1, 1), None), ((3, 5), (5, 4), (7, 0)), ((2, 3, 5, 7), (2, 3, 7, 17), None), ((4, 5, 33), (33, 9), None),
    ((5, 16), (3, 16, 20), (-128, -128)), ((2, 1, 3, 4), (1, 3, 4, 33), (127, 127)), ((3, 1, 8), (8, 1), (0, -128)),
    ((2, 1, 2, 1, 2, 6, 3), (2, 1, 2, 1, 3, 2), (-128, 127)), ((2, 33100), (33100, 3), (-128, -128)),
    ((1, 33100), (33100, 18), (-128, 127)),
]  # fmt: skip
BROADCASTS = [
    ((2, 3, 4, 5), (2, 3, 4, 5)), ((1, 1, 1, 1), (1, 1, 1, 1)), ((67,), (67,)), ((2, 4, 4, 8), (1,)),
    ((2, 4, 4, 8), (8,)), ((3, 1, 5), (1, 4, 1)), ((1,), (3, 7)), ((2, 3, 1, 4), (2, 1, 5, 4)),
]  # fmt: skip
# (n, h, w, c, kernel, stride, padding, dilation, ceil_mode)
MAX_POOL2D = [
    (1, 8, 8, 16, (2, 2), (2, 2), (0, 0), (1, 1), False), (2, 7, 9, 17, (3, 3), (2, 2), (1, 1), (1, 1), False),
    (1, 7, 7, 5, (3, 2), (2, 2), (1, 0), (1, 1), True), (1, 9, 9, 33, (3, 3), (1, 1), (1, 1), (2, 2), False),
    (1, 5, 6, 1, (5, 6), (1, 1), (0, 0), (1, 1), False), (1, 6, 6, 64, (2, 2), (3, 3), (1, 1), (1, 1), True),
]  # fmt: skip
# (n, h, w, c, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override)
AVG_POOL2D = [
    (1, 8, 8, 16, (2, 2), (2, 2), (0, 0), False, True, 0), (2, 7, 9, 17, (3, 3), (2, 2), (1, 1), False, True, 0),
    (1, 7, 9, 17, (3, 3), (2, 2), (1, 1), False, False, 0), (1, 7, 7, 5, (3, 2), (2, 2), (1, 1), True, True, 0),
    (1, 7, 7, 5, (3, 2), (2, 2), (1, 1), True, False, 0), (1, 6, 6, 40, (3, 3), (1, 1), (0, 0), False, True, 5),
    (1, 6, 6, 3, (4, 4), (3, 3), (2, 2), True, True, 0), (1, 12, 12, 8, (12, 12), (1, 1), (0, 0), False, True, 0),
]  # fmt: skip
ADAPTIVE = [(1, 7, 7, 17, (1, 1)), (2, 8, 6, 16, (3, 4)), (1, 5, 5, 3, (7, 7)), (1, 9, 4, 33, (2, 4))]
MEANS = [((2, 7, 5, 16), (1, 2), False), ((2, 7, 5, 16), (1, 2), True), ((3, 19), (1,), False), ((4, 3, 5), (0,), True),
         ((4, 3, 5), (0, 1, 2), False), ((1, 49, 65), (1,), False)]  # fmt: skip
CATS = [([(1, 2, 3, 4), (1, 2, 3, 9)], 3), ([(2, 1, 5), (2, 6, 5), (2, 2, 5)], 1), ([(4,), (1,), (3,)], 0),
        ([(2, 3), (2, 3)], 0)]  # fmt: skip
PERMUTES = [
    ((2, 3, 4, 5), (0, 3, 1, 2)), ((2, 3, 4, 5), (0, 2, 3, 1)), ((3, 4), (1, 0)), ((6,), (0,)),
    ((2, 3, 2, 3, 2), (4, 2, 0, 3, 1)), ((1, 5, 1, 7), (2, 3, 0, 1)), ((2, 3, 7, 9), (0, 2, 3, 1)),
    ((3, 40), (1, 0)), ((2, 4, 35), (0, 2, 1)), ((2, 3, 2, 20), (2, 0, 3, 1)),
    ((2, 2, 2, 2, 2, 2, 2, 2), (7, 5, 6, 0, 4, 1, 3, 2)),
]  # fmt: skip
# (input, output, start, step)
SLICES = [
    ((1, 6, 7, 16), (1, 6, 7, 5), (0, 0, 0, 3), (1, 1, 1, 1)), ((2, 6, 7, 3), (2, 3, 4, 3), (0, 1, 0, 0), (1, 2, 2, 1)),
    ((2, 5, 4), (2, 1, 4), (0, 4, 0), (1, -9, 1)), ((3, 4, 5), (3, 4, 5), (2, 3, 4), (-1, -1, -1)),
    ((3, 4, 5), (2, 4, 5), (1, 3, 0), (1, -1, 1)), ((1, 3, 1, 33), (4, 3, 2, 33), (0, 0, 0, 0), (0, 1, 0, 1)),
    ((3, 7), (5, 6), (1, 6), (0, 0)), ((67,), (23,), (66,), (-2,)), ((1,), (1,), (0,), (0,)),
    ((2, 2, 2, 2, 2, 2, 2, 3), (2, 1, 2, 2, 2, 2, 2, 2), (0, 1, 0, 1, 0, 1, 0, 2), (1, 1, 1, -1, 1, 0, 1, -2)),
]  # fmt: skip
# (input, output, before, mode)
PADS = [
    ((1, 4, 5, 16), (1, 7, 8, 16), (0, 1, 2, 0), 0), ((2, 4, 5, 3), (2, 10, 13, 3), (0, 3, 4, 0), 1),
    ((2, 4, 5, 3), (2, 9, 7, 3), (0, 5, 1, 0), 2), ((1, 3, 5, 2), (1, 9, 8, 2), (0, 3, 0, 0), 3),
    ((3, 7), (8, 13), (2, 6), 0), ((3, 7), (5, 15), (1, 4), 1), ((9,), (9,), (0,), 0), ((1, 4), (3, 4), (2, 0), 2),
    ((2, 1, 3, 2, 1), (3, 2, 5, 3, 2), (1, 0, 1, 1, 0), 2), ((2, 2, 3, 2, 2), (3, 3, 5, 3, 3), (1, 0, 1, 1, 0), 3),
]  # fmt: skip
# (input, output height and width, scales)
UPSAMPLES = [
    ((1, 4, 5, 16), (8, 10), (0.5, 0.5)), ((2, 3, 4, 3), (7, 5), (3 / 7, 0.8)), ((1, 1, 1, 8), (3, 2), (1.0, 1.0)),
    ((1, 7, 9, 17), (3, 4), (7 / 3, 2.25)), ((1, 5, 6, 2), (9, 11), (0.5, 0.5)),
    ((1, 5, 3, 1), (4, 3), (2.0**60, 2.0**-60)), ((1, 6, 2, 33), (17, 7), (1 / 2.9, 1 / 3.7)),
]  # fmt: skip
SIZES = [1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 257]


def _convolution(kind: str, axes: int) -> Callable[..., Program]:
    def make(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
        shape, weight, options = geometry(kind, axes, row)
        zero_point = _zero_point(generator, regime)
        operands = _weights(generator, regime, weight, int(np.prod(weight[1:])))
        return single(
            kind,
            [Quantized(shape, 0.05, _zero_point(generator, regime)), *operands],
            (0.1, zero_point),
            options | _range(generator, regime, zero_point),
        )

    return make


def _inverted_residual(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, expansion, (kh, kw, stride, padding, dilation), outputs, added = row
    channels = expansion[0] if expansion else shape[-1]
    operands = _weights(generator, regime, (channels, kh, kw, 1), kh * kw)
    operands += _weights(generator, regime, (outputs, 1, 1, channels), channels)
    if expansion:
        _, eh, ew, *before = expansion
        operands += _weights(generator, regime, (channels, eh, ew, shape[-1]), eh * ew * shape[-1])
        stride, padding = ((*a, *b) for a, b in zip(before, (stride, padding), strict=True))
    zero_points = [_zero_point(generator, regime) for _ in range(2 + bool(expansion) + added)]
    ranges = [_range(generator, regime, zero_point) for zero_point in zero_points]
    return single(
        "inverted_residual",
        [Quantized(shape, 0.05, _zero_point(generator, regime)), *operands],
        (0.1, zero_points[-1]),
        {
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "zero_point": tuple(zero_points[:-1]),
            "output_min": tuple(r["output_min"] for r in ranges),
            "output_max": tuple(r["output_max"] for r in ranges),
            "residual_multiplier": _factors(generator, regime, (1, 1)) if added else (),
        },
    )


def _linear(generator: np.random.Generator, regime: str, row: tuple[int, int, int]) -> Program:
    m, k, n = row
    zero_point = _zero_point(generator, regime)
    return single(
        "linear",
        [Quantized((m, k), 0.05, _zero_point(generator, regime)), *_weights(generator, regime, (n, k), k)],
        (0.1, zero_point),
        _range(generator, regime, zero_point),
    )


def _binary(kind: str) -> Callable[..., Program]:
    def make(generator: np.random.Generator, regime: str, row: tuple[tuple[int, ...], tuple[int, ...]]) -> Program:
        zero_point = _zero_point(generator, regime)
        a, b = (Quantized(shape, 0.1, _zero_point(generator, regime)) for shape in row)
        names = ("input_multiplier", "other_multiplier") if kind != "mul" else ("multiplier",)
        draw = {
            "ties": lambda: 0.125 if kind == "mul" else 0.5,
            "extreme": lambda: float(generator.choice([2.0**-60, 2.0**60, 1.0])),
        }.get(regime, lambda: float(np.float32(generator.uniform(0.2, 1.5) / (60 if kind == "mul" else 1))))
        multipliers = {name: draw() for name in names}
        return single(kind, [a, b], (0.1, zero_point), multipliers | _range(generator, regime, zero_point))

    return make


def _matmul(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    *shapes, zero_points = row
    zero_points = zero_points or [_zero_point(generator, regime) for _ in shapes]
    zero_point = _zero_point(generator, regime)
    multiplier = {"ties": 0.5, "extreme": float(generator.choice([2.0**-60, 2.0**60, 2.0**-24, 1.0]))}.get(
        regime, float(np.float32(generator.uniform(0.3, 3) / (74 * 74 * np.sqrt(shapes[0][-1])) * 40))
    )
    return single(
        "matmul",
        [Quantized(shape, 0.05, z) for shape, z in zip(shapes, zero_points, strict=True)],
        (0.1, zero_point),
        {"multiplier": multiplier} | _range(generator, regime, zero_point),
    )


def _max_pool2d(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    n, h, w, c, kernel, stride, padding, dilation, ceil_mode = row
    options = {
        "kernel_size": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "ceil_mode": ceil_mode,
    }
    return single("max_pool2d", [Quantized((n, h, w, c), 0.1, _zero_point(generator, regime))], None, options)


def _averaging(
    kind: str, fields: Callable[[tuple], tuple[tuple[int, ...], dict[str, object]]]
) -> Callable[..., Program]:  # type: ignore[type-arg]
    def make(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
        shape, options = fields(row)
        zero_point = _zero_point(generator, regime)
        rescale = {"ties": 1.0, "extreme": float(generator.choice([2.0**-40, 2.0**40]))}.get(
            regime, float(np.float32(generator.uniform(0.5, 2)))
        )
        return single(
            kind,
            [Quantized(shape, 0.1, _zero_point(generator, regime))],
            (0.1, zero_point),
            options | {"rescale": rescale} | _range(generator, regime, zero_point),
        )

    return make


def _avg_fields(row: tuple) -> tuple[tuple[int, ...], dict[str, object]]:  # type: ignore[type-arg]
    names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    return row[:4], dict(zip(names, row[4:], strict=True))


def _quantize(generator: np.random.Generator, regime: str, size: int) -> Program:
    zero_point = _zero_point(generator, regime)
    scale = {"ties": 1.0, "extreme": float(generator.choice([2.0**-60, 2.0**60]))}.get(
        regime, float(np.float32(generator.uniform(0.1, 3)))
    )
    inverse = float(np.float32(1) / np.float32(scale))
    x = TensorInfo("x", "float32", (size,))
    return single(
        "quantize_per_tensor",
        [x],
        (scale, zero_point),
        {"inverse_scale": inverse} | _range(generator, regime, zero_point),
        (size,),
    )


def _dequantize(generator: np.random.Generator, regime: str, size: int) -> Program:
    scale = (
        float(generator.choice([2.0**-60, 2.0**60]))
        if regime == "extreme"
        else float(np.float32(generator.uniform(0.1, 3)))
    )
    return single("dequantize", [Quantized((size,), scale, _zero_point(generator, regime))], None, {}, (size,))


def _clamp(generator: np.random.Generator, regime: str, size: int) -> Program:
    low, high = sorted(int(v) for v in generator.integers(-128, 128, 2))
    return single("clamp", [Quantized((size,), 0.1, 3)], None, {"output_min": low, "output_max": high})


def _lookup(generator: np.random.Generator, regime: str, size: int) -> Program:
    table = constant("table", generator.integers(-128, 128, 256).astype(np.int8))
    return single("lookup_table", [Quantized((size,), 0.1, 3), table], (0.2, -7), {})


def _moved(regime: str, shape: tuple[int, ...]) -> Quantized | TensorInfo:
    """An operand of what only moves elements; its regimes are dtypes."""
    return Quantized(shape, 0.1, 5) if regime == "int8" else TensorInfo("x", regime, shape)


def _cat(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shapes, dim = row
    return single("cat", [_moved(regime, s) for s in shapes], None, {"dim": dim})


def _permute(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, dims = row
    return single("permute", [_moved(regime, shape)], None, {"dims": dims})


def _reshape(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, result = row
    return single("reshape", [_moved(regime, shape)], None, {}, result)


def _slice(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, result, start, step = row
    return single("slice", [_moved(regime, shape)], None, {"start": start, "step": step}, result)


def _pad(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
    shape, result, before, mode = row
    dtype = regime.split()[1]
    value = int(generator.integers(-128, 128)) if dtype == "int8" else 0
    return single("pad", [_moved(dtype, shape)], None, {"before": before, "mode": mode, "value": value}, result)


def _upsample(kind: str, **more: object) -> Callable[..., Program]:
    def make(generator: np.random.Generator, regime: str, row: tuple) -> Program:  # type: ignore[type-arg]
        shape, size, scales = row
        scales = dict(zip(("scale_height", "scale_width"), (float(np.float32(s)) for s in scales), strict=True))
        options = {"output_size": size, **scales, **more}
        return single(kind, [Quantized(shape, 0.1, _zero_point(generator, regime))], None, options)

    return make


# steps, batch, inputs, hidden
RECURRENT = [(1, 1, 1, 1), (5, 1, 16, 8), (3, 2, 5, 7), (40, 1, 33, 17), (9, 3, 4, 31), (2, 33, 8, 16)]
# States, gates, tables, values besides the states, and what about each multiplier undoes: 60 of a product, 1 of a sum.
LSTM = (2, 4, 3, 5, (1, 1, 60, 60, 1, 1, 60))
GRU = (1, 3, 4, 7, (1, 1, 60, 1, 1, 60, 60, 1, 1))


def _recurrent(
    kind: str, states: int, gates: int, tables: int, values: int, per: tuple[int, ...]
) -> Callable[..., Program]:
    def make(generator: np.random.Generator, regime: str, row: tuple[int, int, int, int]) -> Program:
        steps, batch, inputs, hidden = row
        zero = [_zero_point(generator, regime) for _ in range(2)]
        operands = [Quantized((steps, batch, inputs), 0.05, zero[0])]
        operands += [
            Quantized((batch, hidden), 0.05, zero[1])
        ] * states  # the builder gives all outputs these parameters
        for width in (inputs, hidden):
            operands += _weights(generator, regime, (gates * hidden, width), width)
        operands += [constant("table", generator.integers(-128, 128, 256).astype(np.int8)) for _ in range(tables)]
        zero_point = [_zero_point(generator, regime) for _ in range(values + tables)]
        ranges = [_range(generator, regime, z) for z in (*zero_point[:values], *[zero[1]] * states)]
        options = {name: tuple(r[name] for r in ranges) for name in ("output_min", "output_max")}
        options |= {"zero_point": tuple(zero_point), "multiplier": _factors(generator, regime, per)}
        return single(kind, operands, (0.05, zero[1]), options | {"reverse": bool(generator.integers(2))})

    return make


TABLE: list[tuple[str, Callable[..., Program], list, tuple[str, ...]]] = [  # type: ignore[type-arg]
    *((kind, _convolution(kind, axes), rows, REGIMES) for kind, (axes, rows) in CONVOLUTIONS.items()),
    ("inverted_residual", _inverted_residual, INVERTED_RESIDUAL, REGIMES),
    ("linear", _linear, LINEAR, REGIMES),
    ("matmul", _matmul, MATMUL, REGIMES),
    ("lstm", _recurrent("lstm", *LSTM), RECURRENT, REGIMES),
    ("gru", _recurrent("gru", *GRU), RECURRENT, REGIMES),
    ("add", _binary("add"), BROADCASTS, REGIMES),
    ("sub", _binary("sub"), BROADCASTS, REGIMES),
    ("mul", _binary("mul"), BROADCASTS, REGIMES),
    ("max_pool2d", _max_pool2d, MAX_POOL2D, ("random",)),
    ("avg_pool2d", _averaging("avg_pool2d", _avg_fields), AVG_POOL2D, REGIMES),
    (
        "adaptive_avg_pool2d",
        _averaging("adaptive_avg_pool2d", lambda r: (r[:4], {"output_size": r[4]})),
        ADAPTIVE,
        REGIMES,
    ),
    ("mean", _averaging("mean", lambda r: (r[0], {"dim": r[1], "keepdim": r[2]})), MEANS, REGIMES),
    ("quantize_per_tensor", _quantize, SIZES, REGIMES),
    ("dequantize", _dequantize, SIZES, ("random", "extreme")),
    ("clamp", _clamp, SIZES, ("random",)),
    ("lookup_table", _lookup, SIZES, ("random",)),
    ("cat", _cat, CATS, MOVED),
    ("permute", _permute, PERMUTES, MOVED),
    ("reshape", _reshape, [((2, 3, 4), (6, 4)), ((5,), (5, 1, 1)), ((1, 8, 1), (8,))], MOVED),
    ("slice", _slice, SLICES, MOVED),
    ("pad", _pad, PADS, tuple(f"random {dtype}" for dtype in MOVED)),
    ("upsample_nearest2d", _upsample("upsample_nearest2d"), UPSAMPLES, ("random",)),
    ("upsample_bilinear2d", _upsample("upsample_bilinear2d", align_corners=False), UPSAMPLES, ("random", "extreme")),
    ("upsample_bilinear2d", _upsample("upsample_bilinear2d", align_corners=True), UPSAMPLES[::-1], ("ties", "narrow")),
    *NORM_TABLE,
    *FLOAT_TABLE,
    *FLOATING_TABLE,
    *SELECTION_TABLE,
]


def cases() -> Iterator[Case]:
    seen: Counter[str] = Counter()
    for kind, make, rows, regimes in TABLE:
        first = seen[kind]
        seen[kind] += len(rows)
        for position, row in enumerate(rows, first):
            for regime in regimes:
                yield Case(
                    f"{kind}-{position}-{regime}",
                    lambda generator, make=make, regime=regime, row=row: make(generator, regime, row),
                )
