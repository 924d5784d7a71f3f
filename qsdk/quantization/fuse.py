"""Fusing modules that follow one another, so that they are quantized as one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.fx
from torch import nn

from qsdk.errors import QuantizationError
from qsdk.nn import intrinsic as nni
from qsdk.nn.intrinsic.folding import fold

Fuser = Callable[..., nn.Module]


class _Fusions(NamedTuple):
    """What a layer is fused with, and the modules that keep them together; None where there is none.

    Attributes:
        norm: the batch norm that may follow; in eval mode it is folded into the layer
        with_norm, with_norm_relu: for training
        with_relu: for both modes
    """

    norm: type[nn.Module]
    with_norm: type[nn.Module] | None = None
    with_norm_relu: type[nn.Module] | None = None
    with_relu: type[nn.Module] | None = None


_LAYERS: dict[type[nn.Module], _Fusions] = {
    nn.Conv1d: _Fusions(nn.BatchNorm1d, nni.ConvBn1d, nni.ConvBnReLU1d, nni.ConvReLU1d),
    nn.Conv2d: _Fusions(nn.BatchNorm2d, nni.ConvBn2d, nni.ConvBnReLU2d, nni.ConvReLU2d),
    nn.Conv3d: _Fusions(nn.BatchNorm3d, nni.ConvBn3d, nni.ConvBnReLU3d, nni.ConvReLU3d),
    nn.Linear: _Fusions(nn.BatchNorm1d, nni.LinearBn1d, None, nni.LinearReLU),
    nn.ConvTranspose1d: _Fusions(nn.BatchNorm1d),
    nn.ConvTranspose2d: _Fusions(nn.BatchNorm2d),
    nn.ConvTranspose3d: _Fusions(nn.BatchNorm3d),
}


def _names(modules: Sequence[nn.Module]) -> str:
    return f"[{', '.join(type(module).__name__ for module in modules)}]"


def _fuse_norm(is_qat: bool, layer: Any, norm: Any, *relu: nn.Module) -> nn.Module:
    """Batch norm kept beside its layer for training, or folded into it; ReLU beside both."""
    modules = (layer, norm, *relu)
    row = _LAYERS.get(type(layer))
    if row is None or type(norm) is not row.norm:
        raise QuantizationError(f"cannot fuse {_names(modules)}; {_known()}")
    _check_one_mode(modules)
    outputs = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
    if norm.num_features != outputs:
        raise QuantizationError(
            f"{type(norm).__name__} of {norm.num_features} features after {outputs} of {type(layer).__name__}"
        )
    kind = (row.with_norm_relu if relu else row.with_norm) if is_qat else row.with_relu
    if kind is None and (is_qat or relu):
        raise QuantizationError(
            f"cannot fuse {_names(modules)} in {'training' if is_qat else 'eval'} mode; leave the last one out"
            + (", or call model.eval() before fusing to fold batch norm" if is_qat else "")
        )
    if is_qat and kind is not None:
        return kind(*modules)
    folded = _folded(layer, norm)
    return kind(folded, *relu) if relu and kind is not None else folded


def _folded(layer: Any, norm: Any) -> nn.Module:
    if layer.training:
        raise QuantizationError(
            f"cannot fold {type(norm).__name__} in training mode; call model.eval() before fusing, or fuse for training"
        )
    if norm.running_mean is None:
        raise QuantizationError(
            f"{type(norm).__name__} without running statistics cannot be folded; use track_running_stats=True"
        )
    folded: nn.Module = copy.deepcopy(layer)
    with torch.no_grad():
        weight, bias = fold(layer, norm)
    folded.weight = nn.Parameter(weight, layer.weight.requires_grad)
    folded.bias = nn.Parameter(bias, layer.weight.requires_grad)
    return folded


def fuse_conv_bn(is_qat: bool, conv: nn.Module, bn: nn.Module) -> nn.Module:
    """A convolution and batch norm: in one module for training, else batch norm folded into the convolution.

    Args:
        is_qat: for quantization-aware training
        conv, bn: Conv1d, 2d or 3d and the batch norm of as many dimensions, in one mode

    Raises:
        QuantizationError: other modules, sizes or modes that do not fit, or batch norm without running statistics.
    """
    return _fuse_norm(is_qat, conv, bn)


def fuse_conv_bn_relu(is_qat: bool, conv: nn.Module, bn: nn.Module, relu: nn.Module) -> nn.Module:
    """As fuse_conv_bn, and a ReLU beside it."""
    return _fuse_norm(is_qat, conv, bn, relu)


def fuse_linear_bn(is_qat: bool, linear: nn.Module, bn: nn.Module) -> nn.Module:
    """As fuse_conv_bn, of Linear and BatchNorm1d on [N, features]."""
    return _fuse_norm(is_qat, linear, bn)


def fuse_convtranspose_bn(is_qat: bool, convt: nn.Module, bn: nn.Module) -> nn.Module:
    """As fuse_conv_bn, of a transposed convolution; for training there is no such module, which is an error."""
    return _fuse_norm(is_qat, convt, bn)


def _beside(kind: type[nn.Module]) -> Fuser:
    def fuse(is_qat: bool, *modules: nn.Module) -> nn.Module:
        return kind(*modules)

    return fuse


def _fusers() -> dict[tuple[type[nn.Module], ...], Fuser]:
    table: dict[tuple[type[nn.Module], ...], Fuser] = {
        (nn.BatchNorm2d, nn.ReLU): _beside(nni.BNReLU2d),
        (nn.BatchNorm3d, nn.ReLU): _beside(nni.BNReLU3d),
    }
    for layer, row in _LAYERS.items():
        table[layer, row.norm] = _fuse_norm
        if row.with_relu is not None:
            table[layer, row.norm, nn.ReLU] = _fuse_norm
            table[layer, nn.ReLU] = _beside(row.with_relu)
    return table


_FUSERS = _fusers()


def known_fusions(is_qat: bool) -> set[tuple[type[nn.Module], ...]]:
    """The sequences of module types that can be fused, for training or in eval mode."""
    known = set(_FUSERS)
    if is_qat:
        known -= {(layer, row.norm) for layer, row in _LAYERS.items() if row.with_norm is None}
        known -= {(layer, row.norm, nn.ReLU) for layer, row in _LAYERS.items() if row.with_norm_relu is None}
    return known


def _known() -> str:
    return "known fusions: " + "; ".join("[" + ", ".join(t.__name__ for t in key) + "]" for key in _FUSERS)


def get_fuser_method(
    op_list: Sequence[type[nn.Module]], additional_fuser_method_mapping: dict[Any, Fuser] | None = None
) -> Fuser:
    """The function (is_qat, *modules) -> module that fuses modules of these types.

    Args:
        op_list: types, in the order of the modules
        additional_fuser_method_mapping: {types: function}, before the known ones

    Raises:
        QuantizationError: there is none; lists those there are.
    """
    types = tuple(op_list)
    fuser = {**_FUSERS, **(additional_fuser_method_mapping or {})}.get(types)
    if fuser is None:
        raise QuantizationError(f"cannot fuse [{', '.join(t.__name__ for t in types)}]; {_known()}")
    return fuser


def _check_one_mode(modules: Sequence[nn.Module]) -> None:
    if len({module.training for module in modules}) != 1:
        raise QuantizationError("modules to fuse are partly in training mode; call eval() or train() on the model")


def fuse_known_modules(
    mod_list: Sequence[nn.Module], is_qat: bool, additional_fuser_method_mapping: dict[Any, Fuser] | None = None
) -> list[nn.Module]:
    """The fused module, then an Identity for each of the others. Hooks of the first and the last move along.

    Raises:
        QuantizationError: the types form no known fusion, or the modules are not all in one mode.
    """
    fuser = get_fuser_method([type(mod) for mod in mod_list], additional_fuser_method_mapping)
    _check_one_mode(mod_list)
    # Hooks leave before fusing, because folding copies the convolution, which would then call them as well.
    pre_hooks, hooks = list(mod_list[0]._forward_pre_hooks.values()), list(mod_list[-1]._forward_hooks.values())
    mod_list[0]._forward_pre_hooks.clear()
    mod_list[-1]._forward_hooks.clear()
    fused = fuser(is_qat, *mod_list)
    fused.train(mod_list[0].training)
    for pre_hook in pre_hooks:
        fused.register_forward_pre_hook(pre_hook)
    for hook in hooks:
        fused.register_forward_hook(hook)
    rest: list[nn.Module] = [nn.Identity() for _ in mod_list[1:]]
    for identity in rest:
        identity.training = mod_list[0].training
    if hasattr(mod_list[0], "qconfig"):
        fused.qconfig = mod_list[0].qconfig
    return [fused, *rest]


def _trace(model: nn.Module) -> torch.fx.Graph | None:
    """The calls that forward makes, or None if it cannot be traced; known fusions need none of the others' modules."""
    parts = tuple({kind for key in _FUSERS for kind in key})

    class Tracer(torch.fx.Tracer):
        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
            return isinstance(m, (*parts, nni._FusedModule)) or super().is_leaf_module(m, module_qualified_name)

    try:
        graph = Tracer().trace(model)
    except Exception:  # a forward that depends on values is not traced; any code of the user's runs here
        return None
    for node in list(graph.nodes):
        if node.op == "call_module" and isinstance(model.get_submodule(str(node.target)), nn.Identity):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    return graph


