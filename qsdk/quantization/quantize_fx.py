"""Graph mode: fusion, observers and stubs are placed by the library; the model stays as it is written.

prepared = prepare_fx(model.eval(), get_default_qconfig_mapping())
for batch in calibration_data:
    prepared(batch)
quantized = convert_fx(prepared)
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from typing import Any

from torch import fx, nn

from qsdk.errors import QuantizationError
from qsdk.quantization.graph.place import Placer
from qsdk.quantization.graph.rewrite import erase_unused, functionals_to_modules, fuse, module_of
from qsdk.quantization.graph.trace import trace
from qsdk.quantization.mappings import get_embedding_qat_module_mappings
from qsdk.quantization.qconfig_mapping import QConfigMapping
from qsdk.quantization.quantize import convert_prepared, insert_fake_quantizes, insert_observers

_PREPARE_KEYS = {
    "standalone_module_name",
    "standalone_module_class",
    "float_to_observed_custom_module_class",
    "non_traceable_module_name",
    "non_traceable_module_class",
    "input_quantized_idxs",
    "output_quantized_idxs",
    "preserved_attributes",
    "additional_fuser_method_mapping",
}
_CONVERT_KEYS = {"observed_to_quantized_custom_module_class", "preserved_attributes"}


def _checked(config: Mapping[str, Any] | None, keys: set[str], what: str) -> dict[str, Any]:
    given = dict(config or {})
    unknown = sorted(given.keys() - keys)
    if unknown:
        raise QuantizationError(f"{what} has no key {unknown[0]!r}; its keys are {', '.join(sorted(keys))}")
    return given


def _by_mode(classes: Mapping[Any, Any]) -> dict[Any, Any]:
    """{'static': {class: class}} as well as {class: class}."""
    flat: dict[Any, Any] = {}
    for key, value in classes.items():
        flat.update(value if isinstance(value, Mapping) else {key: value})
    return flat


class _QConfigs:
    """The qconfig of each node: by the module path that it belongs to, its type and its order."""

    def __init__(self, graph_module: fx.GraphModule, mapping: QConfigMapping) -> None:
        self._module = graph_module
        self._mapping = mapping
        self._found: dict[fx.Node, Any] = {}
        counts: Counter[Any] = Counter()
        for node in graph_module.graph.nodes:
            if node.op in ("call_module", "call_function", "call_method"):
                path, kind = self._place(node)
                scope = path if node.op != "call_module" else path.rpartition(".")[0]
                self._found[node] = mapping.qconfig_of(path, kind, counts[scope, kind])
                counts[scope, kind] += 1

    def _place(self, node: fx.Node) -> tuple[str, Any]:
        if node.op == "call_module" and "spelling" not in node.meta:
            return str(node.target), type(module_of(self._module, node))
        stack = node.meta.get("nn_module_stack") or {}
        path = str(list(stack.values())[-1][0]) if stack else ""
        kind = node.meta.get("spelling", node.target)
        if node.op == "call_module" and kind not in self._mapping.object_type_qconfigs:
            kind = type(module_of(self._module, node))  # a functional is named by its module class as well
        return path, kind

    def of(self, node: fx.Node) -> Any:
        """None for a part that stays float."""
        return self._found.get(node)


def _prepare(
    model: nn.Module, qconfig_mapping: Any, config: dict[str, Any], training: bool, capture: str
) -> fx.GraphModule:
    name = "prepare_qat_fx" if training else "prepare_fx"
    if model.training is not training:
        mode, call = ("eval", "train") if training else ("training", "eval")
        raise QuantizationError(f"{name}: the model is in {mode} mode; call model.{call}() first")
    mapping = (
        qconfig_mapping if isinstance(qconfig_mapping, QConfigMapping) else QConfigMapping.from_dict(qconfig_mapping)
    )
    model = copy.deepcopy(model)
    custom = _by_mode(config.get("float_to_observed_custom_module_class", {}))
    standalone = _standalone_modules(model, config)
    for path, (own_mapping, own_config) in standalone.items():
        parent, _, last = path.rpartition(".")
        prepared = _prepare(
            model.get_submodule(path), own_mapping or mapping, _checked(own_config, _PREPARE_KEYS, path), training, "fx"
        )
        setattr(model.get_submodule(parent), last, prepared)
    leaf_names = [*config.get("non_traceable_module_name", ()), *standalone]
    leaf_classes = [*config.get("non_traceable_module_class", ()), *custom]
    graph_module = trace(model, leaf_names, leaf_classes)
    for module in graph_module.modules():
        if not any(module is m for path in standalone for m in model.get_submodule(path).modules()):
            module.qconfig = None  # type: ignore[assignment]
    functionals_to_modules(graph_module)
    qconfigs = _QConfigs(graph_module, mapping)
    fuse(graph_module, qconfigs.of, config.get("additional_fuser_method_mapping"))
    _swap_custom(graph_module, custom, qconfigs)
    Placer(
        graph_module,
        qconfigs.of,
        config.get("input_quantized_idxs", ()),
        config.get("output_quantized_idxs", ()),
        set(custom.values()),
    ).run()
    erase_unused(graph_module)
    for attribute in config.get("preserved_attributes", ()):
        setattr(graph_module, attribute, getattr(model, attribute))
    graph_module.__dict__["_preserved_attributes"] = tuple(config.get("preserved_attributes", ()))
    graph_module.meta["preparation"] = (mapping, config, capture)  # for comparing with the float model later
    if training:
        # Embeddings too: only those that have a qconfig of their own have one here.
        insert_fake_quantizes(graph_module, set(custom.values()), get_embedding_qat_module_mappings())
    else:
        insert_observers(graph_module, set(custom.values()))
    return graph_module


def _standalone_modules(model: nn.Module, config: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Path -> (qconfig mapping or None, prepare config) of modules that are prepared on their own."""
    found = {}
    for path, qconfig_dict, _, prepare_config, *_ in map(_four, config.get("standalone_module_name", ())):
        found[path] = (qconfig_dict, prepare_config)
    classes = {entry[0]: entry for entry in map(_four, config.get("standalone_module_class", ()))}
    for path, module in model.named_modules():
        if type(module) in classes and path not in found:
            entry = classes[type(module)]
            found[path] = (entry[1], entry[3])
    return found


