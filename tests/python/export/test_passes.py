"""Passes keep every answer and take out what they promise to."""

from __future__ import annotations

import numpy as np
import pytest

from qsdk.export import passes
from qsdk.export.plan import plan
from qsdk.export.program import Operation, Program, TensorInfo, renumber
from qsdk.reference.interpreter import run


def activation(*shape: int) -> TensorInfo:
    return TensorInfo("t", "int8", shape, (0.5,), (3,))


def program(inputs: list[TensorInfo], *steps: tuple[str, tuple[int, ...], tuple[int, ...], dict]) -> Program:
    """inputs: constants too. steps: (kind, inputs, output shape, options); the last output is the program's."""
    tensors = list(inputs)
    operators = []
    for position, (kind, operands, shape, options) in enumerate(steps):
        tensors.append(activation(*shape))
        operators.append(Operation(kind, operands, (len(tensors) - 1,), options, f"step{position}"))
    activations = tuple(i for i, tensor in enumerate(inputs) if not tensor.is_constant)
    return renumber(Program(tuple(tensors), tuple(operators), activations, (len(tensors) - 1,)))


ADD = {"input_multiplier": 0.75, "other_multiplier": 0.5, "output_min": -128, "output_max": 127}
SOFTMAX = {"dim": 1, "inverse_scale": 256.0, "output_min": -128, "output_max": 127}
TABLE = TensorInfo("table", "int32", (256,), data=np.arange(256, dtype=np.int32)[::-1] << 15)
WEIGHT = TensorInfo("weight", "int8", (3, 3, 2, 2), data=np.arange(-18, 18, dtype=np.int8).reshape(3, 3, 2, 2))
BIAS = TensorInfo("bias", "int32", (3,), data=np.array([0, 100, -100], np.int32))
FACTOR = TensorInfo("multiplier", "float32", (3,), data=np.full(3, 0.01, np.float32))
CONV = {
    "stride": (1, 1), "padding": (1, 0, 1, 0), "dilation": (1, 1), "groups": 1, "output_min": -128, "output_max": 127,
}  # fmt: skip
NCHW, NHWC = {"dims": (0, 3, 1, 2)}, {"dims": (0, 2, 3, 1)}

