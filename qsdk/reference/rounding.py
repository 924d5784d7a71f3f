"""Rounding steps that the reference operators share. Operators live in conv.py, elementwise.py, pool.py and shape.py.

Every f32 operation is one torch operation on float32 tensors, so each is rounded on its own. Integer sums are made in
float64 or int64, where they are exact, and then wrapped to int32 as the devices wrap them.
"""

import struct

import torch
from torch import Tensor


def f32(value: float) -> float:
    """The binary32 number nearest to `value`, ties to even; infinite beyond the range.

    A single + - * / of two binary32 numbers made in double precision and rounded by this function is the correctly
    rounded binary32 result, because double carries more than twice the digits.
    """
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def f32_tensor(value: float, like: Tensor) -> Tensor:
    """`value` as a float32 scalar on the device of `like`."""
    return torch.tensor(value, dtype=torch.float32, device=like.device)


def wrap_int32(total: Tensor) -> Tensor:
    """Exact integers (float64 or int64) modulo 2^32, as int32."""
    wrapped = ((total.to(torch.int64) + 2**31) & (2**32 - 1)) - 2**31
    return wrapped.to(torch.int32)


def round_clamp(value: Tensor, zero_point: int | Tensor, lowest: int, highest: int) -> Tensor:
    """clamp(rne(value) + zero_point, lowest, highest) as int8. NaN rounds to 0, infinities saturate."""
    return _round_clamp(value, zero_point, lowest, highest).to(torch.int8)


def round_clamp_int32(value: Tensor, zero_point: int | Tensor, lowest: int, highest: int) -> Tensor:
    """As round_clamp, as int32."""
    return _round_clamp(value, zero_point, lowest, highest).to(torch.int32)


def _round_clamp(value: Tensor, zero_point: int | Tensor, lowest: int, highest: int) -> Tensor:
    # The addition is made in float64: in float32 it would round again once |rne(value)| exceeds 2^24.
    rounded = torch.round(value).double()
    rounded = torch.where(torch.isnan(rounded), torch.zeros_like(rounded), rounded)
    return (rounded + zero_point).clamp(lowest, highest)


def centered(value: Tensor, zero_point: int) -> Tensor:
    """q' = q - zero_point as float32 (exact)."""
    return value.to(torch.float32) - zero_point
