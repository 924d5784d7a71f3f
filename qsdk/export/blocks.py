"""Blocks of MobileNets as one operator each, where that takes less memory: `fuse_blocks`.

    Before:  conv2d 1x1 -> conv2d depthwise -> conv2d 1x1 -> add of the block's input
    After:   inverted_residual

What is between a block's convolutions is the largest that a network has; the operator makes it by rows and never has it
as a whole. The bytes are the same. A network that has its peak elsewhere keeps its operators.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from qsdk.export.plan import live_bytes
from qsdk.export.program import Operation, Program, renumber


@dataclass(frozen=True)
class _Block:
    """Operators that may become one, by position; expansion and addition: None if the block has none."""

    expansion: int | None
    depthwise: int
    projection: int
    addition: int | None

    @property
    def positions(self) -> list[int]:
        parts = (self.expansion, self.depthwise, self.projection, self.addition)
        return sorted(position for position in parts if position is not None)


def fuse_blocks(program: Program) -> Program:
    """Fuses blocks where most bytes are live, one by one, as long as that takes memory away."""
    best, least = program, _memory(program)
    while fused := [_fused(program, block) for block in _at_the_peak(program)]:
        program = min(fused, key=lambda p: (_memory(p), sum(live_bytes(p))))
        if _memory(program) < least:
            best, least = program, _memory(program)
    return best


def _memory(program: Program) -> int:
    """Bytes of a run: the most that are live at one operator, and the most that one block needs beside them."""
    return max(live_bytes(program)) + max((_scratch(program, op) for op in program.operators), default=0)


def _scratch(program: Program, op: Operation) -> int:
    """Rows that a block on a small machine has: of what is expanded, those of one window; one of what is convolved."""
    if op.kind != "inverted_residual":
        return 0
    source, weight, output = (program.tensors[i] for i in (op.inputs[0], op.inputs[1], op.outputs[0]))
    convolved = output.shape[2] * weight.shape[0]
    if len(op.inputs) == 7:
        return convolved
    options: Any = op.options
    height, width = expanded_extents(op, source.shape, program.tensors[op.inputs[7]].shape)
    window = (weight.shape[1] - 1) * options["dilation"][0] + 1
    return convolved + min(window, height) * width * weight.shape[0]


def expanded_extents(op: Operation, source: tuple[int, ...], weight: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of what an inverted_residual with an expansion of this weight makes of its input."""
    options: Any = op.options
    stride, (top, left, bottom, right) = options["stride"], options["padding"][:4]
    return (
        (source[1] + top + bottom - weight[1]) // stride[0] + 1,
        (source[2] + left + right - weight[2]) // stride[1] + 1,
    )


def _at_the_peak(program: Program) -> Iterator[_Block]:
    """Blocks among whose operators are some at which most bytes are live."""
    live = live_bytes(program)
    peak = max(live, default=0)
    return (b for b in _blocks(program) if peak in live[b.positions[0] : b.positions[-1] + 1])


def _blocks(program: Program) -> Iterator[_Block]:
    """Every block, with its expansion and without."""
    readers: dict[int, list[int]] = {index: [len(program.operators)] for index in program.outputs}
    made_by: dict[int, int] = {}
    for position, op in enumerate(program.operators):
        made_by[op.outputs[0]] = position
        for index in op.inputs:
            readers.setdefault(index, []).append(position)

    def reader(position: int) -> int | None:
        """Who alone reads what the operator makes."""
        found = readers.get(program.operators[position].outputs[0], [])
        return found[0] if len(found) == 1 and found[0] < len(program.operators) else None

    for position, op in enumerate(program.operators):
        after = reader(position)
        if not _is_depthwise(program, op) or after is None or not _is_projection(program, program.operators[after]):
            continue
        before, last = made_by.get(op.inputs[0]), reader(after)
        expands = (
            before is not None and reader(before) == position and _is_expansion(program, program.operators[before])
        )
        for expansion in (before, None) if expands else (None,):
            source = program.operators[position if expansion is None else expansion].inputs[0]
            adds = last is not None and _adds(program, program.operators[last], source)
            yield _Block(expansion, position, after, last if adds else None)


def _is_convolution(program: Program, op: Operation) -> bool:
    return op.kind == "conv2d" and program.tensors[op.inputs[0]].dtype == "int8"


def _is_depthwise(program: Program, op: Operation) -> bool:
    if not _is_convolution(program, op):
        return False
    outputs, *_, inputs = program.tensors[op.inputs[1]].shape
    return inputs == 1 and op.options["groups"] == outputs


def _is_expansion(program: Program, op: Operation) -> bool:
    return _is_convolution(program, op) and op.options["groups"] == 1 and op.options["dilation"] == (1, 1)


def _is_projection(program: Program, op: Operation) -> bool:
    return (
        _is_expansion(program, op)
        and program.tensors[op.inputs[1]].shape[1:3] == (1, 1)
        and op.options["stride"] == (1, 1)
        and not any(op.options["padding"])  # type: ignore[arg-type]
    )


def _adds(program: Program, op: Operation, source: int) -> bool:
    """Whether the operator adds `source`, of the same shape, to something else."""
    shapes = {program.tensors[i].shape for i in (*op.inputs, *op.outputs)}
    int8 = all(program.tensors[i].dtype == "int8" for i in op.inputs)
    return op.kind == "add" and int8 and op.inputs.count(source) == 1 and len(shapes) == 1


def _fused(program: Program, block: _Block) -> Program:
    """The program with one operator in the place of the block's last; it has that one's name."""
    parts: list[Any] = [None if p is None else program.operators[p] for p in vars(block).values()]
    expansion, depthwise, projection, addition = parts
    chain = [op for op in parts if op is not None]
    windows = [op for op in (expansion, depthwise) if op is not None]
    multiplier: tuple[float, ...] = ()
    if addition is not None:
        multiplier = (addition.options["input_multiplier"], addition.options["other_multiplier"])
        multiplier = multiplier if addition.inputs[0] == chain[0].inputs[0] else multiplier[::-1]
    options = {
        "stride": sum((op.options["stride"] for op in windows), ()),
        "padding": sum((op.options["padding"] for op in windows), ()),
        "dilation": depthwise.options["dilation"],
        "zero_point": sum((program.tensors[op.outputs[0]].zero_point for op in chain[:-1]), ()),
        "output_min": tuple(op.options["output_min"] for op in chain),
        "output_max": tuple(op.options["output_max"] for op in chain),
        "residual_multiplier": multiplier,
    }
    weights = [op.inputs[1:] for op in (depthwise, projection, expansion) if op is not None]
    inputs = (chain[0].inputs[0], *sum(weights, ()))
    fused = Operation("inverted_residual", inputs, chain[-1].outputs, options, chain[-1].name)
    *others, last = block.positions
    operators = [fused if p == last else op for p, op in enumerate(program.operators) if p not in others]
    return renumber(replace(program, operators=tuple(operators)))
