"""quantize(model, batches): graph mode in one call. It is qsdk.quantize; qsdk.quantization.quantize is eager mode's."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sized
from itertools import chain
from typing import Any

from torch import Tensor, fx, nn

from qsdk.errors import CaptureError, QuantizationError
from qsdk.nn.quantized.base import QuantizedModule
from qsdk.quantization.calibrate import calibrate
from qsdk.quantization.qconfig import QConfig
from qsdk.quantization.qconfig_mapping import QConfigMapping, get_default_qconfig_mapping
from qsdk.quantization.quantize_fx import convert_fx, prepare_fx


class Batches:
    """Calibration data as tuples of inputs; `first` can be looked at before the data is read, once.

    Args:
        data: a tensor, which is one batch; or an iterable of batches, each an input, or a tuple or list of inputs
        targets: each batch is (inputs, target) instead; targets are not used

    Attributes:
        first: the first batch; None if there is none
    """

    def __init__(self, data: Any, targets: bool = False) -> None:
        if isinstance(data, Tensor):
            data = [data]
        if not isinstance(data, Iterable) or isinstance(data, (str, bytes, Mapping)):
            raise QuantizationError(
                f"calibration data is a {type(data).__name__}; give a tensor, or batches: a list, a DataLoader, ..."
            )
        self._data = data
        self._targets = targets
        self._rest: Iterator[Any] = iter(data)
        try:
            self.first: tuple[Any, ...] | None = self._inputs(next(self._rest))
        except StopIteration:
            self.first = None

    def _inputs(self, batch: Any) -> tuple[Any, ...]:
        if self._targets:
            if not isinstance(batch, (tuple, list)) or len(batch) != 2:
                raise QuantizationError(
                    f"a batch of calibration data is a {type(batch).__name__}, not a pair (inputs, target), as "
                    "targets=True says"
                )
            batch = batch[0]
        if isinstance(batch, Tensor):
            return (batch,)
        if isinstance(batch, (tuple, list)):
            return tuple(batch)
        raise QuantizationError(
            f"a batch of calibration data is a {type(batch).__name__}; give a tensor, or a tuple of the model's inputs"
        )

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        if self.first is not None:
            yield from chain([self.first], map(self._inputs, self._rest))

    def __len__(self) -> int:
        if isinstance(self._data, Sized):
            return len(self._data)
        raise TypeError(f"the length of a {type(self._data).__name__} is not known")


def check_batch(prepared: fx.GraphModule, inputs: tuple[Any, ...]) -> None:
    """Refuse a batch that has not as many inputs as the model takes."""
    takes = [node for node in prepared.graph.nodes if node.op == "placeholder"]
    needs = [node for node in takes if not node.args and not str(node.target).startswith("*")]
    most = float("inf") if any(str(node.target).startswith("*") for node in takes) else len(takes)
    if not len(needs) <= len(inputs) <= most:
        hint = "; pass targets=True if the batches are pairs (inputs, target)" if len(inputs) == 2 else ""
        names = ", ".join(str(node.target) for node in takes)
        raise QuantizationError(
            f"a batch of calibration data has {len(inputs)} elements, but the model takes {len(needs)} ({names}){hint}"
        )


def mapping_of(model: nn.Module, qconfig_mapping: Any, overrides: Mapping[Any, Any] | None) -> QConfigMapping:
    """A QConfigMapping of its own from what `quantize` takes."""
    if qconfig_mapping is None:
        mapping = get_default_qconfig_mapping()
    elif isinstance(qconfig_mapping, QConfig):
        mapping = QConfigMapping().set_global(qconfig_mapping)
    elif isinstance(qconfig_mapping, QConfigMapping):
        mapping = QConfigMapping.from_dict(qconfig_mapping.to_dict())
    elif isinstance(qconfig_mapping, Mapping):
        mapping = QConfigMapping.from_dict(qconfig_mapping)
    else:
        raise QuantizationError(
            f"qconfig_mapping is a {type(qconfig_mapping).__name__}; give a QConfigMapping, a qconfig_dict or a QConfig"
        )
    paths = dict(model.named_modules())
    for key, qconfig in (overrides or {}).items():
        if not isinstance(key, str):
            mapping.set_object_type(key, qconfig)
            continue
        if key not in paths:
            close = difflib.get_close_matches(key, paths, 1)
            hint = f"; did you mean '{close[0]}'?" if close else "; see model.named_modules()"
            raise QuantizationError(f"overrides: the model has no layer '{key}'{hint}")
        mapping.set_module_name(key, qconfig)
    return mapping


def check_float(model: Any) -> nn.Module:
    """The model itself, or a copy of it in eval mode, if it is a float model."""
    if not isinstance(model, nn.Module):
        raise QuantizationError(f"the model is a {type(model).__name__}; give a float torch.nn.Module")
    for name, module in model.named_modules():
        if isinstance(module, QuantizedModule):
            raise QuantizationError(
                f"layer '{name}' ({type(module).__name__}) is quantized already; give a float model"
            )
    if any(module.training for module in model.modules()):
        return copy.deepcopy(model).eval()
    return model


def prepare(
    model: nn.Module, mapping: QConfigMapping, batch: Any, config: Mapping[str, Any] | None = None
) -> fx.GraphModule:
    """prepare_fx by torch.fx, or by torch.export if that cannot trace the model and there is a batch.

    Raises:
        CaptureError: neither can follow the model.
    """
    try:
        return prepare_fx(model, mapping, batch, config)
    except CaptureError:
        if batch is None:
            raise
        return prepare_fx(model, mapping, batch, config, capture="export")


def prepare_and_calibrate(
    model: nn.Module,
    batches: Batches,
    mapping: QConfigMapping,
    prepare_custom_config_dict: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> fx.GraphModule:
    """A float model in eval mode, prepared in graph mode and calibrated.

    Raises:
        CaptureError: the model cannot be captured.
        QuantizationError: there is no data, although layers have to be calibrated.
    """
    prepared = prepare(model, mapping, batches.first, prepare_custom_config_dict)
    waiting = [name for name, module in prepared.named_modules() if getattr(module, "calibrated", True) is False]
    if waiting and batches.first is None:
        layer = waiting[0].removesuffix(".activation_post_process")
        raise QuantizationError(
            f"the calibration data is empty, but layer '{layer}' has to be calibrated; give at least one batch (an "
            "iterator that was read before is empty)"
        )
    if batches.first is not None:
        check_batch(prepared, batches.first)
    calibrate(prepared, batches, progress)
    return prepared


def quantize(
    model: nn.Module,
    calibration_data: Any = (),
    qconfig_mapping: Any = None,
    *,
    overrides: Mapping[Any, Any] | None = None,
    targets: bool = False,
    progress: bool | None = None,
    prepare_custom_config_dict: Mapping[str, Any] | None = None,
    convert_custom_config_dict: Mapping[str, Any] | None = None,
) -> fx.GraphModule:
    """Quantize a float model as it is written: capture, fuse, calibrate, convert. The result is ready for qsdk.export.

        quantized = qsdk.quantize(model, batches)
        qsdk.export(quantized, example, "model.qsdk")

    Args:
        model: float; it stays as it is. A model in training mode is copied, and the copy is put in eval mode
        calibration_data: inputs like those of use. One tensor is one batch; else an iterable of batches (a list, a
            generator, a DataLoader), each the model's input, or a tuple or list of its inputs. May be left out where
            nothing is calibrated: dynamic and weight-only qconfigs
        qconfig_mapping: QConfigMapping, qconfig_dict, or one QConfig for the whole model; the default is
            get_default_qconfig_mapping(), 8 bits everywhere, weights per channel
        overrides: {layer's path, or module class, or function: QConfig, or None to leave it in float}
        targets: batches are pairs (inputs, target), as for training; targets are not used
        progress: show a progress bar; None shows it on a terminal only
        prepare_custom_config_dict, convert_custom_config_dict: as for prepare_fx and convert_fx

    Raises:
        CaptureError: neither torch.fx nor torch.export can follow the model; names the line.
        QuantizationError: the model is not a float model, the data is empty or does not fit it, or an override names
            no layer.
    """
    source = check_float(model)
    mapping = mapping_of(source, qconfig_mapping, overrides)
    batches = Batches(calibration_data, targets)
    prepared = prepare_and_calibrate(source, batches, mapping, prepare_custom_config_dict, progress)
    return convert_fx(prepared, convert_custom_config_dict)


__all__ = ["quantize"]
