"""sensitivity and suggest: which layers cost accuracy when they are quantized, and which to leave in float."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from rich.table import Table
from torch import Tensor, fx, nn
from tqdm import tqdm

from qsdk.debug.compare import decibels, float_tensors
from qsdk.errors import QuantizationError
from qsdk.nn.quantized.base import observed_qparams, place_of
from qsdk.qtensor import QParams, quantize
from qsdk.quantization.one_call import Batches, check_float, mapping_of, prepare, prepare_and_calibrate
from qsdk.quantization.qconfig_mapping import QConfigMapping
from qsdk.quantization.quantize_fx import convert_fx
from qsdk.quantization.weights import quantized_and_back, weighted_part

Metric = Callable[[nn.Module], float]


class _Switch(nn.Module):
    """In place of a layer's observer: quantizes and dequantizes what passes, while it is on."""

    def __init__(self, qparams: QParams) -> None:
        super().__init__()
        self.qparams = qparams
        self.on = False

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return quantize(x, self.qparams).dequantize() if self.on else x


@dataclass(frozen=True)
class SensitivityRow:
    """What quantizing one layer alone does to the model.

    Attributes:
        layer: its path in the prepared model
        kind: its class
        score: the metric of the model with this layer alone quantized; without a metric the output's SQNR in dB
    """

    layer: str
    kind: str
    score: float


@dataclass(frozen=True)
class Sensitivity:
    """Layers by what quantizing them costs, the most expensive first; print it with rich.

    Attributes:
        rows: one per layer
        score: with all layers quantized (computed in float, as quantization-aware training does)
        float_score: of the float model; inf dB without a metric
    """

    rows: tuple[SensitivityRow, ...]
    score: float
    float_score: float

    def __rich__(self) -> Table:
        what = "SQNR dB" if math.isinf(self.float_score) else "metric"
        caption = f"all layers quantized: {self.score:.4g}; float: {self.float_score:.4g}"
        table = Table("layer", "kind", what, title="one layer quantized at a time", caption=caption)
        for row in self.rows:
            table.add_row(row.layer, row.kind, f"{row.score:.4g}")
        return table


class _Study:
    """A calibrated model whose layers can be quantized one by one, and the float model to compare with."""

    def __init__(
        self, model: nn.Module, data: Any, metric: Metric | None, mapping: Any, targets: bool, progress: bool | None
    ) -> None:
        self.model = check_float(model)
        self.batches = list(Batches(data, targets))
        if not self.batches:
            raise QuantizationError("sensitivity: there is no calibration data; give a tensor or at least one batch")
        self.mapping = mapping_of(self.model, mapping, None)
        self.metric = metric
        self.hidden = None if progress is None else not progress
        self.prepared = self._prepare(self.mapping, progress)
        self.outputs = [float_tensors(self._run(self.model, batch)) for batch in self.batches]
        self.float_score = math.inf if metric is None else self.score(self.model)

    def _prepare(self, mapping: QConfigMapping, progress: bool | None) -> fx.GraphModule:
        return prepare_and_calibrate(self.model, Batches(self.batches), mapping, progress=progress)

    @staticmethod
    def _run(model: nn.Module, batch: tuple[Any, ...]) -> Any:
        with torch.no_grad():
            return model(*batch)

    def score(self, model: nn.Module) -> float:
        """The metric, or the SQNR of the outputs in dB."""
        if self.metric is not None:
            with torch.no_grad():
                return float(self.metric(model))
        signal = noise = 0.0
        for batch, expected in zip(self.batches, self.outputs, strict=True):
            for x, y in zip(expected, float_tensors(self._run(model, batch)), strict=True):
                signal += float(x.double().square().sum())
                noise += float((x.double() - y.double()).square().sum())
        return decibels(signal, noise)

    def quantized_score(self, mapping: QConfigMapping) -> float:
        """The score of the model really quantized."""
        return self.score(convert_fx(self._prepare(mapping, False)))

    def sensitivity(self) -> Sensitivity:
        """Quantize each layer alone."""
        simulated = copy.deepcopy(self.prepared)
        layers = {name: module for name, module in simulated.named_modules() if _is_calibrated(module)}
        for module in layers.values():
            observer = module.activation_post_process
            module.activation_post_process = _Switch(observed_qparams(observer, place_of(module)))
        rows = []
        for name, module in tqdm(layers.items(), desc="sensitivity", unit="layer", leave=False, disable=self.hidden):
            with _quantized([module]):
                score = self.score(simulated)
            rows.append(SensitivityRow(name, type(module).__name__, score))
        with _quantized(list(layers.values())):
            score = self.score(simulated)
        return Sensitivity(tuple(sorted(rows, key=lambda row: row.score)), score, self.float_score)


def _is_calibrated(module: nn.Module) -> bool:
    return bool(getattr(getattr(module, "activation_post_process", None), "calibrated", False))


