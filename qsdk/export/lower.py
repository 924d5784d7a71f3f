"""lower(graph_module, example_inputs): a quantized graph becomes a Program.

    Before:  quant -> conv (a module) -> torch.flatten -> fc (a module) -> dequant
    After:   quantize_per_tensor -> permute -> conv2d -> permute -> reshape -> linear -> dequantize

The graph runs once on the example inputs; each call that reaches a qsdk operator is recorded with its operands, so
that shapes, dtypes and constants are facts and not guesses. Nothing here knows one operator from another: a call's
arguments are tensors, options (fields of the operator's table in the schema) or the qparams of a tensor, by name.
Operators whose row says channels_last get a permute on either side; passes.py takes most of those out again.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import fx
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_flatten_with_path, tree_map_only

from qsdk.errors import CaptureError, QsdkError, UnsupportedOperatorError
from qsdk.export.decompose import DECOMPOSED
from qsdk.export.parts import PARTS, Part
from qsdk.export.program import Operation, Program, TensorInfo, renumber
from qsdk.export.schema_tables import TABLES, UNIONS
from qsdk.ops import BY_ATEN, MOVERS, OPERATORS, from_channels_last, to_channels_last
from qsdk.qtensor import QTensor

# Names of the operands of reference operators that are activations; all other tensors are constants.
ACTIVATIONS = frozenset(
    {"input", "other", "inputs", "offsets", "per_sample_weights", "hidden", "cell", "condition", "mask", "index"}
)

_DTYPES = {
    torch.float32: "float32",
    torch.int8: "int8",
    torch.int32: "int32",
    torch.uint8: "uint8",
    torch.int64: "int64",
    torch.bool: "bool",
}
_ALIASES = {"aten::detach", "aten::alias", "aten::clone", "aten::contiguous", "aten::_to_copy", "aten::lift_fresh"}
# What depends on the shape of a tensor alone, and is a constant therefore.
_FILLED = {f"aten::{name}" for name in ("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full")}
_VIEWS = {
    f"aten::{name}" for name in ("view", "_unsafe_view", "reshape", "unsqueeze", "unsqueeze_", "squeeze", "squeeze_")
}


def _transposed(input: torch.Tensor, dim0: int = 0, dim1: int = 1) -> list[int]:
    dims = list(range(input.dim()))
    if dims:
        dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
    return dims


_PERMUTES: dict[str, Any] = {
    "aten::permute": lambda input, dims: dims,
    **dict.fromkeys(("aten::transpose", "aten::transpose_", "aten::t", "aten::t_"), _transposed),
}


def lower(graph_module: fx.GraphModule, example_inputs: Sequence[torch.Tensor], layout: str = "nchw") -> Program:
    """Turn a captured graph into device operators.

    layout: 'nchw' keeps 4-D inputs as the model has them; 'nhwc' declares them as a camera delivers them.

    Raises:
        UnsupportedOperatorError: a layer or function has no row in the operator table; names it.
    """
    recorder = _Recorder()
    inputs = []
    for position, example in enumerate(example_inputs):
        # Integers and masks are for operators that say by name whether the file has them.
        if not isinstance(example, torch.Tensor) or example.dtype not in (
            torch.float32,
            torch.int32,
            torch.int64,
            torch.bool,
        ):
            raise CaptureError(
                f"example input {position} is {_describe(example)}; give float32 tensors, integers for indices, or "
                "bool for masks, with the shape of one call"
            )
        inputs.append(recorder.add_input(example.detach().clone(), f"input{position}", layout))
    graph_inputs = tuple(recorder.input_ids)
    with torch.no_grad(), _in_small_steps(), recorder:
        result = _Interpreter(graph_module, recorder).run(*inputs)
    results = _flatten_outputs(result)
    outputs = tuple(recorder.output(value, i) for i, (_, value) in enumerate(results))
    if not outputs:
        raise CaptureError("the model returns no tensor")
    program = renumber(Program(tuple(recorder.tensors), tuple(recorder.operators), graph_inputs, outputs))
    return replace(program, output_names=tuple(name for name, _ in results))


@contextlib.contextmanager
def _in_small_steps() -> Iterator[None]:
    """PyTorch computes attention, transformer layers and recurrent ones by their parts, not by one operator each."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # flags() says that there is no TF32
            with sdpa_kernel(SDPBackend.MATH), torch.backends.mkldnn.flags(enabled=False):
                yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def lower_call(operator: Any, arguments: tuple[Any, ...]) -> Program:
    """A program of one operator, from one call of it; its activations become the program's inputs, in their order.

    Raises:
        UnsupportedOperatorError: the file format has no such operator.
    """
    bound = {a.name: value for a, value in zip(operator._schema.arguments, arguments, strict=True)}
    recorder = _Recorder()
    recorder.where = operator._schema.name.removeprefix("qsdk::")
    for name in [name for name in bound if name in ACTIVATIONS]:
        # Objects of their own: a tensor that is given twice now may be two tensors in the next call of this kind.
        bound[name] = tree_map_only(torch.Tensor, torch.Tensor.detach, bound[name])
        scale, zero_point = bound.get(f"{name}_scale") or 1.0, bound.get(f"{name}_zero_point") or 0
        for tensor in bound[name] if isinstance(bound[name], (list, tuple)) else [bound[name]]:
            if tensor is not None:
                recorder.add_activation(tensor, name, float(scale), int(zero_point))
    empty = [tree_map_only(torch.Tensor, lambda t: t.to("meta"), value) for value in arguments]
    result = operator(*empty)
    recorder._record(operator, tuple(bound.values()), {}, result)
    results = result if isinstance(result, tuple) else (result,)
    inputs, outputs = tuple(recorder.input_ids), tuple(recorder.output(r, i) for i, r in enumerate(results))
    return renumber(Program(tuple(recorder.tensors), tuple(recorder.operators), inputs, outputs))


