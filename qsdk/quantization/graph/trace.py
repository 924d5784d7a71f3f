"""trace(model): the model's forward as a torch.fx graph, float modules of torch.nn as leaves."""

from __future__ import annotations

import operator
import traceback
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._pytree import tree_map_only

from qsdk.errors import CaptureError, QuantizationError
from qsdk.nn import intrinsic as nni
from qsdk.nn import quantizable
from qsdk.nn.quantized import FloatFunctional
from qsdk.quantization.graph.nodes import calling_frames, line_of, path_of, users_line
from qsdk.quantization.stubs import DeQuantStub, QuantStub

_OPEN = tuple(quantizable.swappable().values())


class _Proxy(fx.Proxy):
    """torch.fx's stand-in for a tensor, which parts can be assigned to."""

    def __setitem__(self, index: Any, value: Any) -> None:
        self.tracer.create_proxy("call_function", operator.setitem, (self, index, value), {})


class Tracer(fx.Tracer):
    """torch.fx's tracer with our leaves; each node knows the line of the user's code that made it.

    Arguments of forward that have a number, a text or None as default are no inputs of the graph, but that constant,
    unless the example inputs say otherwise: to a tracer, `if mask is not None` would always hold.
    """

    proxy_buffer_attributes = True  # buffers stay the model's, and a call that changes one is seen

    def __init__(
        self,
        leaf_names: Iterable[str] = (),
        leaf_classes: Iterable[type[nn.Module]] = (),
        example_inputs: Sequence[Any] = (),
    ) -> None:
        super().__init__()
        self._leaf_names = set(leaf_names)
        self._leaf_classes = tuple(leaf_classes)
        self._examples = tuple(example_inputs)

    def create_args_for_root(self, *args: Any, **kwargs: Any) -> Any:
        """As torch.fx does, but for arguments that are constants."""
        function, arguments = super().create_args_for_root(*args, **kwargs)
        proxies = [a for a in arguments if isinstance(a, fx.Proxy)]
        constants = {id(a): self._constant(a.node, position) for position, a in enumerate(proxies)}
        return function, [constants.get(id(a), (a,))[0] for a in arguments]

    def _constant(self, placeholder: fx.Node, position: int) -> tuple[Any]:
        simple = (type(None), bool, int, float, str)
        if position < len(self._examples) and isinstance(self._examples[position], simple):
            return (self._examples[position],)
        if position >= len(self._examples) and placeholder.args and isinstance(placeholder.args[0], simple):
            self.graph.erase_node(placeholder)
            return (placeholder.args[0],)
        return (self.proxy(placeholder),)

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """What stands for the value of a node."""
        return _Proxy(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a call of this module becomes one node."""
        if isinstance(m, (QuantStub, DeQuantStub, FloatFunctional)):  # graph mode places its own
            return False
        return (
            module_qualified_name in self._leaf_names
            or isinstance(m, (nni._FusedModule, *self._leaf_classes))
            or type(m).__module__.startswith("qsdk.nn.")
            and not isinstance(m, _OPEN)
            or super().is_leaf_module(m, module_qualified_name)
        )

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        """As torch.fx does."""
        node = super().create_node(*args, **kwargs)
        node.meta["line"] = users_line(calling_frames())
        return node


def trace(
    model: nn.Module,
    leaf_names: Iterable[str] = (),
    leaf_classes: Iterable[type[nn.Module]] = (),
    example_inputs: Sequence[Any] | None = None,
) -> fx.GraphModule:
    """The model as a GraphModule that shares its parameters.

    Args:
        leaf_names, leaf_classes: modules that are not traced into
        example_inputs: arguments of one call; nodes then know their values, but for the data, in meta['val']

    Raises:
        CaptureError: forward depends on values, or does what torch.fx cannot follow; names the line of the model.
        QuantizationError: the model fails on the example inputs; names the call and its line.
    """
    try:
        graph = Tracer(leaf_names, leaf_classes, example_inputs or ()).trace(model)
    except Exception as error:  # user code can raise anything while it is traced
        raise CaptureError(
            f"torch.fx cannot trace the model{_place(error)}: {type(error).__name__}: {first_line(error)}. Pass "
            "example_inputs and capture='export' to capture it with torch.export, or list the module under "
            "'non_traceable_module_name' in prepare_custom_config_dict to leave it in float"
        ) from error
    graph_module = fx.GraphModule(model, graph, type(model).__name__)
    if example_inputs is not None:
        _record_values(graph_module, example_inputs)
    return graph_module


def first_line(error: Exception) -> str:
    """What an error says first."""
    return (str(error).strip() or "no message").splitlines()[0]


def _place(error: Exception) -> str:
    frames = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)]
    line = users_line(reversed(frames))
    return f" at {line}" if line else ""


def _record_values(graph_module: fx.GraphModule, example_inputs: Sequence[Any]) -> None:
    runner = _Recorder(graph_module)
    with torch.no_grad():
        runner.run(*example_inputs)
    for node in graph_module.graph.nodes:
        node.meta["val"] = runner.values[node.name]


class _Recorder(fx.Interpreter):
    def __init__(self, graph_module: fx.GraphModule) -> None:
        super().__init__(graph_module)
        self.values: dict[str, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        try:
            result = super().run_node(n)
        except Exception as error:  # user code again
            raise QuantizationError(
                f"the model fails on example_inputs in '{path_of(n) or n.name}'{line_of(n)}: {first_line(error)}"
            ) from error
        self.values[n.name] = tree_map_only(Tensor, lambda t: t.to("meta"), result)
        return result
