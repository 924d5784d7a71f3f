"""Every option, shape, type and constant of every operator's file, changed: a refusal that names the operator, or a run
that gives what the reference gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from parity.build import to_file
from parity.cases import Case, cases
from qsdk import QsdkError, Session
from qsdk.export.plan import plan
from qsdk.export.program import Program, TensorInfo
from qsdk.export.schema_tables import ENUMS, TABLES
from qsdk.export.serialize import serialize
from qsdk.reference.interpreter import run

INTEGERS = (-(2**31), -129, -1, 0, 1, 2, 3, 5, 128, 2**23 + 1, 2**31 - 1)
FLOATS = (0.0, -1.0, 0.5, 2.0**-61, 2.0**61, float("inf"), float("nan"))
CONSTANTS: dict[str, tuple[Any, ...]] = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int32": (-(2**31), -1, 2**31 - 1),
    "int64": (-(2**63), -1, 2**63 - 1),
    "float32": (0.0, -1.0, 2.0**61, float("inf"), float("nan")),
    "bool": (False, True),
}
# Options that may be anything: either value of a truth value means something, and these numbers too.
FREE = {"clamp.min", "clamp.max", "pad.value", "embedding_bag.padding_idx", "linear_dynamic.per_token", "topk.largest"}


def first_cases() -> dict[str, list[Case]]:
    """The first cases of each operator; the later ones only where they have options or operands of another kind."""
    found: dict[str, list[Case]] = {}
    for case in cases():
        kind = case.name.split("-")[0]
        number = int(case.name.split("-")[1])
        if number < 2 and "random" in case.name or kind not in found:
            found.setdefault(kind, []).append(case)
    return found


def with_option(program: Program, name: str, value: Any) -> Program:
    op = program.operators[0]
    return replace(program, operators=(replace(op, options={**op.options, name: value}), *program.operators[1:]))


def options(program: Program) -> Iterator[tuple[str, Program]]:
    """Each number of each option, and lists that are too short and too long."""
    op = program.operators[0]
    for field in TABLES[op.kind]:
        value = op.options[field.name]
        where = f"{op.kind}.{field.name}"
        if field.element in ENUMS:
            yield from ((where, with_option(program, field.name, v)) for v in ENUMS[field.element])
        elif isinstance(value, tuple):
            yield where, with_option(program, field.name, value[1:])
            yield where, with_option(program, field.name, (*value, 1))
            for i in range(len(value)):
                for number in INTEGERS:
                    yield where, with_option(program, field.name, (*value[:i], number, *value[i + 1 :]))
        elif isinstance(value, bool):
            yield where, with_option(program, field.name, not value)
        else:
            for changed in FLOATS if field.kind == "float" else INTEGERS:
                yield where, with_option(program, field.name, changed)


def with_tensor(program: Program, index: int, tensor: TensorInfo) -> Program:
    return replace(program, tensors=(*program.tensors[:index], tensor, *program.tensors[index + 1 :]))


def resized(tensor: TensorInfo, shape: tuple[int, ...], dtype: str | None = None) -> TensorInfo:
    data = tensor.data
    kind = dtype or tensor.dtype
    if data is not None:
        data = np.resize(data.reshape(-1), shape).astype(kind) if data.size else np.zeros(shape, kind)
    qparams = {} if kind == "int8" and tensor.scale else {"scale": (), "zero_point": ()}
    if kind == "int8" and not tensor.scale and tensor.data is None:
        qparams = {"scale": (0.5,), "zero_point": (1,)}
    return replace(tensor, shape=shape, dtype=kind, data=data, **qparams)


def tensors(program: Program) -> Iterator[tuple[str, Program]]:
    """Each extent, rank and type of each operand and result, parameters of each, and extreme constants."""
    kind = program.operators[0].kind
    for index, tensor in enumerate(program.tensors):
        shape = tensor.shape
        for axis, extent in enumerate(shape):
            for changed in {1, extent - 1, extent + 1, 2 * extent} - {0, extent}:
                yield (
                    f"{kind} shape",
                    with_tensor(program, index, resized(tensor, (*shape[:axis], changed, *shape[axis + 1 :]))),
                )
        for changed_shape in ((*shape, 1), (1, *shape), shape[1:]):
            if len(changed_shape) <= 8:
                yield f"{kind} rank", with_tensor(program, index, resized(tensor, changed_shape))
        for dtype in ("int8", "float32", "int32", "int64", "bool"):
            if dtype != tensor.dtype:
                yield f"{kind} type", with_tensor(program, index, resized(tensor, shape, dtype))
        if tensor.data is not None:
            for value in CONSTANTS[tensor.dtype]:
                with np.errstate(all="ignore"):
                    data = np.array(tensor.data)
                    data.reshape(-1)[-1:] = np.array(value).astype(tensor.dtype)
                yield f"{kind} constant", with_tensor(program, index, replace(tensor, data=data))
        elif tensor.dtype == "int8":
            yield f"{kind} scale", with_tensor(program, index, replace(tensor, scale=(0.75,)))
            yield f"{kind} zero point", with_tensor(program, index, replace(tensor, zero_point=(-9,)))


def operands(program: Program) -> Iterator[tuple[str, Program]]:
    """Too few and too many operands and results, and each operand in the place of each other one."""
    op = program.operators[0]
    changes = [(op.inputs[:-1], op.outputs), ((*op.inputs, op.inputs[0]), op.outputs)]
    for i in range(len(op.inputs)):
        changes += [
            ((*op.inputs[:i], other, *op.inputs[i + 1 :]), op.outputs) for other in {*op.inputs} - {op.inputs[i]}
        ]
    for inputs, outputs in changes:
        if inputs:
            yield f"{op.kind} operands", replace(program, operators=(replace(op, inputs=inputs, outputs=outputs),))


def run_of(data: bytes, program: Program) -> tuple[list[bytes] | None, str]:
    """What the runtime gives, or None and why it refuses."""
    try:
        session = Session(data, isa="scalar")
    except QsdkError as error:
        return None, str(error)
    try:
        return [o.tobytes() for o in session.run(*inputs_of(program))], ""
    except QsdkError as error:
        return None, str(error)


def inputs_of(program: Program) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    made = []
    for index in program.inputs:
        tensor = program.tensors[index]
        low, high = (-128, 128) if tensor.dtype == "int8" else (0, 2)
        made.append(generator.integers(low, high, tensor.shape).astype(tensor.dtype))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(first_cases()))
def test_changed_files(kind: str) -> None:
    torch.set_num_threads(1)
    refused: dict[str, int] = {}
    for case in first_cases()[kind]:
        program, _ = to_file(case.program())
        if len(program.operators) != 1:
            continue
        for where, mutant in (*options(program), *tensors(program), *operands(program)):
            refused.setdefault(where, 0)
            if any(t.size > 1 << 22 for t in mutant.tensors):
                continue
            try:
                planned = plan(mutant)
                data = serialize(planned)
            except (QsdkError, KeyError):
                continue  # a program that cannot even be written
            result, message = run_of(data, planned)
            if result is None:
                assert f"operators[0] {kind}: " in message, (where, message)
                refused[where] += 1
                continue
            try:
                expected = [o.tobytes() for o in run(data, *inputs_of(planned))]
            except QsdkError as error:
                raise AssertionError(f"{where}: the runtime runs what the reference refuses: {error}") from error
            assert result == expected, (where, mutant.operators[0])
    assert refused, f"no case of {kind} is one operator"
    never = {where for where, count in refused.items() if not count and "." in where} - FREE
    flags = {f"{kind}.{f.name}" for f in TABLES[kind] if f.kind == "bool" or f.element in ENUMS}
    assert never <= flags, f"nothing that is wrong for {sorted(never - flags)} is refused"
