"""Statically quantized GRU: observed in parts, one operator in the end, equal to its parts step by step."""

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
from qsdk.errors import QuantizationError
from qsdk.export import to_bytes
from qsdk.nn.quantized import functional as qF

sys.path.insert(0, str(Path(__file__).parents[1] / "export"))
from test_float_models import check  # noqa: E402


class Network(nn.Module):
    """A sequence and perhaps states in, everything out."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.gru = nn.GRU(5, 8, **options)

    def forward(self, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        output, h = self.gru(self.quant(x), *states)
        return self.dequant(output), self.dequant(h)


class Stream(Network):
    def forward(self, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, ...]:  # type: ignore[override]
        return super().forward(x, h)


def make(kind: type[Network] = Network, backend: str = "qsdk", **options: Any) -> tuple[nn.Module, Any]:
    """The float network and the quantized one."""
    torch.manual_seed(0)
    model = kind(**options).eval()
    model.qconfig = tq.get_default_qconfig(backend)
    prepared = tq.prepare(model)
    assert isinstance(prepared.gru, nnqz.GRU)
    states = model.gru.num_layers * (1 + model.gru.bidirectional)
    given = [torch.randn(states, 3, 8) * 0.5] if kind is Stream else []
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
    assert type(quantized.gru) is nnq.GRU
    x = torch.randn(6, 3, 5)
    with torch.no_grad():
        for ours, theirs in zip(quantized(x), model(x), strict=True):
            assert ours.shape == theirs.shape
            assert (ours - theirs).square().mean().sqrt() < 0.04 * theirs.std()
    kinds = check(quantized, x)
    assert kinds.count("gru") == options.get("num_layers", 1) * (1 + options.get("bidirectional", False))


@pytest.mark.parametrize("backend", ["qsdk", "fbgemm"])
def test_the_operator_is_its_parts_step_by_step(backend: str) -> None:
    _, quantized = make(backend=backend)
    cell, x = quantized.gru.l0, quantized.quant(torch.randn(6, 3, 5) * 2)
    output, h = quantized.gru(x)
    hidden = qsdk.qtensor.quantize(torch.zeros(3, 8), *cell.state_qparams)
    for t in range(6):
        of_input, of_hidden = cell.igates(x[t]), cell.hgates(hidden)
        gates = cell.gates.add(of_input[:, :16], of_hidden[:, :16])
        keep = qF.lookup_table(gates[:, 8:], lambda v: torch.sigmoid(-v), cell.keep_gate.output_qparams)
        scaled = cell.rgate_hgate.mul(cell.reset_gate(gates[:, :8]), of_hidden[:, 16:])
        new = cell.new_gate(cell.ngate.add(of_input[:, 16:], scaled))
        kept = cell.zgate_hx.mul(cell.update_gate(gates[:, 8:]), hidden)
        hidden = cell.zgate_hx_kgate_ngate.add(kept, cell.kgate_ngate.mul(keep, new))
        assert torch.equal(output[t].storage, hidden.storage)
    assert torch.equal(h[0].storage, hidden.storage)


def test_a_device_can_stream() -> None:
    """A file of one step, run step by step, gives what a file of the sequence gives."""
    _, quantized = make(Stream)
    sequence, states = torch.randn(6, 3, 5), [torch.zeros(1, 3, 8)]
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
    fresh = nnq.GRU(5, 8, 2, bidirectional=True)
    fresh.load_state_dict(quantized.gru.state_dict())
    expected = quantized.gru(quantized.quant(x))[0].storage
    for other in (fresh, copy.deepcopy(quantized.gru), pickle.loads(pickle.dumps(quantized.gru))):
        assert torch.equal(other(quantized.quant(x))[0].storage, expected)
    assert repr(quantized.gru).startswith("GRU(\n  5, 8, num_layers=2, bidirectional=True")


@pytest.mark.parametrize("options", OPTIONS)
def test_the_observed_module_is_the_float_one(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    float_module = nn.GRU(5, 8, **options).eval()
    observed = nnqz.GRU.from_float(float_module)
    layers = float_module.num_layers * (1 + float_module.bidirectional)
    x, state = torch.randn(3, 3, 5), torch.randn(layers, 3, 8)
    for hx in (None, state):
        for a, b in zip(observed(x, hx), float_module(x, hx), strict=True):
            assert torch.allclose(a, b, atol=1e-6)  # sums in another order
    cell, theirs = nnqz.GRUCell(5, 8), nn.GRUCell(5, 8)
    cell._take(theirs, "")
    assert torch.allclose(cell(x[0]), theirs(x[0]), atol=1e-6)  # as above


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
    with pytest.raises(QuantizationError, match=r"layer 'gru' \(GRU\) got shape \[6, 5\], but takes \[T, N, 5\]"):
        quantized.gru(x[:, 0])
    with pytest.raises(QuantizationError, match=r"its state is a tensor \[1, 3, 8\], not \[1, 2, 8\]"):
        quantized.gru(x, torch.zeros(1, 2, 8))
    with pytest.raises(QuantizationError, match="insert a QuantStub"):
        quantized.gru(torch.randn(6, 3, 5))
    with pytest.raises(QuantizationError, match="add a batch axis of 1"):
        nnqz.GRU(5, 8)(torch.randn(6, 5))
    model = Network().eval()
    model.qconfig = tq.get_default_qconfig()
    prepared: Any = tq.prepare(model)
    prepared.quant(torch.randn(4))
    with pytest.raises(QuantizationError, match=r"layer 'gru.l0.igates' \(Linear\) has seen no calibration data"):
        tq.convert(prepared)
