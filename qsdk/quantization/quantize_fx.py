"""Graph mode: fusion, observers and stubs are placed by the library; the model stays as it is written.

prepared = prepare_fx(model.eval(), get_default_qconfig_mapping())
for batch in calibration_data:
    prepared(batch)
quantized = convert_fx(prepared)
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, fx, nn

from qsdk.errors import QuantizationError
from qsdk.quantization.graph import rewrite
from qsdk.quantization.graph.exported import export
from qsdk.quantization.graph.inplace import out_of_place
from qsdk.quantization.graph.place import Placer
from qsdk.quantization.graph.trace import trace
from qsdk.quantization.mappings import get_embedding_qat_module_mappings
from qsdk.quantization.qconfig import is_static
from qsdk.quantization.qconfig_mapping import QConfigMapping
from qsdk.quantization.quantize import convert_prepared, insert_fake_quantizes, insert_observers, swap_quantizable

_FX_KEYS = {
    "standalone_module_name",
    "standalone_module_class",
    "float_to_observed_custom_module_class",
    "non_traceable_module_name",
    "non_traceable_module_class",
}  # torch.export has no modules, and so none that could be left out
_PREPARE_KEYS = _FX_KEYS | {
    "input_quantized_idxs",
    "output_quantized_idxs",
    "preserved_attributes",
    "additional_fuser_method_mapping",
}
_CONVERT_KEYS = {"observed_to_quantized_custom_module_class", "preserved_attributes"}
_FUSE_KEYS = {"additional_fuser_method_mapping", "preserved_attributes"}
_PRESERVED = "_user_preserved_attributes"  # the key of GraphModule.meta that torch.fx copies along


def prepare_fx(
    model: nn.Module,
    qconfig_mapping: QConfigMapping | Mapping[str, Any],
    example_inputs: Any = None,
    prepare_custom_config_dict: Mapping[str, Any] | None = None,
    capture: str = "fx",
) -> fx.GraphModule:
    """Prepare a float model for calibration: fuse, place stubs and functionals, insert observers.

    Args:
        model: in eval mode; it is copied
        qconfig_mapping: QConfigMapping, or a qconfig_dict
        example_inputs: a tensor, or the arguments of one call. With capture='fx' they need not be given; they tell
            which tensors are integers, and so are left alone
        prepare_custom_config_dict: 'non_traceable_module_name' and '..._class' (not traced into),
            'standalone_module_name' and '..._class' (prepared on their own),
            'float_to_observed_custom_module_class', 'input_quantized_idxs', 'output_quantized_idxs' (quantized for the
            caller), 'preserved_attributes', 'additional_fuser_method_mapping'
        capture: 'fx' traces with torch.fx; 'export' captures with torch.export, at the shapes of example_inputs

    Raises:
        CaptureError: the model cannot be captured; names the line.
        QuantizationError: the model is in training mode, a key is unknown, or the example inputs do not fit.
    """
    return _prepare(model, qconfig_mapping, example_inputs, prepare_custom_config_dict, capture, training=False)


def prepare_qat_fx(
    model: nn.Module,
    qconfig_mapping: QConfigMapping | Mapping[str, Any],
    example_inputs: Any = None,
    prepare_custom_config_dict: Mapping[str, Any] | None = None,
    capture: str = "fx",
) -> fx.GraphModule:
    """Prepare a float model in training mode for quantization-aware training; arguments as prepare_fx.

    Raises:
        CaptureError: the model cannot be captured; names the line.
        QuantizationError: the model is in eval mode, a qconfig has no fake quantize, a key is unknown, or the example
            inputs do not fit.
    """
    return _prepare(model, qconfig_mapping, example_inputs, prepare_custom_config_dict, capture, training=True)


def convert_fx(
    graph_module: fx.GraphModule,
    convert_custom_config_dict: Mapping[str, Any] | None = None,
    _remove_qconfig: bool = True,
) -> fx.GraphModule:
    """Make a calibrated or trained model compute in integers, in eval mode; the prepared model stays as it is.

    Args:
        graph_module: from prepare_fx or prepare_qat_fx
        convert_custom_config_dict: 'observed_to_quantized_custom_module_class', 'preserved_attributes'

    Raises:
        QuantizationError: a layer has seen no calibration data, or none that is finite; names the layer.
    """
    if not isinstance(graph_module, fx.GraphModule):
        raise QuantizationError("convert_fx takes what prepare_fx returned")
    config = _checked(convert_custom_config_dict, _CONVERT_KEYS, "convert_custom_config_dict")
    converted = copy.deepcopy(graph_module)
    _preserve(converted, graph_module, config)
    convert_prepared(
        converted,
        _by_mode(config.get("observed_to_quantized_custom_module_class", {})),
        remove_qconfig=_remove_qconfig,
    )
    converted.eval()
    return converted


def fuse_fx(model: nn.Module, fuse_custom_config_dict: Mapping[str, Any] | None = None) -> fx.GraphModule:
    """Fuse modules, and functionals, that follow one another; batch norm is folded in eval mode.

    Args:
        model: float; it is copied
        fuse_custom_config_dict: 'additional_fuser_method_mapping', 'preserved_attributes'

    Raises:
        CaptureError: the model cannot be traced; names the line.
    """
    config = _checked(fuse_custom_config_dict, _FUSE_KEYS, "fuse_custom_config_dict")
    graph_module = trace(copy.deepcopy(model))
    _to_modules(graph_module)
    rewrite.fuse(graph_module, config.get("additional_fuser_method_mapping"))
    fused = rewrite.cleaned(graph_module)
    _preserve(fused, model, config)
    return fused


def _prepare(
    model: nn.Module, qconfig_mapping: Any, example_inputs: Any, config: Any, capture: str, training: bool
) -> fx.GraphModule:
    if model.training is not training:
        mode, call = ("eval", "train") if training else ("training", "eval")
        name = "prepare_qat_fx" if training else "prepare_fx"
        raise QuantizationError(f"{name}: the model is in {mode} mode; call model.{call}() first")
    examples = _examples(example_inputs)
    config = _checked(config, _PREPARE_KEYS, "prepare_custom_config_dict")
    mapping = _mapping(qconfig_mapping)
    copied = copy.deepcopy(model)
    for module in copied.modules():
        module.qconfig = None  # type: ignore[assignment]
    prepared = _rewritten(copied, mapping, examples, config, capture)
    _preserve(prepared, model, config)
    prepared.meta["preparation"] = (mapping, config, capture)  # for comparing with the float model later
    further = _custom_classes(prepared, config)
    if training:
        # Embeddings too: only those that have a qconfig of their own have one here.
        insert_fake_quantizes(prepared, further, get_embedding_qat_module_mappings())
    else:
        insert_observers(prepared, further)
    return prepared


def _rewritten(
    model: nn.Module, mapping: QConfigMapping, examples: Sequence[Any] | None, config: dict[str, Any], capture: str
) -> fx.GraphModule:
    """The float graph that eager mode's prepare wants; `model` is changed.

    Captured in eval mode, because what forward does in training mode only has no place in the converted model.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    custom = _by_mode(config.get("float_to_observed_custom_module_class", {}))
    if capture == "fx":
        swap_quantizable(model, lambda path, kind: kind not in custom and _static(mapping.qconfig_of(path, [kind])))
    standalone = _standalone_modules(model, config)
    if capture == "export":
        graph_module = _exported(model, examples, config)
    elif capture == "fx":
        leaf_names = [*config.get("non_traceable_module_name", ()), *standalone]
        graph_module = trace(model, leaf_names, [*config.get("non_traceable_module_class", ()), *custom], examples)
    else:
        raise QuantizationError(f"capture is {capture!r}; use 'fx' or 'export'")
    out_of_place(graph_module)
    rewrite.expand(graph_module, mapping)
    _to_modules(graph_module)
    for module in graph_module.modules():
        module.training = modes.get(module, modes[model])
    rewrite.assign_qconfigs(graph_module, mapping)
    rewrite.fuse(graph_module, config.get("additional_fuser_method_mapping"))
    rewrite.swap_custom(graph_module, custom)
    _prepare_standalone(graph_module, standalone, mapping)
    inputs, outputs = (config.get(f"{side}_quantized_idxs", ()) for side in ("input", "output"))
    Placer(graph_module, inputs, outputs, set(custom.values()), mapping.global_qconfig).run()
    for node in graph_module.graph.nodes:
        for key in ("val", "qconfig", "spelling"):
            node.meta.pop(key, None)
    result = rewrite.cleaned(graph_module)
    result.meta["custom"] = set(custom.values())
    result.meta["standalone"] = (tuple(inputs), tuple(outputs), mapping.global_qconfig)
    return result


