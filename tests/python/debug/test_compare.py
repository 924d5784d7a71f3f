"""Layer by layer comparison: which float layer belongs to which quantized one, and the figures, counted by hand."""

import copy
import math
import pickle
import re
import sys

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import nn
from torch.nn import functional as F

import qsdk
import qsdk.quantization as tq
from qsdk.debug import compare
from qsdk.errors import QuantizationError, UnsupportedOperatorError
from qsdk.nn.quantized import FloatFunctional


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv, self.bn, self.act = (
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(True),
        )

    def forward(self, x):
        return x + self.act(self.bn(self.conv(x)))


class Plain(nn.Module):
    """As people write models: functions, operators, in-place ReLU, one module that runs twice."""

    def __init__(self):
        super().__init__()
        self.stem, self.block, self.mix = nn.Conv2d(2, 4, 3), Block(4), nn.Conv2d(4, 4, 1)
        self.pool, self.head = nn.MaxPool2d(2), nn.Linear(4, 3)

    def forward(self, x):
        x = self.block(F.relu(self.stem(x)))
        x = self.mix(self.mix(x)) - 2 * x
        return self.head(self.pool(x).mean((2, 3)))


class Eager(nn.Module):
    """The same for eager mode."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.conv, self.bn, self.relu = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.join, self.head = FloatFunctional(), nn.Linear(4, 3)

    def forward(self, x):
        x = self.relu(self.bn(self.conv(self.quant(x))))
        return self.dequant(self.head(self.join.add_relu(x, x).mean((2, 3))))


def data(count=8, scale=1.0):
    return scale * torch.randn(count, 2, 9, 9, generator=torch.Generator().manual_seed(1))


def made(kind):
    torch.manual_seed(0)
    return kind().eval()


@pytest.fixture(scope="module")
def plain():
    model = made(Plain)
    return model, qsdk.quantize(model, data())


@pytest.fixture(scope="module")
def eager():
    model = made(Eager)
    fused = tq.fuse_modules(model, ["conv", "bn", "relu"])
    fused.qconfig = tq.get_default_qconfig()
    prepared = tq.prepare(fused)
    prepared(data())
    return model, fused, tq.convert(prepared)


def test_layers_in_graph_mode(plain):
    comparison = compare(*plain, data())
    layers = {row.layer for row in comparison.layers}
    assert {"stem", "block.conv", "mix", "pool", "head", "output"} <= layers
    kinds = [row.kind for row in comparison.layers]
    assert {"QFunctional.add", "QFunctional.sub", "Quantize"} <= set(kinds)
    assert min(row.sqnr for row in comparison.layers) > 25
    assert comparison.unmatched == ()
    assert comparison["block.conv"].kind == "ConvReLU2d" and comparison["output"].step is None


def test_a_model_that_was_pickled_has_its_modules_compared(plain):
    model, quantized = plain
    comparison = compare(model, pickle.loads(pickle.dumps(quantized)), data(), runtime=False)
    assert {"stem", "block.conv", "mix"} <= {row.layer for row in comparison.layers} and comparison.unmatched
    assert comparison["stem"].sqnr == compare(model, quantized, data(), runtime=False)["stem"].sqnr


def test_layers_in_eager_mode(eager):
    model, fused, quantized = eager
    for source, layer in ((model, "relu"), (fused, "conv")):
        comparison = compare(source, quantized, data())
        assert [row.layer for row in comparison.layers] == ["quant", "conv", "join", "head", "output"]
        assert comparison["conv"].float_layer == layer
        assert comparison["join"].kind == "QFunctional.add_relu" and comparison.unmatched == ()


def test_figures(plain):
    model, quantized = plain
    x = data(8, 1.5)  # beyond what calibration has seen
    row = compare(model, quantized, x)["stem"]
    wanted = F.relu(model.stem(x)).detach().double()
    found = quantized.stem(quantized.x_quant(x))
    error = wanted - found.dequantize().double()
    # Sums of float64 in another order
    assert math.isclose(row.sqnr, 10 * math.log10(wanted.square().sum() / error.square().sum()), rel_tol=1e-9)
    assert row.max_error == error.abs().max() and row.shape == (8, 4, 7, 7) and row.step == found.q_scale()
    steps = torch.round(wanted / found.q_scale()) + found.q_zero_point()
    assert row.above == (steps > 127).double().mean() > 0 and row.below == 0
    histogram = row.histogram
    assert sum(histogram.floats) == sum(histogram.quantized) == wanted.numel()
    assert histogram.low == histogram.ends[0] == 0 and histogram.high == wanted.max() > histogram.ends[1]
    counts, _ = np.histogram(wanted.float().numpy(), len(histogram.floats), (histogram.low, histogram.high))
    # torch and numpy may put a value that lies on the edge of two bins into either.
    assert np.abs(counts - histogram.floats).sum() <= 4


def test_a_module_that_runs_twice_is_compared_twice(plain):
    model, quantized = plain
    calls = []
    handle = model.mix.register_forward_hook(lambda module, inputs, output: calls.append(output.detach()))
    model(data())
    handle.remove()
    largest = max(float(call.abs().max()) for call in calls)
    row = compare(model, quantized, data())["mix"]
    assert sum(row.histogram.floats) == sum(call.numel() for call in calls)
    assert row.max_error < largest / 10


def test_batches_add_up(plain):
    whole, parts = compare(*plain, data()), compare(*plain, iter([data()[:5], (data()[5:],)]))
    for one, other in zip(whole.layers, parts.layers, strict=True):
        # A convolution's sums may depend on the batch's size.
        assert math.isclose(one.sqnr, other.sqnr, abs_tol=1e-3) and math.isclose(
            one.max_error, other.max_error, rel_tol=1e-3
        )


def test_models_stay_as_they_are(eager):
    model, _, quantized = eager
    before = copy.deepcopy(quantized.join.__dict__)
    compare(model, quantized, data())
    assert quantized.join.__dict__.keys() == before.keys()
    for module in (*model.modules(), *quantized.modules()):
        assert not module._forward_hooks


def test_float_layers_are_compared_too(plain):
    model, _ = plain
    comparison = compare(model, qsdk.quantize(model, data(), overrides={"head": None}), data())
    assert comparison["head"].kind == "Linear" and comparison["head"].step is None
    assert comparison["head"].sqnr == comparison["output"].sqnr == comparison.sqnr


def test_host_and_runtime(plain):
    comparison = compare(*plain, data(1))
    assert comparison.operators.equal and len(comparison.operators.rows) > 10 and comparison.note == ""
    assert compare(*plain, data(1), runtime=False).operators is None


def test_a_model_that_cannot_be_exported(plain, monkeypatch):
    def refuse(*arguments, **keywords):
        raise UnsupportedOperatorError("layer 'mix': no such operator\nand more")

    monkeypatch.setattr(sys.modules["qsdk.debug.compare"], "to_bytes", refuse)
    comparison = compare(*plain, data(1))
    assert comparison.operators is None and comparison.note.endswith("layer 'mix': no such operator")
    assert "no such operator" in comparison.to_html() and "no such operator" in str(comparison)


def test_print_and_page(plain, tmp_path):
    comparison = compare(*plain, data())
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(comparison)
    text, page = console.export_text(), comparison.to_html()
    for row in comparison.layers:
        assert row.layer in text and row.layer in page and f"{row.sqnr:.1f}" in str(comparison)
    assert "give the same bytes" in text and "give the same bytes" in page
    assert page.count("<polyline") == len(comparison.layers)
    assert not re.search(r"https?:|<script|<link|src=|url\(", page)  # nothing to load
    comparison.write_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == page


def test_bad_layers_stand_out():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)).eval()
    quantized = qsdk.quantize(model, 0.01 * torch.randn(8, 4))
    comparison = compare(model, quantized, 10 * torch.randn(8, 4), runtime=False)
    assert comparison.sqnr < 10 and '<tr class="bad">' in comparison.to_html()
    assert "nan" not in str(compare(model, quantized, torch.zeros(2, 4), runtime=False))


def test_errors(plain):
    model, quantized = plain
    with pytest.raises(QuantizationError, match="there are no inputs"):
        compare(model, quantized, [])
    with pytest.raises(QuantizationError, match="float_model is in training mode"):
        compare(copy.deepcopy(model).train(), quantized, data())
    with pytest.raises(QuantizationError, match="no layer of quantized_model has a counterpart"):
        compare(nn.Identity().eval(), nn.Sequential(nn.ReLU()).eval(), data())
    with pytest.raises(KeyError):
        compare(model, quantized, data(), runtime=False)["nowhere"]
