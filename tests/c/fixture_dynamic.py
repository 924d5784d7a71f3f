"""The program of dynamic.qsdk: operators on float activations, each of them once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from fixture import Draft

from qsdk.export.plan import plan
from qsdk.export.program import Program, SeededInput, TestVector
from qsdk.export.vectors import crc, seeded_inputs
from qsdk.reference.interpreter import run


def projection(d: Draft, n: int, k: int) -> list[int]:
    """weight, weight_scale and bias."""
    weight = d.random.integers(-128, 128, (n, k)).astype(np.int8)
    scale, bias = d.random.uniform(0.001, 0.003, n), d.random.normal(0, 1, n)
    return [d.constant(a) for a in (weight, scale.astype(np.float32), bias.astype(np.float32))]


def every_dynamic_operator() -> Program:
    d = Draft()
    x = d.tensor((3, 8), dtype="float32")
    a = d.op("linear_dynamic", [x, *projection(d, 12, 8)], d.tensor((3, 12), dtype="float32"), per_token=True)
    b = d.op("relu", [a], d.tensor((3, 12), dtype="float32"))
    c = d.op("linear_dynamic", [b, *projection(d, 12, 12)], d.tensor((3, 12), dtype="float32"), relu=True)
    y = d.op("add_float", [c, b], d.tensor((3, 12), dtype="float32"))
    e = d.op("reshape", [x], d.tensor((8, 3), dtype="float32"))
    # Nothing dies early, so that nothing is in place and every shape may change without an overlap.
    program = plan(Program(tuple(d.tensors), tuple(d.operators), (x,), (y, a, b, c, e), name="dynamic"))
    seeded = (SeededInput(-4.0, 8.0 / 2**24),)
    first = seeded_inputs([program.tensors[i] for i in program.inputs], 7, seeded)
    outputs = run(program, *first)
    vectors = (
        TestVector(seed=7, seeded=seeded, output_crc=tuple(crc(o) for o in outputs)),
        TestVector(inputs=tuple(first), outputs=tuple(outputs)),
    )
    return replace(program, test_vectors=vectors)
