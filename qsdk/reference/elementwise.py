"""Element by element: quantize_per_tensor, dequantize, clamp, add, sub, mul, lookup_table,
prelu.

Rules 1, 2, 4 to 7, 17.
"""

from typing import Any

import torch
from torch import Tensor

from qsdk.reference.registry import fake, like_input, operator
from qsdk.reference.rounding import centered, f32_tensor, round_clamp


@operator(
    "(Tensor input, float inverse_scale, float output_scale, int output_zero_point, int output_min, "
    "int output_max) -> Tensor",
)
def quantize_per_tensor(
    input: Tensor,
    inverse_scale: float,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """Rule 1: clamp(rne(f32(input * inverse_scale)) + output_zero_point, output_min, output_max); NaN gives the zero
    point."""
    scaled = input.detach().to(torch.float32) * f32_tensor(inverse_scale, input)
    return round_clamp(scaled, output_zero_point, output_min, output_max).contiguous()


fake("quantize_per_tensor")(like_input)


@operator(
    "(Tensor input, float input_scale, int input_zero_point) -> Tensor",
)
def dequantize(input: Tensor, input_scale: float, input_zero_point: int) -> Tensor:
    """Rule 2: f32(input_scale * f32(input - input_zero_point))."""
    return centered(input, input_zero_point) * f32_tensor(input_scale, input)


@fake("dequantize")
def _(input: Tensor, input_scale: float, input_zero_point: int) -> Tensor:
    return input.new_empty(input.shape, dtype=torch.float32)


@operator("(Tensor input, int output_min, int output_max) -> Tensor")
def clamp(input: Tensor, output_min: int, output_max: int) -> Tensor:
    """Rule 7: min(max(input, output_min), output_max); qparams pass through."""
    return input.clamp(output_min, output_max)


fake("clamp")(like_input)


def _broadcast(input: Tensor, other: Tensor, *_: Any) -> Tensor:
    return input.new_empty(torch.broadcast_shapes(input.shape, other.shape), dtype=torch.int8)


@operator(
    "(Tensor input, Tensor other, float input_multiplier, float other_multiplier, int input_zero_point, "
    "int other_zero_point, float output_scale, int output_zero_point, int output_min, int output_max) -> Tensor",
)
def add(
    input: Tensor,
    other: Tensor,
    input_multiplier: float,
    other_multiplier: float,
    input_zero_point: int,
    other_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """Rule 4: clamp(rne(f32(f32(input' * input_multiplier) + f32(other' * other_multiplier))) + output_zero_point)."""
    left = centered(input, input_zero_point) * f32_tensor(input_multiplier, input)
    right = centered(other, other_zero_point) * f32_tensor(other_multiplier, other)
    return round_clamp(left + right, output_zero_point, output_min, output_max).contiguous()


fake("add")(_broadcast)


@operator(
    "(Tensor input, Tensor other, float input_multiplier, float other_multiplier, int input_zero_point, "
    "int other_zero_point, float output_scale, int output_zero_point, int output_min, int output_max) -> Tensor",
)
def sub(
    input: Tensor,
    other: Tensor,
    input_multiplier: float,
    other_multiplier: float,
    input_zero_point: int,
    other_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """Rule 4 with the second product subtracted."""
    left = centered(input, input_zero_point) * f32_tensor(input_multiplier, input)
    right = centered(other, other_zero_point) * f32_tensor(other_multiplier, other)
    return round_clamp(left - right, output_zero_point, output_min, output_max).contiguous()


@fake("sub")
def _(
    input: Tensor,
    other: Tensor,
    input_multiplier: float,
    other_multiplier: float,
    input_zero_point: int,
    other_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    return input.new_empty(torch.broadcast_shapes(input.shape, other.shape), dtype=torch.int8)


@operator(
    "(Tensor input, Tensor other, float multiplier, int input_zero_point, int other_zero_point, "
    "float output_scale, int output_zero_point, int output_min, int output_max) -> Tensor",
)
def mul(
    input: Tensor,
    other: Tensor,
    multiplier: float,
    input_zero_point: int,
    other_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """Rule 5: clamp(rne(f32(f32(input' * other') * multiplier)) + output_zero_point)."""
    product = centered(input, input_zero_point) * centered(other, other_zero_point)
    scaled = product * f32_tensor(multiplier, input)
    return round_clamp(scaled, output_zero_point, output_min, output_max).contiguous()


fake("mul")(_broadcast)


@operator(
    "(Tensor input, Tensor table, float output_scale, int output_zero_point) -> Tensor",
)
def lookup_table(input: Tensor, table: Tensor, output_scale: float, output_zero_point: int) -> Tensor:
    """Rule 6: table[input + 128], table int8 [256]."""
    return table[input.to(torch.int64) + 128].contiguous()


fake("lookup_table")(like_input)


@operator(
    "(Tensor input, Tensor slope, float multiplier, int input_zero_point, float output_scale, int output_zero_point, "
    "int output_min, int output_max) -> Tensor",
)
def prelu(
    input: Tensor,
    slope: Tensor,
    multiplier: float,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """Rule 17: round(f32(input' * (input' >= 0 ? multiplier : slope[c]))). input int8 [N,C,...]; slope float32 [C]."""
    value = centered(input, input_zero_point)
    factor = torch.where(value >= 0, f32_tensor(multiplier, input), slope.reshape(-1, *[1] * (input.dim() - 2)))
    return round_clamp(value * factor, output_zero_point, output_min, output_max).contiguous()


fake("prelu")(like_input)
