"""The eager workflow: prepare inserts observers, convert swaps calibrated modules for quantized ones."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from qsdk import dispatch
from qsdk.errors import QsdkError, QuantizationError
from qsdk.nn import intrinsic as nni
from qsdk.nn import quantizable as nnqz
from qsdk.nn import quantized as nnq
from qsdk.nn.quantizable import swappable
from qsdk.nn.quantizable.transformer import swapped
from qsdk.qparams import qint8
from qsdk.quantization.mappings import (
    activation_observer,
    get_default_dynamic_quant_module_mappings,
    get_default_qat_module_mappings,
    get_default_qconfig_propagation_list,
    get_default_static_quant_module_mappings,
    get_default_weight_only_quant_module_mappings,
)
from qsdk.quantization.observer_base import ObserverBase
from qsdk.quantization.observer_passive import NoopObserver
from qsdk.quantization.qconfig import (
    QConfig,
    default_dynamic_qconfig,
    float16_dynamic_qconfig,
    float_qparams_weight_only_qconfig,
    float_qparams_weight_only_qconfig_4bit,
    is_dynamic,
    is_static,
    is_weight_only,
)
from qsdk.quantization.stubs import QuantWrapper


def propagate_qconfig_(module: nn.Module, qconfig_dict: dict[Any, Any] | None = None) -> None:
    """Give every submodule a qconfig: its own, else by path or type from qconfig_dict, else its parent's."""
    _propagate(module, qconfig_dict or {}, None, "")


def _propagate(module: nn.Module, qconfig_dict: dict[Any, Any], inherited: Any, prefix: str) -> None:
    qconfig = qconfig_dict.get(type(module), inherited)
    qconfig = qconfig_dict.get(prefix, qconfig)
    qconfig = getattr(module, "qconfig", qconfig)
    module.qconfig = qconfig
    for name, child in module.named_children():
        _propagate(child, qconfig_dict, qconfig, f"{prefix}.{name}" if prefix else name)


def add_quant_dequant(module: nn.Module) -> nn.Module:
    """Wrap every leaf that has a qconfig in QuantWrapper; returns the wrapper if `module` is such a leaf."""
    if not list(module.children()) and getattr(module, "qconfig", None):
        return QuantWrapper(module)
    for name, child in module.named_children():
        module._modules[name] = add_quant_dequant(child)
    return module


def _observe_output(module: nn.Module, inputs: Any, output: Any) -> Any:
    """Forward hook of prepared modules."""
    observer: Any = module.activation_post_process
    return observer(output)


def _name_modules(model: nn.Module) -> None:
    """Store every module's path in it, for messages."""
    for name, module in model.named_modules():
        module._qualified_name = name


def _device(model: nn.Module) -> Any:
    """Where modules without parameters, such as stubs, get their observers."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def _make_observer(module: nn.Module, name: str, device: Any) -> Any:
    """What watches a module's output; None if its tensors stay float until the model runs."""
    try:
        if is_dynamic(module.qconfig):  # type: ignore[arg-type]
            return None
        observer: Any = activation_observer(module)
    except QsdkError as error:
        raise QuantizationError(f"prepare: layer '{name}': {error}") from None
    dispatch.need_activation(getattr(observer, "dtype", None), f"the qconfig of layer '{name}'")
    parameter = next(iter(module.parameters()), None)
    observer.to(device if parameter is None else parameter.device)
    observer.train(module.training)
    observer._qualified_name = name
    return observer


def _add_observers(module: nn.Module, observed: set[type[nn.Module]], name: str, seen: set[int], device: Any) -> None:
    if id(module) in seen:
        return
    seen.add(id(module))
    watched = type(module) in observed and getattr(module, "qconfig", None) is not None
    observer = _make_observer(module, name, device) if watched else None
    if observer is not None and isinstance(module, nnq.FloatFunctional):
        module.activation_post_process = observer
    elif observer is not None:
        if "activation_post_process" in module._modules:
            raise QuantizationError(f"layer '{name}' has an observer already; prepare the float model only once")
        module.add_module("activation_post_process", observer)
        module.register_forward_hook(_observe_output, prepend=True)
    elif not isinstance(module, nni._FusedModule):  # a fused module is observed as one
        for child_name, child in module.named_children():
            _add_observers(child, observed, f"{name}.{child_name}" if name else child_name, seen, device)


