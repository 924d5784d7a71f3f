"""qsdk.backends.quantized.engine: equal bytes on every engine, and what engines refuse."""

import importlib
import threading
import warnings

import pytest
import torch
from torch import nn

import qsdk
import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
from qsdk import backends
from qsdk.errors import QuantizationError
from qsdk.export.schema_tables import UNIONS
from qsdk.nn.quantized import functional as qF
from qsdk.qtensor import QParams, qint8, quantize, quint8

RUNTIME = [name for name in backends.quantized.supported_engines if name != "reference"]


@pytest.fixture(autouse=True)
def _restore():
    yield
    backends.quantized.engine = "reference"


class Net(nn.Module):
    """Most operators that the runtime has."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.conv, self.depthwise = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, groups=8, padding="same")
        self.line, self.act, self.pool = nn.Conv1d(8, 4, 3, padding=1), nn.Hardswish(), nn.MaxPool2d(2)
        self.add, self.mul, self.join = nnq.FloatFunctional(), nnq.FloatFunctional(), nnq.FloatFunctional()
        self.fc = nn.Linear(16 + 4, 5)

    def forward(self, x):
        x = torch.relu(self.conv(self.quant(x)))
        y = self.act(self.depthwise(x))
        line = self.line(y.mean(3)).mean(2)
        x = self.add.add(x, self.mul.mul(x, y))
        x = self.pool(x).flatten(2).transpose(1, 2).mean(1)
        return self.dequant(self.fc(self.join.cat([x, x, line], 1)))


def converted(backend="qnnpack"):
    torch.manual_seed(0)
    model = Net().eval()
    model.qconfig = tq.get_default_qconfig(backend)
    prepared = tq.prepare(model)
    prepared(torch.randn(8, 3, 8, 8))
    return tq.convert(prepared)


@pytest.mark.parametrize("engine", RUNTIME)
def test_equal_bytes(engine):
    model = converted()
    backends.quantized.engine = engine
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing of this network falls back to the reference
        for batch in (3, 1, 3):
            x = torch.randn(batch, 3, 8, 8) * 2
            backends.quantized.engine = engine
            result = model(x)
            backends.quantized.engine = "reference"
            assert torch.equal(result, model(x))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_float_inputs(dtype):
    x, qparams = torch.randn(4, 5).to(dtype), QParams(0.02, 100, quint8)
    expected = quantize(x, qparams)
    backends.quantized.engine = "qsdk"
    assert torch.equal(quantize(x, qparams).storage, expected.storage)


def test_the_runtime_computes():
    """A wrong answer of the runtime would be seen: each operator runs as a session of its own, and only once built."""
    q = quantize(torch.randn(2, 3, 4, 4), QParams(0.05, 100, quint8))
    engine = backends.quantized._ENGINES["qsdk"].compute
    before = len(engine._sessions)
    backends.quantized.engine = "qsdk"
    for _ in range(3):
        result = qF.avg_pool2d(q, 2, padding=1)
    assert len(engine._sessions) == before + 1
    session = engine._sessions[next(reversed(engine._sessions))][0]
    assert isinstance(session, qsdk.Session) and session.outputs[0].shape == tuple(result.shape)


def test_changed_constants_are_seen():
    layer = nnq.Linear(4, 2)
    q = quantize(torch.randn(3, 4), QParams(0.05, 100, quint8))
    results = []
    for value in (1, 2):
        layer.qweight.fill_(value)
        for engine in ("reference", "qsdk"):
            backends.quantized.engine = engine
            results.append(layer(q).storage)
    assert torch.equal(results[0], results[1]) and torch.equal(results[2], results[3])
    assert not torch.equal(results[0], results[2])


def test_what_the_runtime_does_not_have_is_computed_by_the_reference_with_a_warning(monkeypatch):
    monkeypatch.setitem(UNIONS, "Operation", tuple(o for o in UNIONS["Operation"] if o != "group_norm"))
    layer = nnq.GroupNorm(1, 3, scale=0.05, zero_point=100)
    q = quantize(torch.randn(2, 3, 4), QParams(0.05, 100, quint8))
    expected = layer(q)
    backends.quantized.engine = "qsdk"
    backends.quantized._ENGINES["qsdk"].compute._warned.discard("group_norm")
    with pytest.warns(UserWarning, match="'qsdk'.*group_norm.*same bytes") as caught:
        results = [layer(q), layer(q)]
    assert len(caught) == 1 and all(torch.equal(r.storage, expected.storage) for r in results)
    empty = quantize(torch.randn(0, 3), QParams(0.05, 100, quint8))
    assert qF.relu(empty).shape == (0, 3)


def test_export_does_not_depend_on_the_engine(tmp_path):
    model, x = converted(), torch.randn(1, 3, 8, 8)
    files = []
    for engine in ("reference", "qsdk"):
        backends.quantized.engine = engine
        qsdk.export(model, x, tmp_path / f"{engine}.qsdk", name="net")
        files.append((tmp_path / f"{engine}.qsdk").read_bytes())
    assert files[0] == files[1]


def test_threads():
    model, x = converted(), torch.randn(2, 3, 8, 8)
    expected = model(x)
    backends.quantized.engine = "qsdk"
    results = []
    threads = [threading.Thread(target=lambda: results.append(model(x))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and all(torch.equal(r, expected) for r in results)


REFUSED = [(e, q) for e in RUNTIME for q in ("qsdk",) if e in ("fbgemm", "x86", "onednn")]
ACCEPTED = [(e, q) for e in RUNTIME for q in ("qsdk", "fbgemm", "x86", "onednn", "qnnpack") if (e, q) not in REFUSED]


@pytest.mark.parametrize("engine, qconfig", REFUSED)
def test_a_qconfig_that_does_not_fit_is_reported_by_name(engine, qconfig):
    model, x = Net().eval(), torch.randn(2, 3, 8, 8)
    model.qconfig = tq.get_default_qconfig(qconfig)
    prepared = tq.prepare(model)
    prepared(x)
    quantized = tq.convert(prepared)
    backends.quantized.engine = engine
    remedy = f"{engine}.*qint8.*get_default_qconfig\\('{engine}'\\)"
    with pytest.raises(QuantizationError, match=f"layer 'quant'.*{remedy}"):
        tq.prepare(model)
    with pytest.raises(QuantizationError, match=f"layer 'quant'.*{remedy}"):
        tq.convert(prepared)
    with pytest.raises(QuantizationError, match=f"layer 'quant'.*{remedy}"):
        quantized(x)
    with pytest.raises(QuantizationError, match=f"linear.*{remedy}"):
        quantized.fc(quantize(torch.randn(2, 20), QParams(0.1, 0, qint8)))
    model.train()
    model.qconfig = tq.get_default_qat_qconfig(qconfig)
    with pytest.raises(QuantizationError, match=f"layer 'quant'.*{remedy}"):
        tq.prepare_qat(model)


@pytest.mark.parametrize("engine, qconfig", ACCEPTED)
def test_qconfigs_that_fit(engine, qconfig):
    backends.quantized.engine = engine
    assert converted(qconfig)(torch.randn(2, 3, 8, 8)).shape == (2, 5)


def test_names():
    assert qsdk.backends.quantized.supported_engines[0] == "reference" and qsdk.backends.quantized.engine == "reference"
    assert importlib.import_module("qsdk.backends.quantization") is backends.quantized is backends.quantization
    backends.quantization.engine = "qnnpack"
    assert backends.quantized.engine == "qnnpack"
    with pytest.raises(QuantizationError, match="'none'.*reference, qsdk"):
        backends.quantized.engine = "none"
    assert backends.quantized.engine == "qnnpack"


def test_one_tensor_twice_is_another_program_than_two():
    x, y = (quantize(torch.randn(4, 5), QParams(0.05, 100, quint8)) for _ in range(2))
    pairs = [(x, x), (x, y), (y, y), (y, x)]
    expected = [qF.add(a, b, 0.1, 90).storage for a, b in pairs]
    backends.quantized.engine = "qsdk"
    for (a, b), result in zip(pairs, expected, strict=True):
        assert torch.equal(qF.add(a, b, 0.1, 90).storage, result)
