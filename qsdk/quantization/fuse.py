"""Fusing modules that follow one another, so that they are quantized as one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.fx
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from qsdk.errors import QuantizationError
from qsdk.nn import intrinsic as nni

Fuser = Callable[..., nn.Module]


def _fuse_conv_bn(conv: nn.Module, norm: nn.Module) -> nn.Module:
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    if norm.num_features != conv.out_channels:
        raise QuantizationError(f"BatchNorm2d of {norm.num_features} features after {conv.out_channels} channels")
    if conv.training:
        return nni.ConvBn2d(conv, norm)
    if norm.running_mean is None:
        raise QuantizationError("BatchNorm2d without running statistics cannot be folded; use track_running_stats=True")
    return fuse_conv_bn_eval(conv, norm)


def _fuse_conv_bn_relu(conv: nn.Module, norm: nn.Module, relu: nn.Module) -> nn.Module:
    fused = _fuse_conv_bn(conv, norm)
    return nni.ConvBnReLU2d(conv, norm, relu) if conv.training else nni.ConvReLU2d(fused, relu)


def _fuse_linear_bn(linear: nn.Module, norm: nn.Module) -> nn.Module:
    assert isinstance(linear, nn.Linear) and isinstance(norm, nn.BatchNorm1d)
    if norm.num_features != linear.out_features:
        raise QuantizationError(f"BatchNorm1d of {norm.num_features} features after {linear.out_features} features")
    if linear.training:
        return nni.LinearBn1d(linear, norm)
    if norm.running_mean is None:
        raise QuantizationError("BatchNorm1d without running statistics cannot be folded; use track_running_stats=True")
    return fuse_linear_bn_eval(linear, norm)


_FUSERS: dict[tuple[type[nn.Module], ...], Fuser] = {
    (nn.Conv2d, nn.BatchNorm2d): _fuse_conv_bn,
    (nn.Conv2d, nn.BatchNorm2d, nn.ReLU): _fuse_conv_bn_relu,
    (nn.Conv2d, nn.ReLU): nni.ConvReLU2d,
    (nn.Linear, nn.ReLU): nni.LinearReLU,
    (nn.Linear, nn.BatchNorm1d): _fuse_linear_bn,
}


def known_fusions() -> set[tuple[type[nn.Module], ...]]:
    """The sequences of module types that can be fused."""
    return set(_FUSERS)


def fuse_known_modules(mod_list: Sequence[nn.Module], additional: dict[Any, Fuser] | None = None) -> list[nn.Module]:
    """The fused module, then an Identity for each of the others. Hooks of the first and the last move along.

    Raises:
        QuantizationError: the types form no known fusion, or the modules are not all in one mode.
    """
    types = tuple(type(mod) for mod in mod_list)
    fuser = {**_FUSERS, **(additional or {})}.get(types)
    if fuser is None:
        known = "; ".join("[" + ", ".join(t.__name__ for t in key) + "]" for key in _FUSERS)
        raise QuantizationError(f"cannot fuse [{', '.join(t.__name__ for t in types)}]; known fusions: {known}")
    if len({mod.training for mod in mod_list}) != 1:
        raise QuantizationError("modules to fuse are partly in training mode; call eval() or train() on the model")
    # Hooks leave before fusing, because folding copies the convolution, which would then call them as well.
    pre_hooks, hooks = list(mod_list[0]._forward_pre_hooks.values()), list(mod_list[-1]._forward_hooks.values())
    mod_list[0]._forward_pre_hooks.clear()
    mod_list[-1]._forward_hooks.clear()
    fused = fuser(*mod_list)
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
    fuser: Callable[..., list[nn.Module]],
    custom: Any,
    graph: torch.fx.Graph | None,
) -> None:
    try:
        modules = [model.get_submodule(name) for name in names]
    except AttributeError as error:
        raise QuantizationError(f"fuse_modules {list(names)}: {error}") from None
    try:
        if graph is not None and tuple(type(module) for module in modules) in _FUSERS:
            _check_adjacent(graph, model, names)
        replaced = fuser(modules, (custom or {}).get("additional_fuser_method_mapping"))
    except QuantizationError as error:
        raise QuantizationError(f"fuse_modules {list(names)}: {error}") from None
    for name, module in zip(names, replaced, strict=True):
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, module)


def fuse_modules(
    model: nn.Module,
    modules_to_fuse: Any,
    inplace: bool = False,
    fuser_func: Callable[..., list[nn.Module]] = fuse_known_modules,
    fuse_custom_config_dict: dict[str, Any] | None = None,
) -> nn.Module:
    """Fuse [Conv, BatchNorm], [Conv, BatchNorm, ReLU], [Conv, ReLU], [Linear, ReLU] and [Linear, BatchNorm].

    The first module of each group becomes the fused one, the others Identity. In eval mode batch norm is folded into
    the layer before it; in training mode both are kept in one module for quantization-aware training.

    Args:
        model: the float model
        modules_to_fuse: paths of the modules of one group, or a list of groups
        inplace: change the model itself
        fuser_func: takes a group's modules and returns as many
        fuse_custom_config_dict: 'additional_fuser_method_mapping': {types: function of the modules}

    Raises:
        QuantizationError: no module of that path, no such fusion, or the modules do not follow one another in forward
            (checked where forward can be traced); names the group.
    """
    if not inplace:
        model = copy.deepcopy(model)
    groups = [modules_to_fuse] if all(isinstance(item, str) for item in modules_to_fuse) else modules_to_fuse
    graph = _trace(model) if fuser_func is fuse_known_modules else None
    for group in groups:
        if group:
            _fuse_group(model, group, fuser_func, fuse_custom_config_dict, graph)
    return model


__all__ = ["fuse_known_modules", "fuse_modules"]
