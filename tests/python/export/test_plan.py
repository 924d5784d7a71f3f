"""The arena plan: nothing that lives overlaps, in-place chains share, small graphs reach the lower bound."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from qsdk.export.plan import ALIGNMENT, plan
from qsdk.export.program import Operation, Program, TensorInfo, last_uses, renumber


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Random graphs of clamps, adds and reshapes over tensors of a few sizes."""
    sizes = draw(st.lists(st.sampled_from([1, 64, 100, 640, 4096]), min_size=1, max_size=3))
    tensors = [TensorInfo("x", "int8", (s,), (1.0,), (0,)) for s in sizes]
    inputs = tuple(range(len(tensors)))
    operators = []
    for _ in range(draw(st.integers(1, 12))):
        first = draw(st.integers(0, len(tensors) - 1))
        kind = draw(st.sampled_from(["clamp", "reshape", "add", "max_pool2d"]))
        same = [i for i, t in enumerate(tensors) if t.shape == tensors[first].shape]
        operands = (first, draw(st.sampled_from(same))) if kind == "add" else (first,)
        size = tensors[first].shape[0] if kind != "max_pool2d" else draw(st.sampled_from([1, 64, 640]))
        tensors.append(TensorInfo("t", "int8", (size,), (1.0,), (0,)))
        operators.append(Operation(kind, operands, (len(tensors) - 1,)))
    produced = list(range(len(inputs), len(tensors)))
    outputs = draw(st.lists(st.sampled_from(produced), min_size=1, max_size=3, unique=True))
    return renumber(Program(tuple(tensors), tuple(operators), inputs, tuple(outputs)))


@settings(max_examples=200, deadline=None)
@given(programs())
def test_live_tensors_never_overlap(program: Program) -> None:
    planned = plan(program)
    last = last_uses(planned)
    begin = dict.fromkeys(planned.inputs, -1) | {op.outputs[0]: p for p, op in enumerate(planned.operators)}
    tensors = planned.tensors
    for a in begin:
        assert tensors[a].offset % ALIGNMENT == 0
        assert tensors[a].offset + tensors[a].size <= planned.arena_size
        for b in begin:
            if a < b and begin[a] <= last[b] and begin[b] <= last[a]:
                apart = (
                    tensors[a].offset + tensors[a].size <= tensors[b].offset
                    or tensors[b].offset + tensors[b].size <= tensors[a].offset
                )
                writer = planned.operators[begin[b]]
                in_place = (
                    a in writer.inputs
                    and last[a] == begin[b]
                    and tensors[a].offset == tensors[b].offset
                    and tensors[a].size == tensors[b].size
                    and writer.kind in ("clamp", "reshape", "add")
                )
                assert apart or in_place
    assert planned.peak_live <= planned.arena_size
    for op in planned.operators:
        offsets = [tensors[i].offset for i in op.live]
        assert offsets == sorted(set(offsets))
        assert set(op.outputs) <= set(op.live)


def test_chain_reaches_the_lower_bound() -> None:
    tensors = [TensorInfo("x", "int8", (s,), (1.0,), (0,)) for s in (640, 6400, 1280, 6400, 64)]
    operators = tuple(Operation("max_pool2d", (i,), (i + 1,)) for i in range(4))
    planned = plan(Program(tuple(tensors), operators, (0,), (4,)))
    assert planned.arena_size == planned.peak_live == 7680
