"""Rewrites of a traced float graph that keep what it computes: functionals become modules, sequences become one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, fx, nn
from torch.nn import functional as F

from qsdk.ops import FORMS
from qsdk.quantization.fuse import fuse_known_modules, known_fusions

QConfigOf = Callable[[fx.Node], Any]


def module_of(graph_module: fx.GraphModule, node: fx.Node) -> nn.Module:
    """The module that a call_module node calls."""
    return graph_module.get_submodule(str(node.target))


def add_module(graph_module: fx.GraphModule, wanted: str, module: nn.Module) -> str:
    """Add a submodule under a free name that begins with `wanted`; returns the name."""
    name, count = wanted, 0
    while hasattr(graph_module, name):
        count += 1
        name = f"{wanted}_{count}"
    module.train(graph_module.training)
    graph_module.add_submodule(name, module)
    return name


def functionals_to_modules(graph_module: fx.GraphModule) -> None:
    """Replace calls of functions and methods by calls of the float modules that stand for them."""
    for node in list(graph_module.graph.nodes):
        module = _form(graph_module, node)
        if module is None:
            continue
        name = add_module(graph_module, f"{node.name}_module", module)
        with graph_module.graph.inserting_before(node):
            call = graph_module.graph.call_module(name, (_input(node),))
        call.meta = dict(node.meta)
        call.meta["spelling"] = node.target
        node.replace_all_uses_with(call)
        graph_module.graph.erase_node(node)
    _drop_identities(graph_module)
    graph_module.graph.eliminate_dead_code()


def _input(node: fx.Node) -> Any:
    return node.args[0] if node.args else node.kwargs.get("input")


def _form(graph_module: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    if node.op not in ("call_function", "call_method") or not isinstance(_input(node), fx.Node):
        return None
    arguments = [_value(graph_module, a) for a in node.args[1:]]
    keywords = {k: _value(graph_module, v) for k, v in node.kwargs.items() if k != "input"}
    if any(isinstance(v, fx.Node) for v in (*arguments, *keywords.values())):
        return None
    if node.target is F.dropout:
        return _dropout(graph_module, *arguments, **keywords)
    form = FORMS.get(node.target)
    return None if form is None else form(*arguments, **keywords)


def _dropout(graph_module: fx.GraphModule, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    # Dropout that acts although the model is in eval mode is meant to; it stays as it is.
    return nn.Dropout(p, inplace) if training == graph_module.training else None


def _value(graph_module: fx.GraphModule, argument: Any) -> Any:
    """The tensor that a get_attr node stands for; other arguments as they are."""
    if isinstance(argument, fx.Node) and argument.op == "get_attr":
        value: Any = graph_module
        for part in str(argument.target).split("."):
            value = getattr(value, part)
        return value if isinstance(value, Tensor) else argument
    return argument


def _drop_identities(graph_module: fx.GraphModule) -> None:
    for node in list(graph_module.graph.nodes):
        if node.op == "call_module" and type(module_of(graph_module, node)) is nn.Identity:
            node.replace_all_uses_with(node.all_input_nodes[0])
            graph_module.graph.erase_node(node)


def fuse(graph_module: fx.GraphModule, qconfig_of: QConfigOf, additional: dict[Any, Any] | None = None) -> None:
    """Join modules that follow one another and nothing else reads in between, wherever a fusion of them is known.

    Modules whose qconfig is None are left alone.
    """
    patterns = {*known_fusions(graph_module.training), *(additional or {})}
    longest = max(len(pattern) for pattern in patterns)
    calls: dict[int, int] = {}
    for node in graph_module.graph.nodes:
        if node.op == "call_module":
            calls[id(module_of(graph_module, node))] = calls.get(id(module_of(graph_module, node)), 0) + 1
    for node in list(graph_module.graph.nodes):
        if node.op != "call_module" or node.graph is not graph_module.graph:
            continue
        chain = _chain(graph_module, node, longest, calls, qconfig_of)
        while len(chain) > 1 and tuple(type(module_of(graph_module, n)) for n in chain) not in patterns:
            chain.pop()
        if len(chain) > 1:
            _fuse_chain(graph_module, chain, additional)
    graph_module.graph.eliminate_dead_code()
    graph_module.delete_all_unused_submodules()


def _chain(
    graph_module: fx.GraphModule, node: fx.Node, longest: int, calls: dict[int, int], qconfig_of: QConfigOf
) -> list[fx.Node]:
    """This call and the next ones, as far as each is the only reader of the one before and could be fused."""
    chain: list[fx.Node] = []
    while (
        node.op == "call_module"
        and calls.get(id(module_of(graph_module, node))) == 1
        and qconfig_of(node) is not None
        and len(chain) < longest
    ):
        chain.append(node)
        if len(node.users) != 1:
            break
        node = next(iter(node.users))
    return chain


def _fuse_chain(graph_module: fx.GraphModule, chain: list[fx.Node], additional: dict[Any, Any] | None) -> None:
    modules = [module_of(graph_module, node) for node in chain]
    fused = fuse_known_modules(modules, graph_module.training, additional)[0]
    parent, _, last = str(chain[0].target).rpartition(".")
    setattr(graph_module.get_submodule(parent), last, fused)
    for node in reversed(chain[1:]):
        node.replace_all_uses_with(node.all_input_nodes[0])
        graph_module.graph.erase_node(node)


def erase_unused(graph_module: fx.GraphModule) -> None:
    """Remove nodes and submodules that nothing uses, and compile the graph."""
    graph_module.graph.eliminate_dead_code()
    graph_module.delete_all_unused_submodules()
    graph_module.graph.lint()
    graph_module.recompile()


__all__ = ["add_module", "erase_unused", "functionals_to_modules", "fuse", "module_of"]