def prepare(
    model: nn.Module,
    inplace: bool = False,
    allow_list: Any = None,
    observer_non_leaf_module_list: Any = None,
    prepare_custom_config_dict: dict[str, Any] | None = None,
) -> nn.Module:
    """Insert observers after every module that will be quantized. Run the result on calibration data, then convert it.

    Args:
        model: float model in eval mode; its `qconfig` attribute holds for all submodules without one of their own
        inplace: change the model itself
        allow_list: module types to observe instead of the default ones
        observer_non_leaf_module_list: further types to observe
        prepare_custom_config_dict: 'float_to_observed_custom_module_class': {float class: observed class}, swapped by
            its from_float and then observed

    Raises:
        QuantizationError: the model is in training mode, or prepared already.
    """
    training = next((name for name, module in model.named_modules() if module.training), None)
    if training is not None:
        place = f"layer '{training}'" if training else "the model"
        raise QuantizationError(f"prepare: {place} is in training mode; call model.eval() first")
    if not inplace:
        model = copy.deepcopy(model)
    propagate_qconfig_(model)
    if not any(getattr(module, "qconfig", None) for module in model.modules()):
        warnings.warn("prepare: no module has a qconfig; set model.qconfig = get_default_qconfig()", stacklevel=2)
    custom = (prepare_custom_config_dict or {}).get("float_to_observed_custom_module_class", {})
    _swap_recurrent(model, set(custom))
    observed = set(allow_list) if allow_list is not None else get_default_qconfig_propagation_list()
    _swap_custom(model, custom)
    modules = dict(model.named_modules())
    swap_quantizable(model, lambda path, kind: _static(modules[path]))
    insert_observers(model, set(observer_non_leaf_module_list or ()) | set(custom.values()), observed)
    return model


def insert_observers(
    model: nn.Module, further: set[type[nn.Module]], observed: set[type[nn.Module]] | None = None
) -> None:
    """The last step of prepare: every module has its qconfig; observe `observed` (default: all known) and `further`."""
    _name_modules(model)
    kinds = (get_default_qconfig_propagation_list() if observed is None else observed) | further
    _add_observers(model, kinds, "", set(), _device(model))


def prepare_qat(model: nn.Module, mapping: dict[Any, Any] | None = None, inplace: bool = False) -> nn.Module:
    """Prepare for quantization-aware training: fake quantize every weight and every output that will be quantized.

    Train the result, call eval() on it and convert it.

    Args:
        model: float model in training mode, fused in training mode; its `qconfig` attribute holds for all submodules
            without one of their own
        mapping: float module -> module with a fake quantized weight; the default one if None
        inplace: change the model itself

    Raises:
        QuantizationError: the model is in eval mode, prepared already, or has a qconfig with observers in place of fake
            quantize modules; names the layer.
    """
    if not model.training:
        raise QuantizationError("prepare_qat: the model is in eval mode; call model.train() first, before fusing")
    if not inplace:
        model = copy.deepcopy(model)
    propagate_qconfig_(model)
    if not any(getattr(module, "qconfig", None) for module in model.modules()):
        warnings.warn(
            "prepare_qat: no module has a qconfig; set model.qconfig = get_default_qat_qconfig()", stacklevel=2
        )
    insert_fake_quantizes(model, set(), mapping)
    return model


def insert_fake_quantizes(
    model: nn.Module, further: set[type[nn.Module]], mapping: dict[Any, Any] | None = None
) -> None:
    """The last step of prepare_qat: every module has its qconfig.

    Args:
        further: types whose outputs are fake quantized as well
        mapping: float module -> module with a fake quantized weight
    """
    _name_modules(model)
    _convert(model, get_default_qat_module_mappings() if mapping is None else mapping, {}, {})
    insert_observers(model, further | set((mapping or {}).values()))
    for name, module in model.named_modules():
        for attribute in ("weight_fake_quant", "activation_post_process"):
            watcher = module._modules.get(attribute)
            idle = isinstance(watcher, NoopObserver)  # the output stays float
            if isinstance(watcher, ObserverBase) and not idle and not hasattr(module, "fake_quant_enabled"):
                raise QuantizationError(
                    f"prepare_qat: the qconfig of layer '{name}' has a {type(watcher).__name__}, which does not fake "
                    "quantize; use get_default_qat_qconfig() or FakeQuantize.with_args(observer=...)"
                )


