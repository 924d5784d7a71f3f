"""Programs for tests, without a model: one operator with given operands, options and qparams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from qsdk.export import finish
from qsdk.export.program import Operation, Program, TensorInfo
from qsdk.export.schema_tables import TABLES
from qsdk.export.serialize import serialize
from qsdk.ops import OPERATORS, to_channels_last
from qsdk.reference.interpreter import arguments


@dataclass(frozen=True)
class Quantized:
    """An int8 activation: shape and qparams."""

    shape: tuple[int, ...]
    scale: float = 1.0
    zero_point: int = 0


def single(
    kind: str,
    inputs: Sequence[Quantized | TensorInfo],
    output: tuple[float, int] | None,
    options: Mapping[str, Any],
    shape: tuple[int, ...] | None = None,
) -> Program:
    """A program of one operator. Activations become its inputs; `output` is (scale, zero point), None: as the first
    input's. The output's shape is what the reference makes, unless given."""
    tensors: list[TensorInfo] = []
    for position, item in enumerate(inputs):
        if isinstance(item, Quantized):
            item = TensorInfo(f"x{position}", "int8", item.shape, (item.scale,), (item.zero_point,))
        tensors.append(item)
    first = tensors[0]
    scale, zero_point = ((output[0],), (output[1],)) if output else (first.scale, first.zero_point)
    dtype = "float32" if kind == "dequantize" else "int8"
    if dtype == "float32":
        scale, zero_point = (), ()
    filled = {f.name: f.default for f in TABLES[kind] if f.default is not None} | dict(options)

    def program(result_shape: tuple[int, ...]) -> Program:
        result = TensorInfo("y", dtype, result_shape, scale, zero_point)
        operation = Operation(kind, tuple(range(len(tensors))), (len(tensors),), filled, kind)
        activations = tuple(i for i, t in enumerate(tensors) if not t.is_constant)
        return Program((*tensors, result), (operation,), activations, (len(tensors),), name=kind)

    if shape is None:
        draft = program(())
        values = {
            i: torch.from_numpy(np.array(t.data)) if t.data is not None else torch.zeros(t.shape, dtype=torch.int8)
            for i, t in enumerate(tensors)
        }
        result = OPERATORS[kind].reference(**arguments(draft, draft.operators[0], values, kind))
        if OPERATORS[kind].channels_last:
            result = result.permute(to_channels_last(result.dim()))
        shape = tuple(result.shape)
    return program(shape)


def to_file(program: Program) -> tuple[Program, bytes]:
    """The program as it stands in the file, and the file. No pass may change a test's only operator away."""
    finished = finish(program)
    return finished, serialize(finished)


def constant(name: str, array: np.ndarray) -> TensorInfo:
    dtype = {"int8": "int8", "int32": "int32", "float32": "float32"}[array.dtype.name]
    return TensorInfo(name, dtype, array.shape, data=np.ascontiguousarray(array))
