"""Pairs of dtype and qscheme that nothing supports: named errors, from observers and, with the layer, from qconfigs."""

import pytest
import torch
from torch import nn

import qsdk
import qsdk.quantization as tq
from qsdk.errors import QsdkError, QuantizationError
from qsdk.qtensor import qint8, qint32, quint4x2, quint8

FLOAT_QPARAMS = qsdk.per_channel_affine_float_qparams
SYMMETRIC = torch.per_tensor_symmetric
PER_CHANNEL = qsdk.per_channel_affine
FOR_TABLES = "quint4x2 is for embedding tables, with qsdk.per_channel_affine_float_qparams"
NOT_FOR_TABLES = "is for embedding tables of qsdk.quint8 or qsdk.quint4x2, not"


@pytest.mark.parametrize(
    "name, settings, message",
    [
        *(
            (name, {"dtype": torch.quint4x2}, FOR_TABLES)
            for name in ("MinMaxObserver", "MovingAverageMinMaxObserver", "HistogramObserver")
        ),
        ("MinMaxObserver", {"dtype": quint4x2, "qscheme": SYMMETRIC}, FOR_TABLES),
        ("PerChannelMinMaxObserver", {"dtype": quint4x2}, FOR_TABLES),
        ("PerChannelMinMaxObserver", {"dtype": quint4x2, "qscheme": qsdk.per_channel_symmetric}, FOR_TABLES),
        ("MovingAveragePerChannelMinMaxObserver", {"dtype": "quint4x2"}, FOR_TABLES),
        ("FixedQParamsObserver", {"scale": 1.0, "zero_point": 0, "dtype": quint4x2}, FOR_TABLES),
        ("PerChannelMinMaxObserver", {"dtype": qint8, "qscheme": FLOAT_QPARAMS}, NOT_FOR_TABLES),
        ("PerChannelMinMaxObserver", {"dtype": qint32, "qscheme": FLOAT_QPARAMS}, NOT_FOR_TABLES),
        ("MovingAveragePerChannelMinMaxObserver", {"dtype": qint8, "qscheme": FLOAT_QPARAMS}, NOT_FOR_TABLES),
        ("MinMaxObserver", {"qscheme": FLOAT_QPARAMS}, "is per tensor.*needs PerChannelMinMaxObserver"),
        ("MinMaxObserver", {"qscheme": PER_CHANNEL}, "is per tensor.*needs PerChannelMinMaxObserver"),
        ("MovingAverageMinMaxObserver", {"qscheme": PER_CHANNEL}, "is per tensor.*needs PerChannelMinMaxObserver"),
        ("HistogramObserver", {"qscheme": PER_CHANNEL}, "is per tensor.*needs PerChannelMinMaxObserver"),
        ("FixedQParamsObserver", {"scale": 1.0, "zero_point": 0, "qscheme": PER_CHANNEL}, "is per tensor"),
        ("PerChannelMinMaxObserver", {"qscheme": SYMMETRIC}, "is per channel.*needs MinMaxObserver"),
        ("MovingAveragePerChannelMinMaxObserver", {"qscheme": SYMMETRIC}, "is per channel.*needs MinMaxObserver"),
        ("MinMaxObserver", {"dtype": quint8, "qscheme": SYMMETRIC, "reduce_range": True}, "use qint8 or quant_max"),
        ("default_float_qparams_observer_4bit", {"quant_min": -8, "quant_max": 7}, "not within qsdk.quint4x2"),
        ("MinMaxObserver", {"dtype": qint8, "quant_min": -200, "quant_max": 127}, "not within qsdk.qint8"),
        ("PlaceholderObserver", {"qscheme": "log2"}, "qscheme log2 is not supported; use one of"),
        *(
            (name, {"dtype": dtype}, f"dtype {dtype} is not supported; use qsdk.qint8")
            for name in ("MinMaxObserver", "PerChannelMinMaxObserver", "HistogramObserver", "RecordingObserver")
            for dtype in (torch.float16, torch.int16, torch.quint2x4)
        ),
        ("FakeQuantize", {"dtype": qint32}, "use qsdk.qint8 or qsdk.quint8"),
        ("FakeQuantize", {"dtype": quint4x2}, FOR_TABLES),
    ],
)  # fmt: skip
def test_observers(name, settings, message):
    with pytest.raises(QuantizationError, match=message):
        getattr(tq, name)(**settings)