def _static(module: nn.Module) -> bool:
    qconfig: Any = getattr(module, "qconfig", None)
    return qconfig is not None and is_static(qconfig)


def swap_quantizable(module: nn.Module, applies: Callable[[str, type[nn.Module]], bool], prefix: str = "") -> None:
    """Put modules of nn.quantizable in the place of torch.nn's, where applies(path, class)."""
    for name, child in module.named_children():
        kind = swappable().get(type(child))
        if kind is not None and applies(prefix + name, type(child)):
            module._modules[name] = swapped(child, kind)
        else:
            swap_quantizable(child, applies, f"{prefix}{name}.")


def _swap_custom(module: nn.Module, classes: dict[type[nn.Module], Any]) -> None:
    for name, child in module.named_children():
        if type(child) in classes and getattr(child, "qconfig", None) is not None:
            swapped = classes[type(child)].from_float(child)
            swapped.qconfig = child.qconfig
            module._modules[name] = swapped
        else:
            _swap_custom(child, classes)


_RECURRENT: dict[type[nn.Module], Any] = {nn.LSTM: nnqz.LSTM, nn.GRU: nnqz.GRU}


def _swap_recurrent(module: nn.Module, others: set[type[nn.Module]]) -> None:
    """Recurrent layers that will be quantized with observed ranges, by those whose parts can be observed.

    `others` are the types that the user swaps.
    """
    child: Any
    for name, child in module.named_children():
        qconfig: Any = getattr(child, "qconfig", None)
        kind = _RECURRENT.get(type(child)) if type(child) not in others else None
        if kind and qconfig is not None and is_static(qconfig):
            child._qualified_name = name
            module._modules[name] = kind.from_float(child)
        else:
            _swap_recurrent(child, others)


def swap_module(mod: nn.Module, mapping: dict[Any, Any], custom_module_class_mapping: dict[Any, Any]) -> nn.Module:
    """The quantized counterpart of a module that has a qconfig, or the module itself.

    Raises:
        QsdkError: it cannot be quantized; names the layer.
    """
    if getattr(mod, "qconfig", None) is None:
        return mod
    if type(mod) in custom_module_class_mapping:
        swapped: nn.Module = custom_module_class_mapping[type(mod)].from_observed(mod)
    elif type(mod) in mapping:
        swapped = mapping[type(mod)].from_float(mod)
    else:
        return mod
    for pre_hook in mod._forward_pre_hooks.values():
        swapped.register_forward_pre_hook(pre_hook)
    for hook in mod._forward_hooks.values():
        if hook is not _observe_output:
            swapped.register_forward_hook(hook)
    swapped._qualified_name = mod.__dict__.get("_qualified_name", "")
    swapped.train(mod.training)
    return swapped


def _mapping_of(module: nn.Module, mapping: dict[Any, Any] | None) -> dict[Any, Any]:
    """`mapping`, or the default one that the module's qconfig asks for: static, dynamic or for weights alone."""
    qconfig: Any = getattr(module, "qconfig", None)
    has_observers = hasattr(qconfig, "activation")  # graph mode's stubs have True
    if (mapping is None or mapping is _DEFAULT_DYNAMIC) and has_observers and is_weight_only(qconfig):
        return get_default_weight_only_quant_module_mappings()
    if mapping is not None:
        return mapping
    if has_observers and is_dynamic(qconfig):
        return get_default_dynamic_quant_module_mappings()
    return get_default_static_quant_module_mappings()


def _convert(
    module: nn.Module, mapping: dict[Any, Any] | None, custom: dict[Any, Any], swapped: dict[int, nn.Module]
) -> None:
    for name, child in module._modules.items():
        if child is None:
            continue
        if id(child) not in swapped:
            table = _mapping_of(child, mapping)
            whole = isinstance(child, nni._FusedModule) or type(child) in custom or type(child) in table
            if not whole or getattr(child, "qconfig", None) is None:
                _convert(child, mapping, custom, swapped)
            swapped[id(child)] = swap_module(child, table, custom)
        module._modules[name] = swapped[id(child)]