PROGRAMS = {
    "inverse permutes": program(
        [activation(2, 3, 4, 5)],
        ("permute", (0,), (2, 5, 3, 4), NCHW),
        ("clamp", (1,), (2, 5, 3, 4), {"output_min": 0, "output_max": 50}),
        ("permute", (2,), (2, 3, 4, 5), NHWC),
    ),
    "add of permuted": program(
        [activation(2, 3, 4, 5), activation(2, 3, 4, 5)],
        ("permute", (0,), (2, 5, 3, 4), NCHW),
        ("permute", (1,), (2, 5, 3, 4), NCHW),
        ("add", (2, 3), (2, 5, 3, 4), ADD),
        ("permute", (4,), (2, 3, 4, 5), NHWC),
    ),
    "add of permuted and straight": program(
        [activation(2, 3, 4, 5), activation(2, 5, 3, 4)],
        ("permute", (0,), (2, 5, 3, 4), NCHW),
        ("add", (2, 1), (2, 5, 3, 4), ADD),
    ),
    "cat of permuted": program(
        [activation(1, 3, 4, 5), activation(1, 3, 4, 2)],
        ("permute", (0,), (1, 5, 3, 4), NCHW),
        ("permute", (1,), (1, 2, 3, 4), NCHW),
        ("cat", (2, 3), (1, 7, 3, 4), {"dim": -3}),
        ("permute", (4,), (1, 3, 4, 7), NHWC),
    ),
    "softmax of permuted": program(
        [activation(2, 3, 4, 5), TABLE],
        ("permute", (0,), (2, 5, 3, 4), NCHW),
        ("softmax", (2, 1), (2, 5, 3, 4), SOFTMAX),
        ("permute", (3,), (2, 3, 4, 5), NHWC),
    ),
    **{
        f"pad {kind} before a convolution": program(
            [activation(1, 4, 5, 2), WEIGHT, BIAS, FACTOR],
            ("pad", (0,), (1, 7, 8, channels), {"before": (0, 1, 2, 0), "mode": mode, "value": value}),
            ("conv2d", (4, 1, 2, 3), (1, 7, 7, 3), CONV | {"groups": channels // 2}),
        )
        for kind, mode, value, channels in (
            ("of zeros", 0, 3, 2),
            ("of ones", 0, 5, 2),
            ("of channels", 0, 3, 6),
            ("that repeats", 2, 3, 2),
        )
    },
    "mean of permuted": program(
        [activation(2, 3, 4, 5)],
        ("permute", (0,), (2, 5, 3, 4), NCHW),
        (
            "mean",
            (1,),
            (2, 5),
            {"dim": (2, -1), "keepdim": False, "rescale": 1.0, "output_min": -128, "output_max": 127},
        ),
    ),
    "mean that keeps its axes": program(
        [activation(2, 3, 4, 5)],
        ("permute", (0,), (2, 5, 3, 4), NCHW),
        (
            "mean",
            (1,),
            (2, 1, 3, 4),
            {"dim": (1,), "keepdim": True, "rescale": 1.0, "output_min": -128, "output_max": 127},
        ),
    ),
    "mean over apart axes": program(
        [activation(2, 3, 4)],
        (
            "mean",
            (0,),
            (1, 3, 1),
            {"dim": (0, 2), "keepdim": True, "rescale": 1.0, "output_min": -128, "output_max": 127},
        ),
    ),
    "flatten of permuted": program(
        [activation(2, 3, 4, 5)], ("permute", (0,), (2, 5, 3, 4), NCHW), ("reshape", (1,), (2, 60), {})
    ),
    "flatten of one pixel": program(
        [activation(2, 1, 1, 5)], ("permute", (0,), (2, 5, 1, 1), NCHW), ("reshape", (1,), (2, 5), {})
    ),
    "axes of permuted split and joined": program(
        [activation(2, 4, 1, 6)],
        ("permute", (0,), (2, 6, 4, 1), NCHW),
        ("reshape", (1,), (2, 1, 3, 2, 4, 1), {}),
        ("permute", (2,), (2, 2, 1, 3, 4, 1), {"dims": (0, 3, 1, 2, 4, 5)}),
        ("reshape", (3,), (2, 6, 4, 1), {}),
        ("permute", (4,), (2, 4, 1, 6), NHWC),
    ),
    "axes apart joined": program(
        [activation(2, 3, 4, 5)],
        ("permute", (0,), (2, 5, 3, 4), NCHW),
        ("reshape", (1,), (10, 12), {}),
        ("reshape", (2,), (2, 5, 1, 12), {}),
    ),
    "rows of permuted joined": program(
        [activation(2, 3, 4, 5)],
        ("permute", (0,), (2, 5, 3, 4), NCHW),
        ("reshape", (1,), (2, 5, 12), {}),
        ("permute", (2,), (2, 12, 5), {"dims": (0, 2, 1)}),
    ),
    "slice of permuted": program(
        [activation(2, 3, 4, 5)],
        ("permute", (0,), (2, 5, 3, 4), NCHW),
        ("slice", (1,), (2, 2, 1, 4), {"start": (0, 4, 2, 3), "step": (1, -3, 7, -1)}),
        ("permute", (2,), (2, 1, 4, 2), NHWC),
    ),
    "two readers of a permute": program(
        [activation(2, 3, 4, 5)],
        ("permute", (0,), (2, 5, 3, 4), NCHW),
        ("reshape", (1,), (2, 60), {}),
        ("clamp", (1,), (2, 5, 3, 4), {"output_min": 0, "output_max": 9}),
        ("reshape", (3,), (2, 60), {}),
        ("add", (2, 4), (2, 60), ADD),
    ),
    "clamp after add": program(
        [activation(4, 6), activation(4, 6)],
        ("add", (0, 1), (4, 6), ADD),
        ("clamp", (2,), (4, 6), {"output_min": 3, "output_max": 20}),
    ),
    "input returned": program([activation(4, 6)], ("reshape", (0,), (4, 6), {})),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_bytes(name: str) -> None:
    before = PROGRAMS[name]
    generator = np.random.default_rng(0)
    inputs = [generator.integers(-128, 128, before.tensors[i].shape).astype(np.int8) for i in before.inputs]
    expected = run(before, *inputs)
    stage = before
    for rewrite in passes.PASSES:
        stage = rewrite(stage)
        assert [a.tobytes() for a in run(stage, *inputs)] == [a.tobytes() for a in expected], rewrite.__name__
    assert [a.tobytes() for a in run(plan(stage), *inputs)] == [a.tobytes() for a in expected]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("inverse permutes", ["clamp"]),
        ("add of permuted", ["add"]),
        ("cat of permuted", ["cat"]),
        ("softmax of permuted", ["softmax"]),
        ("pad of zeros before a convolution", ["conv2d"]),
        ("pad of ones before a convolution", ["pad", "conv2d"]),
        ("pad of channels before a convolution", ["pad", "conv2d"]),
        ("pad that repeats before a convolution", ["pad", "conv2d"]),
        ("mean of permuted", ["mean"]),
        ("mean over apart axes", ["permute", "mean", "reshape"]),
        ("flatten of one pixel", ["reshape"]),
        ("axes of permuted split and joined", ["reshape", "permute", "reshape"]),
        ("rows of permuted joined", ["reshape"]),
        ("slice of permuted", ["slice"]),
        ("clamp after add", ["add"]),
        ("input returned", ["reshape"]),
    ],
)
def test_takes_out(name: str, kinds: list[str]) -> None:
    assert [op.kind for op in passes.run(PROGRAMS[name]).operators] == kinds
