"""Where quantized tensors meet float ones: a QuantStub or a DeQuantStub is put in between, once for each value.

Every call is of one kind. Quantized: its tensors are quantized and calibration observes its result. Passing: it takes
what comes and keeps its input's scale and zero point. Float: all others; also those with dynamic or weight-only
qconfigs, whose tensors stay float. Sums, products and the like become FloatFunctionals.

    Before:  conv(x) -> sigmoid(.) -> fft(.) -> view(.) + 1
    After:   quant(x) -> conv -> sigmoid -> dequant -> fft -> view -> quant -> add_scalar(., 1) -> dequant
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Container
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from qsdk import spellings
from qsdk.ops import FORMS, FUNCTIONALS, OPERATORS
from qsdk.qtensor import implementation_of, passes_qparams
from qsdk.quantization.graph.calls import CALLS
from qsdk.quantization.graph.functional import FunctionalCall
from qsdk.quantization.graph.nodes import (
    add_module,
    asks_shape,
    first_argument,
    gives_no_number,
    module_of,
    name_beside,
    readers_of,
    tensor_nodes,
    value_of,
)
from qsdk.quantization.mappings import is_observed, is_swapped
from qsdk.quantization.qconfig import is_static
from qsdk.quantization.stubs import DeQuantStub, QuantStub

_SHARED = [row for row in OPERATORS.values() if row.qparams == "shared"]
_PASSING_MODULES = {kind for row in _SHARED for kind in row.modules} | {
    nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d,
}  # fmt: skip
_PASSING_FORMS = {spelling for row in _SHARED for spelling in row.forms}

# Modes of functions that QTensors answer in other modes only.
_FLOAT_MODES = {"area", "bicubic", "nearest-exact", "trilinear"}

_REVERSED = {torch.rsub, "rsub"}
_NEGATIONS = {operator.neg, torch.neg, torch.negative, "neg", "negative"}
_QUOTIENTS = {operator.truediv, torch.div, torch.divide, torch.true_divide, "div", "divide", "true_divide"}
_PAIRS = ("add", "sub", "mul", "matmul")
_OF_TWO = {torch.max: "maximum", "max": "maximum", torch.min: "minimum", "min": "minimum"}


class Placer:
    """Walks a float graph in order and makes it the graph that eager mode's prepare wants.

    Args:
        graph_module: rewritten; each call has its qconfig in meta['qconfig']
        quantized_inputs, quantized_outputs: positions of model inputs and outputs that are quantized for the caller
        custom: module classes that are observed because the caller says so
        default: qconfig of quantized outputs that no quantized call gives
    """

    def __init__(
        self,
        graph_module: fx.GraphModule,
        quantized_inputs: Container[int] = (),
        quantized_outputs: Container[int] = (),
        custom: Container[type[nn.Module]] = (),
        default: Any = None,
    ) -> None:
        self._module = graph_module
        self._graph = graph_module.graph
        self._quantized_inputs = quantized_inputs
        self._quantized_outputs = quantized_outputs
        self._custom = custom
        self._default = default
        self._tensors = tensor_nodes(graph_module)
        self._quantized: set[fx.Node] = set()
        self._stubs: dict[Any, fx.Node] = {}
        self._joined: set[fx.Node] = set()

    def run(self) -> None:
        """Rewrite the graph."""
        inputs = 0
        for node in list(self._graph.nodes):
            if node.op == "placeholder":
                if inputs in self._quantized_inputs:
                    self._quantized.add(node)
                inputs += 1
            elif node.op == "output":
                self._output(node)
            elif node.op == "call_module":
                if node not in self._joined:
                    self._call_module(node)
            elif node.op != "get_attr" and any(n in self._tensors for n in node.all_input_nodes):
                self._call_function(node)

    # Kinds of calls

    def _call_function(self, node: fx.Node) -> None:
        if asks_shape(node) or self._call_functional(node):
            return
        if node.meta["qconfig"] is not None and gives_no_number(node):
            return  # quantized tensors answer as float ones
        if self._passes(node) and node.meta["qconfig"] is not None and self._is_quantized(first_argument(node)):
            if node in self._tensors:
                self._quantized.add(node)
        else:
            self._take_float(node)

    def _is_quantized(self, argument: Any) -> bool:
        """Whether an argument, or the first of several, is a quantized value."""
        first = argument[0] if isinstance(argument, (list, tuple)) and argument else argument
        return isinstance(first, fx.Node) and first in self._quantized

    @staticmethod
    def _passes(node: fx.Node) -> bool:
        """Whether quantized tensors answer this very call with their own scale and zero point."""
        target = node.target
        if target is operator.getitem:
            return True
        if target is getattr:
            return node.args[1] in ("T", "mT", "values")
        if FUNCTIONALS.get(target) == "cat" and isinstance(first_argument(node), fx.Node):
            return True  # of the parts of one tensor, which all have its parameters
        if target in FUNCTIONALS or target in FORMS and target not in _PASSING_FORMS:
            return False
        function = getattr(Tensor, target, None) if isinstance(target, str) else target
        implementation = implementation_of(function)
        if implementation is None or not passes_qparams(function) or node.kwargs.get("return_indices"):
            return False
        if any(isinstance(v, str) and v in _FLOAT_MODES for v in (*node.args, *node.kwargs.values())):
            return False
        try:
            inspect.signature(implementation).bind(*node.args, **node.kwargs)
        except TypeError:  # an argument, such as dtype or out, that it does not have
            return False
        return True

    def _call_module(self, node: fx.Node) -> None:
        module: Any = module_of(self._module, node)
        qconfig = node.meta["qconfig"]
        kind = type(module)
        if "standalone" in getattr(module, "meta", ()):
            self._call_standalone(node, module)
        elif qconfig is None:
            self._take_float(node)
        elif is_static(qconfig) and (is_observed(kind) or kind in self._custom):
            module.qconfig = qconfig
            self._take_quantized(node, qconfig)
            self._quantized.add(node)
        elif self._passing_module(module) and self._is_quantized(first_argument(node)):
            module.qconfig = qconfig
            self._quantized.add(node)
        else:
            if is_swapped(kind) and not is_static(qconfig):
                module.qconfig = qconfig
            self._take_float(node)

    @staticmethod
    def _passing_module(module: nn.Module) -> bool:
        kind = type(module)
        if getattr(module, "return_indices", False) or getattr(module, "mode", None) in _FLOAT_MODES:
            return False
        return kind in _PASSING_MODULES and not is_observed(kind) and spellings.lie_side_by_side(module)

    def _call_standalone(self, node: fx.Node, module: fx.GraphModule) -> None:
        """A module that was prepared on its own, and says what it takes and gives."""
        inputs, outputs, default = module.meta["standalone"]
        qconfig = node.meta["qconfig"] or default
        node.args = tuple(
            map_arg(value, lambda n: self._quantize(node, n, qconfig))
            if position in inputs
            else map_arg(value, lambda n: self._dequantize(node, n))
            for position, value in enumerate(node.args)
        )
        node.kwargs = map_arg(node.kwargs, lambda n: self._dequantize(node, n))
        if 0 in outputs:
            self._quantized.add(node)

    # Sums, products and the like

    def _call_functional(self, node: fx.Node) -> bool:
        """Make a FloatFunctional of a sum, product, difference, ...; False if the call is none."""
        qconfig = node.meta["qconfig"]
        if qconfig is None or not is_static(qconfig) or node not in self._tensors:
            return False
        method = FUNCTIONALS.get(node.target) or self._of_two(node)
        if method in CALLS:
            return self._call_method(node, *CALLS[method])
        keywords = dict(node.kwargs)
        arguments = [*node.args, *(keywords.pop(name) for name in ("input", "tensors", "other") if name in keywords)]
        dim = keywords.pop("dim", keywords.pop("axis", 0))
        if keywords:
            return False  # alpha, out, rounding_mode
        result: fx.Node | None = None
        if method == "cat" and isinstance(arguments[0], (list, tuple)):
            dim = arguments[1] if len(arguments) > 1 else dim
            result = self._functional(node, "cat", [self._quantize(node, a, qconfig) for a in arguments[0]], dim)
        elif len(arguments) == 2:
            result = self._pair(node, method, *arguments)
        elif len(arguments) == 1 and node.target in _NEGATIONS:
            result = self._scalar(node, "mul_scalar", arguments[0], -1.0)
        if result is None:
            return False
        self._replace(node, result)
        return True

    def _replace(self, node: fx.Node, result: fx.Node) -> None:
        node.replace_all_uses_with(result)
        self._graph.erase_node(node)

    def _of_two(self, node: fx.Node) -> str | None:
        """torch.max and torch.min of two tensors."""
        other = node.args[1] if len(node.args) > 1 else node.kwargs.get("other")
        name = _OF_TWO.get(node.target)
        return name if isinstance(other, fx.Node) and other in self._tensors else None

    def _call_method(self, node: fx.Node, method: str, adapt: Callable[..., Any]) -> bool:
        try:
            arguments = adapt(*node.args, **node.kwargs)
        except TypeError:  # an argument, such as out, that the method does not have
            return False
        if arguments is None:
            return False
        qconfig = node.meta["qconfig"]
        self._replace(node, self._functional(node, method, *(self._quantize(node, a, qconfig) for a in arguments)))
        return True

    def _pair(self, node: fx.Node, method: str | None, a: Any, b: Any) -> fx.Node | None:
        """The call of a function of two operands, at least one of them a tensor; None if it stays float."""
        a, b = (self._folded(v) for v in ((b, a) if node.target in _REVERSED else (a, b)))
        tensors = [isinstance(v, fx.Node) and v in self._tensors for v in (a, b)]
        if not all(is_tensor or _may_be_number(v) for is_tensor, v in zip(tensors, (a, b), strict=True)):
            return None
        if node.target in _REVERSED:
            method = "sub"
        if method == "sub" and not all(tensors):
            if _is_number(b):
                b = -b
            elif tensors[1]:
                b = self._scalar(node, "mul_scalar", b, -1.0)
            else:
                return None
            method = "add"
        elif node.target in _QUOTIENTS:
            if not _is_number(b) or b == 0:
                return None
            b, method = 1.0 / b, "mul"
        if method not in _PAIRS or method == "matmul" and self._has_vector(a, b):
            return None
        if not all(tensors):
            return self._scalar(node, f"{method}_scalar", *((a, b) if tensors[0] else (b, a)))
        relu = self._following_relu(node) if method in ("add", "sub") else None
        if relu is not None:
            relu.replace_all_uses_with(node)
            self._graph.erase_node(relu)
            self._joined.add(relu)
            method = f"{method}_relu"
        return self._functional(node, method, *(self._quantize(node, v, node.meta["qconfig"]) for v in (a, b)))

    def _folded(self, value: Any) -> Any:
        """The number that a constant tensor without axes is; other operands as they are."""
        if isinstance(value, fx.Node) and value.op == "get_attr" and not self._module.training:
            tensor = value_of(self._module, value)
            if isinstance(tensor, Tensor) and tensor.dim() == 0:
                return tensor.item()
        return value

    @staticmethod
    def _has_vector(*operands: fx.Node) -> bool:
        values = [operand.meta.get("val") for operand in operands]
        return any(isinstance(value, Tensor) and value.dim() < 2 for value in values)

    def _scalar(self, node: fx.Node, method: str, tensor: Any, number: Any) -> fx.Node:
        return self._functional(node, method, self._quantize(node, tensor, node.meta["qconfig"]), number)

    def _functional(self, node: fx.Node, method: str, *arguments: Any) -> fx.Node:
        path = add_module(self._module, name_beside(node), FunctionalCall(method, node.meta["qconfig"]))
        with self._graph.inserting_before(node):
            result = self._graph.call_module(path, arguments)
        result.meta = dict(node.meta)
        self._tensors.add(result)
        self._quantized.add(result)
        return result

    def _following_relu(self, node: fx.Node) -> fx.Node | None:
        """The ReLU that alone reads a sum."""
        readers = readers_of(node)
        reader = readers[0] if len(readers) == 1 else None
        if reader is None or reader.op != "call_module" or type(module_of(self._module, reader)) is not nn.ReLU:
            return None
        return reader if reader.meta["qconfig"] is not None else None

    # Stubs: before the first reader, which comes before all others because the walk is in order

    def _quantize(self, reader: fx.Node, value: Any, qconfig: Any) -> Any:
        if not isinstance(value, fx.Node) or value in self._quantized or value not in self._tensors:
            return value
        key = (value, id(qconfig.activation))
        if key not in self._stubs:
            self._stubs[key] = self._stub(reader, value, "_quant", QuantStub(qconfig))
            self._quantized.add(self._stubs[key])
        return self._stubs[key]

    def _dequantize(self, reader: fx.Node, value: fx.Node) -> fx.Node:
        if value not in self._quantized:
            return value
        if value not in self._stubs:
            self._stubs[value] = self._stub(reader, value, "_dequant", DeQuantStub(True))  # whatever the qconfig is
        return self._stubs[value]

    def _stub(self, reader: fx.Node, value: fx.Node, suffix: str, module: nn.Module) -> fx.Node:
        path = add_module(self._module, name_beside(value, suffix), module)
        with self._graph.inserting_before(reader):
            stub = self._graph.call_module(path, (value,))
        self._tensors.add(stub)
        return stub

    def _take_quantized(self, node: fx.Node, qconfig: Any) -> None:
        node.args = map_arg(node.args, lambda n: self._quantize(node, n, qconfig))
        node.kwargs = map_arg(node.kwargs, lambda n: self._quantize(node, n, qconfig))

    def _take_float(self, node: fx.Node) -> None:
        node.args = map_arg(node.args, lambda n: self._dequantize(node, n))
        node.kwargs = map_arg(node.kwargs, lambda n: self._dequantize(node, n))

    def _output(self, node: fx.Node) -> None:
        result: Any = node.args[0]
        several = isinstance(result, (list, tuple))
        values = [
            self._quantized_output(node, value)
            if position in self._quantized_outputs
            else map_arg(value, lambda n: self._dequantize(node, n))
            for position, value in enumerate(result if several else [result])
        ]
        if hasattr(result, "_fields"):
            node.args = (type(result)(*values),)
        else:
            node.args = (type(result)(values) if several else values[0],)

    def _quantized_output(self, node: fx.Node, value: Any) -> Any:
        def quantized(n: fx.Node) -> fx.Node:
            qconfig = n.meta.get("qconfig") or self._default
            return n if qconfig is None or not is_static(qconfig) else self._quantize(node, n, qconfig)

        return map_arg(value, quantized)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _may_be_number(value: Any) -> bool:
    """Whether an operand is a number, or a node of arithmetic on shapes."""
    if isinstance(value, fx.Node):
        return value.op != "get_attr" and not isinstance(value.meta.get("val"), Tensor)
    return isinstance(value, (int, float))
