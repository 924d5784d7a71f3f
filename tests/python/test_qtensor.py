"""QParams and QTensor: rules 1 and 2 against torch's fake quantize, shapes, refusals, copies."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn
from torch.nn import functional as F

import qsdk.qtensor as qt
from qsdk.errors import QsdkError, QuantizationError, UnsupportedOperatorError
from qsdk.qtensor import QParams, QTensor, qint8, qint32, quint8

FLOATS = st.floats(-1e4, 1e4, width=32)
ARRAYS = hnp.arrays(np.float32, hnp.array_shapes(max_dims=3, max_side=6), elements=FLOATS)
SCALES = st.floats(2.0**-10, 2.0**10, width=32)


def example(dtype=quint8, shape=(2, 3, 4, 5), zero_point=3, **kwargs):
    torch.manual_seed(0)
    return qt.quantize(torch.randn(shape), QParams(0.05, zero_point, dtype, **kwargs))


@given(ARRAYS, SCALES, st.sampled_from([qint8, quint8]), st.data())
def test_quantize_then_dequantize_is_fake_quantize(array, scale, dtype, data):
    low = data.draw(st.integers(dtype.min, dtype.max - 1))
    high = data.draw(st.integers(low + 1, dtype.max))
    zero_point = data.draw(st.integers(low, high))
    x = torch.from_numpy(array)
    q = qt.quantize(x, QParams(scale, zero_point, dtype, low, high))
    assert torch.equal(q.dequantize(), torch.fake_quantize_per_tensor_affine(x, scale, zero_point, low, high))
    assert q.q_zero_point() == zero_point and q.q_scale() == scale
    integers = q.int_repr()
    assert integers.dtype == dtype.repr_dtype and integers.min() >= low and integers.max() <= high
    assert torch.equal(q.storage.int(), integers.int() - q.qparams.device_offset)


@given(ARRAYS, SCALES, st.integers(0, 255))
def test_quint8_is_lossless_as_int8(array, scale, zero_point):
    """The same real values as qint8 with everything minus 128."""
    x = torch.from_numpy(array)
    unsigned = qt.quantize_per_tensor(x, scale, zero_point, torch.quint8)
    signed = qt.quantize_per_tensor(x, scale, zero_point - 128, torch.qint8)
    assert torch.equal(unsigned.storage, signed.storage)
    assert torch.equal(unsigned.dequantize(), signed.dequantize())


@given(st.integers(-300, 300), st.integers(-10, 10), st.integers(-128, 127))
def test_ties_agree_with_fake_quantize(half_steps, exponent, zero_point):
    scale = 2.0**exponent
    x = torch.tensor([half_steps * 0.5 * scale])
    q = qt.quantize_per_tensor(x, scale, zero_point, qint8)
    assert torch.equal(q.dequantize(), torch.fake_quantize_per_tensor_affine(x, scale, zero_point, -128, 127))


@given(st.lists(SCALES, min_size=3, max_size=3), st.integers(0, 2))
def test_per_channel_is_fake_quantize_per_channel(scales, axis):
    torch.manual_seed(1)
    x = torch.randn(3, 3, 3) * 50
    scale = torch.tensor(scales)
    zero_point = torch.tensor([-4, 0, 9])
    q = qt.quantize_per_channel(x, scale, zero_point, axis, torch.qint8)
    expected = torch.fake_quantize_per_channel_affine(x, scale, zero_point.int(), axis, -128, 127)
    assert torch.equal(q.dequantize(), expected)
    assert q.q_per_channel_axis() == axis and torch.equal(q.q_per_channel_scales(), scale)
    assert torch.equal(q.q_per_channel_zero_points(), zero_point)
    assert q.qscheme() is qt.per_channel_affine


def test_qint32():
    q = qt.quantize_per_tensor(torch.tensor([1e9, -3.0, float("inf"), float("nan")]), 1.0, 5, torch.qint32)
    assert q.int_repr().tolist() == [10**9 + 5, 2, 2**31 - 1, 5] and q.int_repr().dtype == torch.int32
    assert q.dequantize()[1] == -3.0


def test_nan_and_infinities():
    q = qt.quantize_per_tensor(torch.tensor([float("nan"), float("inf"), -float("inf")]), 0.1, 7, quint8)
    assert q.int_repr().tolist() == [7, 255, 0]


@pytest.mark.parametrize(
    "arguments",
    [
        (0.0, 0), (float("nan"), 0), (float("inf"), 0), (-1.0, 0), (2.0**61, 0), (2.0**-61, 0),
        (1.0, 128), (1.0, -1, quint8), (1.0, 200, quint8, 0, 127), (1.0, 0, qint8, 5, 5), (1.0, 0, qint8, -200, 127),
    ],
)  # fmt: skip
def test_qparams_refuse_what_is_out_of_range(arguments):
    with pytest.raises(QuantizationError):
        QParams(*arguments)
    with pytest.raises(QuantizationError, match="channel 1"):
        QParams(torch.tensor([1.0, float("nan")]), torch.tensor([0, 0]), ch_axis=0)


def test_qparams_are_values():
    a, b = QParams(0.1, 3), QParams(float(np.float32(0.1)), 3)
    assert a == b and hash(a) == hash(b) and a != QParams(0.1, 4) and a != QParams(0.1, 3, quant_min=0)
    per_channel = QParams(torch.tensor([0.1, 0.2]), torch.tensor([0, 0]), ch_axis=0)
    assert per_channel == copy.deepcopy(per_channel) and per_channel != a
    assert pickle.loads(pickle.dumps(a)) == a and pickle.loads(pickle.dumps(qint8)) is qint8
    assert QParams(1.0, 130, quint8, 0, 127 + 128).device_zero_point == 2
    narrow = QParams(1.0, 3, quint8, 0, 127)
    assert (narrow.device_min, narrow.device_max, narrow.device_zero_point) == (-128, -1, -125)


def test_dtypes_of_torch_are_accepted():
    assert [qt.to_qdtype(d) for d in (torch.qint8, torch.uint8, "qint32", qint8)] == [qint8, quint8, qint32, qint8]
    assert qt.to_qscheme(torch.per_channel_symmetric) is qt.per_channel_symmetric
    for bad in (torch.float32, "int4", None):
        with pytest.raises(QuantizationError):
            qt.to_qdtype(bad)
    with pytest.raises(QuantizationError):
        qt.to_qscheme("log2")


def test_shape_functions_agree_with_torch():
    q = example()
    reference = q.int_repr()
    functions = [
        lambda t: t.view(6, 20),
        lambda t: t.reshape([2, -1]),
        lambda t: torch.reshape(t, (-1,)),
        lambda t: t.flatten(1),
        lambda t: torch.flatten(t, 1, 2),
        lambda t: t.permute(0, 2, 3, 1),
        lambda t: torch.permute(t, (3, 2, 1, 0)),
        lambda t: t.transpose(-1, 1),
        lambda t: torch.transpose(t, 0, 1),
        lambda t: t.unsqueeze(-1),
        lambda t: t.unsqueeze(0).squeeze(),
        lambda t: torch.unsqueeze(t, 2).squeeze(2),
        lambda t: t.unflatten(3, (5, 1)),
        lambda t: t.contiguous(),
        lambda t: t.clone(),
        lambda t: t.detach(),
        lambda t: t.to("cpu"),
        lambda t: F.dropout(t, 0.5, False),
        nn.Flatten(),
        nn.Identity(),
    ]
    for function in functions:
        result = function(q)
        assert isinstance(result, QTensor) and result.qparams == q.qparams
        assert torch.equal(result.int_repr(), function(reference))
    assert q.shape == reference.shape and q.size(1) == 3 and q.dim() == q.ndim == 4 and q.numel() == 120 and len(q) == 2


@pytest.mark.parametrize("dtype", [qint8, quint8])
def test_functions_with_shared_parameters(dtype):
    q = example(dtype)
    x, z = q.dequantize(), q.q_zero_point()
    assert torch.equal(F.relu(q).dequantize(), F.relu(x)) and torch.equal(torch.relu(q).dequantize(), F.relu(x))
    assert torch.equal(nn.ReLU()(q).dequantize(), F.relu(x)) and torch.equal(q.relu().dequantize(), F.relu(x))
    assert torch.equal(
        nn.ReLU6()(q).dequantize(), F.relu6(x).clamp(max=(127 - z) * q.q_scale() if dtype is qint8 else 6)
    )
    for low, high in [(-1.0, 1.0), (-0.5, 0.3), (None, 0.2), (0.1, None), (0.5, -0.5)]:
        clamped = torch.clamp(q, low, high)
        low_q, high_q = (
            qt.quantize_per_tensor(torch.tensor(v if v is not None else d), 0.05, z, dtype).int_repr().item()
            for v, d in ((low, -1e9), (high, 1e9))
        )
        assert torch.equal(clamped.int_repr(), q.int_repr().clamp(low_q, high_q))
    assert torch.equal(F.hardtanh(q, -0.5, 0.5).int_repr(), torch.clamp(q, -0.5, 0.5).int_repr())
    assert torch.equal(F.max_pool2d(q, 2).dequantize(), F.max_pool2d(x, 2))
    assert torch.equal(nn.MaxPool2d(3, 1, 1)(q).dequantize(), F.max_pool2d(x, 3, 1, 1))
    for module in (nn.AvgPool2d(2, 1, 1), nn.AvgPool2d(3, 2, 1, True, False), nn.AdaptiveAvgPool2d((None, 2))):
        result = module(q)
        assert result.qparams == q.qparams
        assert (result.dequantize() - module(x)).abs().max() <= 0.0251
    for dims in (None, 1, (-1, -2), (0, 3)):
        result = torch.mean(q) if dims is None else torch.mean(q, dims, keepdim=True)
        expected = x.mean() if dims is None else x.mean(dims, keepdim=True)
        assert result.shape == expected.shape and (result.dequantize() - expected).abs().max() <= 0.0251
    assert torch.equal(torch.cat([q, q], 1).int_repr(), torch.cat([q.int_repr()] * 2, 1))
    assert torch.equal(torch.dequantize(q), x)


def test_results_stay_within_a_narrowed_range():
    q = example(quint8, quant_min=0, quant_max=127)
    assert q.int_repr().max() <= 127
    assert F.relu(q).qparams.quant_max == 127 and nn.AvgPool2d(2)(q).int_repr().max() <= 127


def test_in_place_functions_change_the_tensor():
    q = example()
    expected = F.relu(q).int_repr()
    assert F.relu(q, inplace=True) is q and torch.equal(q.int_repr(), expected)
    q = example()
    assert q.relu_() is q and torch.equal(q.int_repr(), expected)


def test_arithmetic_names_float_functional():
    q = example()
    for function in (
        lambda: q + q, lambda: q * 2, lambda: 1.0 - q, lambda: torch.add(q, q), lambda: torch.mul(torch.ones(1), q),
        lambda: q @ q, lambda: q.add(q), lambda: torch.ones(1) + q,
        lambda: torch.cat([q, example(zero_point=4)]),
    ):  # fmt: skip
        with pytest.raises(QuantizationError, match="FloatFunctional"):
            function()


def test_everything_else_names_dequant_stub():
    q = example()
    layer = nn.Conv2d(3, 2, 1)
    layer._qualified_name = "body.head"
    with pytest.raises(
        QuantizationError, match=r"conv2d got a quantized tensor \(in layer 'body.head', Conv2d\).*DeQuantStub"
    ):
        layer(q)
    for function in (lambda: torch.softmax(q, 1), lambda: F.linear(q, torch.ones(2, 5)), lambda: torch.exp(q)):
        with pytest.raises(QuantizationError, match="DeQuantStub"):
            function()
    with pytest.raises(QuantizationError, match="dequantize"):
        q.to(torch.float16)


def test_wrong_operands_are_explained():
    q = example()
    for function, message in [
        (lambda: q.view(7, 7), "cannot become"), (lambda: q.permute(0, 1), "permute"),
        (lambda: q.flatten(9), "axis 9"), (lambda: F.max_pool2d(example(shape=(3, 4, 5)), 2), "batch axis"),
        (lambda: qt.quantize(q, q.qparams), "quantized already"),
        (lambda: qt.quantize(torch.ones(2, dtype=torch.int32), q.qparams), "float tensor"),
        (lambda: F.relu(qt.quantize_per_tensor(torch.ones(2), 1.0, 0, qint32)), "qint8 and quint8"),
        (lambda: qt.quantize_per_channel(torch.ones(2, 3), torch.ones(2), [0, 0], 1, qint8), "do not fit"),
        (lambda: q.q_per_channel_axis(), "per tensor"), (lambda: QTensor(torch.zeros(2), q.qparams), "storage"),
    ]:  # fmt: skip
        with pytest.raises(QsdkError, match=message):
            function()
    with pytest.raises(UnsupportedOperatorError):
        F.max_pool2d(q, 2, return_indices=True)


@pytest.mark.parametrize(
    "make", [example, lambda: qt.quantize_per_channel(torch.randn(2, 3), [0.1, 0.2], [0, 0], 0, qint8)]
)
def test_copies(make):
    q = make()
    buffer = io.BytesIO()
    torch.save(q, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    buffer.seek(0)
    safe = torch.load(buffer, weights_only=True)
    for other in (copy.deepcopy(q), pickle.loads(pickle.dumps(q)), loaded, safe, q.clone()):
        assert torch.equal(other.storage, q.storage) and other.qparams == q.qparams
        assert other.storage.data_ptr() != q.storage.data_ptr()
    assert "QTensor" in repr(q)


INDICES = [0, -1, slice(1, 3), (slice(None), 1), (Ellipsis, 2), (1, Ellipsis, slice(0, 4, 2)), (0, 1, 2, 3), Ellipsis]


@pytest.mark.parametrize("index", [*INDICES, None, (slice(None), [0, 2]), torch.tensor([1, 0])])
@pytest.mark.parametrize("dtype", [qint8, quint8])
def test_slicing(index, dtype):
    q = example(dtype)
    part = q[index]
    assert torch.equal(part.int_repr(), q.int_repr()[index]) and part.qparams == q.qparams
    assert part.storage.is_contiguous() and part.storage.data_ptr() != q.storage.data_ptr()


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_slicing_per_channel(index, axis):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 5)
    count = x.shape[axis]
    q = qt.quantize_per_channel(x, torch.rand(count) + 0.01, torch.arange(count), axis, qint8)
    assert torch.equal(q[index].dequantize(), q.dequantize()[index])


def test_parts_of_an_axis():
    q = example()
    reference = q.int_repr()
    for function in (
        lambda t: t.split(2, 3), lambda t: torch.split(t, [1, 2], 1), lambda t: t.chunk(2, -1),
        lambda t: torch.chunk(t, 3, 1), lambda t: [t.narrow(1, 1, 2)], lambda t: [torch.select(t, -1, 0)],
    ):  # fmt: skip
        for part, expected in zip(function(q), function(reference), strict=True):
            assert torch.equal(part.int_repr(), expected)
    with pytest.raises(QuantizationError, match="use integers and slices"):
        qt.quantize_per_channel(torch.randn(2, 3), [0.1, 0.2], [0, 0], 0, qint8)[[0]]


def test_comparison():
    q, other = example(), example(qint8, zero_point=-7)
    x, y = q.dequantize(), other.dequantize()
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        function = getattr(torch, name)
        for left, right, expected in ((q, other, function(x, y)), (q, y, function(x, y)), (q, 0.1, function(x, 0.1))):
            assert torch.equal(function(left, right), expected)
        assert torch.equal(getattr(q, f"__{name}__")(other), function(x, y))
    assert torch.equal(y > q, y > x) and torch.equal(q > 0.0, x > 0)
    assert q.equal(q.clone()) and torch.equal(q, q.clone()) and not q.equal(other) and not torch.equal(q, other)
    assert q != "text" and len({q, other}) == 2
