"""Biases, multipliers and tables."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qsdk.reference import constants
from qsdk.reference.rounding import f32


@given(st.floats(2.0**-60, 2.0**60, width=32), st.floats(2.0**-60, 2.0**60, width=32))
def test_quotients_and_products_round_once(a, b):
    assert f32(a / b) == float(np.float32(a) / np.float32(b))
    with np.errstate(over="ignore"):
        assert f32(a * b) == float(np.float32(a) * np.float32(b))


def test_requantize_constants_by_hand():
    weight = torch.tensor([[1, -2], [3, 4]], dtype=torch.int8)
    scale = torch.tensor([0.5, 0.25])
    bound, widened, bias, multiplier = constants.requantize_constants(
        weight, scale, torch.tensor([0.375, -0.1875]), 0.25, -128, 2.0
    )
    assert bound is weight and torch.equal(widened, scale)
    assert bias.tolist() == [3, -3] and bias.dtype == torch.int32  # 0.375/0.125, -0.1875/0.0625
    assert multiplier.tolist() == [0.0625, 0.03125] and multiplier.dtype == torch.float32


def test_bias_ties_go_to_even():
    _, _, bias, _ = constants.requantize_constants(
        torch.zeros(4, 1, dtype=torch.int8), torch.ones(4), torch.tensor([0.5, 1.5, 2.5, -0.5]), 1.0, 0, 1.0
    )
    assert bias.tolist() == [0, 2, 2, 0]


def test_a_nearly_dead_channel_is_widened_until_its_bias_fits():
    weight = torch.tensor([[100, -128, 3, 1], [100, -128, 3, 1]], dtype=torch.int8)
    scale = torch.tensor([2.0**-20, 0.01])
    bound, widened, bias, multiplier = constants.requantize_constants(
        weight, scale, torch.tensor([100.0, 1.0]), 2.0**-10, 0, 1.0
    )
    # 100 / 2^-30 steps need six doublings: 100 * 2^30 / 2^31 = 50 -> 2^6 = 64.
    assert float(widened[0]) == 2.0**-14 and float(widened[1]) == float(scale[1])
    assert bound[0].tolist() == [2, -2, 0, 0] and bound[1].tolist() == weight[1].tolist()
    assert int(bias[0]) == 100 * 2**24 and float(multiplier[0]) == 2.0**-24
    assert bound.dtype == torch.int8


def test_widening_halves_ties_to_even_step_by_step():
    weight = torch.tensor([[1, 3, 5, 7, -1, -3, 127, -128]], dtype=torch.int8)
    bound, widened, bias, _ = constants.requantize_constants(
        weight, torch.tensor([1.0]), torch.tensor([2.0**31]), 1.0, 0, 1.0
    )
    assert float(widened) == 2.0 and bias.tolist() == [2**30]
    assert bound.tolist() == [[0, 2, 2, 4, 0, -2, 64, -64]]


def test_the_worst_case_sum_counts():
    """|b| alone fits, |b| + the sum does not."""
    weight = torch.full((1, 1000), 127, dtype=torch.int8)
    bias = torch.tensor([2.0**31 - 2**24])
    bound, widened, integer, _ = constants.requantize_constants(weight, torch.tensor([1.0]), bias, 1.0, -128, 1.0)
    assert float(widened) == 2.0
    assert abs(int(integer)) + int(bound.long().abs().sum()) * 255 < 2**31


@pytest.mark.parametrize(
    "scale, bias, output_scale, message",
    [
        ([1.0, float("nan")], [0.0, 0.0], 1.0, "weight scale of output channel 1"),
        ([1.0, 2.0**-61], [0.0, 0.0], 1.0, "weight scale of output channel 1"),
        ([1.0, 1.0], [float("inf"), 0.0], 1.0, "bias of output channel 0"),
        ([1.0, 2.0**-40], [0.0, 0.0], 2.0**40, "multiplier of output channel 1"),
    ],
)
def test_constants_out_of_range_name_the_channel(scale, bias, output_scale, message):
    with pytest.raises(ValueError, match=message):
        constants.requantize_constants(
            torch.ones(2, 3, dtype=torch.int8), torch.tensor(scale), torch.tensor(bias), 1.0, 0, output_scale
        )


def test_lookup_table_is_rule_1_of_the_exact_function():
    si, so = f32(0.05), f32(1 / 256)
    table = constants.lookup_table(torch.sigmoid, si, 3, so, -128, -128, 127)
    q = np.arange(-128, 128)
    exact = 1 / (1 + np.exp(-np.float64(si) * (q - 3)))
    expected = np.clip(np.rint(exact.astype(np.float32) * (np.float32(1) / np.float32(so))) - 128, -128, 127)
    np.testing.assert_array_equal(table.numpy(), expected)


@given(st.floats(2.0**-10, 2.0**10, width=32), st.integers(-128, 127))
def test_an_identity_table_is_the_identity(scale, zero_point):
    table = constants.lookup_table(lambda x: x, scale, zero_point, scale, zero_point, -128, 127)
    np.testing.assert_array_equal(table.numpy(), np.arange(-128, 128))
