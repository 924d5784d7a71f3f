"""Observers choose the scale and zero point that torch.ao's choose."""

import warnings

import numpy as np
import pytest
import torch
import torch.ao.quantization as ao
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

import qsdk.qtensor as qt
import qsdk.quantization as tq
from qsdk.errors import QuantizationError
from qsdk.qtensor import qint8

BATCHES = st.lists(
    hnp.arrays(np.float32, (3, 4), elements=st.floats(-(2.0**40), 2.0**40, width=32)), min_size=1, max_size=4
)
RANGES = st.sampled_from([(None, None), (0, 127), (-8, 7), (-127, 127), (0, 15)])
PER_TENSOR = st.sampled_from([torch.per_tensor_affine, torch.per_tensor_symmetric])
PER_CHANNEL = st.sampled_from([torch.per_channel_affine, torch.per_channel_symmetric])
DTYPES = st.sampled_from([torch.qint8, torch.quint8])


def compare(name, batches, **kwargs):
    if (
        kwargs["qscheme"] in (torch.per_tensor_symmetric, torch.per_channel_symmetric)
        and kwargs["dtype"] == torch.quint8
    ):
        kwargs["reduce_range"] = False  # both libraries refuse it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = getattr(tq, name)(**kwargs), getattr(ao, name)(**kwargs)
    for batch in batches:
        x = torch.from_numpy(batch)
        assert ours(x) is x
        theirs(x)
    assert (ours.quant_min, ours.quant_max) == (theirs.quant_min, theirs.quant_max)
    for mine, other in zip(ours.calculate_qparams(), theirs.calculate_qparams(), strict=True):
        assert torch.equal(mine, other.to(mine.dtype)) and mine.shape == other.shape


@given(BATCHES, DTYPES, PER_TENSOR, RANGES, st.booleans())
def test_min_max(batches, dtype, qscheme, quant_range, reduce_range):
    low, high = quant_range
    options = {"dtype": dtype, "qscheme": qscheme, "quant_min": low, "quant_max": high, "reduce_range": reduce_range}
    compare("MinMaxObserver", batches, **options)
    compare("MovingAverageMinMaxObserver", batches, averaging_constant=0.3, **options)


@settings(max_examples=12)
@given(BATCHES, DTYPES, PER_TENSOR, RANGES, st.booleans(), st.sampled_from([64, 200]))
def test_histogram(batches, dtype, qscheme, quant_range, reduce_range, bins):
    low, high = quant_range
    options = {"dtype": dtype, "qscheme": qscheme, "quant_min": low, "quant_max": high, "reduce_range": reduce_range}
    compare("HistogramObserver", batches, bins=bins, **options)


@pytest.mark.parametrize("seed", range(12))
def test_histogram_of_shifting_distributions(seed):
    torch.manual_seed(seed)
    batches = []
    for step in range(1 + seed % 4):
        x = torch.randn(50, 40) * (1 + 0.3 * step) + 0.1 * seed
        x = x * torch.exp(2 * torch.randn_like(x)) if seed % 3 == 0 else x  # a long tail
        batches.append((x.relu() if seed % 2 else x).numpy())
    compare("HistogramObserver", batches, dtype=torch.quint8, qscheme=torch.per_tensor_affine)
    compare("HistogramObserver", batches, dtype=torch.qint8, qscheme=torch.per_tensor_symmetric, reduce_range=True)


def test_histogram_gives_outliers_up():
    torch.manual_seed(0)
    x = torch.cat([torch.randn(300_000), torch.tensor([9.0, -9.0])])
    histogram, min_max = tq.HistogramObserver(), tq.MinMaxObserver()
    histogram(x), min_max(x)
    assert histogram.calculate_qparams()[0] < 0.7 * min_max.calculate_qparams()[0]


@pytest.mark.parametrize("exponent", [-10, 50])
def test_a_histogram_of_small_or_huge_values_chooses_as_of_others(exponent):
    torch.manual_seed(0)
    x = torch.randn(1000)
    scales, zero_points = [], []
    for data in (x, torch.ldexp(x, torch.tensor(exponent))):
        observer = tq.HistogramObserver()
        observer(data)
        scale, zero_point = observer.calculate_qparams()
        scales.append(scale.item())
        zero_points.append(zero_point.item())
    assert scales[1] == scales[0] * 2.0**exponent and zero_points[0] == zero_points[1]


