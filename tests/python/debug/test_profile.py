"""Time and products of each operator. What is tested are counts and forms; times are for benchmarks."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import qsdk
import qsdk.quantization as tq
from qsdk.debug import profile
from qsdk.debug.profile import macs
from qsdk.errors import QsdkError
from qsdk.export import to_bytes
from qsdk.runtime import available_isas, cycles_per_nanosecond, peak_macs_per_cycle


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 6, (3, 5), stride=2, padding=1)
        self.deep = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.up = nn.ConvTranspose2d(6, 4, 2, 2, groups=2)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.up(self.deep(torch.relu(self.first(x)))).mean((2, 3)))


X = torch.randn(1, 2, 9, 9, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def file():
    torch.manual_seed(0)
    return to_bytes(qsdk.quantize(Net().eval(), X, progress=False), X, name="net")


def _by_layer(program):
    return {op.name: macs(program, op) for op in program.operators if macs(program, op)}


def test_macs_of_convolutions_and_linear(file):
    assert _by_layer(file[0]) == {
        "first": 5 * 4 * 6 * (3 * 5 * 2),
        "deep": 5 * 4 * 6 * 9,
        "up": 5 * 4 * 6 * (2 * 2 * 2),  # each input element times two of four output channels, at four places
        "head": 4 * 3,
    }


def test_macs_of_recurrent_layers_and_dynamic_linear():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.fc = nn.LSTM(8, 16), nn.Linear(16, 5)

        def forward(self, x):
            return self.fc(self.lstm(x)[0])

    torch.manual_seed(0)
    program, _ = to_bytes(tq.quantize_dynamic(Tagger().eval(), {nn.LSTM, nn.Linear}), torch.randn(7, 2, 8))
    assert _by_layer(program) == {"lstm": 7 * 2 * (4 * 16 * 8 + 4 * 16 * 16), "fc": 7 * 2 * 16 * 5}


@pytest.mark.parametrize("bits", [4, 8])
def test_macs_of_weights_alone_quantized(bits):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.Flatten(), nn.Linear(6, 3)).eval()
    model.qconfig = tq.weight_only_qconfig(bits)
    quantized = tq.quantize_dynamic(model, {nn.Conv2d: model.qconfig, nn.Linear: model.qconfig})
    program, _ = to_bytes(quantized, torch.randn(1, 4, 3, 3))
    assert _by_layer(program) == {"0": 6 * 9 * 2, "2": 6 * 3}


@pytest.mark.parametrize("isa", [None, "scalar"])
def test_rows(file, isa, tmp_path):
    program, data = file
    found = profile(data, isa=isa, runs=3)
    assert [row.operator for row in found.rows] == [op.kind for op in program.operators]
    assert (
        found.isa == (isa or available_isas()[0]) and found.runs == 3 and found.macs == sum(_by_layer(program).values())
    )
    assert 0 < found.least <= found.nanoseconds and all(0 <= row.least <= row.nanoseconds for row in found.rows)
    assert any(row.nanoseconds > 0 for row in found.rows)
    assert f"{found.macs:,} MAC" in found.summary
    found.write(tmp_path / "profile.json")
    stored = json.loads((tmp_path / "profile.json").read_text())
    assert stored["macs"] == found.macs and len(stored["rows"]) == len(found.rows)
    found.write(tmp_path / "profile.html")
    assert (tmp_path / "profile.html").read_text().count("<rect") == 2 * len(found.rows)


def test_times_of_a_session(file):
    times = []
    session = qsdk.Session(file[1], times=times)
    expected = qsdk.Session(file[1]).run(X)
    assert session.run(X)[0].tobytes() == expected[0].tobytes()
    session.run(X)
    assert len(times) == 2 and times[0] is not times[1]
    assert all(len(t) == len(file[0].operators) and t.dtype == np.int64 and (t >= 0).all() for t in times)


def test_errors(file, tmp_path):
    with pytest.raises(QsdkError, match="taps or times"):
        qsdk.Session(file[1], taps=[], times=[])
    with pytest.raises(QsdkError, match="runs is 0"):
        profile(file[1], runs=0)
    with pytest.raises(QsdkError, match="takes 1 inputs"):
        profile(file[1], X, X)
    with pytest.raises(QsdkError, match=".json or .html"):
        profile(file[1], runs=1).write(tmp_path / "profile.txt")
    with pytest.raises(QsdkError, match="cannot write"):
        profile(file[1], runs=1).write(tmp_path / "none" / "profile.json")
    with pytest.raises(QsdkError, match="'mmx'"):
        peak_macs_per_cycle("mmx")


def test_the_machine():
    assert 0.01 < cycles_per_nanosecond() < 10
    peaks = {isa: peak_macs_per_cycle(isa) for isa in available_isas()}
    assert peaks["scalar"] is None
    assert all(peak is None or 4 < peak < 1024 for peak in peaks.values())
