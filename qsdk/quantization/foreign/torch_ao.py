"""from_torch(model): a model that torch.ao.quantization has converted, eager or FX, as one of ours.

torch.ao's modules and operators are recognised by name, and replaced by ours with the same weights, scales and zero
points; everything else stays. Nothing of torch.ao is imported.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from qsdk.errors import QsdkError, UnsupportedOperatorError
from qsdk.nn import quantized as nnq
from qsdk.nn.intrinsic import quantized as nniq
from qsdk.nn.quantized import dynamic as nnqd
from qsdk.nn.quantized.conv import by_output_channel
from qsdk.qparams import QParams, quint8, to_qdtype
from qsdk.qtensor import QTensor
from qsdk.quantization.foreign.translate import Translation
from qsdk.quantization.graph.functional import FunctionalCall
from qsdk.quantization.graph.nodes import add_module, name_beside, value_of
from qsdk.quantization.graph.rewrite import cleaned

_ROOMS = ("torch.ao.nn.quantized.", "torch.ao.nn.intrinsic.quantized.", "torch.nn.quantized.")


def _qtensor(weight: Tensor) -> QTensor:
    """torch's quantized tensor of int8 as ours."""
    if weight.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return QTensor(weight.int_repr(), QParams(weight.q_scale(), weight.q_zero_point(), to_qdtype(weight.dtype)))
    scales, zero_points = weight.q_per_channel_scales(), weight.q_per_channel_zero_points()
    qparams = QParams(scales.float(), zero_points, to_qdtype(weight.dtype), ch_axis=weight.q_per_channel_axis())
    return QTensor(weight.int_repr(), qparams)


def _weighted(kind: Any) -> Callable[[Any], nn.Module]:
    """A convolution or linear layer."""

    def make(source: Any) -> nn.Module:
        weight, bias = _qtensor(source.weight()), source.bias()
        if hasattr(source, "kernel_size"):
            result = kind._of(source, bias is not None)
            if source.transposed:
                if weight.qparams.per_channel:
                    raise UnsupportedOperatorError("transposed weights with a scale per channel")
                weight = QTensor(by_output_channel(source, weight.storage).contiguous(), weight.qparams)
        else:
            result = kind(source.in_features, source.out_features, bias is not None)
        result.set_weight_bias(weight, bias)
        return result

    return make


def _settings(kind: Any, *names: str) -> Callable[[Any], nn.Module]:
    """A module whose constructor takes settings that the source has under the same names."""

    def make(source: Any) -> nn.Module:
        result: nn.Module = kind(**{name: getattr(source, name) for name in names})
        return result

    return make


def _table(kind: Any) -> Callable[[Any], nn.Module]:
    def make(source: Any) -> nn.Module:
        result: nn.Module = kind(1.0, 0, *(getattr(source, name) for name in kind._SETTINGS))
        return result

    return make


def _prelu(source: Any) -> nn.Module:
    result = nnq.PReLU(num_parameters=source.weight.numel())
    result.set_weight(source.weight.dequantize() if source.weight.is_quantized else source.weight)
    return result


def _batch_norm(kind: Any) -> Callable[[Any], nn.Module]:
    def make(source: Any) -> nn.Module:
        result = kind(source.num_features, source.eps)
        for name in ("weight", "bias", "running_mean", "running_var"):
            setattr(result, name, getattr(source, name).detach().float().clone())
        return result

    return make


_CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
_FUSED = ("ConvReLU1d", "ConvReLU2d", "ConvReLU3d", "LinearReLU")
_MODULES: dict[str, Callable[[Any], nn.Module]] = {
    **{name: _weighted(getattr(nnq, name)) for name in (*_CONVOLUTIONS, "Linear")},
    **{name: _weighted(getattr(nniq, name)) for name in _FUSED},
    **{name: _batch_norm(getattr(nnq, name)) for name in ("BatchNorm2d", "BatchNorm3d")},
    **{name: _batch_norm(getattr(nniq, name)) for name in ("BNReLU2d", "BNReLU3d")},
    **{name: _table(getattr(nnq, name)) for name in ("ELU", "Hardswish", "LeakyReLU", "Sigmoid")},
    **{
        name: _settings(getattr(nnq, name), "num_features", "weight", "bias", "eps")
        for name in ("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d")
    },
    "LayerNorm": _settings(nnq.LayerNorm, "normalized_shape", "weight", "bias", "eps"),
    "GroupNorm": _settings(nnq.GroupNorm, "num_groups", "num_channels", "weight", "bias", "eps"),
    "Softmax": _settings(nnq.Softmax, "dim"),
    "PReLU": _prelu,
    "ReLU6": _settings(nnq.ReLU6),
    "Dropout": _settings(nnq.Dropout, "p"),
    "Quantize": _settings(nnq.Quantize),
    "DeQuantize": _settings(nnq.DeQuantize),
    "QFunctional": _settings(nnq.QFunctional),
}
_DYNAMIC: dict[str, Callable[[Any], nn.Module]] = {"Linear": _weighted(nnqd.Linear)}

