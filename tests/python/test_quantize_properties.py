"""quantize and dequantize against exact models (rationals, naive loops, torch's fake quantize), and their laws."""

import warnings
from fractions import Fraction

import naive
import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import qsdk
from qsdk.errors import QuantizationError
from qsdk.qtensor import QParams, qint8, qint32, quantize, quint4x2, quint8

f32 = np.float32
FLOATS = st.floats(-(2.0**20), 2.0**20, width=32)
ROWS = hnp.arrays(np.float32, (3, 5), elements=FLOATS)
SCALES = st.floats(2.0**-10, 2.0**10, width=32)
THREE_SCALES = st.lists(SCALES, min_size=3, max_size=3)
BYTES = st.sampled_from([qint8, quint8])
TABLES = st.sampled_from([quint8, quint4x2])


@st.composite
def parameters(draw, dtypes=BYTES):
    """Parameters with the whole range of the dtype, or a part of it."""
    dtype = draw(dtypes)
    low = draw(st.integers(dtype.min, dtype.max - 1) | st.just(dtype.min))
    high = draw(st.integers(low + 1, dtype.max) | st.just(dtype.max))
    return QParams(draw(SCALES), draw(st.integers(low, high)), dtype, low, high)


def exact(x, scale, zero_point, low, high):
    """Rule 1 for one number: the product is rounded to binary32, everything after it is rational."""
    scaled = f32(f32(x) * f32(f32(1) / f32(scale)))
    return min(max(round(Fraction(float(scaled))) + zero_point, low), high)  # round: ties to even


@given(ROWS, parameters(st.sampled_from([qint8, quint8, qint32])))
def test_per_tensor_is_the_rational_model(array, q):
    result = quantize(torch.from_numpy(array), q)
    expected = [exact(x, q.scale, q.zero_point, q.quant_min, q.quant_max) for x in array.reshape(-1)]
    assert result.int_repr().reshape(-1).tolist() == expected
    # Rule 2: the integer difference is exact, then two roundings.
    real = [f32(f32(q.scale) * f32(code - q.zero_point)) for code in expected]
    assert result.dequantize().reshape(-1).tolist() == real


@given(ROWS, parameters())
def test_laws_of_per_tensor(array, q):
    x = torch.from_numpy(array).reshape(-1)
    codes = quantize(x, q)
    integers, real = codes.int_repr().int(), codes.dequantize()
    assert integers.min() >= q.quant_min and integers.max() <= q.quant_max
    assert quantize(real, q).equal(codes)  # idempotent
    assert (integers[x.argsort()].diff() >= 0).all()  # monotonic
    assert quantize(torch.zeros(1), q).dequantize().tolist() == [0.0]  # zero is exact
    inside = (integers > q.quant_min) & (integers < q.quant_max)
    # Half a step, and the roundings of x / s, at most 256, and of the result.
    assert ((real - x).abs()[inside] <= q.scale * (0.5 + 2.0**-14)).all()


@given(st.integers(-(2**20), 2**20), st.integers(-20, 20), parameters(st.sampled_from([qint8, quint8, qint32])))
def test_ties_go_to_even(steps, exponent, q):
    """Halves between two integers, where the scale is a power of two and nothing before is rounded."""
    q = QParams(2.0**exponent, q.zero_point, q.dtype, q.quant_min, q.quant_max)
    code = quantize(torch.tensor([(steps + 0.5) * q.scale]), q).int_repr().item()
    assert code == min(max(steps + steps % 2 + q.zero_point, q.quant_min), q.quant_max)


@given(ROWS, THREE_SCALES, BYTES, st.data())
def test_per_channel_is_per_tensor_of_each_channel(array, scales, dtype, data):
    axis = data.draw(st.integers(-2, 1))
    x = torch.from_numpy(array) if axis % 2 == 0 else torch.from_numpy(array.T.copy())
    zero_points = data.draw(st.lists(st.integers(dtype.min, dtype.max), min_size=3, max_size=3))
    whole = qsdk.quantize_per_channel(x, scales, zero_points, axis, dtype)
    for channel, (scale, zero_point) in enumerate(zip(scales, zero_points, strict=True)):
        one = qsdk.quantize_per_tensor(x.select(axis, channel), scale, zero_point, dtype)
        assert whole.select(axis, channel).equal(one)
    theirs = torch.fake_quantize_per_channel_affine(
        x, torch.tensor(scales), torch.tensor(zero_points, dtype=torch.int32), axis % 2, dtype.min, dtype.max
    )
    assert torch.equal(whole.dequantize(), theirs)
    again = qsdk.quantize_per_channel(whole.dequantize(), scales, zero_points, axis, dtype)
    assert again.equal(whole)


ZERO_POINTS = st.lists(st.floats(-300, 300, width=32), min_size=3, max_size=3)


