"""Fake quantize is quantize, then dequantize, to the last bit; gradients; switches."""

import copy

import numpy as np
import pytest
import torch
import torch.ao.quantization as ao
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import qsdk.qtensor as qt
import qsdk.quantization as tq
from qsdk.errors import QuantizationError
from qsdk.qtensor import QParams, qint8, quint8
from qsdk.quantization.fake_quantize import fake_quantize

ARRAYS = hnp.arrays(np.float32, (3, 5), elements=st.floats(-1e4, 1e4, width=32))
SCALES = st.floats(2.0**-12, 2.0**10, width=32)


def bits(x):
    return x.detach().contiguous().view(torch.int32)


@given(ARRAYS, SCALES, st.sampled_from([qint8, quint8]), st.data())
def test_equals_quantize_then_dequantize(array, scale, dtype, data):
    low = data.draw(st.integers(dtype.min, dtype.max - 1))
    high = data.draw(st.integers(low + 1, dtype.max))
    zero_point = data.draw(st.integers(low, high))
    x = torch.from_numpy(array)
    parameters = torch.tensor([scale]), torch.tensor([zero_point])
    result = fake_quantize(x, *parameters, low, high)
    assert torch.equal(bits(result), bits(qt.quantize(x, QParams(scale, zero_point, dtype, low, high)).dequantize()))
    y, z = x.clone().requires_grad_(), x.clone().requires_grad_()
    theirs = torch.fake_quantize_per_tensor_affine(z, scale, zero_point, low, high)
    assert torch.equal(result, theirs)
    weights = torch.randn(x.shape)
    fake_quantize(y, *parameters, low, high).backward(weights)
    theirs.backward(weights)
    assert torch.equal(y.grad, z.grad)


def by_hand(x, scale, zero_point, low, high):
    """Rule 16 with every step rounded to float32."""
    x, scale, zero_point = np.float32(x), np.float32(scale), np.float32(zero_point)
    integer = np.rint(np.float32(np.float32(x * np.float32(np.float32(1) / scale)) + zero_point)) + 0.0  # no -0
    return np.float32(scale * np.float32(np.float32(min(max(integer, low), high)) - zero_point))


@given(ARRAYS, st.lists(SCALES, min_size=3, max_size=3), st.data())
def test_float_zero_points(array, scales, data):
    high = data.draw(st.sampled_from([15, 255]))
    zero_points = data.draw(st.lists(st.floats(-40, high + 40, width=32), min_size=3, max_size=3))
    x, scale, zero_point = torch.from_numpy(array), torch.tensor(scales), torch.tensor(zero_points)
    leaf = x.clone().requires_grad_()
    result = fake_quantize(leaf, scale, zero_point, 0, high, 0)
    rows = zip(array, scales, zero_points, strict=True)
    expected = [[by_hand(v, s, z, 0, high) for v in row] for row, s, z in rows]
    assert torch.equal(bits(result), bits(torch.tensor(np.array(expected))))
    theirs = torch.fake_quantize_per_channel_affine(x, scale, zero_point, 0, 0, high)
    # torch's kernel may contract both sums: the last bits differ, and a whole step where rounding was on the edge.
    step = (result - theirs).abs() / scale[:, None]
    assert ((step < 1e-3) | ((step - 1).abs() < 1e-3)).all() and (step < 1e-3).double().mean() > 0.5
    weights = torch.randn(x.shape)
    result.backward(weights)
    integers = ((x * (1 / scale[:, None])) + zero_point[:, None]).round()
    assert torch.equal(leaf.grad, weights * ((integers >= 0) & (integers <= high)))


@given(ARRAYS, SCALES, st.floats(-10, 300, width=32))
def test_float_zero_points_keep_the_order_of_values(array, scale, zero_point):
    x = torch.from_numpy(array).flatten().sort().values
    result = fake_quantize(x[None], torch.tensor([scale]), torch.tensor([zero_point]), 0, 255, 0)[0]
    assert (result.diff() >= 0).all() and result.unique().numel() <= 256


def test_float_zero_points_from_an_observer():
    fake = tq.FakeQuantize(observer=tq.default_float_qparams_observer)
    x = torch.tensor([[-1.0, 0.3, 2.0], [5.0, 5.0, 5.0], [0.0, 0.0, 0.0]])
    result = fake(x)
    assert fake.zero_point.dtype is torch.float32 and (fake.quant_min, fake.quant_max) == (0, 255)
    assert torch.equal(result[1:], x[1:])  # a constant row keeps its value: scale 1, zero point -value
    assert (result[0] - x[0]).abs().max() <= 0.500001 * fake.scale[0]
    nan = torch.tensor([[float("nan"), float("inf"), -float("inf")]])
    unusual = fake_quantize(nan, torch.tensor([0.5]), torch.tensor([2.25]), 0, 15, 0)
    assert unusual.tolist() == [[-1.125, 6.375, -1.125]]
    fake.double()
    fake.disable_observer()
    assert torch.equal(fake(x), result)


