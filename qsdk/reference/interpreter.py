"""run(program, *inputs): the definition of what a program computes. Every runtime gives these bytes.

One reference operator per operator of the program, in order; nothing else. Of qsdk it imports the Program, the file's
reader and the operator table.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from qsdk.errors import FileFormatError, IndexRangeError, QsdkError
from qsdk.export.program import Operation, Program, TensorInfo
from qsdk.export.serialize import deserialize, load
from qsdk.ops import OPERATORS, from_channels_last, to_channels_last
from qsdk.reference.embedding import OutsideError

_TORCH = {
    "float32": torch.float32,
    "int8": torch.int8,
    "int32": torch.int32,
    "uint8": torch.uint8,
    "int64": torch.int64,
    "bool": torch.bool,
}


def run(
    source: Program | str | os.PathLike[str] | bytes, *inputs: Any, taps: list[np.ndarray] | None = None
) -> list[np.ndarray]:
    """Run a program, or a .qsdk file given by path or bytes, on the reference operators.

    Args:
        inputs: one array or tensor per input of the program, of exactly its shape and dtype.
        taps: when given, gets the output of every operator, in order; of several, the first.

    Raises:
        IndexRangeError: an index in an input selects what is not there.
        QsdkError: an input has the wrong shape or dtype, or the program contradicts itself.
    """
    if isinstance(source, Program):
        program = source
    else:
        program = deserialize(load(source))
        check_shapes(program)
    values: dict[int, torch.Tensor] = {
        i: torch.from_numpy(np.array(t.data)) for i, t in enumerate(program.tensors) if t.data is not None
    }
    for index, array in zip(
        program.inputs, check_inputs([program.tensors[i] for i in program.inputs], inputs), strict=True
    ):
        values[index] = torch.from_numpy(array.copy())
    for position, op in enumerate(program.operators):
        results = _run_operator(program, op, values, _where(position, op))
        values |= zip(op.outputs, results, strict=True)
        if taps is not None:
            taps.append(results[0].numpy())
    return [values[i].numpy() for i in program.outputs]


def check_shapes(program: Program) -> None:
    """Recompute every output's shape without computing anything, and compare it with the file's.

    Raises:
        FileFormatError: an operator's operands, options and output contradict each other; names the operator.
    """
    values = {i: torch.empty(t.shape, dtype=_TORCH[t.dtype], device="meta") for i, t in enumerate(program.tensors)}
    for position, op in enumerate(program.operators):
        _run_operator(program, op, values, _where(position, op))


def check_inputs(expected: Sequence[TensorInfo], inputs: Sequence[Any]) -> list[np.ndarray]:
    """The inputs as contiguous arrays of the expected dtypes and shapes, or an error that names the first wrong one."""
    if len(inputs) != len(expected):
        raise QsdkError(f"the model takes {len(expected)} inputs, {len(inputs)} were given")
    arrays = []
    for position, (tensor, value) in enumerate(zip(expected, inputs, strict=True)):
        array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        if array.dtype != np.dtype(tensor.dtype):
            raise QsdkError(
                f"input {position} ('{tensor.name}') has dtype {array.dtype}, the model takes {tensor.dtype}"
            )
        if array.shape != tensor.shape:
            raise QsdkError(
                f"input {position} ('{tensor.name}') has shape {list(array.shape)}, "
                f"the model takes {list(tensor.shape)}"
            )
        arrays.append(np.ascontiguousarray(array).reshape(array.shape))  # which gives scalars an axis
    return arrays


def _where(position: int, op: Operation) -> str:
    return f"operators[{position}] ({op.kind}, layer '{op.name}')"


def arguments(program: Program, op: Operation, values: dict[int, torch.Tensor], where: str) -> dict[str, Any]:
    """The reference operator's arguments: operands in its own layout, options and qparams by name."""
    row = OPERATORS[op.kind]
    schema = row.definition(program.tensors[op.inputs[0]].dtype)._schema
    operands = list(op.inputs)
    output = program.tensors[op.outputs[0]]
    bound: dict[str, Any] = {}
    described: dict[str, TensorInfo] = {"output": output}
    for argument in schema.arguments:
        kind = str(argument.type)
        if kind == "Optional[Tensor]" and not operands:
            bound[argument.name] = None
        elif kind in ("Tensor", "Optional[Tensor]"):
            if not operands:
                raise FileFormatError(f"{where}: operand '{argument.name}' is missing")
            index = operands.pop(0)
            described[argument.name] = program.tensors[index]
            value = values[index]
            if argument.name in row.channels_last:
                if value.dim() < 2:
                    raise FileFormatError(f"{where}: operand '{argument.name}' has no channels")
                value = value.permute(from_channels_last(value.dim()))
            bound[argument.name] = value
        elif kind == "List[Tensor]":
            bound[argument.name] = [values[i] for i in operands]
            operands = []
        elif argument.name in op.options:
            option = op.options[argument.name]
            bound[argument.name] = list(option) if isinstance(option, tuple) else option
        elif argument.name == "shape":
            bound["shape"] = list(output.shape)
        else:
            tensor_name, _, what = argument.name.partition("_")
            source = getattr(described[tensor_name], what)
            if not source and kind.startswith("Optional"):
                continue  # of a tensor that is not quantized; None is the default
            if len(source) != 1:
                raise FileFormatError(f"{where}: tensor '{tensor_name}' needs one {what}, has {len(source)}")
            bound[argument.name] = source[0]
    if operands:
        raise FileFormatError(f"{where}: {len(operands)} operands too many")
    return bound


def _run_operator(program: Program, op: Operation, values: dict[int, torch.Tensor], where: str) -> list[torch.Tensor]:
    """One result per output of the operator, in the file's layout."""
    row = OPERATORS[op.kind]
    bound = arguments(program, op, values, where)
    try:
        result = row.definition(program.tensors[op.inputs[0]].dtype)(**bound)
    except QsdkError:
        raise
    except OutsideError as error:
        raise IndexRangeError(f"{where}: {error}") from error
    except Exception as error:  # torch refuses shapes and values that contradict each other
        raise FileFormatError(f"{where}: {error}") from error
    results: list[torch.Tensor] = list(result) if isinstance(result, tuple) else [result]
    if len(results) != len(op.outputs):
        raise FileFormatError(f"{where}: makes {len(results)} tensors, the file says {len(op.outputs)}")
    if row.channels_last:
        results = [r.permute(to_channels_last(r.dim())) for r in results]
    for value, index in zip(results, op.outputs, strict=True):
        output = program.tensors[index]
        if tuple(value.shape) != output.shape or value.dtype != _TORCH[output.dtype]:
            raise FileFormatError(
                f"{where}: makes {value.dtype} {list(value.shape)}, the file says {output.dtype} {list(output.shape)}"
            )
    return [value.contiguous() for value in results]
