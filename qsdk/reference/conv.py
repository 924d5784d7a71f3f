"""conv2d and linear: rule 3.

    output = clamp(rne(f32(f32(bias[o] + sum input' * weight) * multiplier[o])) + output_zero_point,
                   output_min, output_max)

input' is input - input_zero_point; padding contributes 0; the sum is modulo 2^32.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from qsdk.reference.registry import fake, operator
from qsdk.reference.rounding import round_clamp, wrap_int32


@operator(
    "(Tensor input, Tensor weight, Tensor bias, Tensor multiplier, int[] stride, int[] padding, int[] dilation, "
    "int groups, int input_zero_point, float output_scale, int output_zero_point, int output_min, int output_max) "
    "-> Tensor",
)
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    multiplier: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """input int8 [N,C,H,W]; weight int8 [O,C/groups,KH,KW]; bias int32 [O]; multiplier float32 [O].

    padding is top, left, bottom, right. Returns int8 [N,O,OH,OW].
    """
    # In float64 every partial sum is an exact integer, whatever order the library adds in; on other devices than the
    # CPU a library may choose an algorithm that is not a plain sum of products.
    top, left, bottom, right = padding
    value = F.pad(input.cpu().to(torch.float64) - input_zero_point, (left, right, top, bottom))
    total = F.conv2d(value, weight.cpu().to(torch.float64), None, list(stride), 0, list(dilation), groups)
    accumulator = wrap_int32(total + bias.cpu().to(torch.float64)[:, None, None])
    scaled = accumulator.to(torch.float32) * multiplier.cpu()[:, None, None]
    return round_clamp(scaled, output_zero_point, output_min, output_max).contiguous().to(input.device)


@fake("conv2d")
def _(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    multiplier: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    extents = [
        (input.shape[2 + i] + padding[i] + padding[i + 2] - dilation[i] * (weight.shape[2 + i] - 1) - 1) // stride[i]
        + 1
        for i in range(2)
    ]
    return input.new_empty([input.shape[0], weight.shape[0], *extents], dtype=torch.int8)


@operator(
    "(Tensor input, Tensor weight, Tensor bias, Tensor multiplier, int input_zero_point, float output_scale, "
    "int output_zero_point, int output_min, int output_max) -> Tensor",
)
def linear(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    multiplier: Tensor,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """input int8 [..., K]; weight int8 [O,K]; bias int32 [O]; multiplier float32 [O]. Returns int8 [..., O]."""
    total = (input.to(torch.float64) - input_zero_point) @ weight.to(torch.float64).t()
    accumulator = wrap_int32(total + bias.to(torch.float64))
    scaled = accumulator.to(torch.float32) * multiplier
    return round_clamp(scaled, output_zero_point, output_min, output_max).contiguous()


@fake("linear")
def _(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    multiplier: Tensor,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    return input.new_empty([*input.shape[:-1], weight.shape[0]], dtype=torch.int8)
