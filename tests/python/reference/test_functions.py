"""exp, sigmoid, tanh, erf: the written formulas, and how far they are from the exact functions."""

import naive_dynamic as naive
import numpy as np
import pytest
import torch

from qsdk.reference import functions

# name: the exact function in float64, and the largest error in ulp that the docstring promises
FUNCTIONS = {
    "exp": (torch.exp, 0.87),
    "sigmoid": (torch.sigmoid, 1.81),
    "tanh": (torch.tanh, 1.31),
    "erf": (torch.erf, 1.34),
}
# Where errors were largest when every float32 was tried, the ends of ranges, and what is not finite.
HARD = [
    0.0, -0.0, float("inf"), -float("inf"), 2.0**-149, -(2.0**-149), 2.0**-126, 1e-20, -1e-20, 0.625, -0.625, 0.9,
    0.34657359, -0.34657359, -60.643837, 4.5128212, -1.1377702, 7.8592110, 0.63213897, 0.92092144, 88.722839,
    88.72284, 89.0, 90.0, -87.33654, -103.27893, -103.97208, -103.97209, -104.0, -105.0, 3.3895314e38, -3.3895314e38,
    9.0109, 16.6,
]  # fmt: skip


def values(step=7919, low=2.0**-30, high=128.0):
    """Every step-th float32 between low and high, with both signs, and HARD."""
    first, last = (int(np.float32(v).view(np.int32)) for v in (low, high))
    bits = torch.arange(first, last, step, dtype=torch.int32).view(torch.float32)
    return torch.cat([bits, -bits, torch.tensor(HARD)])


def same_bits(a, b):
    return torch.equal(a.view(torch.int32), b.view(torch.int32))


def ulps(result, exact):
    """Errors in units of the last place of the exact value, denormal ones included."""
    size = exact.abs().clamp(min=2.0**-126, max=torch.finfo(torch.float32).max)
    return (result.double() - exact).abs() / torch.ldexp(torch.ones_like(size), torch.frexp(size)[1] - 24)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_error(name):
    """Checked on every float32 once: exp 0.8637, sigmoid 1.8053, tanh 1.3070, erf 1.3305; here on every 211th."""
    function, bound = FUNCTIONS[name]
    x = torch.cat([values(211), values(99991, 2.0**-149, 2.0**-30)])
    exact = function(x.double())
    result = getattr(functions, name)(x)
    finite = torch.isfinite(result)
    assert float(ulps(result, exact)[finite].max()) <= bound
    # What is too large for float32, and only that, becomes infinite.
    assert torch.equal(finite, exact < 2.0**128 - 2.0**103)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_written_formula(name):
    x = torch.cat([values(2000003), torch.linspace(-6, 6, 501)])
    expected = torch.tensor(np.array([getattr(naive, name)(v) for v in x.numpy()]))
    assert same_bits(getattr(functions, name)(x), expected)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_nan_becomes_the_same(name):
    nans = torch.tensor([0x7FC00000, 0x7F800001, -1, -4194304], dtype=torch.int32).view(torch.float32)
    assert getattr(functions, name)(nans).view(torch.int32).tolist() == [0x7FC00000] * 4


def test_zeros_keep_their_sign():
    zeros = torch.tensor([0.0, -0.0])
    for function in (functions.tanh, functions.erf):
        assert same_bits(function(zeros), zeros)
    assert functions.exp(zeros).tolist() == [1, 1] and functions.sigmoid(zeros).tolist() == [0.5, 0.5]


def test_ends():
    largest = torch.tensor([88.72283, 88.72284, float("inf"), -103.97208, -103.97209, -float("inf")])
    tiny = 2.0**-149
    assert functions.exp(largest).tolist()[1:] == [float("inf"), float("inf"), tiny, 0, 0]
    assert functions.exp(largest)[0] == pytest.approx(3.4027977e38, rel=1e-6)
    assert functions.sigmoid(torch.tensor([20.0, -103.9, -105.0])).tolist() == [1, tiny, 0]
    assert functions.tanh(torch.tensor([9.1, -9.1, 3e38])).tolist() == [1, -1, 1]
    assert functions.erf(torch.tensor([4.0, -4.0, 3e38])).tolist() == [1, -1, 1]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bits_do_not_depend_on_the_shape(name):
    function = getattr(functions, name)
    x = torch.randn(64, 65) * 4
    expected = function(x)
    assert same_bits(function(x.t()).t().contiguous(), expected)
    assert same_bits(function(x[:, 3:20]), expected[:, 3:20].contiguous())
    assert same_bits(torch.stack([function(v) for v in x[0]]), expected[0])
    assert function(torch.empty(0, 3)).shape == (0, 3)
