"""Rewrites of a float graph that keep what it computes: functionals become modules, sequences become one."""

from __future__ import annotations

import copy
import functools
import inspect
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg
from torch.nn import functional as F

from qsdk import spellings
from qsdk.errors import QuantizationError
from qsdk.ops import FORMS
from qsdk.quantization.fuse import fuse_known_modules, known_fusions
from qsdk.quantization.graph.nodes import (
    add_module,
    asks_shape,
    first_argument,
    free_name,
    module_of,
    name_beside,
    readers_of,
    scopes,
    value_of,
)
from qsdk.quantization.graph.trace import Tracer
from qsdk.quantization.qconfig import is_static
from qsdk.quantization.qconfig_mapping import QConfigMapping

# Functions that are several operators


def _stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    return torch.cat([tensor.unsqueeze(dim) for tensor in tensors], dim)


def _attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
    scale: Any = None, enable_gqa: bool = False,
) -> Any:  # fmt: skip
    if dropout_p or enable_gqa:
        return None
    factor = query.size(-1) ** -0.5 if scale is None else scale
    scores = torch.matmul(query, key.transpose(-2, -1)) * factor
    if not is_causal and attn_mask is None:
        return torch.matmul(torch.softmax(scores, -1), value)
    if not is_causal and _sample(attn_mask) is None:
        return None
    if not is_causal and _is_bias(_sample(attn_mask)):
        return torch.matmul(torch.softmax(scores + attn_mask, -1), value)
    return torch.matmul(spellings.masked_softmax(scores, _allowed(query, key, attn_mask, is_causal)), value)


def _allowed(query: Any, key: Any, mask: Any, is_causal: bool) -> Any:
    if is_causal:
        return spellings.causal_mask(query, key)
    return mask if _sample(mask).dtype == torch.bool else spellings.allowed_positions(mask)


def _sample(mask: Any) -> Any:
    """The tensor that a mask is, or one without data like it; None if nothing is known of it."""
    node = mask.node
    return value_of(node.graph.owning_module, node) if node.op == "get_attr" else node.meta.get("val")


def _is_bias(mask: Tensor) -> bool:
    """Whether a mask adds finite numbers and takes nothing out, as far as is known."""
    return mask.dtype != torch.bool and not mask.is_meta and bool(torch.isfinite(mask).all() & (mask > -1e4).all())


