"""Rewrites of a Program that keep its answers to the bit. PASSES lists them in the order in which export runs them.

Each pass is a function Program -> Program, stated as before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from qsdk.export.program import Operation, Program, TensorInfo, renumber
from qsdk.export.schema_tables import TABLES
from qsdk.ops import OPERATORS

_ELEMENTWISE = {
    "clamp",
    "lookup_table",
    "add",
    "sub",
    "mul",
    "quantize_per_tensor",
    "div",
    "maximum",
    "minimum",
    "eq",
    "ne",
    "lt",
    "le",
    "where",
    *(row.name for row in OPERATORS.values() if row.qparams == "float" and row.in_place),
}
_ALONG_ONE_AXIS = {"cat", "topk", "index_select", "gather", "normalize", "softmax"}
_MOST_PADDING = 1 << 10  # that a convolution of a file may have
_RELU = {"linear_dynamic", "linear_weight_only", "conv2d_weight_only"}
_CLAMPING = {kind for kind, fields in TABLES.items() if "output_max" in {field.name for field in fields}}


def canonicalize(program: Program) -> Program:
    """Axes as the file wants them: every `dim` counts from 0, mean's are ascending and adjacent.

    Before:  mean(x[2,3,4], dim=(0,-1))
    After:   permute(x, (1,0,2)) -> mean(dim=(1,2)) -> reshape when keepdim
    """
    tensors = list(program.tensors)
    operators: list[Operation] = []
    for op in program.operators:
        if op.kind in _ALONG_ONE_AXIS:
            rank = len(tensors[op.inputs[0]].shape)
            op = replace(op, options={**op.options, "dim": int(op.options["dim"]) % rank})  # type: ignore[arg-type]
        elif op.kind == "mean":
            source = tensors[op.inputs[0]]
            rank = len(source.shape)
            given: tuple[int, ...] = op.options["dim"]  # type: ignore[assignment]
            axes = sorted(d % rank for d in given) or list(range(rank))
            op = replace(op, options={**op.options, "dim": tuple(axes)})
            if axes != list(range(axes[0], axes[0] + len(axes))):
                kept = [d for d in range(rank) if d not in axes]
                dims = tuple(kept + axes)
                result = tensors[op.outputs[0]]
                tensors.append(replace(source, shape=tuple(source.shape[d] for d in dims)))
                tensors.append(replace(result, shape=tuple(source.shape[d] for d in kept)))
                moved, reduced = len(tensors) - 2, len(tensors) - 1
                options = {**op.options, "dim": tuple(range(len(kept), rank)), "keepdim": False}
                operators.append(Operation("permute", op.inputs, (moved,), {"dims": dims}, op.name))
                operators.append(replace(op, inputs=(moved,), outputs=(reduced,), options=options))
                op = Operation("reshape", (reduced,), op.outputs, {}, op.name)
        operators.append(op)
    return replace(program, tensors=tuple(tensors), operators=tuple(operators))


def sink_permutes(program: Program) -> Program:
    """Move permutes down until they meet their inverse or somebody who cares about the order.

    Before:  conv2d -> permute(NCHW) -> add -> clamp -> permute(NHWC) -> conv2d
    After:   conv2d -> add -> clamp -> conv2d

    A permute that only moves extents of 1 becomes a reshape. None is moved through dequantize, where it would move
    four times the bytes.
    """
    return _PermuteSinker(program).run()


def merge_reshapes(program: Program) -> Program:
    """reshape(reshape(x)) -> reshape(x); a reshape to the same shape disappears, unless the model returns its input."""
    tensors = program.tensors
    made_by = {op.outputs[0]: op for op in program.operators}
    same: dict[int, int] = {}
    operators = []
    for op in program.operators:
        op = replace(op, inputs=tuple(same.get(i, i) for i in op.inputs))
        if op.kind == "reshape":
            source = op.inputs[0]
            while source in made_by and made_by[source].kind == "reshape":
                source = same.get(made_by[source].inputs[0], made_by[source].inputs[0])
            op = replace(op, inputs=(source,))
            returned_input = op.outputs[0] in program.outputs and source in program.inputs
            if tensors[source].shape == tensors[op.outputs[0]].shape and not returned_input:
                same[op.outputs[0]] = source
                continue
            made_by[op.outputs[0]] = op
        operators.append(op)
    outputs = tuple(same.get(i, i) for i in program.outputs)
    return _drop_dead(replace(program, operators=tuple(operators), outputs=outputs))


def lift_reshapes(program: Program) -> Program:
    """A layer that works on the last axis alone reads what a reshape of the other axes reads; the reshape comes behind.

    Before:  reshape(x[1,64,384]) -> linear[64,10] -> reshape[1,64,10]
    After:   linear(x)[1,64,10]
    """
    tensors = list(program.tensors)
    made_by = {op.outputs[0]: op for op in program.operators}
    operators = []
    for op in program.operators:
        before = made_by.get(op.inputs[0])
        if op.kind in ("linear", "linear_dynamic") and before is not None and before.kind == "reshape":
            source, output = tensors[before.inputs[0]], tensors[op.outputs[0]]
            if source.shape and source.shape[-1] == tensors[op.inputs[0]].shape[-1]:
                tensors.append(replace(output, shape=(*source.shape[:-1], output.shape[-1])))
                operators.append(replace(op, inputs=(before.inputs[0], *op.inputs[1:]), outputs=(len(tensors) - 1,)))
                op = Operation("reshape", (len(tensors) - 1,), op.outputs, {}, op.name)
        operators.append(op)
    return _drop_dead(replace(program, tensors=tuple(tensors), operators=tuple(operators)))


def fold_clamps(program: Program) -> Program:
    """conv2d -> clamp becomes conv2d with a narrower range, when nobody else reads the convolution's output.

    On float, an operator that has a relu takes in a relu behind it likewise.
    """
    readers: dict[int, int] = {}
    for index in (i for op in program.operators for i in op.inputs):
        readers[index] = readers.get(index, 0) + 1
    position_of: dict[int, int] = {}
    operators: list[Operation] = []
    for op in program.operators:
        producer = position_of.get(op.inputs[0])
        folds = op.kind == "relu" or (op.kind == "clamp" and program.tensors[op.inputs[0]].dtype == "int8")
        if folds and producer is not None:
            before = operators[producer]
            single = readers[op.inputs[0]] == 1 and op.inputs[0] not in program.outputs
            options = _clamped(before, op) if single else None
            if options is not None:
                operators[producer] = replace(before, options=options, outputs=op.outputs)
                position_of[op.outputs[0]] = producer
                continue
        position_of[op.outputs[0]] = len(operators)
        operators.append(op)
    return renumber(replace(program, operators=tuple(operators)))


def _clamped(before: Operation, clamp: Operation) -> dict[str, Any] | None:
    """The options with which `before` does what `clamp` does; None if it cannot."""
    if clamp.kind == "relu":
        return {**before.options, "relu": True} if before.kind in _RELU else None
    if before.kind not in _CLAMPING:
        return None
    low, high = int(clamp.options["output_min"]), int(clamp.options["output_max"])  # type: ignore[arg-type]
    ends = {key: min(max(int(before.options[key]), low), high) for key in ("output_min", "output_max")}  # type: ignore[arg-type]
    return {**before.options, **ends}


def fold_pads(program: Program) -> Program:
    """pad -> conv2d becomes conv2d with more padding, where zero points are put around height and width."""
    made_by = {op.outputs[0]: op for op in program.operators}
    operators = []
    for op in program.operators:
        pad = made_by.get(op.inputs[0])
        if op.kind in ("conv2d", "conv3d") and pad is not None and pad.kind == "pad" and pad.options["mode"] == 0:
            source, padded = (program.tensors[i] for i in (pad.inputs[0], pad.outputs[0]))
            before: Any = pad.options["before"]
            own: Any = op.options["padding"]
            after = [p - s - b for p, s, b in zip(padded.shape, source.shape, before, strict=True)]
            outer = (*before[1:-1], *after[1:-1])
            padding = tuple(a + b for a, b in zip(own, outer, strict=True))
            zeros = pad.options["value"] == source.zero_point[0]
            if zeros and sum(outer) == sum(before) + sum(after) and max(padding) <= _MOST_PADDING:
                inputs = (pad.inputs[0], *op.inputs[1:])
                op = replace(op, inputs=inputs, options={**op.options, "padding": padding})
        operators.append(op)
    return _drop_dead(replace(program, operators=tuple(operators)))


def copy_returned_inputs(program: Program) -> Program:
    """A model that returns its input, or one tensor twice, gets a reshape for it: an output has a writer of its own."""
    tensors, operators, outputs = list(program.tensors), list(program.operators), list(program.outputs)
    for position, index in enumerate(outputs):
        if index in program.inputs or index in outputs[:position]:
            tensors.append(replace(tensors[index], name=""))
            operators.append(Operation("reshape", (index,), (len(tensors) - 1,), {}, tensors[index].name))
            outputs[position] = len(tensors) - 1
    return renumber(replace(program, tensors=tuple(tensors), operators=tuple(operators), outputs=tuple(outputs)))


def name_outputs(program: Program) -> Program:
    """Give the outputs' tensors the names that the model has for its outputs."""
    tensors = list(program.tensors)
    for index, name in zip(program.outputs, program.output_names, strict=False):
        if name:
            tensors[index] = replace(tensors[index], name=name)
    return replace(program, tensors=tuple(tensors))


