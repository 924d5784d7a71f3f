"""Weights that several operators use: packed once in a session and once in a file, with the bytes of each alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import qsdk
from qsdk.export import pack, serialize, to_bytes
from qsdk.export.plan import plan
from qsdk.export.program import Operation, Program, TensorInfo
from qsdk.runtime import Session, available_isas

PACKING = [isa for isa in available_isas() if isa != "scalar"]
LINE = 64  # bytes; what packed weights are rounded up to


class Unrolled(nn.Module):
    """A float GRU, which the file has as operators of each time step."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(16, 32, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [1, T, 16] to [1, T, 32]."""
        return self.gru(x)[0]


class Twice(nn.Module):
    """The same layers for two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.Conv2d(16, 32, 1)
        )

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """x and y [1, 16, 6, 6] to [1, 32, 6, 6]."""
        return self.layers(x) + self.layers(y)


def without_sharing(program: Program) -> Program:
    """The same program, where every operator has weights of its own in the file."""
    tensors, operators = list(program.tensors), []
    for position, operator in enumerate(program.operators):
        inputs = []
        for i in operator.inputs:
            tensor, data = program.tensors[i], program.tensors[i].data
            if data is not None and data.ndim > 1:
                own = data.copy()
                own.reshape(-1)[0] += own.dtype.type(position + 1)
                inputs.append(len(tensors))
                tensors.append(replace(tensor, name=f"{tensor.name}.{position}", data=own))
            else:
                inputs.append(i)
        operators.append(replace(operator, inputs=tuple(inputs)))
    return replace(program, tensors=tuple(tensors), operators=tuple(operators), test_vectors=())


def weights_of(program: Program) -> int:
    """Bytes of the float matrices and kernels in the file, each counted once."""
    return sum(t.size for t in program.tensors if t.data is not None and len(t.shape) > 1)


@pytest.mark.parametrize("isa", PACKING)
def test_an_unrolled_layer_is_packed_once(isa: str) -> None:
    """However many steps: two matrices."""
    program, data = to_bytes(Unrolled().eval(), torch.randn(1, 8, 16))
    session, apart = Session(data, isa=isa), Session(serialize.serialize(without_sharing(program)), isa=isa)
    uses = Counter(o.inputs[1] for o in program.operators if o.kind == "linear")
    assert max(uses.values()) == 7  # the first state is zero: its product is none
    again = sum((count - 1) * program.tensors[i].size for i, count in uses.items())
    assert apart.arena_size - session.arena_size == again  # 96 columns: whole panels of every kernel
    assert session.self_test() > 0


@pytest.mark.parametrize("isa", PACKING)
def test_layers_that_are_called_twice(isa: str) -> None:
    x, y = torch.randn(2, 1, 16, 6, 6)
    program, data = to_bytes(Twice().eval(), (x, y))
    apart = Session(serialize.serialize(without_sharing(program)), isa=isa)
    session = Session(data, isa=isa)
    assert apart.arena_size - session.arena_size >= weights_of(program)
    assert session.self_test() > 0


def shared_linear(zero_points: tuple[int, int]) -> tuple[Program, bytes]:
    """Two quantized layers with the same weights, biases and multipliers, of inputs with these zero points."""
    random = np.random.default_rng(0)
    tensors = [
        TensorInfo("x", "int8", (1, 64), scale=(0.1,), zero_point=(zero_points[0],)),
        TensorInfo("y", "int8", (1, 64), scale=(0.1,), zero_point=(zero_points[1],)),
        TensorInfo("w", "int8", (64, 64), (0.1,), (0,), data=random.integers(-9, 9, (64, 64), np.int8)),
        TensorInfo("b", "int32", (64,), data=random.integers(-99, 99, 64, np.int32)),
        TensorInfo("m", "float32", (64,), data=np.full(64, 0.01, np.float32)),
        TensorInfo("u", "int8", (1, 64), scale=(1.0,), zero_point=(0,)),
        TensorInfo("v", "int8", (1, 64), scale=(1.0,), zero_point=(0,)),
    ]
    options = {"output_min": -128, "output_max": 127}
    operators = [Operation("linear", (i, 2, 3, 4), (5 + i,), options, f"layer{i}") for i in (0, 1)]
    program = plan(Program(tuple(tensors), tuple(operators), (0, 1), (5, 6)))
    return program, serialize.serialize(program)


@pytest.mark.parametrize("isa", PACKING)
def test_what_is_packed_with_the_weights_counts(isa: str) -> None:
    """Zero points go into the packed form: with two of them there are two forms, and answers are those of each."""
    _, same = shared_linear((3, 3))
    program, other = shared_linear((3, -5))
    x = np.arange(64, dtype=np.int8).reshape(1, 64)
    a, b = Session(same, isa=isa), Session(other, isa=isa)
    assert a.arena_size < b.arena_size
    for session, data in ((a, same), (b, other)):
        expected = qsdk.reference.run(data, torch.from_numpy(x), torch.from_numpy(x))
        for got, want in zip(session.run(x, x), expected, strict=True):
            assert np.array_equal(got, np.asarray(want))
    assert not np.array_equal(*b.run(x, x)) and program.operators


@pytest.mark.parametrize("isa", PACKING)
def test_a_file_has_it_once(isa: str) -> None:
    program, data = shared_linear((3, 3))
    packed = pack(program, data, [isa])
    file = serialize.serialize(packed)
    first, second = packed.packed
    assert (first.operator, second.operator) == (0, 1) and np.array_equal(first.data, second.data)
    assert len(file) - len(data) < first.data.size + 8 * LINE
    assert [p.in_file for p in Session(file, isa=isa).packed()] == [True, True]
    x = np.full((1, 64), 7, np.int8)
    for got, want in zip(Session(file, isa=isa).run(x, x), Session(data, isa=isa).run(x, x), strict=True):
        assert np.array_equal(got, want)