@given(BATCHES, DTYPES, PER_CHANNEL, RANGES, st.booleans(), st.integers(0, 1))
def test_per_channel(batches, dtype, qscheme, quant_range, reduce_range, ch_axis):
    low, high = quant_range
    options = {"dtype": dtype, "qscheme": qscheme, "quant_min": low, "quant_max": high, "reduce_range": reduce_range}
    compare("PerChannelMinMaxObserver", batches, ch_axis=ch_axis, **options)
    compare("MovingAveragePerChannelMinMaxObserver", batches, ch_axis=ch_axis, averaging_constant=0.3, **options)


@pytest.mark.parametrize("batch", [np.zeros((3, 4)), np.full((3, 4), 5.0), np.full((3, 4), -1e-12), np.zeros((0, 4))])
def test_degenerate_data(batch):
    batch = batch.astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compare("MinMaxObserver", [batch], dtype=torch.quint8, qscheme=torch.per_tensor_affine)
        compare("HistogramObserver", [batch], dtype=torch.quint8, qscheme=torch.per_tensor_affine)
        compare("HistogramObserver", [batch, batch + 1], dtype=torch.quint8, qscheme=torch.per_tensor_affine)
        compare("PerChannelMinMaxObserver", [batch], dtype=torch.qint8, qscheme=torch.per_channel_symmetric)


def test_eps_is_the_lowest_scale():
    compare(
        "MinMaxObserver",
        [np.full((3, 4), 1e-9, np.float32)],
        dtype=torch.qint8,
        qscheme=torch.per_tensor_affine,
        eps=2**-12,
    )


@pytest.mark.parametrize(
    "name", ["MinMaxObserver", "MovingAverageMinMaxObserver", "PerChannelMinMaxObserver", "HistogramObserver"]
)
def test_state_dict_round_trip(name):
    observer, fresh = getattr(tq, name)(), getattr(tq, name)()
    assert not observer.calibrated
    observer(torch.randn(5, 7))
    fresh.load_state_dict(observer.state_dict())
    assert fresh.calibrated and all(
        torch.equal(a, b) for a, b in zip(fresh.calculate_qparams(), observer.calculate_qparams(), strict=True)
    )
    assert set(observer.state_dict()) == set(getattr(ao, name)().state_dict())
    if name != "HistogramObserver":
        fresh.reset_min_max_vals()
        assert not fresh.calibrated


def test_with_args():
    make = tq.MinMaxObserver.with_args(dtype=qint8).with_args(quant_min=-8, quant_max=7)
    a, b = make(), make()
    assert a is not b and (a.quant_min, a.quant_max, a.dtype) == (-8, 7, qint8)
    late = tq.MinMaxObserver.with_callable_args(quant_max=lambda: 63).with_args(quant_min=0)
    assert late().quant_max == 63 and late(quant_max=31).quant_max == 31


def test_own_observers_plug_in():
    class Fixed(tq.ObserverBase):
        quant_min, quant_max, qscheme = 0, 255, torch.per_tensor_affine

        def forward(self, x):
            return x

        def calculate_qparams(self):
            return torch.tensor([0.25]), torch.tensor([7])

    model = tq.QuantWrapper(torch.nn.Linear(3, 2)).eval()
    model.qconfig = tq.QConfig(Fixed.with_args(dtype=torch.quint8), tq.default_weight_observer)
    converted = tq.convert(tq.prepare(model))
    assert (converted.module.scale, converted.module.zero_point) == (0.25, 7)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_data_that_is_not_finite_is_refused(value):
    x = torch.zeros(2, 3)
    x[1, 1] = value
    for observer in (tq.MinMaxObserver(), tq.PerChannelMinMaxObserver(), tq.HistogramObserver()):
        with pytest.raises(QuantizationError, match="NaN or infinite"):
            observer(x)