@given(ROWS, THREE_SCALES, ZERO_POINTS, TABLES)
@example(
    np.full((3, 5), 2.5, np.float32), [1.0] * 3, [0.0, 1.0, 0.5], quint8
)  # ties, and one that the zero point moves
def test_tables_are_the_naive_loop(array, scales, zero_points, dtype):
    x = torch.from_numpy(array)
    scale, zero_point = torch.tensor(scales), torch.tensor(zero_points)
    codes = qsdk.quantize_per_channel(x, scale, zero_point, 0, dtype)
    expected = [naive.quantize_row(row, s, z, dtype.max) for row, s, z in zip(array, scales, zero_points, strict=True)]
    assert codes.int_repr().tolist() == expected
    real = [naive.table_row(expected, row, scales, zero_points, 5, 8) for row in range(3)]
    assert codes.dequantize().tolist() == np.array(real, np.float32).tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = torch.quantize_per_channel(x, scale, zero_point, 0, getattr(torch, dtype.value))
    assert torch.equal(theirs.dequantize(), codes.dequantize())
    # Fake quantize has the same integers; its (q - zero_point) * scale is rounded once, from float64.
    fake = torch.fake_quantize_per_channel_affine(x, scale, zero_point, 0, 0, dtype.max)
    torch.testing.assert_close(codes.dequantize(), fake, rtol=2.0**-22, atol=0)


@given(ROWS, THREE_SCALES, ZERO_POINTS, TABLES)
def test_laws_of_tables(array, scales, zero_points, dtype):
    x, scale = torch.from_numpy(array), torch.tensor(scales).reshape(3, 1)
    codes = qsdk.quantize_per_channel(x, scales, zero_points, 0, dtype)
    integers, real = codes.int_repr().int(), codes.dequantize()
    assert integers.min() >= 0 and integers.max() <= dtype.max
    assert qsdk.quantize_per_channel(real, scales, zero_points, 0, dtype).equal(codes)
    assert (integers.gather(1, x.argsort(1)).diff(dim=1) >= 0).all()
    inside = (integers > 0) & (integers < dtype.max)
    # Half a step; x / s is at most 600 here and rounded twice. A float zero point does not keep 0 exact.
    assert ((real - x).abs() <= scale * (0.5 + 2.0**-12))[inside].all()


@pytest.mark.parametrize("dtype", [quint8, quint4x2])
@given(ROWS)
def test_observed_tables_hold_every_row(dtype, array):
    """The observer's scale and zero point: a row's range is its own, and rows of equal values are exact."""
    observer = qsdk.quantization.default_float_qparams_observer.with_args(dtype=dtype)()
    x = torch.from_numpy(np.concatenate([array, np.full((1, 5), array[0, 0])]))
    observer(x)
    scale, zero_point = observer.calculate_qparams()
    codes = qsdk.quantize_per_channel(x, scale, zero_point, 0, dtype)
    assert codes.dequantize()[3].tolist() == x[3].tolist()
    # x / s + z rounds at the magnitude of z, which is that of the row over its range.
    tolerance = scale.reshape(-1, 1) * (0.5 + (zero_point.abs().reshape(-1, 1) + 256) * 2.0**-21)
    assert ((codes.dequantize() - x).abs() <= tolerance).all()


@given(hnp.arrays(np.float32, 6, elements=st.floats(width=32)), parameters(st.sampled_from([qint8, quint8, qint32])))
def test_every_float_has_a_code(array, q):
    """NaN gives the zero point, infinities and everything beyond the range saturate."""
    codes = quantize(torch.from_numpy(array), q).int_repr().tolist()
    for x, code in zip(array, codes, strict=True):
        with np.errstate(all="ignore"):
            assert code == naive.round_clamp(
                f32(x * f32(f32(1) / f32(q.scale))), q.zero_point, q.quant_min, q.quant_max
            )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((1.0, 0, quint4x2), "qsdk.quint4x2 is for embedding tables"),
        (([1.0], [0], quint4x2, None, None, 0), "qsdk.quint4x2 is for embedding tables"),
        (([1.0], [0.5], qint8, None, None, 0), "embedding tables of qsdk.quint8 or qsdk.quint4x2, not qsdk.qint8"),
        (([1.0], [0.5], qint32, None, None, 0), "not qsdk.qint32"),
        (([1.0], [float("nan")], quint8, None, None, 0), "2\\^60"),
        (([1.0], [2.0**61], quint8, None, None, 0), "2\\^60"),
        (([0.0], [0.5], quint8, None, None, 0), "channel 0"), (([1.0, 1.0], [0.5], quint8, None, None, 0), "2 scales"),
        (([1.0], [0.5], quint4x2, 0, 16, 0), "range within qsdk.quint4x2"),
    ],
)  # fmt: skip
def test_parameters_of_tables_are_checked(arguments, message):
    with pytest.raises(QuantizationError, match=message):
        QParams(*arguments)
