"""Translation: a float graph with calls of quantize and dequantize becomes a graph of quantized modules.

What other libraries leave behind is a graph in which pairs of quantize and dequantize say what is meant to be computed
in integers. Here the pairs go, and what lies between them becomes quantized modules with their scales and zero points:

    Before:  dequantize(xq) -> conv2d(., dequantize(wq)) -> relu -> quantize -> dequantize
    After:   xq -> Conv2d -> relu
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from qsdk.errors import QsdkError, UnsupportedOperatorError
from qsdk.nn import quantized as nnq
from qsdk.nn.quantized.base import QuantizedModule
from qsdk.ops import FUNCTIONALS, OPERATORS
from qsdk.qparams import QParams, QScheme, to_qdtype
from qsdk.qtensor import passes_qparams
from qsdk.quantization.graph.functional import FunctionalCall
from qsdk.quantization.graph.nodes import (
    add_module,
    asks_shape,
    first_argument,
    free_name,
    line_of,
    module_of,
    name_beside,
    path_of,
    value_of,
)
from qsdk.quantization.graph.rewrite import functionals_to_modules, replace_module
from qsdk.quantization.mappings import get_default_static_quant_module_mappings, is_observed
from qsdk.quantization.observer_base import ObserverBase
from qsdk.quantization.qconfig import QConfig
from qsdk.quantization.quantize import swap_module
from qsdk.quantization.weights import weighted_part

_QUANTIZE = "quantize_per_tensor"
_DEQUANTIZE = ("dequantize_per_tensor", "dequantize_per_channel")
_SHARED = [row for row in OPERATORS.values() if row.qparams == "shared"]
_SHARED_FORMS = tuple(kind for row in _SHARED for kind in row.modules)
# Averages need a narrower range than what they average, so theirs says nothing about it.
_AVERAGES = [row for row in _SHARED if row.rule == 8]
_AVERAGING = {s for row in _AVERAGES for s in (*row.modules, *row.functions, *row.methods)}
# Scale, and zero point above the lowest value, of what torch's kernels give.
_FIXED = {nn.Sigmoid: (1 / 256, 0), nn.Hardsigmoid: (1 / 256, 0), nn.Tanh: (2 / 256, 128)}


class _Known(ObserverBase):
    """Parameters that another library chose."""

    def __init__(self, qparams: QParams) -> None:
        super().__init__(qparams.dtype)
        self.ch_axis = 0
        self.qscheme = QScheme.per_channel_symmetric if qparams.per_channel else QScheme.per_tensor_affine
        self.quant_min, self.quant_max = qparams.quant_min, qparams.quant_max
        self._pair = torch.as_tensor(qparams.scale).reshape(-1), torch.as_tensor(qparams.zero_point).reshape(-1)

    def forward(self, x: Tensor) -> Tensor:
        """x itself."""
        return x

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """The known ones."""
        return self._pair


def _operation(node: fx.Node) -> str:
    """Name of a call that quantizes or dequantizes, or does something else of quantized_decomposed's; else ''."""
    if node.target is torch.quantize_per_tensor:
        return _QUANTIZE
    if node.target in ("dequantize", torch.dequantize):
        return _DEQUANTIZE[0]
    is_theirs = isinstance(node.target, torch._ops.OpOverload) and node.target.namespace == "quantized_decomposed"
    return node.target._opname if is_theirs else ""  # type: ignore[union-attr]