@pytest.mark.parametrize(
    "make",
    [
        lambda: tq.MinMaxObserver(qscheme=torch.per_channel_affine),
        lambda: tq.PerChannelMinMaxObserver(qscheme=torch.per_tensor_affine),
        lambda: tq.MinMaxObserver(dtype=torch.float16),
        lambda: tq.MinMaxObserver(quant_min=3, quant_max=9),
        lambda: tq.MinMaxObserver(quant_min=0, quant_max=400),
        lambda: tq.MinMaxObserver(qscheme=torch.per_tensor_symmetric, reduce_range=True),
        lambda: tq.QConfig(tq.MinMaxObserver(), tq.default_weight_observer),
        lambda: tq.get_default_qconfig("cuda"),
        lambda: tq.get_default_qconfig("qsdk", version=3),
        lambda: tq.get_default_qat_qconfig("cuda"),
        lambda: tq.get_default_qat_qconfig("qsdk", version=3),
        lambda: tq.HistogramObserver(qscheme=torch.per_channel_affine),
        lambda: tq.FixedQParamsObserver(1.0, 0, qscheme=torch.per_channel_affine),
        lambda: tq.QConfigDynamic(weight=tq.MinMaxObserver()),
    ],
)
def test_settings_that_contradict_are_refused(make):
    with pytest.raises(QuantizationError):
        make()


def same_settings(mine, other):
    """Whether two observers or fake quantizes, ours and torch's, have the same settings."""
    if isinstance(other, torch.nn.Identity):
        return isinstance(mine, torch.nn.Identity)
    assert type(mine).__name__ == type(other).__name__
    for name in ("quant_min", "quant_max", "averaging_constant", "ch_axis", "is_dynamic"):
        if hasattr(mine, name) and hasattr(other, name):
            assert getattr(mine, name) == getattr(other, name), name
    for name in ("dtype", "qscheme"):
        if hasattr(mine, name) and hasattr(other, name):
            ours, theirs = getattr(mine, name), getattr(other, name)
            assert getattr(ours, "value", str(ours)) == str(theirs).removeprefix("torch.") or ours == theirs
    if hasattr(other, "eps"):
        assert float(mine.eps) == float(other.eps)
    if isinstance(other, ao.FakeQuantize):
        assert same_settings(mine.activation_post_process, other.activation_post_process)
    return True


