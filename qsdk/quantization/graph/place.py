"""Where quantized tensors meet float ones: a QuantStub or a DeQuantStub is put in between, once for each value.

Every call is of one kind. Quantized: its tensors are quantized and calibration observes its result. Passing: it takes
what comes and keeps its input's scale and zero point. Float: all others; also those with dynamic or weight-only
qconfigs, whose tensors stay float. Sums, products and the like become FloatFunctionals.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Container
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from qsdk.nn.quantized import FloatFunctional
from qsdk.ops import FORMS, FUNCTIONALS, OPERATORS
from qsdk.qtensor import passes_qparams
from qsdk.quantization.graph.rewrite import add_module, module_of
from qsdk.quantization.mappings import is_observed, is_swapped
from qsdk.quantization.qconfig import is_static
from qsdk.quantization.stubs import DeQuantStub, QuantStub

# Calls whose results are no tensors although their input is one.
_SHAPE_METHODS = {"size", "dim", "numel", "ndimension", "stride", "is_contiguous", "get_device"}
_SHAPE_ATTRIBUTES = {"shape", "ndim", "dtype", "device", "requires_grad", "is_quantized"}
_PASSING_MODULES = tuple(kind for row in OPERATORS.values() if row.qparams == "shared" for kind in row.modules)
_DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


class Placer:
    """Walks a float graph in order and makes it the graph that eager mode's prepare wants.

    Args:
        graph_module: traced, with fusions made
        qconfig_of: the qconfig of a node
        quantized_inputs, quantized_outputs: positions of model inputs and outputs that are quantized for the caller
        custom: module classes that are observed because the caller says so
    """

    def __init__(
        self,
        graph_module: fx.GraphModule,
        qconfig_of: Callable[[fx.Node], Any],
        quantized_inputs: Container[int] = (),
        quantized_outputs: Container[int] = (),
        custom: Container[type[nn.Module]] = (),
    ) -> None:
        self._module = graph_module
        self._graph = graph_module.graph
        self._qconfig_of = qconfig_of
        self._quantized_inputs = quantized_inputs
        self._quantized_outputs = quantized_outputs
        self._custom = custom
        self._quantized: set[fx.Node] = set()
        self._tensors: set[fx.Node] = set()  # nodes whose values are, or contain, tensors
        self._stubs: dict[Any, fx.Node] = {}

    def run(self) -> None:
        """Rewrite the graph."""
        inputs = 0
        for node in list(self._graph.nodes):
            if node.op == "placeholder":
                self._tensors.add(node)
                if inputs in self._quantized_inputs:
                    self._quantized.add(node)
                inputs += 1
            elif node.op == "get_attr":
                self._tensors.add(node)
            elif node.op == "output":
                self._output(node)
            else:
                self._call(node)

    # Kinds of calls

    def _call(self, node: fx.Node) -> None:
        tensors = [n for n in node.all_input_nodes if n in self._tensors]
        if not tensors:
            return  # arithmetic on shapes
        if self._is_shape(node):
            return  # quantized tensors answer it as float ones do
        self._tensors.add(node)
        if node.op == "call_module":
            self._call_module(node)
        elif not self._call_functional(node):
            passes = self._passes(node.target) and node.args and self._is_quantized(node.args[0])
            if passes and self._qconfig_of(node) is not None:
                self._quantized.add(node)
            else:
                self._take_float(node)

    def _is_shape(self, node: fx.Node) -> bool:
        if node.op == "call_method":
            return node.target in _SHAPE_METHODS
        if node.target is getattr:
            return node.args[1] in _SHAPE_ATTRIBUTES
        return node.target in (len, isinstance, torch.is_tensor)

    def _is_quantized(self, argument: Any) -> bool:
        """Whether an argument, or the first of several, is a quantized value."""
        first = argument[0] if isinstance(argument, (list, tuple)) and argument else argument
        return isinstance(first, fx.Node) and first in self._quantized

    @staticmethod
    def _passes(target: Any) -> bool:
        """Whether quantized tensors answer a function or method with their own scale and zero point."""
        if target is operator.getitem:
            return True
        if target in FUNCTIONALS or target in FORMS and not _keeps_qparams(target):
            return False
        function = getattr(Tensor, target, None) if isinstance(target, str) else target
        return passes_qparams(function)

    def _call_module(self, node: fx.Node) -> None:
        module, qconfig = module_of(self._module, node), self._qconfig_of(node)
        kind = type(module)
        if qconfig is not None and (is_swapped(kind) or kind in self._custom):
            if is_static(qconfig) and (is_observed(kind) or kind in self._custom):
                module.qconfig = qconfig
                self._take_quantized(node, qconfig)
                self._quantized.add(node)
                return
            if not is_static(qconfig):
                module.qconfig = qconfig
        passes = isinstance(module, (*_PASSING_MODULES, *_DROPOUT)) and not is_observed(kind)
        if passes and qconfig is not None and node.args and self._is_quantized(node.args[0]):
            module.qconfig = qconfig
            self._quantized.add(node)
        else:
            self._take_float(node)

    # Sums, products and the like

    def _call_functional(self, node: fx.Node) -> bool:
        """Make a FloatFunctional of a sum, product, difference, ...; False if the call is none."""
        qconfig = self._qconfig_of(node)
        if qconfig is None or not is_static(qconfig) or node.kwargs.keys() - {"dim", "axis", "other", "input"}:
            return False
        named = [node.kwargs[name] for name in ("input", "other") if name in node.kwargs]
        arguments: list[Any] = [*node.args, *named] if "input" not in node.kwargs else [*named, *node.args]
        method = FUNCTIONALS.get(node.target)
        result: fx.Node | None = None
        with self._graph.inserting_before(node):
            if method == "cat" and isinstance(arguments[0], (list, tuple)):
                parts = [self._quantize(a, qconfig) for a in arguments[0]]
                dim = node.kwargs.get("dim", node.kwargs.get("axis", arguments[1] if len(arguments) > 1 else 0))
                result = self._functional(node, qconfig, "cat", parts, dim)
            elif len(arguments) == 2:
                result = self._binary(node, qconfig, method, *arguments)
            elif len(arguments) == 1 and node.target in _NEGATIONS:
                result = self._scalar(node, qconfig, "mul_scalar", arguments[0], -1.0)
        if result is None:
            return False
        result.meta.update(node.meta)
        node.replace_all_uses_with(result)
        self._graph.erase_node(node)
        return True

    def _binary(self, node: fx.Node, qconfig: Any, method: str | None, a: Any, b: Any) -> fx.Node | None:
        tensors = [isinstance(v, fx.Node) and v in self._tensors for v in (a, b)]
        subtracts, divides = node.target in _DIFFERENCES, node.target in _QUOTIENTS
        if all(tensors):
            if subtracts:
                b, method = self._scalar(node, qconfig, "mul_scalar", b, -1.0), "add"
            if method not in ("add", "mul", "matmul"):
                return None
            a, b = self._quantize(a, qconfig), self._quantize(b, qconfig)
            relu = self._following_relu(node) if method == "add" else None
            if relu is not None:
                relu.replace_all_uses_with(node)
                self._graph.erase_node(relu)
                method = "add_relu"
            return self._functional(node, qconfig, method, a, b)
        if divides:
            return self._scalar(node, qconfig, "mul_scalar", a, 1.0 / b) if tensors[0] and _is_number(b) and b else None
        if subtracts:
            if tensors[0]:
                return self._scalar(node, qconfig, "add_scalar", a, -b) if _is_number(b) else None
            negated = self._scalar(node, qconfig, "mul_scalar", b, -1.0)
            return self._scalar(node, qconfig, "add_scalar", negated, a)
        if method not in ("add", "mul"):
            return None
        return self._scalar(node, qconfig, f"{method}_scalar", *((a, b) if tensors[0] else (b, a)))

    def _scalar(self, node: fx.Node, qconfig: Any, method: str, tensor: Any, number: Any) -> fx.Node:
        return self._functional(node, qconfig, method, self._quantize(tensor, qconfig), number)

    def _functional(self, node: fx.Node, qconfig: Any, method: str, *arguments: Any) -> fx.Node:
        functional = FloatFunctional()
        functional.qconfig = qconfig
        name = add_module(self._module, f"{node.name}_functional", functional)
        owner = self._graph.get_attr(name)
        result = self._graph.call_method(method, (owner, *arguments))
        self._tensors.add(result)
        self._quantized.add(result)
        return result

    def _following_relu(self, node: fx.Node) -> fx.Node | None:
        """The ReLU that alone reads a sum."""
        reader = next(iter(node.users)) if len(node.users) == 1 else None
        if reader is None or reader.op != "call_module" or type(module_of(self._module, reader)) is not nn.ReLU:
            return None
        return reader if self._qconfig_of(reader) is not None else None

    # Stubs

    def _quantize(self, value: Any, qconfig: Any) -> Any:
        """`value` as a quantized one; the graph's insertion point is before the reader."""
        if not isinstance(value, fx.Node) or value in self._quantized or value not in self._tensors:
            return value
        key = (value, id(qconfig.activation))
        if key not in self._stubs:
            self._stubs[key] = self._stub(value, "quant", QuantStub(qconfig))
            self._quantized.add(self._stubs[key])
        return self._stubs[key]

    def _dequantize(self, value: fx.Node) -> fx.Node:
        if value not in self._quantized:
            return value
        if value not in self._stubs:
            stub = DeQuantStub()
            stub.qconfig = True  # converted wherever it stands
            self._stubs[value] = self._stub(value, "dequant", stub)
        return self._stubs[value]

    def _stub(self, value: fx.Node, suffix: str, module: nn.Module) -> fx.Node:
        name = add_module(self._module, f"{value.name}_{suffix}", module)
        # Behind the value, and not before its first reader, so that every reader comes later.
        with self._graph.inserting_after(value):
            stub = self._graph.call_module(name, (value,))
        self._tensors.add(stub)
        return stub

    def _take_quantized(self, node: fx.Node, qconfig: Any) -> None:
        node.args = map_arg(node.args, lambda n: self._quantize(n, qconfig))
        node.kwargs = map_arg(node.kwargs, lambda n: self._quantize(n, qconfig))

    def _take_float(self, node: fx.Node) -> None:
        node.args = map_arg(node.args, self._dequantize)
        node.kwargs = map_arg(node.kwargs, self._dequantize)

    def _output(self, node: fx.Node) -> None:
        values = node.args[0]
        if not isinstance(values, (list, tuple)):
            values = (values,)
        quantized = [
            map_arg(value, lambda n: n) if position in self._quantized_outputs else map_arg(value, self._dequantize)
            for position, value in enumerate(values)
        ]
        if isinstance(node.args[0], (list, tuple)):
            node.args = (type(node.args[0])(quantized),)
        elif isinstance(node.args[0], dict):
            node.args = (map_arg(node.args[0], self._dequantize),)
        else:
            node.args = (quantized[0],)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _keeps_qparams(target: Any) -> bool:
    return any(target in row.forms for row in OPERATORS.values() if row.qparams == "shared")


_DIFFERENCES = {operator.sub, operator.isub, torch.sub, torch.subtract, "sub", "sub_"}
_QUOTIENTS = {operator.truediv, operator.itruediv, torch.div, torch.true_divide, "div", "div_"}
_NEGATIONS = {operator.neg, torch.neg, "neg"}