class Translation:
    """Rewrites a graph in place, in order. A node in `quantized` gives QTensors with those parameters.

    Args:
        graph_module: spelled as torch.fx spells calls
        name: of the function whose errors these are
        native: as torch's own quantized kernels have it, results of cat have the parameters of the first operand, and
            results of functions with a known range have fixed ones

    Raises:
        UnsupportedOperatorError: names the layer and the operator.
    """

    def __init__(self, graph_module: fx.GraphModule, name: str, native: bool = False) -> None:
        self._name = name
        self._native = native
        self.module = graph_module
        self.graph = graph_module.graph
        self.quantized: dict[fx.Node, QParams | None] = {}
        self.weights: dict[int, QParams] = {}  # id of a float weight -> how it was quantized
        self._mapping = get_default_static_quant_module_mappings()

    def run(self) -> None:
        """Weights first, so that functions with constant weights become modules."""
        for node in list(self.graph.nodes):
            if _operation(node) in _DEQUANTIZE:
                self._constant(node)
        functionals_to_modules(self.module)
        for node in list(self.graph.nodes):
            name = _operation(node)
            if name == _QUANTIZE:
                self._quantize(node)
            elif name in _DEQUANTIZE:
                self._dequantize(node)
            elif name:
                raise self._unsupported(node, f"quantized_decomposed.{name}", "has no counterpart")
            elif node.op == "output":
                node.args = map_arg(node.args, self._output)
            elif any(n in self.quantized for n in node.all_input_nodes) and not asks_shape(node):
                self._compute(node)

    # Boundaries

    def _qparams(self, node: fx.Node) -> QParams:
        """Of a call of quantize or dequantize, per tensor."""
        low, high = None, None
        if node.target is torch.quantize_per_tensor:
            _, scale, zero_point, dtype = (*node.args, *node.kwargs.values())
        else:
            _, scale, zero_point, low, high, dtype, *_ = node.args
        if isinstance(scale, fx.Node) or isinstance(zero_point, fx.Node):
            scale, zero_point = (self._number(v, node) for v in (scale, zero_point))
        try:
            return QParams(scale, zero_point, to_qdtype(dtype), low, high)  # type: ignore[arg-type]
        except QsdkError as error:
            raise self._unsupported(node, _operation(node), f"cannot be taken in: {error}") from None

    def _number(self, value: Any, node: fx.Node) -> Any:
        if not isinstance(value, fx.Node):
            return value
        if value.op != "get_attr":
            raise self._unsupported(node, _operation(node), "chooses its scale as the model runs; quantize statically")
        return value_of(self.module, value).item()

    def _constant(self, node: fx.Node) -> None:
        """The float values of dequantized weights, in place of the call."""
        source: Any = node.args[0]
        if isinstance(source, fx.Node) and _operation(source).startswith("quantize_per") and source.args:
            origin: Any = source.args[0]
            if origin.op != "get_attr":
                return
            quantize: Any = source.target
            integers = quantize(*[value_of(self.module, a) if isinstance(a, fx.Node) else a for a in source.args])
        elif source.op == "get_attr":
            origin, integers = source, value_of(self.module, source)
        else:
            return
        _, *rest = [value_of(self.module, a) if isinstance(a, fx.Node) else a for a in node.args]
        values = node.target(integers, *rest)  # type: ignore[operator]
        name = free_name(self.module, f"{str(origin.target).replace('.', '_')}_float")
        self.module.register_parameter(name, nn.Parameter(values, requires_grad=False))
        if integers.dtype == torch.int8:
            self.weights[id(getattr(self.module, name))] = _weight_qparams(*rest)
        with self.graph.inserting_before(node):
            attribute = self.graph.get_attr(name)
        attribute.meta = {"val": values.to("meta")}
        node.replace_all_uses_with(attribute)
        self.graph.erase_node(node)

    def _quantize(self, node: fx.Node) -> None:
        source, wanted = node.args[0], self._qparams(node)
        assert isinstance(source, fx.Node)
        if self.quantized.get(source) != wanted:
            kind = nnq.Requantize if source in self.quantized else nnq.Quantize
            module = kind(wanted.scale, wanted.zero_point, wanted.dtype)
            module.output_qparams = wanted
            source = self._call(node, name_beside(source, "_quant"), module, (source,))
            self.quantized[source] = wanted
        self._replace(node, source)

    def _dequantize(self, node: fx.Node) -> None:
        source = node.args[0]
        if source not in self.quantized:
            raise self._unsupported(node, _operation(node), "gets integers that no quantize gave")
        self._replace(node, source)  # type: ignore[arg-type]

    def _output(self, value: fx.Node) -> fx.Node:
        if value not in self.quantized:
            return value
        return self._call(
            next(iter(reversed(self.graph.nodes))), name_beside(value, "_dequant"), nnq.DeQuantize(), (value,)
        )

    # Calls between them

    def _compute(self, node: fx.Node) -> None:
        if node.op == "call_module":
            self._compute_module(node)
        elif node.target in FUNCTIONALS:
            self._compute_functional(node, FUNCTIONALS[node.target])
        else:
            if not _passes(node.target):
                raise self._unsupported(node, _spelled(node), "has no quantized counterpart")
            self.quantized[node] = self._first(node)

    def _first(self, node: fx.Node) -> QParams | None:
        """Parameters of the first operand, or of the first of several."""
        first = first_argument(node)
        first = first[0] if isinstance(first, (list, tuple)) else first
        if first not in self.quantized:
            raise self._unsupported(node, _spelled(node), "has a first operand that is not quantized")
        return self.quantized[first]

    def _compute_module(self, node: fx.Node) -> None:
        module = module_of(self.module, node)
        if isinstance(module, (QuantizedModule, FunctionalCall)):
            made: Any = getattr(module, "functional", module)
            self.quantized[node] = made.output_qparams if hasattr(made, "output_qparams") else self._first(node)
            return
        if not is_observed(type(module)):
            if not isinstance(module, (_SHARED_FORMS, nn.Dropout)):
                raise self._unsupported(node, type(module).__name__, "has no quantized counterpart")
            self.quantized[node] = self._first(node)
            return
        part, weight = weighted_part(module), None
        if part is not None:
            weight = self.weights.get(id(part.weight))
            if weight is None:
                raise self._unsupported(node, type(module).__name__, "has weights that are not quantized to int8")
        quantized = self._swapped(node, module, weight=weight)
        replace_module(self.module, node, quantized)

    def _swapped(
        self, node: fx.Node, module: nn.Module, joined: Sequence[fx.Node] = (), weight: QParams | None = None
    ) -> nn.Module:
        """The quantized counterpart; `joined`: operands of cat, whose result needs no parameters but theirs."""
        operands = [self.quantized[n] for n in (joined or node.all_input_nodes[:1])]
        wanted = self._native_qparams(module, operands[0], bool(joined)) if self._native else None
        wanted = wanted or self._wanted(node) or (_joint(operands) if joined else None)
        if wanted is None:
            raise self._unsupported(
                node,
                _spelled(node),
                "gives a result that is not quantized; take a quantizer that annotates outputs too",
            )
        module._qualified_name = path_of(node) or node.name  # type: ignore[assignment]
        observer = _Known(wanted)
        module.qconfig = QConfig(lambda: observer, lambda: _Known(weight or wanted))  # type: ignore[assignment]
        module.activation_post_process = observer
        self.quantized[node] = wanted
        return swap_module(module, self._mapping, {})

    @staticmethod
    def _native_qparams(module: nn.Module, first: QParams | None, is_cat: bool) -> QParams | None:
        if is_cat or first is None:
            return first
        scale, middle = _FIXED.get(type(module), (0.0, 0))
        return QParams(scale, first.dtype.min + middle, first.dtype) if scale else None

    def _compute_functional(self, node: fx.Node, method: str) -> None:
        arguments: list[Any] = [*node.args, *node.kwargs.values()]
        if method == "cat":
            operands = list(arguments[0])
        else:
            operands = arguments[:2]
            if method in ("add", "mul") and isinstance(operands[1], (int, float)):
                method += "_scalar"
                operands = operands[:1]
        if not all(operand in self.quantized for operand in operands) or len(arguments) > 2:
            raise self._unsupported(node, _spelled(node), "has operands that are not quantized, or further arguments")
        call = FunctionalCall(method, None)
        if method.endswith("_scalar"):
            call.functional = nnq.QFunctional()
            self.quantized[node] = None  # follows from the operand's
        else:
            call.functional = self._swapped(node, call.functional, operands if method == "cat" else ())
        path = add_module(self.module, name_beside(node), call)
        call.functional._qualified_name = path  # type: ignore[assignment]
        with self.graph.inserting_before(node):
            new = self.graph.call_module(path, tuple(arguments))
        self.quantized[new] = self.quantized.pop(node)
        self._replace(node, new)

    def _wanted(self, node: fx.Node) -> QParams | None:
        """How a call's result is quantized: by the first quantize behind it, if only what passes lies in between."""
        for user in node.users:
            if _operation(user) == _QUANTIZE:
                return self._qparams(user)
            if user.op == "call_module":
                kind: Any = type(module_of(self.module, user))
                passes = issubclass(kind, _SHARED_FORMS) and kind not in _AVERAGING
            else:
                passes = _passes(user.target) and user.target not in _AVERAGING
            found = self._wanted(user) if passes else None
            if found is not None:
                return found
        return None

    # The graph

    def _call(self, reader: fx.Node, name: str, module: nn.Module, args: tuple[Any, ...]) -> fx.Node:
        path = add_module(self.module, name, module)
        module._qualified_name = path  # type: ignore[assignment]
        with self.graph.inserting_before(reader):
            return self.graph.call_module(path, args)

    def _replace(self, node: fx.Node, value: fx.Node) -> None:
        node.replace_all_uses_with(value)
        self.graph.erase_node(node)

    def _unsupported(self, node: fx.Node, what: str, why: str) -> UnsupportedOperatorError:
        return UnsupportedOperatorError(f"{self._name}: '{path_of(node) or node.name}'{line_of(node)}: {what} {why}")