def layers(kind):
    torch.manual_seed(0)
    made = {"linear": nn.Linear(4, 3), "conv": nn.Conv2d(4, 3, 1), "add": qsdk.nn.quantized.FloatFunctional()}[kind]
    return nn.Sequential(tq.QuantStub(), made)


def settings(**weight):
    return tq.QConfig(tq.default_observer, tq.PerChannelMinMaxObserver.with_args(**weight))


@pytest.mark.parametrize("kind", ["linear", "conv"])
@pytest.mark.parametrize(
    "weight, message",
    [
        (settings(dtype=quint8, qscheme=FLOAT_QPARAMS), "weights are qsdk.quint8 .* a symmetric qscheme with qint8"),
        (settings(dtype=quint4x2, qscheme=FLOAT_QPARAMS), "weights are qsdk.quint4x2 .* use a symmetric"),
        (settings(dtype=quint4x2), FOR_TABLES), (settings(dtype=qint8, qscheme=FLOAT_QPARAMS), NOT_FOR_TABLES),
        (settings(dtype=quint8, qscheme=qsdk.per_channel_symmetric), "weights are qsdk.quint8"),
        (settings(dtype=qint32, qscheme=qsdk.per_channel_symmetric), "weights are qsdk.qint32"),
        (settings(dtype=qint8, qscheme=qsdk.per_channel_symmetric, ch_axis=1), "along axis 1; use ch_axis=0"),
    ],
)  # fmt: skip
def test_weights(kind, weight, message):
    model = layers(kind).eval()
    model[1].qconfig, model[0].qconfig = weight, tq.default_qconfig
    prepared = tq.prepare(model)
    prepared(torch.randn(2, 4) if kind == "linear" else torch.randn(2, 4, 2, 2))
    with pytest.raises(QuantizationError, match=f"layer '1'.*{message}"):
        tq.convert(prepared)


@pytest.mark.parametrize(
    "activation, message",
    [
        (tq.MinMaxObserver.with_args(dtype=quint4x2), FOR_TABLES),
        (tq.MinMaxObserver.with_args(dtype=torch.float16), "dtype torch.float16 is not supported"),
        (tq.MinMaxObserver.with_args(dtype=qint32), "no activations of qsdk.qint32, only of qint8, quint8"),
        (tq.PerChannelMinMaxObserver, "outputs are qsdk.qint8 or qsdk.quint8, per tensor"),
        (tq.default_float_qparams_observer, "outputs are qsdk.qint8 or qsdk.quint8, per tensor"),
        (tq.default_float_qparams_observer_4bit, "no activations of qsdk.quint4x2, only of qint8, quint8"),
        (tq.default_placeholder_observer, "PlaceholderObserver chooses no scale"),
        (tq.default_debug_observer, "RecordingObserver chooses no scale"),
        (tq.default_reuse_input_observer, "ReuseInputObserver chooses no scale"),
    ],
)
def test_activations(activation, message):
    model = layers("linear").eval()
    model.qconfig = tq.QConfig(activation, tq.default_weight_observer)
    with pytest.raises(QsdkError, match=f"layer '0'.*{message}"):
        prepared = tq.prepare(model)
        prepared(torch.randn(2, 4))
        tq.convert(prepared)


def test_the_default_observers_of_tables():
    eight, four = tq.default_float_qparams_observer(), tq.default_float_qparams_observer_4bit()
    assert (eight.dtype, eight.quant_min, eight.quant_max) == (quint8, 0, 255)
    assert (four.dtype, four.quant_min, four.quant_max) == (quint4x2, 0, 15)
    for observer, torchs in ((eight, "default_float_qparams_observer"), (four, "default_float_qparams_observer_4bit")):
        theirs = getattr(torch.ao.quantization, torchs)()
        weight = torch.randn(6, 5)
        observer(weight), theirs(weight)
        for mine, other in zip(observer.calculate_qparams(), theirs.calculate_qparams(), strict=True):
            assert torch.equal(mine, other) and mine.dtype == other.dtype == torch.float32