def quantized_io(program: Program) -> Program:
    """Take the quantize operators off the inputs and the dequantize operators off the outputs: int8 in, int8 out."""
    readers: dict[int, list[Operation]] = {}
    for op in program.operators:
        for index in op.inputs:
            readers.setdefault(index, []).append(op)
    gone: set[int] = set()
    inputs, outputs = list(program.inputs), list(program.outputs)
    for position, index in enumerate(inputs):
        used_by = readers.get(index, [])
        if len(used_by) == 1 and used_by[0].kind == "quantize_per_tensor":
            inputs[position] = used_by[0].outputs[0]
            gone.add(used_by[0].outputs[0])
    made_by = {op.outputs[0]: op for op in program.operators}
    for position, index in enumerate(outputs):
        op_or_none = made_by.get(index)
        if op_or_none is not None and op_or_none.kind == "dequantize" and op_or_none.inputs[0] not in inputs:
            outputs[position] = op_or_none.inputs[0]
    kept = tuple(op for op in program.operators if op.outputs[0] not in gone)
    return _drop_dead(replace(program, operators=kept, inputs=tuple(inputs), outputs=tuple(outputs)))


def _drop_dead(program: Program) -> Program:
    needed = set(program.outputs)
    operators = []
    for op in reversed(program.operators):
        if needed.intersection(op.outputs):
            needed.update(op.inputs)
            operators.append(op)
    return renumber(replace(program, operators=tuple(reversed(operators))))


