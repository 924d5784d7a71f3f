"""What every layer of a model gives for some inputs, by name, in float and in quantized models alike."""

from __future__ import annotations

import functools
import re
from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from qsdk.errors import CaptureError
from qsdk.nn.quantized import FloatFunctional, QFunctional
from qsdk.nn.quantized.base import QuantizedModule
from qsdk.qtensor import QParams, QTensor
from qsdk.quantization.graph.trace import trace

# Graph mode's names of what it adds: '<node>_functional', '<node>_module', '<node>_quant', and a number if taken.
_ADDED = re.compile(r"_(functional|module|quant)(_\d+)?$")


class Call(NamedTuple):
    """One call of a layer, or of a function in a traced graph.

    Attributes:
        name: the layer's path, or the function's node
        kind: the layer's class
        source: the first tensor that it got, the object itself
        result: the first tensor that it gave, the object itself
        value: a float copy of the result
        qparams: of the result, if it is quantized
    """

    name: str
    kind: str
    source: Any
    result: Any
    value: Tensor
    qparams: QParams | None


def _first_tensor(value: Any) -> Any:
    """The tensor itself, or the first one in a tuple, list or dict."""
    if isinstance(value, (Tensor, QTensor)):
        return value
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return next((found for found in map(_first_tensor, items) if found is not None), None)


class Recorder:
    """A list of calls, in the order in which they end."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def add(self, name: str, kind: str, inputs: Any, output: Any) -> None:
        """Keep a call, if its result is a tensor of real numbers."""
        result = _first_tensor(output)
        if isinstance(result, QTensor):
            self.calls.append(Call(name, kind, _first_tensor(inputs), result, result.dequantize(), result.qparams))
        elif isinstance(result, Tensor) and result.is_floating_point():
            # A copy, because the next layer may work in place.
            value = result.detach().to(torch.float32, copy=True)
            self.calls.append(Call(name, kind, _first_tensor(inputs), result, value, None))

    @contextmanager
    def watch(self, model: nn.Module, whole: Container[str] = ()) -> Iterator[Recorder]:
        """Record the calls of all modules of a model, and of the functions of its functional modules.

        whole: paths of modules that are not looked into
        """
        with ExitStack() as stack:
            for name, module in model.named_modules():
                parts = name.split(".")
                inside = any(".".join(parts[:length]) in whole for length in range(1, len(parts)))
                if isinstance(module, (FloatFunctional, QFunctional)):
                    stack.enter_context(self._watch_functional(module, name))
                elif name and not inside and not isinstance(module, nn.Identity):
                    hook = functools.partial(self._hook, name)
                    stack.callback(module.register_forward_hook(hook).remove)
            yield self

    def _hook(self, name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        self.add(name, type(module).__name__, inputs, output)

    @contextmanager
    def _watch_functional(self, module: nn.Module, name: str) -> Iterator[None]:
        # Their functions are methods that are called without the module's __call__, so hooks do not see them.
        def watched(method: str, function: Any) -> Any:
            def call(*args: Any, **kwargs: Any) -> Any:
                result = function(*args, **kwargs)
                self.add(name, f"{type(module).__name__}.{method}", args, result)
                return result

            return call

        methods = [
            method
            for kind in type(module).__mro__[: type(module).__mro__.index(nn.Module)]
            for method, function in vars(kind).items()
            if callable(function) and not method.startswith("_") and method not in ("forward", "extra_repr")
        ]
        for method in methods:
            module.__dict__[method] = watched(method, getattr(module, method))
        try:
            yield
        finally:
            for method in methods:
                del module.__dict__[method]


class _Interpreter(fx.Interpreter):
    def __init__(self, graph_module: fx.GraphModule, recorder: Recorder) -> None:
        super().__init__(graph_module)
        self._recorder = recorder

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n.op in ("placeholder", "call_function", "call_method"):
            inputs = [self.env[node] for node in n.all_input_nodes]
            self._recorder.add(n.name, n.name, inputs, result)
        return result


def traced(model: nn.Module) -> fx.GraphModule | None:
    """A float model as graph mode sees it, for the names of its functions; None if it cannot be traced."""
    try:
        return trace(model)
    except CaptureError:
        return None


class FloatRun:
    """One run of a float model, to look the layers of a quantized model up in.

    Args:
        model: float, in eval mode
        graph: traced(model), if functions are looked up too; they are called by its nodes' names
        inputs: of one call
        quantized: the quantized model
    """

    def __init__(
        self, model: nn.Module, graph: fx.GraphModule | None, inputs: tuple[Any, ...], quantized: nn.Module
    ) -> None:
        modules = dict(quantized.named_modules())
        recorder = Recorder()
        with torch.no_grad(), recorder.watch(model, [n for n, m in modules.items() if isinstance(m, QuantizedModule)]):
            self.output = model(*inputs) if graph is None else _Interpreter(graph, recorder).run(*inputs)
        self._calls = recorder.calls
        self._by_name: dict[str, list[int]] = {}
        for position, call in enumerate(self._calls):
            self._by_name.setdefault(call.name, []).append(position)
        # What does something in the quantized model on its own.
        names = {name for name, module in modules.items() if not isinstance(module, nn.Identity)}
        if isinstance(quantized, fx.GraphModule):
            names |= {node.name for node in quantized.graph.nodes}
        self._apart = names | {_ADDED.sub("", name) for name in names}

    def group(self, name: str, occurrence: int = 0, fused: bool = True) -> list[Call]:
        """The calls that one call of a quantized layer stands for: the layer of that name, and what is fused into it.

        Those are the calls that take the result on and have no layer of their own in the quantized model. Empty if
        there is no such layer.

        Args:
            name: of the quantized layer
            occurrence: how often it was called before
            fused: whether anything can be fused into it
        """
        positions = self._by_name.get(name) or self._by_name.get(_ADDED.sub("", name), [])
        if occurrence >= len(positions):
            return []
        group = [self._calls[positions[occurrence]]]
        for call in self._calls[positions[occurrence] + 1 :] if fused else ():
            if call.source is group[-1].result:
                if call.name in self._apart:
                    break
                group.append(call)
        return group
