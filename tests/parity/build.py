"""Programs for tests, without a model: one operator with given operands, options and qparams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from qsdk.export import finish
from qsdk.export.program import DTYPES, Operation, Program, TensorInfo
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
    filled = {f.name: f.default for f in TABLES[kind] if f.default is not None} | dict(options)

    def program(*results: tuple[tuple[int, ...], str]) -> Program:
        """With outputs of these shapes and dtypes."""
        made = [TensorInfo("y", d, s, *((scale, zero_point) if d == "int8" else ((), ()))) for s, d in results]
        outputs = tuple(range(len(tensors), len(tensors) + len(made)))
        operation = Operation(kind, tuple(range(len(tensors))), outputs, filled, kind)
        activations = tuple(i for i, t in enumerate(tensors) if not t.is_constant)
        return Program((*tensors, *made), (operation,), activations, outputs, name=kind)

    if shape is None:
        draft = program(((), "int8"))
        values = {
            i: torch.from_numpy(np.array(t.data) if t.data is not None else np.zeros(t.shape, DTYPES[t.dtype]))
            for i, t in enumerate(tensors)
        }
        result = OPERATORS[kind].definition(first.dtype)(**arguments(draft, draft.operators[0], values, kind))
        results = result if isinstance(result, tuple) else (result,)
        if OPERATORS[kind].channels_last:
            results = tuple(r.permute(to_channels_last(r.dim())) for r in results)
        return program(*((tuple(r.shape), str(r.dtype).removeprefix("torch.")) for r in results))
    return program((shape, {"quantize_per_tensor": "int8", "dequantize": "float32"}.get(kind, first.dtype)))


def to_file(program: Program) -> tuple[Program, bytes]:
    """The program as it stands in the file, and the file. No pass may change a test's only operator away."""
    finished = finish(program)
    return finished, serialize(finished)


def constant(name: str, array: np.ndarray) -> TensorInfo:
    return TensorInfo(name, array.dtype.name, array.shape, data=np.ascontiguousarray(array))
