"""export(model): the model as torch.export captures it, in the form that torch.fx gives.

ATen's overloads become the torch functions and tensor methods of their names, so that the operator table, which knows
those, holds for both captures:

    Before:  torch.ops.aten.view.default(x, [1, -1])   torch.ops.aten.softmax.int(x, -1)
    After:   x.view([1, -1])                           torch.softmax(x, -1)
"""

from __future__ import annotations

import operator
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.utils._pytree import TreeSpec, tree_map, tree_unflatten

from qsdk.errors import CaptureError
from qsdk.ops import FORMS, FUNCTIONALS
from qsdk.qtensor import passes_qparams
from qsdk.quantization.graph.inplace import out_of_place
from qsdk.quantization.graph.nodes import users_line
from qsdk.quantization.graph.trace import first_line

_LINE = re.compile(r'File "([^"]+)", line (\d+)')


def export(model: nn.Module, example_inputs: Sequence[Any]) -> fx.GraphModule:
    """The model as a GraphModule that shares its parameters; without in-place calls.

    Args:
        model: in eval mode
        example_inputs: arguments of one call. Extents are fixed to theirs, but for the first axis of each, where the
            model allows and it is more than 1

    Raises:
        CaptureError: torch.export cannot follow forward; names the line of the model.
    """
    program = _program(model, tuple(example_inputs))
    graph_module: Any = program.module()
    try:
        _annotate(model, graph_module)
        out_of_place(graph_module)
    except CaptureError:
        graph_module = program.run_decompositions({}).module()  # without views that are written to
        _annotate(model, graph_module)
    respell(graph_module.graph)
    plain_signature(graph_module.graph, program.call_spec.in_spec, program.call_spec.out_spec)
    graph_module.graph.eliminate_dead_code()
    return fx.GraphModule(graph_module, graph_module.graph, type(model).__name__)


def _program(model: nn.Module, example_inputs: tuple[Any, ...]) -> Any:
    dynamic = tree_map(_first_axis, example_inputs)
    try:
        try:
            return torch.export.export(model, example_inputs, dynamic_shapes=dynamic, strict=False)
        except Exception:  # with a batch axis that is free; the model may need to know it
            return torch.export.export(model, example_inputs, strict=False)
    except Exception as error:  # user code can raise anything while it is traced
        raise CaptureError(
            f"torch.export cannot capture the model{_place(error)}: {type(error).__name__}: {first_line(error)}. Try "
            "capture='fx', which needs no values, with the module listed under 'non_traceable_module_name' in "
            "prepare_custom_config_dict"
        ) from error


def _first_axis(value: Any) -> Any:
    return {0: torch.export.Dim.AUTO} if isinstance(value, Tensor) and value.dim() and len(value) > 1 else None


def _place(error: BaseException | None) -> str:
    """' at file:line' of the user's code: of the error itself, of its causes, or as torch quotes it."""
    while error is not None:
        frames = []
        trace = error.__traceback__
        while trace is not None:
            frames.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
            trace = trace.tb_next
        line = users_line(reversed(frames)) or users_line(_quoted(str(error)))
        if line:
            return f" at {line}"
        error = error.__cause__ or error.__context__
    return ""


def _quoted(text: str) -> Iterator[tuple[str, int]]:
    return ((file, int(line)) for file, line in reversed(_LINE.findall(text)))


def _annotate(model: nn.Module, graph_module: fx.GraphModule) -> None:
    """Give nodes the module classes and the lines that our tracer gives, and drop torch.export's own checks."""
    modules = dict(model.named_modules())
    for node in reversed(list(graph_module.graph.nodes)):
        stack = (node.meta.get("nn_module_stack") or {}).items()
        known = {key: (path, type(modules[path])) for key, (path, _) in stack if path in modules}
        node.meta["nn_module_stack"] = known
        node.meta["line"] = users_line(_quoted(node.meta.get("stack_trace") or ""))
        name = str(node.target)
        if not node.users and ("_guards_fn" in name or "aten._assert" in name or "aten.sym_constrain" in name):
            graph_module.graph.erase_node(node)


# Spellings


def _slice(x: fx.Node, dim: int = 0, start: Any = None, end: Any = None, step: Any = 1) -> tuple[Any, ...] | None:
    if start in (None, 0) and end in (None, sys.maxsize) and step == 1:
        return None
    axis = dim % x.meta["val"].dim()
    return operator.getitem, (x, (slice(None),) * axis + (slice(start, None if end == sys.maxsize else end, step),))


def _index(x: fx.Node, indices: Sequence[Any]) -> tuple[Any, ...]:
    return operator.getitem, (x, tuple(slice(None) if index is None else index for index in indices))


def _embedding(weight: Any, indices: Any, padding_idx: int = -1, *rest: Any) -> tuple[Any, ...]:
    return F.embedding, (indices, weight, padding_idx if padding_idx >= 0 else None)


def _batch_norm(x: fx.Node, *arguments: Any) -> tuple[Any, ...]:
    *parameters, momentum, eps = arguments
    return torch.batch_norm, (x, *parameters, False, momentum, eps, True)


def _interpolate(x: fx.Node, size: Any, factors: Any, mode: str, align_corners: Any = None) -> tuple[Any, ...]:
    return F.interpolate, (x, size, None if size is not None else factors, mode, align_corners)