def compare_qconfigs(ours, theirs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for mine, other in zip(ours, theirs, strict=True):
            assert same_settings(mine(), other())


@pytest.mark.parametrize("backend", ["fbgemm", "x86", "qnnpack", "onednn"])
def test_default_qconfigs_have_torch_s_settings(backend):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = ao.get_default_qconfig(backend)
    compare_qconfigs(tq.get_default_qconfig(backend), theirs)
    for version in (0, 1):
        compare_qconfigs(
            tq.get_default_qat_qconfig(backend, version), ao.get_default_qat_qconfig(backend, version=version)
        )


NAMED = [
    "default_qconfig", "default_per_channel_qconfig", "default_debug_qconfig", "default_reuse_input_qconfig",
    "default_quint8_weight_qconfig", "default_symmetric_qnnpack_qconfig", "default_dynamic_qconfig",
    "default_per_channel_symmetric_qnnpack_qconfig", "per_channel_dynamic_qconfig", "float16_dynamic_qconfig",
    "float16_static_qconfig", "float_qparams_weight_only_qconfig", "default_weight_only_qconfig", "default_qat_qconfig",
    "default_qat_qconfig_v2", "default_activation_only_qconfig", "default_symmetric_qnnpack_qat_qconfig",
    "default_per_channel_symmetric_qnnpack_qat_qconfig",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_named_qconfigs_have_torch_s_settings(name):
    compare_qconfigs(getattr(tq, name), getattr(ao.qconfig, name))


def test_our_own_qconfig_uses_all_bits():
    for qconfig in (tq.get_default_qconfig(), tq.get_default_qat_qconfig()):
        activation, weight = qconfig.activation(), qconfig.weight()
        assert (activation.dtype, activation.quant_min, activation.quant_max) == (qint8, -128, 127)
        assert weight.qscheme is qt.per_channel_symmetric and weight.dtype is qint8
    assert type(tq.get_default_qconfig().activation()) is tq.HistogramObserver


@pytest.mark.parametrize("kind", ["PlaceholderObserver", "NoopObserver", "RecordingObserver", "ReuseInputObserver"])
def test_observers_that_choose_nothing(kind):
    observer = getattr(tq, kind)()
    x = torch.randn(3)
    assert observer(x) is x
    with pytest.raises(QuantizationError, match=f"{kind} chooses no scale"):
        observer.calculate_qparams()
    if kind == "PlaceholderObserver":  # activations that stay float: for weights alone quantized
        return
    model = tq.QuantWrapper(torch.nn.Linear(3, 2)).eval()
    model.qconfig = tq.get_default_qconfig()
    model.module.qconfig = tq.QConfig(getattr(tq, kind), tq.default_weight_observer)
    prepared = tq.prepare(model)
    prepared(torch.randn(4, 3))
    with pytest.raises(QuantizationError, match=f"layer 'module'.*{kind}"):
        tq.convert(prepared)


def test_recording_observer_keeps_copies():
    observer = tq.RecordingObserver()
    x = torch.ones(2)
    observer(x)
    x.zero_()
    assert torch.equal(observer.get_tensor_value()[0], torch.ones(2))
    assert tq.PlaceholderObserver(dtype=torch.float16).dtype is torch.float16


def test_fixed_parameters():
    for name in ("default_fixed_qparams_range_neg1to1_observer", "default_fixed_qparams_range_0to1_observer"):
        mine, other = getattr(tq, name)(), getattr(ao, name)()
        assert all(
            float(a) == float(b) for a, b in zip(mine.calculate_qparams(), other.calculate_qparams(), strict=True)
        )
        assert (mine.quant_min, mine.quant_max) == (other.quant_min, other.quant_max)
    model = tq.QuantWrapper(torch.nn.Linear(3, 2)).eval()
    model.qconfig = tq.QConfig(tq.FixedQParamsObserver.with_args(scale=0.5, zero_point=9), tq.default_weight_observer)
    quantized = tq.convert(tq.prepare(model))
    assert (quantized.module.scale, quantized.module.zero_point, quantized.quant.scale) == (0.5, 9, 0.5)


def test_own_subclass_of_an_observer_is_calibrated():
    class Percentile(tq.MinMaxObserver):
        def forward(self, x):
            low, high = torch.quantile(x.detach(), torch.tensor([0.01, 0.99]))
            super().forward(x.clamp(low, high))
            return x

    model = tq.QuantWrapper(torch.nn.Linear(3, 2)).eval()
    model.qconfig = tq.QConfig(Percentile.with_args(dtype=qint8), tq.default_weight_observer)
    prepared = tq.prepare(model)
    x = torch.cat([torch.randn(500, 3), torch.full((1, 3), 1000.0)])
    prepared(x)
    assert tq.convert(prepared).quant.scale < 0.1


def test_calibration_moves_to_another_prepared_model():
    def prepared():
        model = tq.QuantWrapper(nn.Linear(4, 3)).eval()
        model.qconfig = tq.get_default_qconfig()
        return tq.prepare(model)

    first, second = prepared(), prepared()
    first(torch.randn(64, 4))
    entries = tq.get_observer_state_dict(first)
    assert entries and all("activation_post_process" in key for key in entries)
    tq.load_observer_state_dict(second, entries)
    for name, observer in second.named_modules():
        if isinstance(observer, tq.ObserverBase):
            expected = first.get_submodule(name).calculate_qparams()
            assert all(torch.equal(a, b) for a, b in zip(observer.calculate_qparams(), expected, strict=True))
    lost = dict(entries)
    key, _ = lost.popitem()
    for wrong, message in [(lost, f"'{key}' is missing"), (entries | {"a.b": torch.ones(1)}, "'a.b' belongs to no")]:
        with pytest.raises(QuantizationError, match=message):
            tq.load_observer_state_dict(second, wrong)


def test_qconfig_equals():
    assert tq.qconfig_equals(tq.get_default_qconfig("fbgemm"), tq.get_default_qconfig("x86"))
    assert tq.qconfig_equals(None, None) and not tq.qconfig_equals(None, tq.default_qconfig)
    assert not tq.qconfig_equals(tq.get_default_qconfig("fbgemm"), tq.get_default_qconfig("qnnpack"))
    one, other = (tq.QConfig(tq.MinMaxObserver.with_args(quant_min=low), nn.Identity) for low in (0, 1))
    assert tq.qconfig_equals(one, tq.QConfig(tq.MinMaxObserver.with_args(quant_min=0), nn.Identity))
    assert not tq.qconfig_equals(one, other)
    for backend in ("qsdk", "qnnpack"):
        make = tq.get_default_qat_qconfig
        assert tq.qconfig_equals(make(backend), make(backend)) and not tq.qconfig_equals(make(backend), make("x86"))
