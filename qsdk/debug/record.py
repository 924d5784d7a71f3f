"""What every layer of a model gives for some inputs, by path, in float and in quantized models alike."""

from __future__ import annotations

import functools
from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from qsdk.nn.quantized import FloatFunctional, QFunctional
from qsdk.nn.quantized.base import QuantizedModule
from qsdk.qtensor import QParams, QTensor
from qsdk.quantization.quantize_fx import prepare_fx


class Call(NamedTuple):
    """One call of a layer.

    Attributes:
        name: the layer's path
        kind: its class; for functional modules the method too
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

    def _add(self, name: str, kind: str, inputs: Any, output: Any) -> None:
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
        self._add(name, type(module).__name__, inputs, output)

    @contextmanager
    def _watch_functional(self, module: nn.Module, name: str) -> Iterator[None]:
        # Their functions are methods that are called without the module's __call__, so hooks do not see them.
        def watched(method: str, function: Any) -> Any:
            def call(*args: Any, **kwargs: Any) -> Any:
                result = function(*args, **kwargs)
                self._add(name, f"{type(module).__name__}.{method}", args, result)
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
                module.__dict__.pop(method, None)


def float_twin(float_model: nn.Module, quantized: nn.Module, example_inputs: Any) -> nn.Module:
    """The float model in the form in which `quantized` was calibrated, so that their layers have the same paths.

    In graph mode functions have become modules, and modules are fused: the float model is prepared once more. In eager
    mode it is the float model itself.
    """
    preparation = getattr(quantized, "meta", {}).get("preparation") if isinstance(quantized, fx.GraphModule) else None
    if preparation is None:
        return float_model
    mapping, config, capture = preparation
    twin = prepare_fx(float_model, mapping, example_inputs, config, capture=capture)
    for module in twin.modules():
        if "activation_post_process" in module._modules:
            module.activation_post_process = nn.Identity()
    return twin


class FloatRun:
    """One run of a float model, to look the layers of a quantized model up in.

    Args:
        model: float, in eval mode
        inputs: of one call
        quantized: the quantized model
    """

    def __init__(self, model: nn.Module, inputs: tuple[Any, ...], quantized: nn.Module) -> None:
        modules = dict(quantized.named_modules())
        recorder = Recorder()
        with torch.no_grad(), recorder.watch(model, [n for n, m in modules.items() if isinstance(m, QuantizedModule)]):
            self.output = model(*inputs)
        self._calls = recorder.calls
        self._by_name: dict[str, list[int]] = {}
        for position, call in enumerate(self._calls):
            self._by_name.setdefault(call.name, []).append(position)
        self._apart = {name for name, module in modules.items() if not isinstance(module, nn.Identity)}

    def find(self, name: str, occurrence: int = 0, fused: bool = True) -> Call | None:
        """What one call of a quantized layer is compared with; None if there is nothing.

        Fused, that is the last of the float layers that take the result on and are nothing in the quantized model.

        Args:
            name: of the quantized layer
            occurrence: how often it was called before
            fused: whether anything can be fused into it
        """
        positions = self._by_name.get(name, [])
        if occurrence >= len(positions):
            return None
        found = self._calls[positions[occurrence]]
        for call in self._calls[positions[occurrence] + 1 :] if fused else ():
            if call.source is found.result:
                if call.name in self._apart:
                    break
                found = call
        return found