@contextmanager
def _quantized(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Quantize outputs and weights of prepared modules while this lasts."""
    kept: list[tuple[nn.Parameter, Tensor]] = []
    for module in modules:
        module.activation_post_process.on = True  # type: ignore[union-attr]
        part: Any = weighted_part(module)
        if part is not None:
            kept.append((part.weight, part.weight.data))
            part.weight.data = quantized_and_back(module, part)
    try:
        yield
    finally:
        for module in modules:
            module.activation_post_process.on = False  # type: ignore[union-attr]
        for parameter, value in kept:
            parameter.data = value


def sensitivity(
    model: nn.Module,
    calibration_data: Any,
    metric: Metric | None = None,
    *,
    qconfig_mapping: Any = None,
    targets: bool = False,
    progress: bool | None = None,
) -> Sensitivity:
    """Quantize one layer at a time, and rank the layers by what that does to the model's output.

    A layer is quantized as in quantization-aware training: its weights and its output are rounded to what 8 bits can
    hold, everything else stays float. Only statically quantized layers are looked at.

    Args:
        model: float
        calibration_data: as for qsdk.quantize; it is kept in memory and read once for every layer
        metric: a function of the model, such as its accuracy, that is higher for better ones. If None, the SQNR of the
            outputs on the calibration data: 10 log10(sum x^2 / sum (x - y)^2), x the float model's outputs
        qconfig_mapping, targets, progress: as for qsdk.quantize

    Raises:
        CaptureError: the model cannot be captured.
        QuantizationError: no calibration data, or data that does not fit the model.
    """
    return _Study(model, calibration_data, metric, qconfig_mapping, targets, progress).sensitivity()


@dataclass(frozen=True)
class Suggestion:
    """What suggest found.

    Attributes:
        mapping: for qsdk.quantize or prepare_fx
        float_layers: layers that it leaves in float
        score: of the model quantized with it: the metric, or the output's SQNR in dB
        float_score: of the float model
        sensitivity: the ranking behind it
    """

    mapping: QConfigMapping
    float_layers: tuple[str, ...]
    score: float
    float_score: float
    sensitivity: Sensitivity


def suggest(
    model: nn.Module,
    calibration_data: Any,
    metric: Metric | None = None,
    *,
    max_loss: float | None = None,
    min_sqnr: float | None = None,
    qconfig_mapping: Any = None,
    targets: bool = False,
    progress: bool | None = None,
) -> Suggestion:
    """Leave as few layers in float as it takes to keep the accuracy, the most sensitive first.

    Layers are modules of the model here; what functions and operators like + compute stays quantized. Each trial
    quantizes the model for real. The number of layers is found by bisection: a few trials, if leaving more
    layers in float never makes the model worse; where it does, more layers than needed may stay in float.

    Args:
        model, calibration_data, metric: as for sensitivity
        max_loss: with a metric: how far it may fall below the float model's
        min_sqnr: without one: the lowest SQNR of the outputs, in dB
        qconfig_mapping, targets, progress: as for qsdk.quantize; the result is this mapping with some layers in float

    Raises:
        CaptureError: the model cannot be captured.
        QuantizationError: no budget or the wrong one, or no calibration data.
    """
    if (max_loss is None) == (min_sqnr is None) or (metric is None) != (max_loss is None):
        raise QuantizationError("suggest: give metric and max_loss (in the metric's unit), or min_sqnr (in dB) alone")
    study = _Study(model, calibration_data, metric, qconfig_mapping, targets, progress)
    found = study.sensitivity()
    lowest = study.float_score - max_loss if max_loss is not None else min_sqnr
    assert lowest is not None
    followers = _followers(study)
    rules = {row.layer: paths for row in found.rows if (paths := _float_paths(study, row.layer, followers))}
    layers = list(rules)

    def mapping(count: int) -> QConfigMapping:
        result = QConfigMapping.from_dict(study.mapping.to_dict())
        for path in (path for layer in layers[:count] for path in rules[layer]):
            result.set_module_name(path, None)
        return result

    scores: dict[int, float] = {}
    with tqdm(desc="suggest", unit="trial", leave=False, disable=study.hidden) as bar:

        def enough(count: int) -> bool:
            scores[count] = study.quantized_score(mapping(count))
            bar.update()
            return scores[count] >= lowest

        low, high = (-1, 0) if enough(0) else (0, len(layers))  # low does not do, high is taken to
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
        if high not in scores:
            enough(high)
    if scores[high] < lowest:
        raise QuantizationError(
            f"suggest: with every layer in float that can be, the score is {scores[high]:.4g}, not {lowest:.4g}; check "
            "the metric, and that it does not vary from run to run"
        )
    return Suggestion(mapping(high), tuple(layers[:high]), scores[high], study.float_score, found)


def _float_paths(study: _Study, layer: str, followers: dict[str, str]) -> list[str]:
    """Paths of the modules that have to stay in float if a layer does; empty for what is no module of the model."""
    modules = dict(study.model.named_modules())
    found = []
    for name in (layer, followers.get(layer, "")):
        # What torch.export captures is named after the function in the module, such as 'conv.conv2d'.
        parent = name.rpartition(".")[0]
        inside = parent in modules and next(modules[parent].children(), None) is None
        found += [path for path in ([name] if name in modules else [parent] if inside else []) if path]
    return found


def _followers(study: _Study) -> dict[str, str]:
    """Layer -> what follows it and is a part of it once they are fused, such as batch norm."""
    called = {node.target for node in study.prepared.graph.nodes if node.op == "call_module"}
    unfused = prepare(study.model, QConfigMapping(), study.batches[0])
    found = {}
    for node in unfused.graph.nodes:
        reader = next(iter(node.users)) if node.op == "call_module" and len(node.users) == 1 else None
        if reader is not None and reader.op == "call_module" and reader.target not in called:
            found[str(node.target)] = str(reader.target)
    return found
