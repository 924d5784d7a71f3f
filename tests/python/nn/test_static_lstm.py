"""Statically quantized LSTM: observed in parts, one operator in the end, equal to its parts step by step."""

from __future__ import annotations

import copy
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import qsdk
import qsdk.nn.quantizable as nnqz
import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
from qsdk.errors import QuantizationError, UnsupportedOperatorError
from qsdk.export import to_bytes

sys.path.insert(0, str(Path(__file__).parents[1] / "export"))
from test_float_models import check  # noqa: E402


class Network(nn.Module):
    """A sequence and perhaps states in, everything out."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.lstm = nn.LSTM(5, 8, **options)

    def forward(self, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        output, (h, c) = self.lstm(self.quant(x), states or None)
        return self.dequant(output), self.dequant(h), self.dequant(c)


class Stream(Network):
    def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, ...]:  # type: ignore[override]
        return super().forward(x, h, c)


def make(kind: type[Network] = Network, backend: str = "qsdk", **options: Any) -> tuple[nn.Module, Any]:
    """The float network and the quantized one."""
    torch.manual_seed(0)
    model = kind(**options).eval()
    model.qconfig = tq.get_default_qconfig(backend)
    prepared = tq.prepare(model)
    assert isinstance(prepared.lstm, nnqz.LSTM)
    states = model.lstm.num_layers * (1 + model.lstm.bidirectional)
    given = [torch.randn(states, 3, 8) * 0.5 for _ in range(2)] if kind is Stream else []
    for _ in range(12):
        prepared(torch.randn(6, 3, 5) * 1.3, *given)
    return model, tq.convert(prepared)


OPTIONS = [
    {}, {"bias": False}, {"batch_first": True}, {"num_layers": 2, "dropout": 0.5}, {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS)
def test_close_to_float_and_equal_in_c(options: dict[str, Any]) -> None:
    model, quantized = make(**options)
    assert type(quantized.lstm) is nnq.LSTM
    x = torch.randn(6, 3, 5)
    with torch.no_grad():
        for ours, theirs in zip(quantized(x), model(x), strict=True):
            assert ours.shape == theirs.shape
            assert (ours - theirs).square().mean().sqrt() < 0.04 * theirs.std()
    kinds = check(quantized, x)
    assert kinds.count("lstm") == options.get("num_layers", 1) * (1 + options.get("bidirectional", False))


@pytest.mark.parametrize("backend", ["qsdk", "fbgemm"])
def test_the_operator_is_its_parts_step_by_step(backend: str) -> None:
    _, quantized = make(backend=backend)
    cell, x = quantized.lstm.l0, quantized.quant(torch.randn(6, 3, 5) * 2)
    output, (h, c) = quantized.lstm(x)
    hidden, state = (qsdk.qtensor.quantize(torch.zeros(3, 8), q) for q in cell.state_qparams)
    for t in range(6):
        gates = cell.gates.add(cell.igates(x[t]), cell.hgates(hidden))
        i, f, g, o = (gates[:, 8 * k : 8 * k + 8] for k in range(4))
        kept = cell.fgate_cx.mul(cell.forget_gate(f), state)
        added = cell.igate_cgate.mul(cell.input_gate(i), cell.cell_gate(g))
        state = cell.fgate_cx_igate_cgate.add(kept, added)
        hidden = cell.ogate_cy.mul(cell.output_gate(o), cell.cell_tanh(state))
        assert torch.equal(output[t].storage, hidden.storage)
    assert torch.equal(h[0].storage, hidden.storage) and torch.equal(c[0].storage, state.storage)


def test_a_device_can_stream() -> None:
    """A file of one step, run step by step, gives what a file of the sequence gives."""
    _, quantized = make(Stream)
    sequence, states = torch.randn(6, 3, 5), [torch.zeros(1, 3, 8)] * 2
    expected = quantized(sequence, *states)
    whole, step = (to_bytes(quantized, (part, *states))[1] for part in (sequence, sequence[:1]))
    for isa in qsdk.runtime.available_isas():
        at_once = qsdk.Session(whole, isa=isa).run(sequence, *states)
        assert [r.tobytes() for r in at_once] == [r.numpy().tobytes() for r in expected]
        outputs, carried, session = [], [s.numpy() for s in states], qsdk.Session(step, isa=isa)
        for t in range(6):
            output, *carried = session.run(sequence[t : t + 1], *carried)
            outputs.append(torch.from_numpy(output))
        assert torch.equal(torch.cat(outputs), expected[0])
        assert all(torch.equal(torch.from_numpy(a), b) for a, b in zip(carried, expected[1:], strict=True))


def test_own_state() -> None:
    _, quantized = make(num_layers=2, bidirectional=True)
    x = torch.randn(6, 3, 5)
    fresh = nnq.LSTM(5, 8, 2, bidirectional=True)
    fresh.load_state_dict(quantized.lstm.state_dict())
    expected = quantized.lstm(quantized.quant(x))[0].storage
    for other in (fresh, copy.deepcopy(quantized.lstm), pickle.loads(pickle.dumps(quantized.lstm))):
        assert torch.equal(other(quantized.quant(x))[0].storage, expected)
    assert repr(quantized.lstm).startswith("LSTM(\n  5, 8, num_layers=2, bidirectional=True")


@pytest.mark.parametrize("options", OPTIONS)
def test_the_observed_module_is_the_float_one(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    float_module = nn.LSTM(5, 8, **options).eval()
    observed = nnqz.LSTM.from_float(float_module)
    layers = float_module.num_layers * (1 + float_module.bidirectional)
    x, state = torch.randn(3, 3, 5), (torch.randn(layers, 3, 8), torch.randn(layers, 3, 8))
    for hx in (None, state):
        (output, (h, c)), (expected, states) = observed(x, hx), float_module(x, hx)
        for a, b in zip((output, h, c), (expected, *states), strict=True):
            assert torch.allclose(a, b, atol=1e-6)  # sums in another order


def test_the_runtime_is_an_engine() -> None:
    _, quantized = make(num_layers=2)
    x = torch.randn(6, 3, 5)
    expected = quantized(x)
    qsdk.backends.quantized.engine = "qsdk"
    try:
        assert all(torch.equal(a, b) for a, b in zip(quantized(x), expected, strict=True))
    finally:
        qsdk.backends.quantized.engine = "reference"


def test_refused() -> None:
    _, quantized = make()
    x = quantized.quant(torch.randn(6, 3, 5))
    with pytest.raises(QuantizationError, match=r"layer 'lstm' \(LSTM\) got shape \[6, 5\], but takes \[T, N, 5\]"):
        quantized.lstm(x[:, 0])
    with pytest.raises(QuantizationError, match=r"its state is a pair of tensors \[1, 3, 8\], not \[\[1, 2, 8\]"):
        quantized.lstm(x, (torch.zeros(1, 2, 8), torch.zeros(1, 2, 8)))
    with pytest.raises(QuantizationError, match="insert a QuantStub"):
        quantized.lstm(torch.randn(6, 3, 5))
    with pytest.raises(QuantizationError, match="add a batch axis of 1"):
        nnqz.LSTM(5, 8)(torch.randn(6, 5))
    model = Network().eval()
    model.qconfig = tq.get_default_qconfig()
    prepared: Any = tq.prepare(model)
    prepared.quant(torch.randn(4))
    with pytest.raises(QuantizationError, match=r"layer 'lstm.l0.igates' \(Linear\) has seen no calibration data"):
        tq.convert(prepared)
    model = Network(proj_size=3).eval()
    model.qconfig = tq.get_default_qconfig()
    with pytest.raises(UnsupportedOperatorError, match=r"layer 'lstm' \(LSTM\) has proj_size 3"):
        tq.prepare(model)
