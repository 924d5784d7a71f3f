"""compare(float_model, quantized_model, inputs): where a quantized model loses accuracy, layer by layer."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from torch import Tensor, nn
from tqdm import tqdm

from qsdk.debug import page
from qsdk.debug.operators import OperatorReport, compare_operators
from qsdk.debug.record import Call, FloatRun, Recorder, float_twin
from qsdk.errors import QsdkError, QuantizationError
from qsdk.export import to_bytes
from qsdk.nn.quantized.base import QuantizedModule
from qsdk.qtensor import QParams, QTensor
from qsdk.quantization.one_call import Batches

_BINS = 64
_POOR, _BAD = 20.0, 10.0  # dB
_UNSEEN = ("DeQuantize", "Dropout", "Identity")


@dataclass(frozen=True)
class Histogram:
    """Counts over equal bins of low..high; values beyond fall into the outermost ones.

    Attributes:
        floats, quantized: counts of the float and of the quantized model's values
        ends: lowest and highest value that the quantized layer can give; empty if its output is float
    """

    low: float
    high: float
    floats: tuple[int, ...]
    quantized: tuple[int, ...]
    ends: tuple[float, ...]


@dataclass(frozen=True)
class LayerRow:
    """A layer's output in the quantized model against the float model's. Errors of earlier layers are in it.

    Attributes:
        layer: its path in the quantized model
        kind: its class
        float_layer: whose output it is compared with: the last that is fused into it
        shape: of its output, in the first batch
        sqnr: 10 log10(sum x^2 / sum (x - y)^2) in dB, x the float and y the quantized model's output
        max_error: largest |x - y|
        step: scale of its output; None if that is float
        below, above: share of x that lies beyond the lowest and the highest value that the layer can give
        histogram: of x and y
    """

    layer: str
    kind: str
    float_layer: str
    shape: tuple[int, ...]
    sqnr: float
    max_error: float
    step: float | None
    below: float
    above: float
    histogram: Histogram


class Statistics:
    """Adds up what a LayerRow says, over calls and batches."""

    def __init__(self, layer: str, kind: str, float_layer: str, x: Tensor, qparams: QParams | None):
        qparams = None if qparams is None or qparams.per_channel else qparams
        self._named = (layer, kind, float_layer, tuple(x.shape))
        self._step = None if qparams is None else float(qparams.scale)
        self._ends: tuple[float, ...] = ()
        bounds = [float(v) for v in torch.aminmax(x)] if x.numel() else [0.0, 0.0]
        if qparams is not None:
            zero_point, scale = int(qparams.device_zero_point), float(qparams.scale)
            self._ends = ((qparams.device_min - zero_point) * scale, (qparams.device_max - zero_point) * scale)
        low, high = min([*bounds, *self._ends]), max([*bounds, *self._ends])
        if not math.isfinite(high - low):
            low, high = -1.0, 1.0
        self._low, self._high = low, high if high > low else low + 1.0
        self._sums = {"signal": 0.0, "noise": 0.0, "below": 0, "above": 0, "count": 0}
        self._max_error = 0.0
        self._counts = [torch.zeros(_BINS), torch.zeros(_BINS)]

    def add(self, x: Tensor, y: Tensor) -> None:
        """Float values, and quantized ones of the same shape."""
        error = (x.double() - y.double()).flatten()
        self._sums["signal"] += float(x.double().square().sum())
        self._sums["noise"] += float(error.square().sum())
        self._sums["count"] += x.numel()
        self._max_error = max(self._max_error, float(error.abs().max())) if error.numel() else self._max_error
        if self._step is not None:
            # Half a step beyond the end still rounds to it.
            self._sums["below"] += int((x < self._ends[0] - self._step / 2).sum())
            self._sums["above"] += int((x > self._ends[1] + self._step / 2).sum())
        for counts, values in zip(self._counts, (x, y), strict=True):
            inside = values.detach().float().clamp(self._low, self._high)
            counts += torch.histc(inside, _BINS, self._low, self._high)

    def row(self) -> LayerRow:
        """What has been added up."""
        layer, kind, float_layer, shape = self._named
        count = max(1, self._sums["count"])
        floats, quantized = (tuple(int(c) for c in counts) for counts in self._counts)
        return LayerRow(
            layer=layer,
            kind=kind,
            float_layer=float_layer,
            shape=shape,
            sqnr=decibels(self._sums["signal"], self._sums["noise"]),
            max_error=self._max_error,
            step=self._step,
            below=self._sums["below"] / count,
            above=self._sums["above"] / count,
            histogram=Histogram(self._low, self._high, floats, quantized, self._ends),
        )


def decibels(signal: float, noise: float) -> float:
    """10 log10(signal / noise); inf without noise, -inf without signal."""
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf if signal == 0 else math.nan


_COLUMNS = ("layer", "kind", "output", "SQNR dB", "max error", "step", "below", "above")


def _share(value: float) -> str:
    return "" if value == 0 else f"{value:.2%}" if value >= 1e-4 else "<0.01%"


@dataclass(frozen=True)
class Comparison:
    """What compare found; print it with rich, or write it as a page.

    Attributes:
        layers: one row per layer, in the order in which they run; the last is the model's output
        unmatched: quantized layers without a counterpart in the float model
        operators: host against runtime, for the first batch; None if the model was not exported
        note: why it was not exported
    """

    layers: tuple[LayerRow, ...]
    unmatched: tuple[str, ...] = ()
    operators: OperatorReport | None = None
    note: str = ""

    def __getitem__(self, layer: str) -> LayerRow:
        """The row of a layer."""
        for row in self.layers:
            if row.layer == layer:
                return row
        raise KeyError(layer)

    @property
    def sqnr(self) -> float:
        """Of the model's output, in dB."""
        return self.layers[-1].sqnr

    @property
    def summary(self) -> str:
        """What is wrong or worth knowing, in a line or two."""
        worst = min(self.layers, key=lambda row: row.sqnr if math.isfinite(row.sqnr) else math.inf)
        text = f"output {self.sqnr:.1f} dB; the lowest is {worst.sqnr:.1f} dB, of layer '{worst.layer}'"
        if self.unmatched:
            text += f"; without a float counterpart: {', '.join(self.unmatched)}"
        return text

    def _cells(self, row: LayerRow) -> list[str]:
        step = "" if row.step is None else f"{row.step:.4g}"
        return [
            row.layer,
            row.kind,
            str(list(row.shape)),
            f"{row.sqnr:.1f}",
            f"{row.max_error:.4g}",
            step,
            _share(row.below),
            _share(row.above),
        ]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table(*_COLUMNS, title="layers, float against quantized", caption=self.summary)
        for row in self.layers:
            style = "red" if row.sqnr < _BAD else "yellow" if row.sqnr < _POOR else None
            table.add_row(*self._cells(row), style=style)
        yield table
        if self.operators is not None:
            yield self.operators
        if self.note:
            yield self.note

    def __str__(self) -> str:
        console = Console(width=160, color_system=None)
        with console.capture() as capture:
            console.print(self)
        return capture.get()

    def to_html(self) -> str:
        """A page that needs nothing else: the tables, and a histogram for each layer."""
        rows = []
        for row in self.layers:
            h = row.histogram
            color = page.QUANTIZED_COLOR if row.sqnr < _POOR else page.FLOAT_COLOR
            cells = self._cells(row)
            cells.insert(4, page.bar(0.0 if math.isnan(row.sqnr) else row.sqnr / 60, color))
            most = math.log1p(max(1, *h.floats, *h.quantized))
            behind, front = ([math.log1p(count) / most for count in counts] for counts in (h.floats, h.quantized))
            rows.append([*cells, page.histogram(h.low, h.high, behind, front, h.ends)])
        classes = ["bad" if row.sqnr < _BAD else "poor" if row.sqnr < _POOR else "" for row in self.layers]
        columns = [*_COLUMNS, "values"]
        columns.insert(4, "0 to 60 dB")
        layers = page.section("Layers", self.summary, page.legend() + page.table(columns, rows, classes))
        operators = page.section("Operators", self.note, "") if self.note else ""
        if self.operators is not None:
            operators = self.operators.html_section()
        return page.page("qsdk: float against quantized", layers, operators)

    def write_html(self, path: str | os.PathLike[str]) -> None:
        """Write to_html() to a file."""
        Path(path).write_text(self.to_html(), encoding="utf-8")