def _static(qconfig: Any) -> bool:
    return qconfig is not None and is_static(qconfig)


def _exported(model: nn.Module, examples: Sequence[Any] | None, config: dict[str, Any]) -> fx.GraphModule:
    refused = sorted(key for key in _FX_KEYS & config.keys() if config[key])
    if refused:
        raise QuantizationError(
            f"capture='export' sees no modules, so prepare_custom_config_dict must not have {refused[0]!r}; use "
            "capture='fx'"
        )
    if examples is None:
        raise QuantizationError("capture='export' needs example_inputs, the arguments of one call")
    return export(model, examples)


def _prepare_standalone(
    graph_module: fx.GraphModule, standalone: dict[str, tuple[Any, Any, Any]], mapping: QConfigMapping
) -> None:
    for node in graph_module.graph.nodes:
        if node.op != "call_module" or node.target not in standalone:
            continue
        own_mapping, examples, config = standalone[node.target]
        module = rewrite.module_of(graph_module, node)
        if "standalone" not in getattr(module, "meta", ()):  # else it is called more than once
            prepared = _rewritten(
                module,
                mapping if own_mapping is None else _mapping(own_mapping),
                _examples(examples),
                _checked(config, _PREPARE_KEYS, f"the prepare_custom_config_dict of '{node.target}'"),
                "fx",
            )
            rewrite.replace_module(graph_module, node, prepared)


