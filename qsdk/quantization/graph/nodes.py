"""What the rewrites ask of a graph's nodes: their modules, their place in the user's model, which are tensors."""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_leaves

from qsdk.spellings import allowed_positions, causal_mask

# Answers about a tensor that are no tensors: those that quantized tensors give as well, and those that need values.
_SHAPE_METHODS = {"size", "dim", "numel", "ndimension", "nelement", "stride", "is_contiguous", "get_device"}
_SHAPE_METHODS |= {"is_floating_point", "is_complex", "element_size", "storage_offset"}
_SHAPE_ATTRIBUTES = {"shape", "ndim", "device", "requires_grad", "is_cuda", "is_meta", "layout", "names"}
_SHAPE_FUNCTIONS = (
    len,
    isinstance,
    torch.numel,
    torch.is_tensor,
    torch.is_floating_point,
    torch.is_complex,
    causal_mask,
)
# Results that are truth values or positions; quantized tensors give the same.
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
_NO_NUMBERS = {"argmax", "argmin", torch.argmax, torch.argmin, *_COMPARISONS}
_NO_NUMBERS |= {getattr(room, name) for room in (torch, operator) for name in _COMPARISONS}
_NO_NUMBERS |= {torch.logical_not, torch.logical_and, torch.logical_or, operator.invert}
_NO_NUMBERS |= {allowed_positions}
_WITH_POSITIONS = {"topk", "max", "min", "sort", torch.topk, torch.max, torch.min, torch.sort}
_VALUE_METHODS = {"item", "tolist", "type", "data_ptr", "equal"}
_VALUE_ATTRIBUTES = {"dtype", "is_quantized"}
_VALUE_FUNCTIONS = (torch.equal, torch.allclose, torch._assert)

_THIS_PACKAGE = str(Path(__file__).parents[2])
_LIBRARIES = (str(Path(torch.__file__).parent), _THIS_PACKAGE, "<")


def module_of(graph_module: fx.GraphModule, node: fx.Node) -> nn.Module:
    """The module that a call_module node calls."""
    return graph_module.get_submodule(str(node.target))


def value_of(graph_module: fx.GraphModule, node: fx.Node) -> Any:
    """What a get_attr node stands for."""
    value: Any = graph_module
    for part in str(node.target).split("."):
        value = getattr(value, part)
    return value


def scopes(node: fx.Node) -> list[tuple[str, Any]]:
    """(path, class) of the modules around a call, the outermost first; a call of a module is within that module."""
    return [(path, kind) for path, kind in (node.meta.get("nn_module_stack") or {}).values()]


def path_of(node: fx.Node) -> str:
    """Path of the user's module that a call_module node calls, or that calls a function; '' is the model itself."""
    found = scopes(node)
    return found[-1][0] if found else ""


def line_of(node: fx.Node) -> str:
    """' (file:line)' of the user's code that made a call, or ''."""
    return f" ({node.meta['line']})" if node.meta.get("line") else ""


def users_line(frames: Iterator[tuple[str, int]]) -> str | None:
    """'file:line' of the innermost frame that is neither torch's nor this package's; frames go from inside out."""
    return next((f"{file}:{line}" for file, line in frames if not file.startswith(_LIBRARIES)), None)


def calling_frames() -> Iterator[tuple[str, int]]:
    """(file, line) of the frames that led here, from inside out."""
    frame = sys._getframe(1)
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]


def add_module(graph_module: fx.GraphModule, wanted: str, module: nn.Module) -> str:
    """Add a submodule under a free path that begins with `wanted`; returns the path."""
    parent, _, last = wanted.rpartition(".")
    place: Any = graph_module
    for part in parent.split(".") if parent else ():
        place = getattr(place, part, None)
    path, count = wanted, 0
    while place is not None and hasattr(place, path.rpartition(".")[2]):
        count += 1
        path = f"{wanted}_{count}"
    module.train(graph_module.training)
    graph_module.add_submodule(path, module)
    return path


def name_beside(node: fx.Node, suffix: str = "") -> str:
    """A path for a module that belongs to a node: in the user's module that makes the call, named after the call."""
    if node.op in ("call_module", "get_attr", "placeholder"):
        return str(node.target).lstrip("*") + suffix
    target = node.args[1] if node.target is getattr else node.target
    name = target if isinstance(target, str) else getattr(target, "__name__", node.name)
    name = name.strip("_").replace(".", "_") + suffix
    return f"{path_of(node)}.{name}" if path_of(node) else name


def free_name(graph_module: fx.GraphModule, wanted: str) -> str:
    """`wanted`, with a number behind it if the graph's module has such an attribute."""
    name, count = wanted, 0
    while hasattr(graph_module, name):
        count += 1
        name = f"{wanted}_{count}"
    return name


def first_argument(node: fx.Node) -> Any:
    """The tensor that a call is about."""
    return node.args[0] if node.args else node.kwargs.get("input")


def asks_shape(node: fx.Node) -> bool:
    """Whether a call asks for what quantized tensors know as well as float ones: shape, rank, device."""
    if node.op == "call_method":
        return node.target in _SHAPE_METHODS
    if node.target is getattr:
        return node.args[1] in _SHAPE_ATTRIBUTES
    return node.op == "call_function" and node.target in _SHAPE_FUNCTIONS


def readers_of(node: fx.Node) -> list[fx.Node]:
    """The nodes that read more of a value than its shape."""
    return [user for user in node.users if not asks_shape(user)]


def _asks_value(node: fx.Node) -> bool:
    if node.op == "call_method":
        return node.target in _VALUE_METHODS
    if node.target is getattr:
        return node.args[1] in _VALUE_ATTRIBUTES
    return node.op == "call_function" and node.target in _VALUE_FUNCTIONS


def gives_no_number(node: fx.Node) -> bool:
    """Whether a call gives truth values or positions of a tensor's values, as a comparison and argmax do."""
    if node.target is operator.getitem and node.args[1] == 1 or node.target is getattr and node.args[1] == "indices":
        source = node.args[0]
        return isinstance(source, fx.Node) and source.target in _WITH_POSITIONS
    return node.op in ("call_function", "call_method") and node.target in _NO_NUMBERS


def _is_torch_function(target: Any) -> bool:
    name = getattr(target, "__name__", "")
    return any(getattr(room, name, None) is target for room in (torch, F)) or isinstance(target, torch._ops.OpOverload)


def tensor_nodes(graph_module: fx.GraphModule) -> set[fx.Node]:
    """The nodes whose values are, or contain, tensors of real numbers.

    From the values that example inputs gave, where there were any; else tensors come from inputs, attributes and
    torch's functions, and calls that get none and belong to no module are arithmetic on shapes.
    """
    found: set[fx.Node] = set()
    for node in graph_module.graph.nodes:
        if "val" in node.meta:
            tensors = any(isinstance(v, Tensor) and v.is_floating_point() for v in tree_leaves(node.meta["val"]))
        elif node.op == "placeholder":
            tensors = True
        elif node.op == "get_attr":
            value = value_of(graph_module, node)
            tensors = isinstance(value, Tensor) and value.is_floating_point()
        elif node.op == "output" or asks_shape(node) or _asks_value(node) or gives_no_number(node):
            tensors = False
        else:
            made = node.op == "call_module" or node.op == "call_function" and _is_torch_function(node.target)
            tensors = made or any(n in found for n in node.all_input_nodes)
        if tensors:
            found.add(node)
    return found