# ATen name -> (function or method name, arguments), or None where the first argument is the result
_SPECIAL: dict[str, Callable[..., tuple[Any, ...] | None]] = {
    "slice": _slice,
    "upsample_nearest1d": lambda x, size, factors=None: _interpolate(x, size, factors, "nearest"),
    "upsample_nearest2d": lambda x, size, factors=None: _interpolate(x, size, factors, "nearest"),
    "upsample_nearest3d": lambda x, size, factors=None: _interpolate(x, size, factors, "nearest"),
    "upsample_linear1d": lambda x, size, align, factors=None: _interpolate(x, size, factors, "linear", align),
    "upsample_bilinear2d": lambda x, size, align, factors=None: _interpolate(x, size, factors, "bilinear", align),
    "index": _index,
    "embedding": _embedding,
    "alias": lambda x: None,
    "sym_size": lambda x, dim: ("size", (x, dim)),
    "numpy_T": lambda x: (getattr, (x, "T")),
    "mT": lambda x: (getattr, (x, "mT")),
    "split_with_sizes": lambda *args: (torch.split, args),
    "scaled_dot_product_attention": lambda *args: (F.scaled_dot_product_attention, args),
    "glu": lambda *args: (F.glu, args),
    "_native_batch_norm_legit_no_training": _batch_norm,
}


def respell(graph: fx.Graph) -> None:
    """Replace ATen's overloads by the torch functions and tensor methods of their names."""
    for node in list(graph.nodes):
        if not isinstance(node.target, torch._ops.OpOverload) or node.target.namespace != "aten":
            continue
        name = node.target._opname
        target, args = node.target, node.args
        if name in _SPECIAL:
            spelled = _SPECIAL[name](*args)
            if spelled is None:
                node.replace_all_uses_with(args[0])
                graph.erase_node(node)
                continue
            target, args = spelled
        else:
            target = _spelling(name, target)
        with graph.inserting_before(node):
            call = graph.call_method if isinstance(target, str) else graph.call_function
            new = call(target, args, dict(node.kwargs))
        new.meta = dict(node.meta)
        if target is torch.batch_norm and isinstance(new.meta.get("val"), (tuple, list)):  # with saved statistics
            new.meta["val"] = new.meta["val"][0]
            for user in list(node.users):
                user.replace_all_uses_with(new)
                graph.erase_node(user)
        node.replace_all_uses_with(new)
        graph.erase_node(node)


def _spelling(name: str, default: Any) -> Any:
    """The torch function or the tensor method of that name that the operator table knows, else torch's function.

    What neither knows stays ATen's: in torch.nn.functional, arguments may come in another order.
    """
    functions = [getattr(room, name) for room in (torch, F) if hasattr(room, name)]
    known = (s for s in [*functions, *([name] if hasattr(Tensor, name) else [])] if is_known(s))
    return next(known, getattr(torch, name, default))


def is_known(spelling: Any) -> bool:
    """Whether the operator table has a function, or a tensor method by name."""
    function = getattr(Tensor, spelling, None) if isinstance(spelling, str) else spelling
    return spelling in FORMS or spelling in FUNCTIONALS or passes_qparams(function)


# Signature


def plain_signature(graph: fx.Graph, inputs: TreeSpec, outputs: TreeSpec) -> None:
    """Make the arguments, and the result, of the graph those of the model: torch.export has them flat."""
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    first = next(iter(graph.nodes))
    for node in placeholders:
        if node is not first:
            first.prepend(node)  # torch.export's graph begins with attributes
    arguments = _children(_children(inputs)[0])
    position = 0
    for argument in arguments:
        leaves = placeholders[position : position + argument.num_leaves]
        position += argument.num_leaves
        if not argument.is_leaf():
            _pack(graph, argument, leaves)
    output = next(iter(reversed(graph.nodes)))
    output.args = (tree_unflatten(list(output.args[0]), outputs),)
    graph.set_codegen(fx.graph.CodeGen())
    graph._tracer_cls = None  # torch.export's cannot trace the code again, which is what unpickling does


def _children(spec: Any) -> list[TreeSpec]:
    return list(spec.children() if hasattr(spec, "children") else spec.children_specs)  # older than torch 2.9


def _pack(graph: fx.Graph, argument: TreeSpec, leaves: list[fx.Node]) -> None:
    """One placeholder in place of several, whose values are taken out of it."""
    if not leaves:
        return
    with graph.inserting_before(leaves[0]):
        whole = graph.placeholder(leaves[0].name.removesuffix("_0"))
    last = next(node for node in graph.nodes if node.op != "placeholder")
    paths = tree_unflatten(list(range(len(leaves))), argument)
    for path, leaf in _leaves(paths):
        with graph.inserting_before(last):
            value: Any = whole
            for key in path:
                value = graph.call_function(operator.getitem, (value, key))
        value.meta = dict(leaves[leaf].meta)
        leaves[leaf].replace_all_uses_with(value)
        graph.erase_node(leaves[leaf])


def _leaves(tree: Any) -> Iterator[tuple[tuple[Any, ...], int]]:
    """Keys that lead to each leaf of nested tuples, lists and dicts."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, (tuple, list)) else None
    if items is None:
        yield (), tree
        return
    for key, part in items:
        for path, leaf in _leaves(part):
            yield (key, *path), leaf