def _passes(target: Any) -> bool:
    function = getattr(Tensor, target, None) if isinstance(target, str) else target
    return function is operator.getitem or passes_qparams(function)


def _spelled(node: fx.Node) -> str:
    return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))


def _joint(operands: list[QParams | None]) -> QParams | None:
    """Parameters for all that the operands can be; None if those of one are not known."""
    known = [q for q in operands if q is not None]
    if len(known) < len(operands):
        return None
    low = min((q.quant_min - q.zero_point) * q.scale for q in known)
    high = max((q.quant_max - q.zero_point) * q.scale for q in known)
    lowest, highest = known[0].quant_min, known[0].quant_max
    assert lowest is not None and highest is not None
    scale = (high - low) / (highest - lowest)
    return QParams(scale, lowest - round(low / scale), known[0].dtype, lowest, highest)


def _weight_qparams(*arguments: Any) -> QParams:
    if isinstance(arguments[0], Tensor) and arguments[0].numel() > 1:
        scales, zero_points, _, low, high, dtype, *_ = arguments
        zero_points = torch.zeros_like(scales, dtype=torch.int64) if zero_points is None else zero_points
        return QParams(scales, zero_points, to_qdtype(dtype), low, high, ch_axis=0)
    scale, zero_point, *rest = arguments
    low, high, dtype = [v for v in rest if not isinstance(v, Tensor)][-3:]
    return QParams(float(scale), int(zero_point), to_qdtype(dtype), low, high)


__all__ = ["Translation"]