def _flatten_outputs(result: object) -> list[tuple[str, Any]]:
    """Name and value of each result. Names are for dicts: keys and positions that lead to it, joined by dots."""
    found = [(path, leaf) for path, leaf in tree_flatten_with_path(result)[0] if leaf is not None]
    return [(_name(path) if any(hasattr(step, "key") for step in path) else "", leaf) for path, leaf in found]


def _name(path: Sequence[Any]) -> str:
    return ".".join(str(getattr(step, "key", getattr(step, "idx", getattr(step, "name", "")))) for step in path)


def _describe(value: object) -> str:
    return f"a {value.dtype} tensor" if isinstance(value, torch.Tensor) else f"a {type(value).__name__}"


def _bound(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of an operator by name."""
    names = [argument.name for argument in func._schema.arguments]
    return {name: args[i] if i < len(args) else kwargs.get(name) for i, name in enumerate(names)}


def _overlap(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors have a byte of memory in common: parts of one tensor may lie between each other."""
    memory = a.untyped_storage()
    if memory.data_ptr() != b.untyped_storage().data_ptr():
        return False
    if a.dtype != b.dtype:
        return True
    seen = torch.zeros(memory.nbytes() // a.element_size(), dtype=torch.bool)
    seen.as_strided(a.shape, a.stride(), a.storage_offset()).fill_(True)
    return bool(seen.as_strided(b.shape, b.stride(), b.storage_offset()).any())


def _outline(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What an operator gives, without values: results that take memory, but no time."""
    empty = tree_map_only(torch.Tensor, lambda t: t.to("meta"), (args, kwargs))
    return tree_map_only(torch.Tensor, lambda t: torch.empty(t.shape, dtype=t.dtype), func(*empty[0], **empty[1]))


class _NotConstant(ValueError):
    """An operand that the file has as a constant depends on an input."""


class _Interpreter(fx.Interpreter):
    """Runs the graph and tells the recorder which layer is at work."""

    def __init__(self, graph_module: fx.GraphModule, recorder: _Recorder) -> None:
        super().__init__(graph_module)
        self.extra_traceback = False  # its text would stand behind the message of every error
        self.recorder = recorder

    def run_node(self, n: fx.Node) -> Any:
        stack = n.meta.get("nn_module_stack")
        path = list(stack.values())[-1][0] if stack else ""
        self.recorder.where = str(n.target) if n.op == "call_module" else (path or n.name)
        try:
            return super().run_node(n)
        except QsdkError:
            raise
        except Exception as error:
            raise CaptureError(
                f"layer '{self.recorder.where}' fails on the example inputs: {type(error).__name__}: {error}"
            ) from error


class _Recorder(TorchDispatchMode):
    """Writes down every operator that touches a value which depends on an input."""

    def __init__(self) -> None:
        super().__init__()
        self.tensors: list[TensorInfo] = []
        self.operators: list[Operation] = []
        self.input_ids: list[int] = []
        self.where = ""
        self._value_of: dict[int, int] = {}
        self._constant_of: dict[tuple[Any, ...], int] = {}
        self._constant_qparams: dict[int, dict[str, Any]] = {}  # of constants that the model itself quantizes
        self._spoilt: set[int] = set()
        self._changed: list[torch.Tensor] = []
        self._missing: dict[int, str] = {}  # results that an operator of the file does not give
        self._temporary: set[int] = set()  # memory of constants that operators have made
        self._sketching = False  # operators are recorded for their shapes; their results have no values
        self._keep: list[torch.Tensor] = []  # an id means something only while its tensor lives

    # -- values ------------------------------------------------------------------------------------------------

    def add_input(self, example: torch.Tensor, name: str, layout: str) -> torch.Tensor:
        shape = tuple(example.shape)
        if layout == "nhwc" and len(shape) == 4:
            index = self._add(TensorInfo(name, _DTYPES[example.dtype], tuple(shape[d] for d in to_channels_last(4))))
            self.input_ids.append(index)
            index = self._permute(index, from_channels_last(4), name)
        else:
            index = self._add(TensorInfo(name, _DTYPES[example.dtype], shape))
            self.input_ids.append(index)
        self._bind(example, index)
        return example

    def add_activation(self, example: torch.Tensor, name: str, scale: float, zero_point: int) -> None:
        """An input that may be quantized already."""
        dtype = _DTYPES[example.dtype]
        qparams: Any = {"scale": (scale,), "zero_point": (zero_point,)} if dtype == "int8" else {}
        index = self._add(TensorInfo(name, dtype, tuple(example.shape), **qparams))
        self.input_ids.append(index)
        self._bind(example, index)

    def output(self, value: object, position: int) -> int:
        tensor = value.storage if isinstance(value, QTensor) else value
        if not isinstance(tensor, torch.Tensor) or id(tensor) not in self._value_of:
            raise CaptureError(
                f"output {position} of the model does not depend on its inputs; return only tensors that do"
            )
        return self._index(tensor)

    def _index(self, tensor: torch.Tensor) -> int:
        """The tensor of the program that an activation is."""
        if id(tensor) in self._spoilt:
            raise self._is_spoilt()
        if id(tensor) in self._missing:
            raise UnsupportedOperatorError(f"layer '{self.where}' reads {self._missing[id(tensor)]}; leave it out")
        return self._value_of[id(tensor)]

    def _is_spoilt(self) -> CaptureError:
        return CaptureError(
            f"layer '{self.where}' reads a view of a tensor that a function such as relu_ has changed in place; "
            "use the function that gives a new tensor"
        )

    def _spoil_views(self, changed: torch.Tensor) -> None:
        """Tensors that share memory with one that was changed in place no longer have the values recorded for them."""
        self._changed.append(changed)
        self._spoilt |= {id(t) for t in self._keep if t is not changed and _overlap(t, changed)}

    def _add(self, tensor: TensorInfo) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def _bind(self, tensor: torch.Tensor, index: int) -> None:
        self._keep.append(tensor)
        self._value_of[id(tensor)] = index

    def _operand(self, tensor: torch.Tensor, name: str, channels_last: bool) -> int:
        permutation = to_channels_last(tensor.dim()) if channels_last else None
        if id(tensor) in self._value_of:
            index = self._index(tensor)
            return index if permutation is None else self._permute(index, permutation, self.where)
        if any(_overlap(tensor, changed) for changed in self._changed):
            raise self._is_spoilt()
        key = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride(), permutation)
        if key not in self._constant_of:
            self._keep.append(tensor)
            if tensor.dtype not in _DTYPES:
                raise UnsupportedOperatorError(f"layer '{self.where}': a constant of type {tensor.dtype} has no place")
            data = tensor.detach().cpu()
            if permutation is not None:
                data = data.permute(permutation)
            array = np.ascontiguousarray(data.numpy())
            qparams = self._constant_qparams.get(id(tensor), {})
            self._constant_of[key] = self._add(
                TensorInfo(f"{self.where}.{name}", _DTYPES[tensor.dtype], array.shape, data=array, **qparams)
            )
        return self._constant_of[key]

    # -- operators ---------------------------------------------------------------------------------------------

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = kwargs or {}, func._schema.name
        touched = [
            t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor) and id(t) in self._value_of
        ]
        if name in _FILLED:
            touched = []
        if touched and func._schema.is_mutable and self._is_temporary(args[0]):
            before = (args[0].clone(), *args[1:])
        else:
            before = args
        result = _outline(func, args, kwargs) if touched and self._sketching else func(*args, **kwargs)
        if not touched:
            self._note_temporaries(args, kwargs, result)
            self._keep_qparams(func, args, kwargs, result)
            return result
        if all(id(t) in self._missing for t in touched):
            self._miss(result, self._missing[id(touched[0])])
        elif name.startswith("qsdk::"):
            self._record(func, args, kwargs, result)
        elif name in _ALIASES and result.dtype == touched[0].dtype:
            self._bind(result, self._index(touched[0]))
        elif name in _VIEWS:
            self._bind(result, self._emit("reshape", (self._index(touched[0]),), tuple(result.shape), {}))
        elif name in _PERMUTES:
            dims = tuple(d % result.dim() for d in _PERMUTES[name](*args))
            self._bind(result, self._permute(self._index(touched[0]), dims, self.where))
        elif name == "aten::expand":
            self._bind(result, self._expand(touched[0], result))
        elif name in PARTS:
            if name.startswith("aten::unsafe_"):  # which promises that parts are not seen in each other
                result = [part.clone() for part in result]
            self._take_parts(PARTS[name](*args, **kwargs), touched[0], result)
        elif name in DECOMPOSED:
            with self:
                return DECOMPOSED[name](*args, **kwargs)
        elif name == "aten::masked_fill_" and self._may_change(args[0]):
            with self:
                made = DECOMPOSED["aten::masked_fill"](*before)
            self._bind(result, self._index(made))
            self._spoil_views(result)
        elif name == "aten::stack":
            self._bind(result, self._stack(*args, result=result))
        elif self._stands_for(func, args, touched, result):
            self._call_instead(func, before, kwargs, result)
            if func._schema.is_mutable:
                self._spoil_views(result)
        elif isinstance(result, torch.Tensor) or result is not None:
            raise UnsupportedOperatorError(
                f"layer '{self.where}': {name.replace('::', '.')} on a {touched[0].dtype} tensor has no row in the "
                "operator table; quantize the layer (give it a qconfig, prepare and convert again) or take it out of "
                "the exported model"
            )
        return result

    def _call_instead(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Record what the operator table calls instead of `func`, the first of the calls that these operands allow."""
        first, *others = result if isinstance(result, (tuple, list)) else [result]
        calls, length = BY_ATEN[func], (len(self.tensors), len(self.operators))
        outer, self._sketching = self._sketching, True
        for position, call in enumerate(calls):
            try:
                with self:
                    index = self._index(call(*args, **kwargs))
                break
            except ValueError as error:
                del self.tensors[length[0] :], self.operators[length[1] :]
                if position == len(calls) - 1:
                    raise UnsupportedOperatorError(
                        f"layer '{self.where}': {func} with {error} has no counterpart in the file; leave it out"
                    ) from error
            finally:
                self._sketching = outer
        self._bind(first, index)
        self._miss(others, f"a result of {func} that the file does not have")

    def _miss(self, results: Any, what: str) -> None:
        """Nobody may read these results, or what is made of them alone."""
        for tensor in tree_flatten(results)[0]:
            if isinstance(tensor, torch.Tensor):
                self._bind(tensor, -1)
                self._missing[id(tensor)] = what

    def _keep_qparams(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Remember the scale and zero point of a quantized constant: what made it says them, or what it is made of."""
        if not isinstance(result, torch.Tensor) or result.dtype != torch.int8:
            return
        bound = _bound(func, args, kwargs)
        if bound.get("output_scale") is not None:
            scale, zero_point = float(bound["output_scale"]), int(bound["output_zero_point"])
            qparams: dict[str, Any] | None = {"scale": (scale,), "zero_point": (zero_point,)}
        else:
            sources = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
            qparams = self._constant_qparams.get(id(sources[0])) if sources else None
        if qparams is not None:
            self._keep.append(result)
            self._constant_qparams[id(result)] = qparams

    def _record(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        kind = func._schema.name.removeprefix("qsdk::")
        row = OPERATORS[kind]
        if kind not in UNIONS["Operation"]:
            raise UnsupportedOperatorError(
                f"layer '{self.where}': the file format has no operator {kind} yet; leave the layer out of the "
                "exported model"
            )
        fields = {f.name for f in TABLES[kind]}
        bound = _bound(func, args, kwargs)
        operands: list[int] = []
        options: dict[str, Any] = {}
        for name, value in bound.items():
            if isinstance(value, torch.Tensor) or (
                isinstance(value, (list, tuple)) and value and isinstance(value[0], torch.Tensor)
            ):
                for tensor in [value] if isinstance(value, torch.Tensor) else value:
                    if name not in ACTIVATIONS and id(tensor) in self._value_of:
                        raise _NotConstant(f"a {name} that is no constant")
                    operands.append(self._operand(tensor, name, name in row.channels_last))
            elif name in fields:
                options[name] = tuple(value) if isinstance(value, (list, tuple)) else value
        if kind == "permute":
            self._bind(result, self._permute(operands[0], options["dims"], self.where))
            return
        if isinstance(result, tuple):
            self._emit_several(kind, tuple(operands), options, result)
            return
        qparams = (bound.get("output_scale"), bound.get("output_zero_point"))
        shape = tuple(result.shape)
        if row.channels_last:
            shape = tuple(shape[d] for d in to_channels_last(len(shape)))
        index = self._emit(kind, tuple(operands), shape, options, qparams, _DTYPES[result.dtype])
        if row.channels_last:
            index = self._permute(index, from_channels_last(len(shape)), self.where)
        self._bind(result, index)

    def _note_temporaries(self, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Constants that an operator has made, and not the model: in memory of their own, which may change."""
        given = {t.untyped_storage().data_ptr() for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)}
        for tensor in tree_flatten(result)[0]:
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() not in given:
                self._keep.append(tensor)
                self._temporary.add(tensor.untyped_storage().data_ptr())

    def _is_temporary(self, value: Any) -> bool:
        return (
            isinstance(value, torch.Tensor)
            and id(value) not in self._value_of
            and value.untyped_storage().data_ptr() in self._temporary
        )

    def _may_change(self, value: Any) -> bool:
        """Whether a function may change a tensor in place: the model's own constants stay as they are."""
        return id(value) in self._value_of or self._is_temporary(value)

    def _stands_for(self, func: Any, args: tuple[Any, ...], touched: list[torch.Tensor], result: Any) -> bool:
        """Whether the operator table says what PyTorch's operator `func` does to these tensors."""
        known = func in BY_ATEN
        if known and func._schema.is_mutable:
            known = self._may_change(args[0])
        if not known:
            return False
        first = result[0] if isinstance(result, (tuple, list)) else result
        tensors = [t for t in tree_flatten((args, first))[0] if isinstance(t, torch.Tensor)]
        return func in MOVERS or all(t.dtype == torch.float32 for t in tensors)

    def _take_parts(self, parts: list[Part], source: torch.Tensor, result: Any) -> None:
        for part, value in zip(parts, [result] if isinstance(result, torch.Tensor) else result, strict=True):
            if 0 in part.shape:
                raise UnsupportedOperatorError(f"layer '{self.where}' takes a part without elements; leave it out")
            index, options = self._index(source), {"start": part.start, "step": part.step}
            if part.shape != tuple(source.shape) or set(part.step) != {1}:
                index = self._emit("slice", (index,), part.shape, options)
            if part.shape != tuple(value.shape):
                index = self._emit("reshape", (index,), tuple(value.shape), {})
            self._bind(value, index)

    def _expand(self, source: torch.Tensor, result: torch.Tensor) -> int:
        """Axes of one element, and axes that are missing in front, repeated."""
        index, shape = self._index(source), (*[1] * (result.dim() - source.dim()), *source.shape)
        if shape != tuple(source.shape):
            index = self._emit("reshape", (index,), shape, {})
        if shape == tuple(result.shape):
            return index
        step = tuple(int(has == wanted) for has, wanted in zip(shape, result.shape, strict=True))
        return self._emit("slice", (index,), tuple(result.shape), {"start": (0,) * len(shape), "step": step})

    def _stack(self, tensors: Sequence[torch.Tensor], dim: int = 0, *, result: torch.Tensor) -> int:
        dim %= result.dim()
        shape = (*result.shape[:dim], 1, *result.shape[dim + 1 :])
        parts = tuple(self._emit("reshape", (self._operand(t, "part", False),), shape, {}) for t in tensors)
        return self._emit("cat", parts, tuple(result.shape), {"dim": dim})

    def _permute(self, source: int, dims: tuple[int, ...], where: str) -> int:
        shape = tuple(self.tensors[source].shape[d] for d in dims)
        return self._emit("permute", (source,), shape, {"dims": tuple(dims)}, where=where)

    def _emit_several(
        self, kind: str, operands: tuple[int, ...], options: dict[str, Any], results: tuple[torch.Tensor, ...]
    ) -> None:
        """Append an operator with several outputs; those of int8 are quantized as the state or input that goes in."""
        indices = []
        for position, result in enumerate(results):
            info = TensorInfo(self.where, _DTYPES[result.dtype], tuple(result.shape))
            if info.dtype == "int8":
                # A layer's output is quantized as its first state.
                state = self.tensors[operands[max(position, 1) if len(operands) > 1 else 0]]
                info = replace(info, scale=state.scale, zero_point=state.zero_point)
            indices.append(self._add(info))
        self.operators.append(Operation(kind, operands, tuple(indices), options, self.where))
        for result, index in zip(results, indices, strict=True):
            self._bind(result, index)

    def _emit(
        self,
        kind: str,
        operands: tuple[int, ...],
        shape: tuple[int, ...],
        options: dict[str, Any],
        qparams: tuple[float | None, int | None] = (None, None),
        dtype: str | None = None,
        where: str | None = None,
    ) -> int:
        """Append an operator; its output keeps the first quantized operand's qparams unless it has its own."""
        first = next((t for t in (self.tensors[i] for i in operands) if t.scale), self.tensors[operands[0]])
        where = self.where if where is None else where
        output = TensorInfo(where, dtype or first.dtype, shape)
        if output.dtype == "int8":
            if qparams[0] is None:
                output = replace(output, scale=first.scale, zero_point=first.zero_point)
            else:
                output = replace(output, scale=(float(qparams[0]),), zero_point=(int(qparams[1] or 0),))
        index = self._add(output)
        self.operators.append(Operation(kind, operands, (index,), options, where))
        return index
