"""Normalization: batch_norm (rule 14), layer_norm, group_norm and softmax (rule 9), normalize (rule 24).

Sums over integers are exact (64 bits); every later step is one f32 operation:

    V = n * S2 - S1^2,  S1 = sum input',  S2 = sum input'^2
    r = f32(1 / f32(sqrt(f32(f32(f32(V) / f32(n * n)) + eps))))
    h = f32(f32(n * input' - S1) * f32(r / f32(n)))
    output = round(f32(f32(h * weight) + bias))

eps is the layer's, divided by the square of the input's scale; weight and bias are divided by the output's scale.
"""

import torch
from torch import Tensor

from qsdk.reference.functions import sqrt
from qsdk.reference.registry import fake, like_input, operator
from qsdk.reference.rounding import centered, f32_tensor, round_clamp


@operator(
    "(Tensor input, Tensor multiplier, Tensor offset, int input_zero_point, float output_scale, "
    "int output_zero_point, int output_min, int output_max) -> Tensor",
)
def batch_norm(
    input: Tensor,
    multiplier: Tensor,
    offset: Tensor,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """round(f32(f32(input' * multiplier[c]) + offset[c])). input int8 [N,C,...]; the others float32 [C]."""
    shape = (-1, *[1] * (input.dim() - 2))
    scaled = centered(input, input_zero_point) * multiplier.reshape(shape) + offset.reshape(shape)
    return round_clamp(scaled, output_zero_point, output_min, output_max).contiguous()


fake("batch_norm")(like_input)


def _normalized(value: Tensor, eps: float) -> Tensor:
    """h of each row; value: int64 [rows, n]."""
    n = value.shape[1]
    total = value.sum(1, keepdim=True)
    spread = n * (value * value).sum(1, keepdim=True) - total * total
    count, squared = (f32_tensor(float(v), value) for v in (n, n * n))
    variance = spread.to(torch.float32) / squared + f32_tensor(eps, value)
    one = f32_tensor(1.0, value)
    factor = one / sqrt(variance) / count
    return (n * value - total).to(torch.float32) * factor


@operator(
    "(Tensor input, Tensor weight, Tensor bias, float eps, int input_zero_point, float output_scale, "
    "int output_zero_point, int output_min, int output_max) -> Tensor",
)
def layer_norm(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    eps: float,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """input int8 [..., *shape]; weight, bias float32 of that shape: n is its number of elements."""
    value = (input.to(torch.int64) - input_zero_point).reshape(-1, weight.numel())
    scaled = _normalized(value, eps) * weight.reshape(-1) + bias.reshape(-1)
    return round_clamp(scaled, output_zero_point, output_min, output_max).reshape(input.shape)


fake("layer_norm")(like_input)


@operator(
    "(Tensor input, Tensor weight, Tensor bias, int num_groups, float eps, int input_zero_point, "
    "float output_scale, int output_zero_point, int output_min, int output_max) -> Tensor",
)
def group_norm(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    num_groups: int,
    eps: float,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """input int8 [N,C,...]; weight, bias float32 [C]; n is C/num_groups times the number of positions."""
    batch, channels = input.shape[:2]
    value = (input.to(torch.int64) - input_zero_point).reshape(batch * num_groups, -1)
    scaled = _normalized(value, eps).reshape(batch, channels, -1) * weight[:, None] + bias[:, None]
    return round_clamp(scaled, output_zero_point, output_min, output_max).reshape(input.shape)


fake("group_norm")(like_input)


@operator(
    "(Tensor input, Tensor table, int dim, float inverse_scale, float output_scale, int output_zero_point, "
    "int output_min, int output_max, Tensor? mask=None) -> Tensor",
)
def softmax(
    input: Tensor,
    table: Tensor,
    dim: int,
    inverse_scale: float,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
    mask: Tensor | None = None,
) -> Tensor:
    """round(f32(f32(E) * f32(inverse_scale / f32(sum E)))), E = table[max input - input] along dim >= 0.

    table int32 [256]; inverse_scale is f32(1 / output_scale). mask bool, stretched to input's shape: where it is false,
    E is 0, and the maximum is that of the others. Where all are masked, the result is round(0).
    """
    value = input.to(torch.int64)
    if mask is None:
        terms = table[value.amax(dim, keepdim=True) - value]
    else:
        largest = torch.where(mask, value, -128).amax(dim, keepdim=True)
        terms = torch.where(mask, table[(largest - value).clamp(min=0)], 0)
    factor = f32_tensor(inverse_scale, input) / terms.to(torch.int64).sum(dim, keepdim=True).to(torch.float32)
    scaled = terms.to(torch.float32) * factor
    return round_clamp(scaled, output_zero_point, output_min, output_max).contiguous()


fake("softmax")(like_input)


@operator(
    "(Tensor input, int dim, float eps, float inverse_scale, int input_zero_point, float output_scale, "
    "int output_zero_point, int output_min, int output_max) -> Tensor",
)
def normalize(
    input: Tensor,
    dim: int,
    eps: float,
    inverse_scale: float,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """Rule 24: round(f32(f32(input') * f32(inverse_scale / d))), d = f32(sqrt(f32(sum input'^2))) along dim, at least
    eps; eps is the norm's, divided by the input's scale; inverse_scale is f32(1 / output_scale)."""
    value = input.to(torch.int64) - input_zero_point
    norm = torch.sqrt((value * value).sum(dim, keepdim=True).to(torch.float32))
    least = f32_tensor(eps, input)
    factor = f32_tensor(inverse_scale, input) / torch.where(norm > least, norm, least)
    scaled = value.to(torch.float32) * factor
    return round_clamp(scaled, output_zero_point, output_min, output_max).contiguous()


fake("normalize")(like_input)