@given(st.lists(st.integers(-600, 600), min_size=6, max_size=6), st.lists(st.integers(-8, 4), min_size=3, max_size=3))
def test_ties_per_channel(half_steps, exponents):
    scale, zero_point = 2.0 ** torch.tensor(exponents, dtype=torch.float32), torch.tensor([-3, 0, 7])
    x = torch.tensor(half_steps).reshape(2, 3) * 0.5 * scale
    result = fake_quantize(x, scale, zero_point, -128, 127, 1)
    assert torch.equal(bits(result), bits(qt.quantize_per_channel(x, scale, zero_point, 1, qint8).dequantize()))
    assert torch.equal(result, torch.fake_quantize_per_channel_affine(x, scale, zero_point.int(), 1, -128, 127))


def test_values_that_are_not_numbers():
    x = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, -1e-9], requires_grad=True)
    result = fake_quantize(x, torch.tensor([0.5]), torch.tensor([3]), -128, 127)
    assert result.tolist() == [0.0, 62.0, -65.5, 0.0, 0.0]
    assert torch.equal(bits(result)[[0, 3, 4]], torch.zeros(3, dtype=torch.int32))  # +0, as dequantize gives
    result.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_other_float_types_keep_their_type():
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        x = torch.tensor([0.3, 0.8], dtype=dtype, requires_grad=True)
        result = fake_quantize(x, torch.tensor([0.5]), torch.tensor([0]), -128, 127)
        assert result.dtype is dtype and result.tolist() == [0.5, 1.0]
        result.sum().backward()
        assert x.grad.dtype is dtype


@pytest.mark.parametrize(
    "settings",
    [
        {"observer": "MovingAverageMinMaxObserver", "quant_min": 0, "quant_max": 255, "reduce_range": True},
        {"observer": "MovingAverageMinMaxObserver", "quant_min": -8, "quant_max": 7, "dtype": torch.qint8,
         "qscheme": torch.per_tensor_symmetric},
        {"observer": "MovingAveragePerChannelMinMaxObserver", "quant_min": -127, "quant_max": 127,
         "dtype": torch.qint8, "qscheme": torch.per_channel_symmetric, "ch_axis": 0},
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Please use quant_min")
@pytest.mark.parametrize("kind", ["FakeQuantize", "FusedMovingAvgObsFakeQuantize"])
def test_modules_agree_with_torch_s(kind, settings):
    torch.manual_seed(0)
    name = settings["observer"]
    ours = getattr(tq, kind)(**{**settings, "observer": getattr(tq, name)})
    theirs = ao.FakeQuantize(**{**settings, "observer": getattr(ao, name)})
    for step in range(4):
        x = torch.randn(6, 4) * (1 + step)
        assert torch.equal(ours(x), theirs(x))
    assert torch.equal(ours.scale, theirs.scale) and torch.equal(ours.zero_point, theirs.zero_point)
    assert set(ours.state_dict()) == set(theirs.state_dict())
    fresh = getattr(tq, kind)(**{**settings, "observer": getattr(tq, name)})
    fresh.load_state_dict(ours.state_dict())
    fresh.disable_observer()
    assert fresh.calibrated and torch.equal(fresh(x), theirs(x) if not theirs.disable_observer() else None)
    assert torch.equal(copy.deepcopy(fresh)(x), fresh(x)) and "quant_min" in repr(fresh)


def test_switches():
    torch.manual_seed(0)
    fake = tq.default_fused_act_fake_quant()
    x = torch.randn(10)
    fake.apply(tq.disable_fake_quant)
    assert torch.equal(fake(x), x) and fake.calibrated
    scale = fake.scale.clone()
    fake.apply(tq.disable_observer)
    assert torch.equal(fake(x * 5), x * 5) and torch.equal(fake.scale, scale)
    fake.apply(tq.enable_fake_quant)
    assert not torch.equal(fake(x), x) and torch.equal(fake.scale, scale)
    fake.apply(tq.enable_observer)
    fake(x * 5)
    assert not torch.equal(fake.scale, scale)


def test_fixed_parameters():
    fake = tq.default_fixed_qparams_range_0to1_fake_quant()
    assert torch.equal(fake(torch.tensor([0.5, 2.0, -1.0])), torch.tensor([0.5, 255 / 256, 0.0]))


@pytest.mark.parametrize(
    "make",
    [
        lambda: tq.FusedMovingAvgObsFakeQuantize(observer=tq.MinMaxObserver),
        lambda: tq.FixedQParamsFakeQuantize(observer=tq.MinMaxObserver),
        lambda: tq.FakeQuantize(observer=tq.MinMaxObserver, dtype=torch.qint32),
        lambda: tq.FakeQuantize(observer=tq.MinMaxObserver, quant_min=0, quant_max=300),
        lambda: tq.default_dynamic_fake_quant.with_args(averaging_constant=0.5)(),
        lambda: fake_quantize(torch.ones(2, 3), torch.ones(2), torch.zeros(2), 0, 255),
        lambda: fake_quantize(torch.ones(2, 3), torch.ones(2), torch.zeros(2), 0, 255, 1),
    ],
)
def test_settings_that_contradict_are_refused(make):
    with pytest.raises(QuantizationError):
        make()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="not run: no CUDA device")
def test_cuda_gives_the_same_bits():
    torch.manual_seed(0)
    x = torch.randn(1000, 8)
    for make in (tq.default_fused_act_fake_quant, tq.default_fused_per_channel_wt_fake_quant):
        assert torch.equal(bits(make()(x)), bits(make().cuda()(x.cuda()).cpu()))