def _call_swapped(model: nn.Module, made: set[int]) -> None:
    """torch.nn.TransformerEncoder and its layers read the weights of what is inside; those that hold a swapped module
    have to call it."""
    # What says there that weights may be read; nothing else looks at it.
    switches = {nn.TransformerEncoder: "use_nested_tensor", nn.TransformerEncoderLayer: "activation_relu_or_gelu"}
    for module in model.modules():
        for kind, switch in switches.items():
            if isinstance(module, kind) and not made.isdisjoint(map(id, module.modules())):
                setattr(module, switch, 0)


def _remove_qconfig(model: nn.Module) -> None:
    for module in model.modules():
        if "qconfig" in module.__dict__:
            del module.qconfig
    for module in model.modules():
        if isinstance(module, nnq.FloatFunctional):
            module.activation_post_process = nn.Identity().train(module.training)
        elif "activation_post_process" in module._modules:
            del module.activation_post_process
        for key, hook in list(module._forward_hooks.items()):
            if hook is _observe_output:
                del module._forward_hooks[key]


def convert(
    module: nn.Module,
    mapping: dict[Any, Any] | None = None,
    inplace: bool = False,
    remove_qconfig: bool = True,
    convert_custom_config_dict: dict[str, Any] | None = None,
) -> nn.Module:
    """Swap every calibrated module for its quantized counterpart; the result computes in integers.

    Layers with a dynamic qconfig become dynamically quantized ones, which need no calibration.

    Args:
        module: a prepared model that has seen calibration data
        mapping: float module -> quantized module (with from_float); if None, the default mapping that each layer's
            qconfig asks for, static or dynamic
        inplace: change the model itself. If an error is raised, it may be half converted
        remove_qconfig: remove qconfigs and remaining observers
        convert_custom_config_dict: 'observed_to_quantized_custom_module_class': {observed class: quantized class},
            swapped by its from_observed

    Raises:
        QuantizationError: a layer has seen no or not finite calibration data, or the model is in training mode; names
            the layer.
        UnsupportedOperatorError: a layer's settings have no quantized counterpart; names the layer.
    """
    if module.training:
        raise QuantizationError("convert: the model is in training mode; call model.eval() first")
    if not inplace:
        module = copy.deepcopy(module)
    custom = (convert_custom_config_dict or {}).get("observed_to_quantized_custom_module_class", {})
    if type(module) in _mapping_of(module, mapping) and getattr(module, "qconfig", None) is not None:
        raise QuantizationError(
            f"convert: the model is a single {type(module).__name__}, which cannot be swapped; wrap it in "
            "QuantWrapper, or in nn.Sequential for dynamic quantization"
        )
    convert_prepared(module, custom, mapping, remove_qconfig)
    return module


def convert_prepared(
    model: nn.Module, custom: dict[Any, Any], mapping: dict[Any, Any] | None = None, remove_qconfig: bool = True
) -> None:
    """The last step of convert, in place: swap every module that has a qconfig; arguments as convert's."""
    _name_modules(model)
    swapped: dict[int, nn.Module] = {}
    _convert(model, mapping, custom, swapped)
    _call_swapped(model, {id(made) for before, made in swapped.items() if id(made) != before})
    if remove_qconfig:
        _remove_qconfig(model)


def quantize(
    model: nn.Module,
    run_fn: Callable[..., Any],
    run_args: Any,
    mapping: dict[Any, Any] | None = None,
    inplace: bool = False,
) -> nn.Module:
    """Static quantization in one call: prepare, run_fn(model, *run_args) to calibrate, convert."""
    if not inplace:
        model = copy.deepcopy(model)
    model.eval()
    prepare(model, inplace=True)
    run_fn(model, *run_args)
    return convert(model, mapping, inplace=True)


