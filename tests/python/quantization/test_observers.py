"""Observers choose the scale and zero point that torch.ao's choose."""

import warnings

import numpy as np
import pytest
import torch
import torch.ao.quantization as ao
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

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
    settings = {"dtype": dtype, "qscheme": qscheme, "quant_min": low, "quant_max": high, "reduce_range": reduce_range}
    compare("MinMaxObserver", batches, **settings)
    compare("MovingAverageMinMaxObserver", batches, averaging_constant=0.3, **settings)


@given(BATCHES, DTYPES, PER_CHANNEL, RANGES, st.booleans(), st.integers(0, 1))
def test_per_channel(batches, dtype, qscheme, quant_range, reduce_range, ch_axis):
    low, high = quant_range
    settings = {"dtype": dtype, "qscheme": qscheme, "quant_min": low, "quant_max": high, "reduce_range": reduce_range}
    compare("PerChannelMinMaxObserver", batches, ch_axis=ch_axis, **settings)
    compare("MovingAveragePerChannelMinMaxObserver", batches, ch_axis=ch_axis, averaging_constant=0.3, **settings)


@pytest.mark.parametrize("batch", [np.zeros((3, 4)), np.full((3, 4), 5.0), np.full((3, 4), -1e-12), np.zeros((0, 4))])
def test_degenerate_data(batch):
    batch = batch.astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compare("MinMaxObserver", [batch], dtype=torch.quint8, qscheme=torch.per_tensor_affine)
        compare("PerChannelMinMaxObserver", [batch], dtype=torch.qint8, qscheme=torch.per_channel_symmetric)


def test_eps_is_the_lowest_scale():
    compare(
        "MinMaxObserver",
        [np.full((3, 4), 1e-9, np.float32)],
        dtype=torch.qint8,
        qscheme=torch.per_tensor_affine,
        eps=2**-12,
    )


@pytest.mark.parametrize("name", ["MinMaxObserver", "MovingAverageMinMaxObserver", "PerChannelMinMaxObserver"])
def test_state_dict_round_trip(name):
    observer, fresh = getattr(tq, name)(), getattr(tq, name)()
    assert not observer.calibrated
    observer(torch.randn(5, 7))
    fresh.load_state_dict(observer.state_dict())
    assert fresh.calibrated and all(
        torch.equal(a, b) for a, b in zip(fresh.calculate_qparams(), observer.calculate_qparams(), strict=True)
    )
    assert set(observer.state_dict()) == set(getattr(ao, name)().state_dict())
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
    for observer in (tq.MinMaxObserver(), tq.MovingAverageMinMaxObserver(), tq.PerChannelMinMaxObserver()):
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
    ],
)
def test_settings_that_contradict_are_refused(make):
    with pytest.raises(QuantizationError):
        make()


@pytest.mark.parametrize("backend", ["fbgemm", "x86", "qnnpack"])
def test_default_qconfigs_have_torch_s_settings(backend):
    ours, theirs = tq.get_default_qconfig(backend), ao.get_default_qconfig(backend)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pairs = [(ours.activation(), theirs.activation()), (ours.weight(), theirs.weight())]
    for mine, other in pairs:
        assert (mine.quant_min, mine.quant_max) == (other.quant_min, other.quant_max)
        assert mine.dtype.value == str(other.dtype).removeprefix("torch.")
        assert mine.qscheme.value == str(other.qscheme).removeprefix("torch.")
    activation = tq.get_default_qconfig("qsdk").activation()
    assert (activation.dtype, activation.quant_min, activation.quant_max) == (qint8, -128, 127)