def _softmax(input: Any, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """Softmax of scores that masked_fill has set to -infinity, or far below all others, where a mask is true."""
    fill = input.node
    if fill.target not in _FILLS or dim is None or dtype not in (None, torch.float32):
        return None
    named = {**dict(zip(("input", "mask", "value"), fill.args, strict=False)), **fill.kwargs}
    if not isinstance(named["value"], (int, float)) or named["value"] > spellings.NO_WEIGHT:
        return None
    scores, mask = [fx.Proxy(named[name], input.tracer) for name in ("input", "mask")]
    return spellings.masked_softmax(scores, mask.logical_not(), dim)


def _glu(input: Any, dim: int = -1) -> Any:
    halves = input.chunk(2, dim)
    return halves[0] * halves[1].sigmoid()


_FILLS = ("masked_fill", torch.masked_fill)
_EXPANSIONS: dict[Any, Callable[..., Any]] = {
    torch.stack: _stack,
    F.scaled_dot_product_attention: _attention,
    F.glu: _glu,
    **dict.fromkeys((torch.softmax, F.softmax, "softmax"), _softmax),
}


def _expansion(graph_module: fx.GraphModule, node: fx.Node) -> Callable[..., Any] | None:
    if node.op == "call_module":
        module = module_of(graph_module, node)
        function: Any = {nn.Softmax: _softmax, nn.GLU: _glu}.get(type(module))
        return functools.partial(function, dim=module.dim) if function else None
    return _EXPANSIONS.get(node.target) if node.op in ("call_function", "call_method") else None


class _Expander(fx.proxy.GraphAppendingTracer):
    def __init__(self, node: fx.Node) -> None:
        super().__init__(node.graph)
        self._meta = {key: value for key, value in node.meta.items() if key != "val"}

    def proxies(self, node: fx.Node) -> Any:
        """The arguments of a call as what functions are traced with."""

        def proxy(n: fx.Node) -> Any:
            return fx.Proxy(n, self)

        return map_arg((node.args, dict(node.kwargs)), proxy)

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        node = super().create_node(*args, **kwargs)
        node.meta = dict(self._meta)
        return node


def expand(graph_module: fx.GraphModule, mapping: QConfigMapping) -> None:
    """Replace functions that are several operators by those.

    So are functions of the user's, or of other libraries, that torch.fx was told not to look into, as far as they can
    be traced. Those that QTensors have no part in stay as they are where the qconfig is not static.
    """
    for node in list(graph_module.graph.nodes):
        function = _expansion(graph_module, node)
        if function is None:
            if not _is_foreign(node.target):
                continue
            function = node.target
        elif not _is_static(qconfig_of(graph_module, node, mapping)):
            continue
        before = set(graph_module.graph.nodes)
        try:
            args, kwargs = _Expander(node).proxies(node)
            with graph_module.graph.inserting_before(node):
                result = function(*args, **kwargs)
        except Exception:  # another library's code, which wants values
            result = None
        if isinstance(result, fx.Proxy):
            node.replace_all_uses_with(result.node)
            graph_module.graph.erase_node(node)
            continue
        for made in reversed([n for n in graph_module.graph.nodes if n not in before]):
            graph_module.graph.erase_node(made)


def _is_foreign(target: Any) -> bool:
    """Whether a call's target is a function in Python that is neither torch's nor this package's."""
    return inspect.isfunction(target) and not target.__module__.startswith(("torch.", "qsdk."))


def _is_static(qconfig: Any) -> bool:
    return qconfig is not None and is_static(qconfig)


# Functionals as modules


def functionals_to_modules(graph_module: fx.GraphModule) -> None:
    """Replace calls of functions and methods by calls of the float modules that stand for them."""
    for node in list(graph_module.graph.nodes):
        module = _form(graph_module, node)
        if module is not None:
            path = add_module(graph_module, name_beside(node), module)
            with graph_module.graph.inserting_before(node):
                call = graph_module.graph.call_module(path, (first_argument(node),))
            call.meta = {**node.meta, "spelling": node.target}
            node.replace_all_uses_with(call)
            graph_module.graph.erase_node(node)
        elif _is_identity(graph_module, node):
            node.replace_all_uses_with(first_argument(node))
            graph_module.graph.erase_node(node)
    graph_module.graph.eliminate_dead_code()


def _form(graph_module: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    if node.op not in ("call_function", "call_method") or not isinstance(first_argument(node), fx.Node):
        return None
    form = FORMS.get(node.target)
    if form is None:
        return None
    keywords = {name: value for name, value in node.kwargs.items() if name != "input"}
    arguments = [_constant(graph_module, a) for a in node.args[1:]]
    keywords = {name: _constant(graph_module, value) for name, value in keywords.items()}
    if any(isinstance(v, fx.Node) for v in _flat([arguments, keywords])):
        return None
    if form in spellings.BY_RANK:
        keywords["rank"] = _rank(graph_module, node)
    if form in spellings.BY_CHANNELS:
        example = first_argument(node).meta.get("val")
        keywords["channels"] = example.shape[1] if isinstance(example, Tensor) and example.dim() > 1 else None
    return form(*arguments, **keywords)


def _flat(value: Any) -> list[Any]:
    found: list[Any] = []
    map_arg(value, found.append)
    return found


def _constant(graph_module: fx.GraphModule, argument: Any) -> Any:
    """The tensor that a get_attr node stands for; other arguments as they are."""
    if isinstance(argument, fx.Node) and argument.op == "get_attr":
        value = value_of(graph_module, argument)
        return value if isinstance(value, Tensor) else argument
    return argument


def _rank(graph_module: fx.GraphModule, node: fx.Node) -> int:
    """Rank of a call's input: of its example value, else as the names of the module classes around and before it say,
    such as BatchNormAct2d and Conv1d; 4 if none says."""
    source = first_argument(node)
    if isinstance(source.meta.get("val"), Tensor):
        return source.meta["val"].dim()
    kinds = [kind for _, kind in reversed(scopes(node))]
    while isinstance(source, fx.Node):
        if source.op == "call_module":
            kinds.append(type(module_of(graph_module, source)))
        source = first_argument(source)
    for kind in kinds:
        if kind is nn.Linear:
            return 2
        found = re.search(r"([123])d$", kind.__name__)
        if found:
            return int(found[1]) + 2
    return 4


def _is_identity(graph_module: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a call gives what it gets: nn.Identity, and conversions to the dtype that a tensor has."""
    if node.op == "call_module":
        return type(module_of(graph_module, node)) is nn.Identity
    if node.op != "call_method" or node.target not in ("float", "to", "type_as"):
        return False
    before, after = (n.meta.get("val") for n in (first_argument(node), node))
    return isinstance(before, Tensor) and isinstance(after, Tensor) and before.dtype == after.dtype


def set_attributes_apart(graph_module: fx.GraphModule) -> None:
    """Give tensors that are read out of modules which are also called places of their own.

    The module may be replaced, and the tensor with it. Questions about a tensor's shape are answered here.
    """
    called = {str(n.target) for n in graph_module.graph.nodes if n.op == "call_module"}
    for node in list(graph_module.graph.nodes):
        if node.op != "get_attr":
            continue
        value = value_of(graph_module, node)
        for user in [user for user in node.users if asks_shape(user)]:
            _put_in_place(user, _asked(user, value))
        parts = str(node.target).split(".")
        if isinstance(value, Tensor) and any(".".join(parts[:length]) in called for length in range(1, len(parts))):
            name = free_name(graph_module, "_".join(parts))
            if isinstance(value, nn.Parameter):
                graph_module.register_parameter(name, value)
            else:
                graph_module.register_buffer(name, value)
            node.target = name


def _asked(node: fx.Node, value: Any) -> Any:
    if node.op == "call_method":
        return getattr(value, str(node.target))(*node.args[1:], **node.kwargs)
    return node.target(value, *node.args[1:])  # type: ignore[operator]


def _put_in_place(node: fx.Node, value: Any) -> None:
    """Let the readers of a node read a constant."""
    for user in list(node.users):
        user.args, user.kwargs = map_arg((user.args, dict(user.kwargs)), lambda n: value if n is node else n)


def unshare(graph_module: fx.GraphModule) -> None:
    """Give each call of a module without parameters a module of its own, as calls of functions have.

    So an nn.ReLU that a block uses twice can be fused twice, and be float in one place and quantized in the other.
    """
    seen: set[int] = set()
    for node in graph_module.graph.nodes:
        if node.op != "call_module":
            continue
        module = module_of(graph_module, node)
        if id(module) in seen and type(module).__module__.startswith("torch.nn.") and not module.state_dict():
            node.target = add_module(graph_module, str(node.target), copy.deepcopy(module))
        seen.add(id(module))


# Qconfigs


def qconfig_of(graph_module: fx.GraphModule, node: fx.Node, mapping: QConfigMapping, order: int = 0) -> Any:
    """The qconfig that a mapping has for a call; `order`: how many such calls its module has made before."""
    around = scopes(node)
    return mapping.qconfig_of(around[-1][0] if around else "", _kinds(graph_module, node), order)


def _kinds(graph_module: fx.GraphModule, node: fx.Node) -> list[Any]:
    """What a rule for an object type may call a call: a function or method, a module class, or a class around it."""
    spelled = [node.meta["spelling"]] if "spelling" in node.meta else []
    own = type(module_of(graph_module, node)) if node.op == "call_module" else node.target
    return [*spelled, own, *(kind for _, kind in reversed(scopes(node)))]


def assign_qconfigs(graph_module: fx.GraphModule, mapping: QConfigMapping) -> None:
    """Store each call's qconfig in its meta['qconfig']."""
    counts: Counter[tuple[str, Any]] = Counter()
    for node in graph_module.graph.nodes:
        if node.op in ("call_module", "call_function", "call_method"):
            around = [path for path, _ in scopes(node)]
            if node.op == "call_module" and "spelling" not in node.meta:
                around = around[:-1]
            key = (around[-1] if around else "", _kinds(graph_module, node)[0])
            node.meta["qconfig"] = qconfig_of(graph_module, node, mapping, counts[key])
            counts[key] += 1


# Fusion


def fuse(graph_module: fx.GraphModule, additional: dict[Any, Any] | None = None) -> None:
    """Join modules that follow one another and nothing else reads in between, wherever a fusion of them is known.

    Modules whose qconfig is None are left alone.
    """
    patterns = {*known_fusions(graph_module.training), *(additional or {})}
    longest = max(len(pattern) for pattern in patterns)
    calls = Counter(id(module_of(graph_module, n)) for n in graph_module.graph.nodes if n.op == "call_module")
    joined: set[fx.Node] = set()
    for node in list(graph_module.graph.nodes):
        if node in joined:
            continue
        chain = _chain(graph_module, node, longest, calls)
        while len(chain) > 1 and tuple(type(module_of(graph_module, n)) for n in chain) not in patterns:
            chain.pop()
        if len(chain) > 1:
            _fuse_chain(graph_module, chain, additional)
            joined.update(chain)


def _chain(graph_module: fx.GraphModule, node: fx.Node, longest: int, calls: Counter[int]) -> list[fx.Node]:
    """This call and the next ones, as far as each is the only reader of the one before and could be fused."""
    chain: list[fx.Node] = []
    while (
        node.op == "call_module"
        and calls[id(module_of(graph_module, node))] == 1
        and node.meta.get("qconfig", True) is not None
        and len(chain) < longest
    ):
        chain.append(node)
        readers = readers_of(node)
        if len(readers) != 1:
            break
        node = readers[0]
    return chain


def _fuse_chain(graph_module: fx.GraphModule, chain: list[fx.Node], additional: dict[Any, Any] | None) -> None:
    try:
        fused = fuse_known_modules([module_of(graph_module, n) for n in chain], graph_module.training, additional)[0]
    except QuantizationError as error:
        raise QuantizationError(f"layer '{chain[0].target}': {error}") from None
    replace_module(graph_module, chain[0], fused)
    for node in reversed(chain[1:]):
        node.replace_all_uses_with(node.all_input_nodes[0])
        graph_module.graph.erase_node(node)


def replace_module(graph_module: fx.GraphModule, node: fx.Node, module: nn.Module) -> None:
    """Put another module where the one that a node calls is."""
    parent, _, last = str(node.target).rpartition(".")
    setattr(graph_module.get_submodule(parent), last, module)


def swap_custom(graph_module: fx.GraphModule, classes: dict[Any, Any]) -> None:
    """Make observed modules of custom float modules that have a qconfig."""
    for node in graph_module.graph.nodes:
        module: Any = module_of(graph_module, node) if node.op == "call_module" else None
        if type(module) in classes and node.meta["qconfig"] is not None:
            module.qconfig = node.meta["qconfig"]
            replace_module(graph_module, node, classes[type(module)].from_float(module))


def cleaned(graph_module: fx.GraphModule) -> fx.GraphModule:
    """A GraphModule of the same graph that has what the graph needs, and no more."""
    graph_module.graph.eliminate_dead_code()
    graph_module.graph.lint()
    graph_module.graph._tracer_cls = Tracer  # reads the code when it is unpickled; torch.export's could not
    result = fx.GraphModule(graph_module, graph_module.graph, type(graph_module).__name__)
    for module in result.modules():
        if type(module) is nn.Module:  # made by torch.fx to hold others
            module.training = result.training
    return result