def _check_adjacent(graph: torch.fx.Graph, model: nn.Module, names: Sequence[str]) -> None:
    """Refuse modules that do not follow one another in forward, or whose result is used elsewhere as well."""
    calls: dict[int, list[torch.fx.Node]] = {}
    for node in graph.nodes:
        if node.op == "call_module":
            calls.setdefault(id(model.get_submodule(str(node.target))), []).append(node)
    nodes = [calls.get(id(model.get_submodule(name)), []) for name in names]
    if not any(nodes):
        return  # forward does not use them, or calls them in a way that is not seen
    for name, found in zip(names, nodes, strict=True):
        if len(found) != 1:
            raise QuantizationError(f"forward calls '{name}' {len(found)} times; a fused module has to run once")
    for first, second, one, other in zip(names, names[1:], nodes, nodes[1:], strict=False):
        if other[0].args[:1] != (one[0],):
            raise QuantizationError(f"'{second}' does not follow '{first}' in forward")
        if len(one[0].users) != 1:
            raise QuantizationError(f"forward uses the result of '{first}' elsewhere too, not only in '{second}'")


def _fuse_group(
    model: nn.Module,
    names: Sequence[str],
    is_qat: bool | None,
    fuser: Callable[..., list[nn.Module]],
    custom: Any,
    graph: torch.fx.Graph | None,
) -> None:
    try:
        modules = [model.get_submodule(name) for name in names]
        if is_qat and not modules[0].training:
            raise QuantizationError(f"'{names[0]}' is in eval mode; call model.train() first, or use fuse_modules")
        if graph is not None and tuple(type(module) for module in modules) in _FUSERS:
            _check_adjacent(graph, model, names)
        training = modules[0].training if is_qat is None else is_qat
        replaced = fuser(modules, training, (custom or {}).get("additional_fuser_method_mapping"))
    except (AttributeError, QuantizationError) as error:
        caller = "fuse_modules_qat" if is_qat else "fuse_modules"
        raise QuantizationError(f"{caller} {list(names)}: {error}") from None
    for name, module in zip(names, replaced, strict=True):
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, module)