# quantized:: operators that are functions of FloatFunctional; their last arguments are scale and zero point.
_METHODS = ("add", "add_relu", "mul", "matmul", "cat")


class _Importer:
    def __init__(self, model: nn.Module) -> None:
        self.model = model
        kinds = [module for module in model.modules() if self._name(module) == "Quantize"]
        self.dtype = to_qdtype(kinds[0].dtype) if kinds else quint8

    @staticmethod
    def _name(module: nn.Module) -> str:
        """Class of a module of torch.ao's quantized families, '' of others."""
        kind = type(module)
        return kind.__name__ if f"{kind.__module__}.".startswith(_ROOMS) else ""

    def run(self) -> None:
        if isinstance(self.model, fx.GraphModule):
            for node in list(self.model.graph.nodes):
                self._function(node)
        self._modules("", self.model)
        if isinstance(self.model, fx.GraphModule):
            Translation(self.model, "from_torch", native=True).run()

    # Modules

    def _modules(self, prefix: str, owner: nn.Module) -> None:
        for name, child in list(owner.named_children()):
            path = f"{prefix}{name}"
            if self._name(child):
                setattr(owner, name, self._counterpart(path, child))
            else:
                self._modules(f"{path}.", child)

    def _counterpart(self, path: str, module: nn.Module) -> nn.Module:
        name = self._name(module)
        is_dynamic = ".dynamic." in f"{type(module).__module__}."
        make = (_DYNAMIC if is_dynamic else _MODULES).get(name)
        if make is None:
            raise UnsupportedOperatorError(
                f"from_torch: layer '{path}' is a {_spelled(module)}, which is not supported"
            )
        try:
            result: Any = make(module)
            if not is_dynamic and hasattr(result, "output_qparams"):
                result.output_qparams = self._output(module)
        except QsdkError as error:
            raise UnsupportedOperatorError(f"from_torch: layer '{path}', a {_spelled(module)}: {error}") from None
        result._qualified_name = path
        result.training = False
        made: nn.Module = result
        return made

    def _output(self, module: Any) -> QParams:
        scale = getattr(module, "output_scale", None)  # of Sigmoid
        zero_point = module.output_zero_point if scale is not None else module.zero_point
        return QParams(float(module.scale if scale is None else scale), int(zero_point), self.dtype)

    # Calls in a graph

    def _function(self, node: fx.Node) -> None:
        arguments = [self._constant(a) for a in (*node.args, *node.kwargs.values())]
        if node.target is torch.quantize_per_tensor:
            self.dtype = to_qdtype(arguments[3])
        elif str(node.target).startswith("quantized."):
            name = str(node.target).split(".")[1]
            if name not in _METHODS:
                raise UnsupportedOperatorError(f"from_torch: '{node.name}': quantized::{name} is not supported")
            *operands, scale, zero_point = arguments
            call = FunctionalCall(name, None)
            call.functional = nnq.QFunctional()
            call.functional.output_qparams = QParams(scale, zero_point, self.dtype)
            self._put(node, call, operands)

    def _constant(self, argument: Any) -> Any:
        """The number that a get_attr node stands for; tensors' nodes as they are."""
        if isinstance(argument, fx.Node) and argument.op == "get_attr":
            value = value_of(self.model, argument)  # type: ignore[arg-type]
            return value.item() if isinstance(value, Tensor) and value.numel() == 1 else argument
        return argument

    def _put(self, node: fx.Node, module: nn.Module, args: list[Any]) -> None:
        path = add_module(self.model, name_beside(node), module)  # type: ignore[arg-type]
        getattr(module, "functional", module)._qualified_name = path
        with node.graph.inserting_before(node):
            new = node.graph.call_module(path, tuple(args))
        node.replace_all_uses_with(new)
        node.graph.erase_node(node)


def _spelled(module: nn.Module) -> str:
    return f"{type(module).__module__}.{type(module).__name__}"


def from_torch(model: nn.Module) -> nn.Module:
    """A model that torch.ao.quantization has converted, ready for qsdk.export.

    Args:
        model: from torch.ao's convert or convert_fx; static, or dynamic with Linear layers. It stays as it is

    Returns:
        A converted model of qsdk with the same weights, scales and zero points. Its results may differ from torch's by
        a step here and there: torch's kernels round in other places, and not all alike.

    Raises:
        UnsupportedOperatorError: names the layer, and the module or operator that has no counterpart.
    """
    model = copy.deepcopy(model)
    _Importer(model).run()
    if isinstance(model, fx.GraphModule):
        model.graph._tracer_cls = None  # not torch.ao's
        model = cleaned(model)
    return model


__all__ = ["from_torch"]