def _moves_only_ones(shape: tuple[int, ...], dims: tuple[int, ...]) -> bool:
    moved = [d for d in dims if shape[d] != 1]
    return moved == sorted(moved)


def _moved(values: Any, dims: tuple[int, ...]) -> tuple[int, ...]:
    """One number for each axis of a tensor, for the tensor that it is a permuted view of."""
    return tuple(values[dims.index(d)] for d in range(len(dims)))


def _regrouped(
    shape: tuple[int, ...], dims: tuple[int, ...], target: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A reshape to `target` of a source seen through dims: the order that the source's axes need, and how the target
    sees the reshaped source. Axes that are split or joined have to be neighbours, the others may stay where they are.

    Before:  x[2,4,5,6] seen as [2,6,4,5] -> reshape [2,3,2,20]
    After:   x -> reshape [2,20,3,2] seen as [2,3,2,20]
    """
    old, new = [d for d in dims if shape[d] != 1], list(range(len(target)))
    groups: list[tuple[list[int], list[int]]] = []  # axes of the source, and axes of the target that they become
    while old:
        axes, made_of, has, made = [], [old[0]], shape[old.pop(0)], 1
        while has != made:
            if made < has:
                made *= target[new[0]]
                axes.append(new.pop(0))
            else:
                has *= shape[old[0]]
                made_of.append(old.pop(0))
        while new and target[new[0]] == 1:
            axes.append(new.pop(0))
        groups.append((made_of, axes))
    groups.sort()
    ones = [d for d in range(len(shape)) if shape[d] == 1]
    order = [*ones, *(d for made_of, _ in groups for d in made_of)]
    becomes = [axis for _, axes in groups for axis in axes]
    return tuple(order), tuple(becomes.index(axis) for axis in range(len(target)))


class _PermuteSinker:
    """Each tensor of the old program is a tensor of the new one seen through a permutation that is not yet emitted."""

    def __init__(self, program: Program) -> None:
        self.old = program
        self.tensors: list[TensorInfo] = list(program.tensors)
        self.operators: list[Operation] = []
        self.view: dict[int, tuple[int, tuple[int, ...]]] = {}
        self.emitted: dict[tuple[int, tuple[int, ...]], int] = {}

    def run(self) -> Program:
        for op in self.old.operators:
            handler = self._handler(op.kind)
            if handler is None or not handler(op):
                self._emit(replace(op, inputs=tuple(self._materialize(i) for i in op.inputs)))
        outputs = tuple(self._materialize(i) for i in self.old.outputs)
        program = replace(self.old, tensors=tuple(self.tensors), operators=tuple(self.operators), outputs=outputs)
        return _drop_dead(program)

    def _seen(self, index: int) -> tuple[int, tuple[int, ...]]:
        return self.view.get(index, (index, tuple(range(len(self.tensors[index].shape)))))

    def _handler(self, kind: str) -> Callable[[Operation], bool] | None:
        return getattr(self, f"_{kind}", self._elementwise if kind in _ELEMENTWISE else None)

    def _wanted_in_order(self, index: int) -> bool:
        """Whether an operator reads the tensor that cannot do with a permuted one."""
        return any(index in op.inputs and self._handler(op.kind) is None for op in self.old.operators)

    def _emit(self, op: Operation) -> None:
        self.operators.append(op)

    def _materialize(self, index: int) -> int:
        return self._ordered(*self._seen(index))

    def _ordered(self, source: int, dims: tuple[int, ...]) -> int:
        """The tensor that `source` is, seen through dims."""
        if dims == tuple(range(len(dims))):
            return source
        if (source, dims) not in self.emitted:
            tensor = self.tensors[source]
            shape = tuple(tensor.shape[d] for d in dims)
            self.tensors.append(replace(tensor, shape=shape))
            self.emitted[source, dims] = len(self.tensors) - 1
            if _moves_only_ones(tensor.shape, dims):
                kind, options = "reshape", {}
            else:
                kind, options = "permute", {"dims": dims}
            self._emit(Operation(kind, (source,), (len(self.tensors) - 1,), options, tensor.name))
        return self.emitted[source, dims]

    def _apply(self, op: Operation, inputs: Iterable[int], dims: tuple[int, ...], **options: Any) -> bool:
        """Run op on the unpermuted inputs; its old output is the new one seen through dims."""
        old = self.tensors[op.outputs[0]]
        shape = [0] * len(dims)
        for axis, d in enumerate(dims):
            shape[d] = old.shape[axis]
        self.tensors.append(replace(old, shape=tuple(shape)))
        index = len(self.tensors) - 1
        self._emit(replace(op, inputs=tuple(inputs), outputs=(index,), options={**op.options, **options}))
        self.view[op.outputs[0]] = (index, dims)
        return True

    # A handler returns False when the operator has to see its operands in order.

    def _permute(self, op: Operation) -> bool:
        source, dims = self._seen(op.inputs[0])
        wanted: tuple[int, ...] = op.options["dims"]  # type: ignore[assignment]
        self.view[op.outputs[0]] = (source, tuple(dims[d] for d in wanted))
        return True

    def _elementwise(self, op: Operation) -> bool:
        rank = len(self.tensors[op.outputs[0]].shape)
        activations = [i for i in op.inputs if not self.tensors[i].is_constant and self.tensors[i].elements > 1]
        seen = {self._seen(i)[1] for i in activations}
        others = [i for i in op.inputs if i not in activations]
        in_order = op.kind != "lookup_table" and any(self.tensors[i].elements > 1 for i in others)
        if len(seen) != 1 or in_order or any(len(self.tensors[i].shape) != rank for i in activations):
            return False
        inputs = [self._seen(i)[0] if i in activations else self._materialize(i) for i in op.inputs]
        return self._apply(op, inputs, seen.pop())

    def _cat(self, op: Operation) -> bool:
        seen = {self._seen(i)[1] for i in op.inputs}
        if len(seen) != 1:
            return False
        dims = seen.pop()
        axis = int(op.options["dim"]) % len(dims)  # type: ignore[arg-type]
        return self._apply(op, [self._seen(i)[0] for i in op.inputs], dims, dim=dims[axis])

    def _slice(self, op: Operation) -> bool:
        source, dims = self._seen(op.inputs[0])
        return self._apply(op, [source], dims, **{name: _moved(op.options[name], dims) for name in ("start", "step")})

    def _pad(self, op: Operation) -> bool:
        source, dims = self._seen(op.inputs[0])
        return self._apply(op, [source], dims, before=_moved(op.options["before"], dims))

    def _normalize(self, op: Operation) -> bool:
        source, dims = self._seen(op.inputs[0])
        return self._apply(op, [source], dims, dim=dims[op.options["dim"]])  # type: ignore[index]

    def _softmax(self, op: Operation) -> bool:
        source, dims = self._seen(op.inputs[0])
        if len(op.inputs) > 2 and dims != tuple(range(len(dims))):
            return False  # the mask's axes are in order
        dim = dims[op.options["dim"]]  # type: ignore[index]
        if self.tensors[source].dtype == "float32" and dim != len(dims) - 1:
            return False
        operands = [source, *(self._materialize(i) for i in op.inputs[1:])]
        return self._apply(op, operands, dims, dim=dim)

    def _mean(self, op: Operation) -> bool:
        source, dims = self._seen(op.inputs[0])
        axes: tuple[int, ...] = op.options["dim"]  # type: ignore[assignment]
        seen = tuple(dims[a % len(dims)] for a in axes)
        reduced = tuple(sorted(seen))
        if self.tensors[source].dtype == "float32" and seen != reduced:
            return False  # another order of the sum
        if reduced != tuple(range(reduced[0], reduced[0] + len(reduced))):
            return False
        if op.options["keepdim"]:
            return self._apply(op, [source], dims, dim=reduced)
        left = [d for d in dims if d not in reduced]
        return self._apply(op, [source], tuple(sorted(left).index(d) for d in left), dim=reduced)

    def _reshape(self, op: Operation) -> bool:
        source, dims = self._seen(op.inputs[0])
        if _moves_only_ones(self.tensors[source].shape, dims):
            self._emit(replace(op, inputs=(source,)))
            return True
        shape = self.tensors[source].shape
        order, after = _regrouped(shape, dims, self.tensors[op.outputs[0]].shape)
        if not _moves_only_ones(shape, order) and self._wanted_in_order(op.outputs[0]):
            return False  # elements have to move: then once, to where they are wanted
        return self._apply(op, [self._ordered(source, order)], after)


PASSES: tuple[Callable[[Program], Program], ...] = (
    canonicalize,
    sink_permutes,
    merge_reshapes,
    lift_reshapes,
    merge_reshapes,
    fold_clamps,
    fold_pads,
    copy_returned_inputs,
)


def run(program: Program) -> Program:
    """Every pass, in order."""
    for rewrite in PASSES:
        program = rewrite(program)
    return program