def _fuse_modules(
    model: nn.Module,
    modules_to_fuse: Any,
    is_qat: bool | None,
    inplace: bool,
    fuser_func: Callable[..., list[nn.Module]],
    custom: dict[str, Any] | None,
) -> nn.Module:
    if not inplace:
        model = copy.deepcopy(model)
    groups = [modules_to_fuse] if all(isinstance(item, str) for item in modules_to_fuse) else modules_to_fuse
    graph = _trace(model) if fuser_func is fuse_known_modules else None
    for group in groups:
        if group:
            _fuse_group(model, group, is_qat, fuser_func, custom, graph)
    return model


def fuse_modules(
    model: nn.Module,
    modules_to_fuse: Any,
    inplace: bool = False,
    fuser_func: Callable[..., list[nn.Module]] = fuse_known_modules,
    fuse_custom_config_dict: dict[str, Any] | None = None,
) -> nn.Module:
    """Fuse layers with the batch norm and the ReLU that follow them.

    [Conv, BatchNorm], [Conv, BatchNorm, ReLU], [Conv, ReLU] in 1, 2 and 3 dimensions, [Linear, ReLU],
    [Linear, BatchNorm1d], [BatchNorm2d or 3d, ReLU]; in eval mode also [ConvTranspose, BatchNorm] and
    [Linear, BatchNorm1d, ReLU].

    The first module of each group becomes the fused one, the others Identity. In eval mode batch norm is folded into
    the layer before it; in training mode both are kept in one module for quantization-aware training.

    Args:
        model: the float model
        modules_to_fuse: paths of the modules of one group, or a list of groups
        inplace: change the model itself
        fuser_func: takes a group's modules, whether they are fused for training, and the additional mapping; returns
            as many modules
        fuse_custom_config_dict: 'additional_fuser_method_mapping': {types: function (is_qat, *modules) -> module}

    Raises:
        QuantizationError: no module of that path, no such fusion, or the modules do not follow one another in forward
            (checked where forward can be traced); names the group.
    """
    return _fuse_modules(model, modules_to_fuse, None, inplace, fuser_func, fuse_custom_config_dict)


def fuse_modules_qat(
    model: nn.Module,
    modules_to_fuse: Any,
    inplace: bool = False,
    fuser_func: Callable[..., list[nn.Module]] = fuse_known_modules,
    fuse_custom_config_dict: dict[str, Any] | None = None,
) -> nn.Module:
    """fuse_modules for quantization-aware training alone.

    Args:
        model: the float model, in training mode; the others as fuse_modules's

    Raises:
        QuantizationError: as fuse_modules, or the modules are in eval mode; names the group.
    """
    return _fuse_modules(model, modules_to_fuse, True, inplace, fuser_func, fuse_custom_config_dict)


__all__ = [
    "fuse_conv_bn",
    "fuse_conv_bn_relu",
    "fuse_convtranspose_bn",
    "fuse_known_modules",
    "fuse_linear_bn",
    "fuse_modules",
    "fuse_modules_qat",
    "get_fuser_method",
]