def _four(entry: Any) -> tuple[Any, ...]:
    """(what, qconfig_dict, example_inputs, prepare_custom_config_dict); the older form has no example_inputs."""
    what, qconfig_dict, *rest = entry
    return (what, qconfig_dict, None, *rest) if len(rest) < 2 else (what, qconfig_dict, *rest)


def _swap_custom(graph_module: fx.GraphModule, custom: dict[Any, Any], qconfigs: _QConfigs) -> None:
    for node in graph_module.graph.nodes:
        if node.op != "call_module" or qconfigs.of(node) is None:
            continue
        module = module_of(graph_module, node)
        if type(module) in custom:
            module.qconfig = qconfigs.of(node)
            observed = custom[type(module)].from_float(module)
            parent, _, last = str(node.target).rpartition(".")
            setattr(graph_module.get_submodule(parent), last, observed)


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
        example_inputs: not needed for capture='fx'
        prepare_custom_config_dict: 'non_traceable_module_name' and '..._class' (left as they are, in float),
            'standalone_module_name' and '..._class' (prepared on their own),
            'float_to_observed_custom_module_class', 'input_quantized_idxs', 'output_quantized_idxs' (quantized for the
            caller), 'preserved_attributes', 'additional_fuser_method_mapping'
        capture: 'fx' traces with torch.fx

    Raises:
        CaptureError: the model cannot be traced; names the line.
        QuantizationError: the model is in training mode, or a key is unknown.
    """
    config = _checked(prepare_custom_config_dict, _PREPARE_KEYS, "prepare_custom_config_dict")
    return _prepare(model, qconfig_mapping, config, False, capture)


def prepare_qat_fx(
    model: nn.Module,
    qconfig_mapping: QConfigMapping | Mapping[str, Any],
    example_inputs: Any = None,
    prepare_custom_config_dict: Mapping[str, Any] | None = None,
    capture: str = "fx",
) -> fx.GraphModule:
    """Prepare a float model in training mode for quantization-aware training; arguments as prepare_fx.

    Raises:
        CaptureError: the model cannot be traced; names the line.
        QuantizationError: the model is in eval mode, a qconfig has no fake quantize, or a key is unknown.
    """
    config = _checked(prepare_custom_config_dict, _PREPARE_KEYS, "prepare_custom_config_dict")
    return _prepare(model, qconfig_mapping, config, True, capture)


def convert_fx(
    graph_module: fx.GraphModule,
    convert_custom_config_dict: Mapping[str, Any] | None = None,
    _remove_qconfig: bool = True,
) -> fx.GraphModule:
    """Make a calibrated or trained model compute in integers; the prepared model stays as it is.

    Args:
        graph_module: from prepare_fx or prepare_qat_fx
        convert_custom_config_dict: 'observed_to_quantized_custom_module_class', 'preserved_attributes'

    Raises:
        QuantizationError: a layer has seen no calibration data, or none that is finite; names the layer.
    """
    if not isinstance(graph_module, fx.GraphModule):
        raise QuantizationError("convert_fx takes what prepare_fx returned")
    config = _checked(convert_custom_config_dict, _CONVERT_KEYS, "convert_custom_config_dict")
    custom = _by_mode(config.get("observed_to_quantized_custom_module_class", {}))
    preserved = set(config.get("preserved_attributes", ())) | set(getattr(graph_module, "_preserved_attributes", ()))
    values = {name: getattr(graph_module, name) for name in preserved}
    converted = copy.deepcopy(graph_module)
    converted.eval()
    for name, value in values.items():
        setattr(converted, name, value)
    convert_prepared(converted, custom, remove_qconfig=_remove_qconfig)
    erase_unused(converted)
    return converted


def fuse_fx(model: nn.Module, fuse_custom_config_dict: Mapping[str, Any] | None = None) -> fx.GraphModule:
    """Fuse modules, and functionals, that follow one another; batch norm is folded in eval mode.

    Args:
        model: float; it is copied
        fuse_custom_config_dict: 'additional_fuser_method_mapping', 'preserved_attributes'
    """
    keys = {"additional_fuser_method_mapping", "preserved_attributes"}
    config = _checked(fuse_custom_config_dict, keys, "fuse_custom_config_dict")
    model = copy.deepcopy(model)
    graph_module = trace(model)
    functionals_to_modules(graph_module)
    fuse(graph_module, lambda node: True, config.get("additional_fuser_method_mapping"))
    erase_unused(graph_module)
    for attribute in config.get("preserved_attributes", ()):
        setattr(graph_module, attribute, getattr(model, attribute))
    return graph_module


__all__ = ["convert_fx", "fuse_fx", "prepare_fx", "prepare_qat_fx"]