_DEFAULT_DYNAMIC = get_default_dynamic_quant_module_mappings()
_MATRICES = (nn.Linear, nn.LSTM, nn.GRU, nn.LSTMCell, nn.RNNCell, nn.GRUCell)
# dtype -> its qconfig, and the types that it is for
_DYNAMIC: dict[str, tuple[QConfig, tuple[type[nn.Module], ...]]] = {
    "qint8": (default_dynamic_qconfig, _MATRICES),
    "float16": (float16_dynamic_qconfig, _MATRICES),
    "quint8": (float_qparams_weight_only_qconfig, (nn.EmbeddingBag, nn.Embedding)),
    "quint4x2": (float_qparams_weight_only_qconfig_4bit, (nn.EmbeddingBag,)),
}


def quantize_dynamic(
    model: nn.Module,
    qconfig_spec: Any = None,
    dtype: Any = qint8,
    mapping: dict[Any, Any] | None = None,
    inplace: bool = False,
) -> nn.Module:
    """Swap layers for dynamically quantized ones: int8 weights, inputs quantized as they arrive. No calibration.

    nn.MultiheadAttention stays in float unless it is named; its products and softmax do in any case.

    Args:
        model: float model
        qconfig_spec: the types and paths of the layers, as a set; or a dictionary of each to its qconfig, None for
            layers that stay float. What holds for a layer holds for those inside it. By default linear and recurrent
            layers (qint8), or embeddings (quint8, quint4x2)
        dtype: of the weights; says which qconfig the layers of a set, or the default ones, get
        mapping: float module -> dynamically quantized module; the default one if None
        inplace: change the model itself. If an error is raised, it may be half converted

    Raises:
        QuantizationError: an unknown dtype, a path that the model does not have, or weights that are not finite; names
            the layer.
        UnsupportedOperatorError: a layer's settings have no quantized counterpart, float16 among them; names the layer.
    """
    if not isinstance(qconfig_spec, Mapping):
        name = getattr(dtype, "value", str(dtype).removeprefix("torch."))
        if name not in _DYNAMIC:
            raise QuantizationError(
                f"quantize_dynamic: no default qconfig for {dtype}; use qint8, quint8 or quint4x2, or give a "
                "dictionary of qconfigs as qconfig_spec"
            )
        qconfig, kinds = _DYNAMIC[name]
        qconfig_spec = dict.fromkeys(kinds if qconfig_spec is None else qconfig_spec, qconfig)
    paths = {path for path, _ in model.named_modules(remove_duplicate=False)}
    for key in qconfig_spec:
        if isinstance(key, str) and key not in paths:
            raise QuantizationError(f"quantize_dynamic: the model has no layer '{key}'; see model.named_modules()")
    if not inplace:
        model = copy.deepcopy(model)
    model.eval()
    propagate_qconfig_(model, dict(qconfig_spec))
    if mapping is None:
        mapping = _DEFAULT_DYNAMIC
        _warn_of_float(model, qconfig_spec, mapping)
    return convert(model, mapping, inplace=True)


def _warn_of_float(model: nn.Module, qconfig_spec: Any, mapping: dict[Any, Any]) -> None:
    """Layers that were asked for and cannot be swapped."""
    for path, module in model.named_modules():
        asked = qconfig_spec.get(path, qconfig_spec.get(type(module))) is not None
        if asked and type(module) not in _mapping_of(module, mapping) and next(module.children(), None) is None:
            kind = type(module).__name__
            warnings.warn(f"quantize_dynamic: layer '{path}' stays float; the mapping has no {kind}", stacklevel=3)


def quantize_qat(
    model: nn.Module,
    run_fn: Callable[..., Any],
    run_args: Any,
    mapping: dict[Any, Any] | None = None,
    inplace: bool = False,
) -> nn.Module:
    """Quantization-aware training in one call: prepare_qat, run_fn(model, *run_args) to train, convert."""
    if not inplace:
        model = copy.deepcopy(model)
    model.train()
    prepare_qat(model, inplace=True)
    run_fn(model, *run_args)
    model.eval()
    return convert(model, mapping, inplace=True)


__all__ = [
    "add_quant_dequant",
    "convert",
    "prepare",
    "prepare_qat",
    "propagate_qconfig_",
    "quantize",
    "quantize_dynamic",
    "quantize_qat",
    "swap_module",
]
