"""Arena planning: where each activation lies while it lives, so that the arena is as small as can be.

The plan is part of the file and the same on every target. Elementwise operators and reshape may write over an operand
that dies there (the operator table says which kinds); such a chain of tensors is one block. Blocks are placed first
fit in several orders; when none reaches the lower bound, a bounded search over orders goes on.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from qsdk.export.program import Program, last_uses
from qsdk.ops import OPERATORS

ALIGNMENT = 64
_SEARCH_STEPS = 2000


@dataclass(frozen=True)
class _Block:
    """Bytes that live from operator `begin` to operator `end`, both included; `size` is rounded to the alignment."""

    size: int
    exact: int
    begin: int
    end: int
    tensors: tuple[int, ...]


def plan(program: Program) -> Program:
    """Gives every activation an offset and every operator its `live` list. Deterministic.

    The program must be numbered as in the file (program.renumber).
    """
    last = last_uses(program)
    blocks = _blocks(program, last)
    offsets = _place(blocks, _peak_live([b.size for b in blocks], blocks, len(program.operators)))
    peak = _peak_live([b.exact for b in blocks], blocks, len(program.operators))
    tensors = list(program.tensors)
    for block, offset in zip(blocks, offsets, strict=True):
        for index in block.tensors:
            tensors[index] = replace(tensors[index], offset=offset)
    total = max((o + b.exact for b, o in zip(blocks, offsets, strict=True)), default=0)

    operators = []
    alive = set(program.inputs)
    for position, op in enumerate(program.operators):
        alive |= set(op.outputs)
        live = {i for i in alive if last[i] > position or i in op.outputs}
        alive = {i for i in alive if last[i] > position}
        operators.append(replace(op, live=tuple(sorted(live, key=lambda i: tensors[i].offset))))
    return replace(program, tensors=tuple(tensors), operators=tuple(operators), arena_size=total, peak_live=peak)


def live_bytes(program: Program) -> list[int]:
    """Bytes that are live at each operator: what it reads and writes, and what later ones need."""
    blocks = _blocks(program, last_uses(program))
    return _live([b.exact for b in blocks], blocks, len(program.operators))[1:-1]


def _blocks(program: Program, last: dict[int, int]) -> list[_Block]:
    """Chains of tensors that share their bytes, with sizes rounded up to the alignment."""
    chain_of: dict[int, list[int]] = {}
    begin: dict[int, int] = {}
    for index in program.inputs:
        chain_of[index], begin[index] = [index], -1
    for position, op in enumerate(program.operators):
        for index in op.outputs:
            begin[index] = position
            operand = _overwritten(program, position, last)
            if operand is None:
                chain_of[index] = [index]
            else:
                chain_of[index] = chain_of[operand]
                chain_of[index].append(index)
    chains = {id(chain): chain for chain in chain_of.values()}
    return [
        _Block(
            size=-(-program.tensors[chain[0]].size // ALIGNMENT) * ALIGNMENT,
            exact=program.tensors[chain[0]].size,
            begin=begin[chain[0]],
            end=max(last[i] for i in chain),
            tensors=tuple(chain),
        )
        for chain in chains.values()
    ]


def _overwritten(program: Program, position: int, last: dict[int, int]) -> int | None:
    """The operand whose bytes the operator's output may take over: it dies here and has the same size."""
    op = program.operators[position]
    if not OPERATORS[op.kind].in_place:
        return None
    size = program.tensors[op.outputs[0]].size
    for index in op.inputs:
        tensor = program.tensors[index]
        dies = last.get(index) == position and op.inputs.count(index) == 1
        if not tensor.is_constant and dies and tensor.size == size:
            return index
    return None


def _peak_live(sizes: Sequence[int], blocks: Sequence[_Block], operators: int) -> int:
    """Most bytes live at one operator: what no plan can go below."""
    return max(_live(sizes, blocks, operators))


def _live(sizes: Sequence[int], blocks: Sequence[_Block], operators: int) -> list[int]:
    """Bytes live before the first operator, at each of them, and behind the last."""
    steps = [0] * (operators + 2)
    for size, block in zip(sizes, blocks, strict=True):
        for position in range(block.begin, min(block.end, operators) + 1):
            steps[position + 1] += size
    return steps


def _place(blocks: Sequence[_Block], peak: int) -> list[int]:
    """Offsets of the best order found."""
    indices = range(len(blocks))
    orders: list[list[int]] = [
        sorted(indices, key=lambda i: (-blocks[i].size, blocks[i].begin)),
        sorted(indices, key=lambda i: (-blocks[i].size * (blocks[i].end - blocks[i].begin + 1), i)),
        sorted(indices, key=lambda i: (blocks[i].begin, -blocks[i].size)),
        sorted(indices, key=lambda i: (-(blocks[i].end - blocks[i].begin), -blocks[i].size)),
    ]
    best_order, best_offsets, best_total = orders[0], [0] * len(blocks), float("inf")
    for order in orders:
        offsets, total = _first_fit(blocks, order)
        if total < best_total:
            best_order, best_offsets, best_total = order, offsets, total
    generator = random.Random(0)
    steps = _SEARCH_STEPS * 100 // max(100, len(blocks) * len(blocks) // 50)
    for _ in range(steps):
        if best_total <= peak:
            break
        order = list(best_order)
        source, target = generator.randrange(len(order)), generator.randrange(len(order))
        order.insert(target, order.pop(source))
        offsets, total = _first_fit(blocks, order)
        if total <= best_total:
            best_order, best_offsets, best_total = order, offsets, total
    return best_offsets


def _first_fit(blocks: Sequence[_Block], order: Iterable[int]) -> tuple[list[int], int]:
    offsets = [0] * len(blocks)
    placed: list[int] = []
    total = 0
    for index in order:
        block = blocks[index]
        neighbours = sorted(
            (offsets[other], offsets[other] + blocks[other].size)
            for other in placed
            if blocks[other].begin <= block.end and block.begin <= blocks[other].end
        )
        offset = 0
        for start, end in neighbours:
            if offset + block.size <= start:
                break
            offset = max(offset, end)
        offsets[index] = offset
        placed.append(index)
        total = max(total, offset + block.size)
    return offsets, total
