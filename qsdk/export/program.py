"""The Program: what a model is once it has left PyTorch. It mirrors schema/qsdk.fbs; everything below knows only this.

A Program is made by lower(), improved by passes, given an arena by plan() and written by serialize(). It can be
printed (str) and run (qsdk.reference.run) at any of these stages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from qsdk.errors import FileFormatError

Option = int | float | bool | str | tuple[int, ...]  # a string is a member of one of the schema's enums

DTYPES: dict[str, np.dtype] = {
    "float32": np.dtype("<f4"),
    "int8": np.dtype("i1"),
    "uint8": np.dtype("u1"),
    "int32": np.dtype("<i4"),
    "int64": np.dtype("<i8"),
    "bool": np.dtype("?"),
}


@dataclass(frozen=True)
class TensorInfo:
    """One tensor: an activation (data is None) or a constant.

    Shapes are those of the file: activations that convolutions read are NHWC. Per-channel scales run over
    channel_axis; a tensor that is not quantized has none.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    channel_axis: int = -1
    data: np.ndarray | None = field(default=None, compare=False)
    offset: int = 0

    @property
    def is_constant(self) -> bool:
        return self.data is not None

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.elements * DTYPES[self.dtype].itemsize


@dataclass(frozen=True)
class Operation:
    """One operator of the program: `kind` is a row of the operator table, inputs and outputs are tensor indices."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Option] = field(default_factory=lambda: MappingProxyType({}))
    name: str = ""
    live: tuple[int, ...] = ()


@dataclass(frozen=True)
class SeededInput:
    """A seeded float input's elements are f32(f32(u24) * step) + lowest; integers lie in least..most."""

    lowest: float = 0.0
    step: float = 0.0
    least: int = 0
    most: int = 0
    ascending: bool = False


@dataclass(frozen=True)
class TestVector:
    """A run whose result is known: seeded (seed, seeded, output_crc) or by example (inputs, outputs as arrays)."""

    seed: int = 0
    seeded: tuple[SeededInput, ...] = ()
    output_crc: tuple[int, ...] = ()
    inputs: tuple[np.ndarray, ...] = ()
    outputs: tuple[np.ndarray, ...] = ()

    __test__ = False  # pytest: not a test class


@dataclass(frozen=True)
class PackedWeights:
    """One tensor's weights as a kernel of the C runtime wants them for one operator; `data` is uint8.

    pack_id names the kernel and layout_version its packed form; a runtime that has another packs for itself. A
    Program's ascend by operator; those of one operator and pack_id lie in the order in which the runtime asks for them.
    """

    operator: int
    tensor: int
    pack_id: str
    layout_version: int
    data: np.ndarray = field(compare=False)


@dataclass(frozen=True)
class Program:
    """Operators in an order in which every operand is ready, over one list of tensors."""

    tensors: tuple[TensorInfo, ...]
    operators: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    name: str = ""
    arena_size: int = 0
    peak_live: int = 0
    test_vectors: tuple[TestVector, ...] = ()
    packed: tuple[PackedWeights, ...] = ()
    output_names: tuple[str, ...] = ()  # the model's, '' for those without; passes keep the order of outputs

    def __str__(self) -> str:
        lines = []
        for i in self.inputs:
            lines.append(f"{_spell(self, i)} = input")
        for op in self.operators:
            options = ", ".join(f"{k}={v}" for k, v in op.options.items())
            operands = ", ".join(f"%{i}" for i in op.inputs)
            results = ", ".join(_spell(self, i) for i in op.outputs)
            lines.append(f"{results} = {op.kind}({operands}{', ' if options else ''}{options})  # {op.name}")
        lines.append("return " + ", ".join(f"%{i}" for i in self.outputs))
        return "\n".join(lines)


def _spell(program: Program, index: int) -> str:
    tensor = program.tensors[index]
    return f"%{index}: {tensor.dtype}{list(tensor.shape)}"


def last_uses(program: Program) -> dict[int, int]:
    """Index of the last operator that needs each activation; len(operators) for outputs, -1 for an unread input."""
    last = dict.fromkeys(program.inputs, -1)
    for position, op in enumerate(program.operators):
        for index in (*op.outputs, *op.inputs):
            if not program.tensors[index].is_constant:
                last[index] = position
    last.update(dict.fromkeys(program.outputs, len(program.operators)))
    return last


def renumber(program: Program) -> Program:
    """The same program with tensors in the file's order: inputs, then each operator's constants and outputs.

    Tensors that nothing mentions are dropped.
    """
    order: dict[int, int] = {}
    for index in program.inputs:
        order.setdefault(index, len(order))
    for op in program.operators:
        for index in op.inputs:
            if index not in order:
                if not program.tensors[index].is_constant:
                    raise FileFormatError(f"operator '{op.name}' ({op.kind}) reads tensor {index} before it is written")
                order[index] = len(order)
        for index in op.outputs:
            order.setdefault(index, len(order))
    return Program(
        tensors=tuple(program.tensors[i] for i in order),
        operators=tuple(
            Operation(
                op.kind,
                tuple(order[i] for i in op.inputs),
                tuple(order[i] for i in op.outputs),
                op.options,
                op.name,
                tuple(order[i] for i in op.live),
            )
            for op in program.operators
        ),
        inputs=tuple(order[i] for i in program.inputs),
        outputs=tuple(order[i] for i in program.outputs),
        name=program.name,
        arena_size=program.arena_size,
        peak_live=program.peak_live,
        output_names=program.output_names,
        test_vectors=program.test_vectors,
    )
