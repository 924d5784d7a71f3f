"""Calls that change a tensor in place become calls that return a new one, which is what later readers then read.

Before:  y = conv(x);  relu_(y);     return y + x
After:   y = conv(x);  z = relu(y);  return z + x
"""

from __future__ import annotations

import inspect
import operator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from qsdk.errors import CaptureError
from qsdk.quantization.graph.nodes import first_argument, line_of, module_of, path_of, tensor_nodes

_OPERATORS = {
    getattr(operator, f"i{name}"): getattr(operator, name)
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor")
    if hasattr(operator, f"i{name}")
}
# Results that share memory with the first argument, or may.
_VIEWS = {
    "alias", "as_strided", "chunk", "contiguous", "detach", "diagonal", "dropout", "expand", "expand_as", "flatten",
    "getitem", "getattr", "imag", "mT", "T", "movedim", "moveaxis", "narrow", "numpy_T", "permute", "real", "reshape",
    "reshape_as", "select", "slice", "split", "split_with_sizes", "squeeze", "swapaxes", "swapdims", "t",
    "tensor_split", "transpose", "unbind", "unflatten", "unfold", "unsqueeze", "view", "view_as",
}  # fmt: skip
_VIEW_MODULES = (nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


def with_part(input: Tensor, index: Any, value: Any) -> Tensor:
    """A copy of `input` with `input[index] = value`."""
    result = input.clone()
    result[index] = value
    return result


def out_of_place(graph_module: fx.GraphModule) -> None:
    """Rewrite every call that changes a tensor in place.

    Raises:
        CaptureError: other tensors that are read later share memory with the changed one; names the line.
    """
    tensors = tensor_nodes(graph_module)
    roots: dict[fx.Node, fx.Node] = {}
    order = {node: position for position, node in enumerate(graph_module.graph.nodes)}
    for node in list(graph_module.graph.nodes):
        source = first_argument(node)
        if not isinstance(source, fx.Node) or source not in tensors or node.op == "output":
            continue
        if _changes_in_place(graph_module, node):
            _drop_effect(node, source, roots, order)
        elif (
            _name(node) in _VIEWS
            or node.op == "call_module"
            and isinstance(module_of(graph_module, node), _VIEW_MODULES)
        ):
            roots[node] = roots.get(source, source)


def _name(node: fx.Node) -> str:
    if isinstance(node.target, torch._ops.OpOverload):
        return node.target._opname
    return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")


def _changes_in_place(graph_module: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return getattr(module_of(graph_module, node), "inplace", False) is True
    if node.target in _OPERATORS or node.target is operator.setitem or node.kwargs.get("inplace") is True:
        return True
    if isinstance(node.target, torch._ops.OpOverload):
        return node.target._schema.is_mutable
    name = _name(node)
    return name.endswith("_") and not name.endswith("__") or _inplace_by_position(node) is not None


def _inplace_by_position(node: fx.Node) -> int | None:
    """Where among the arguments of a function of torch.nn.functional a positional inplace=True stands."""
    if not inspect.isfunction(node.target) or getattr(F, node.target.__name__, None) is not node.target:
        return None
    names = list(inspect.signature(node.target).parameters)
    position = names.index("inplace") if "inplace" in names else len(node.args)
    return position if position < len(node.args) and node.args[position] is True else None


def _drop_effect(node: fx.Node, source: fx.Node, roots: dict[fx.Node, fx.Node], order: dict[fx.Node, int]) -> None:
    root = roots.get(source, source)
    if root.op == "get_attr":
        raise CaptureError(
            f"'{_name(node)}' in '{path_of(node) or 'forward'}'{line_of(node)} changes the model's '{root.target}', "
            "which a graph cannot; list the module under 'non_traceable_module_name' in prepare_custom_config_dict"
        )
    for other in [root, *(view for view, its_root in roots.items() if its_root is root)]:
        if other is not source and any(order[user] > order[node] for user in other.users):
            raise CaptureError(
                f"'{_name(node)}' in '{path_of(node) or 'forward'}'{line_of(node)} changes a tensor in place whose "
                f"memory '{other.name}' shares, which is read afterwards; write it so that it returns a new tensor"
            )
    source.replace_all_uses_with(node, lambda user: order[user] > order[node])
    _rename(node)


def _rename(node: fx.Node) -> None:
    """Let the call itself leave its argument as it was, where torch has such a form of it."""
    if node.target is operator.setitem:
        node.target = with_part
    elif node.target in _OPERATORS:
        node.target = _OPERATORS[node.target]
    elif node.op == "call_method":
        plain = str(node.target)[:-1]
        node.target = plain if hasattr(Tensor, plain) else node.target
    elif isinstance(node.target, torch._ops.OpOverload):
        packet = getattr(torch.ops.aten, node.target._opname[:-1], None)
        node.target = getattr(packet, node.target._overloadname, node.target)
    elif node.op == "call_function":
        name = _name(node)
        if name.endswith("_"):
            rooms = (room for room in (torch, F) if getattr(room, name, None) is node.target)
            node.target = getattr(next(rooms, None), name[:-1], node.target)
        position = _inplace_by_position(node)
        node.args = tuple(False if place == position else value for place, value in enumerate(node.args))
        node.kwargs = {name: value for name, value in node.kwargs.items() if name != "inplace"}