def _to_modules(graph_module: fx.GraphModule) -> None:
    rewrite.set_attributes_apart(graph_module)
    rewrite.functionals_to_modules(graph_module)
    rewrite.unshare(graph_module)


# Configurations


def _checked(config: Mapping[str, Any] | None, keys: set[str], what: str) -> dict[str, Any]:
    given = dict(config or {})
    unknown = sorted(given.keys() - keys)
    if unknown:
        raise QuantizationError(f"{what} has no key {unknown[0]!r}; its keys are {', '.join(sorted(keys))}")
    return given


def _mapping(given: Any) -> QConfigMapping:
    if isinstance(given, QConfigMapping):
        return given
    if not isinstance(given, Mapping):
        raise QuantizationError(
            f"qconfig_mapping is a {type(given).__name__}; give a QConfigMapping, or a dict such as {{'': qconfig}}"
        )
    return QConfigMapping.from_dict(given)


def _examples(given: Any) -> tuple[Any, ...] | None:
    if isinstance(given, Mapping):
        raise QuantizationError(
            "example_inputs is a dict; give a tuple of arguments (prepare_custom_config_dict goes by keyword)"
        )
    return (given,) if isinstance(given, Tensor) else None if given is None else tuple(given)


def _by_mode(classes: Mapping[Any, Any]) -> dict[Any, Any]:
    """{'static': {class: class}} as well as {class: class}."""
    flat: dict[Any, Any] = {}
    for key, value in classes.items():
        flat.update(value if isinstance(value, Mapping) else {key: value})
    return flat


def _standalone_modules(model: nn.Module, config: dict[str, Any]) -> dict[str, tuple[Any, Any, Any]]:
    """Path -> (qconfig mapping or None, example inputs, prepare config) of modules that are prepared on their own."""
    classes = {kind: entry for kind, *entry in config.get("standalone_module_class", ())}
    found = {path: classes[type(module)] for path, module in model.named_modules() if type(module) in classes}
    found.update({path: entry for path, *entry in config.get("standalone_module_name", ())})
    return {path: _three(entry) for path, entry in found.items()}


def _three(entry: list[Any]) -> tuple[Any, Any, Any]:
    """(qconfig, example_inputs, prepare_custom_config_dict, ...); an older form has no example_inputs."""
    qconfig, *rest = entry
    if rest and isinstance(rest[0], Mapping):
        rest = [None, *rest]
    return (qconfig, *rest, None, None)[:3]


def _custom_classes(prepared: fx.GraphModule, config: dict[str, Any]) -> set[type[nn.Module]]:
    """Observed classes of the model and of its standalone modules."""
    graphs = [module for module in prepared.modules() if isinstance(module, fx.GraphModule)]
    return {kind for graph in graphs for kind in graph.meta.get("custom", ())}


def _preserve(result: fx.GraphModule, source: nn.Module, config: dict[str, Any]) -> None:
    """Give `result` the attributes of `source` that a config names, and those that `source` was given so."""
    names = {*config.get("preserved_attributes", ()), *getattr(source, "meta", {}).get(_PRESERVED, {})}
    result.meta[_PRESERVED] = {name: getattr(source, name) for name in sorted(names)}
    for name, value in result.meta[_PRESERVED].items():
        setattr(result, name, value)


__all__ = ["convert_fx", "fuse_fx", "prepare_fx", "prepare_qat_fx"]