def _is_layer(model: nn.Module, call: Call) -> bool:
    """Whether a call gets a row: no containers, and nothing that only passes values."""
    if call.kind in _UNSEEN:
        return False
    module = model.get_submodule(call.name)
    return isinstance(module, QuantizedModule) or next(module.children(), None) is None


def compare(
    float_model: nn.Module,
    quantized_model: nn.Module,
    inputs: Any,
    *,
    runtime: bool = True,
    isa: str | None = None,
    progress: bool | None = None,
) -> Comparison:
    """Run both models on the same inputs and compare every layer's output; then the operators on host and runtime.

    Layers are matched by path. A fused layer is compared with the output of the last float layer in it. In graph mode
    functions and operators like + are layers too.

    Args:
        float_model: as it was before prepare, fused or not, in eval mode
        quantized_model: converted from it, in eager or graph mode
        inputs: as qsdk.quantize's calibration data: a tensor, or an iterable of batches
        runtime: also export the model and compare each operator of the C runtime with its definition, on the first
            batch. A model that cannot be exported gets a note
        isa: use nothing above this instruction set
        progress: show a progress bar; None shows it on a terminal only

    Raises:
        QuantizationError: there are no inputs, a model is in training mode, or no layer matches.
    """
    for name, model in (("float_model", float_model), ("quantized_model", quantized_model)):
        if model.training:
            raise QuantizationError(f"compare: {name} is in training mode; call {name}.eval() first")
    batches = Batches(inputs)
    if batches.first is None:
        raise QuantizationError("compare: there are no inputs; give a tensor or at least one batch")
    twin = float_twin(float_model, quantized_model, batches.first)
    found: dict[str, Statistics] = {}
    output: Statistics | None = None
    unmatched: dict[str, None] = {}
    hidden = None if progress is None else not progress
    for batch in tqdm(batches, desc="compare", unit="batch", leave=False, disable=hidden):
        floats = FloatRun(twin, batch, quantized_model)
        recorder = Recorder()
        with torch.no_grad(), recorder.watch(quantized_model):
            result = quantized_model(*batch)
        seen: Counter[str] = Counter()
        for call in recorder.calls:
            if not _is_layer(quantized_model, call):
                continue
            wanted = floats.find(call.name, seen[call.name], fused=call.kind != "Quantize")
            seen[call.name] += 1
            if wanted is None or wanted.value.shape != call.value.shape:
                unmatched[call.name] = None
                continue
            x = wanted.value
            if getattr(quantized_model.get_submodule(call.name), "_relu", False):
                x = x.relu()  # where the float model has a function for it, which has no name here
            if call.name not in found:
                found[call.name] = Statistics(call.name, call.kind, wanted.name, x, call.qparams)
            found[call.name].add(x, call.value)
        for x, y in zip(float_tensors(floats.output), float_tensors(result), strict=True):
            output = output or Statistics("output", "", "output", x, None)
            output.add(x, y)
    if not found or output is None:
        raise QuantizationError(
            "compare: no layer of quantized_model has a counterpart in float_model; give the float model that it was "
            "converted from"
        )
    report, note = _operators(quantized_model, batches.first, isa) if runtime else (None, "")
    rows = (*(statistics.row() for statistics in found.values()), output.row())
    return Comparison(rows, tuple(name for name in unmatched if name not in found), report, note)


def float_tensors(output: Any) -> list[Tensor]:
    """The float tensors of a model's output."""
    if isinstance(output, QTensor):
        return [output.dequantize()]
    if isinstance(output, Tensor):
        return [output] if output.is_floating_point() else []
    items = output.values() if isinstance(output, dict) else output if isinstance(output, (tuple, list)) else ()
    return [tensor for item in items for tensor in float_tensors(item)]


def _operators(model: nn.Module, inputs: tuple[Any, ...], isa: str | None) -> tuple[OperatorReport | None, str]:
    try:
        program, data = to_bytes(model, inputs, test_vectors=None)
        return compare_operators(program, data, [tensor.detach().numpy() for tensor in inputs], isa), ""
    except QsdkError as error:
        return None, f"not exported, so not compared with the runtime: {str(error).splitlines()[0]}"
