"""Dynamic quantization: float in, float out, the input quantized by the range it turns out to have. Rule 10.

    scale, zero_point = choose_qparams(input)
    acc               = sum (quantize(input) - zero_point) * weight, modulo 2^32
    output            = f32(f32(f32(acc) * f32(scale * weight_scale[o])) + bias[o])

Inputs of other float types become float32 first. Weights are int8 [O, ...], symmetric; weight_scale and bias are
float32 [O]. A fused ReLU gives `output > 0 ? output : 0`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from qsdk.reference.constants import SCALE_MAX, SCALE_MIN
from qsdk.reference.conv import (
    convolution_shape,
    convolution_sum,
    transposed_convolution_shape,
    transposed_convolution_sum,
)
from qsdk.reference.functions import canonical
from qsdk.reference.registry import fake, operator
from qsdk.reference.rounding import round_clamp, wrap_int32


def choose_qparams(input: Tensor, per_token: bool) -> tuple[Tensor, Tensor]:
    """Scale (float32) and zero point (int32) of a float32 tensor: scalars, or [..., 1], one per row of the last axis.

    lo = min(0, x), hi = max(0, x) over finite x, clamped to +-2^60
    scale = lo = hi ? 1 : max(f32(f32(hi - lo) / 255), 2^-60)
    zero_point = clamp(-128 - rne(f32(lo * f32(1 / scale))), -128, 127)
    """
    finite = torch.where(torch.isfinite(input), input, torch.zeros_like(input))
    # One 0 more: the range holds 0, and there may be no elements.
    rows = F.pad(finite if per_token else finite.reshape(-1), (0, 1))
    low, high = rows.amin(-1, keepdim=True).clamp(min=-SCALE_MAX), rows.amax(-1, keepdim=True).clamp(max=SCALE_MAX)
    if not per_token:
        low, high = low.reshape(()), high.reshape(())
    # A tensor, because other devices divide by a number in two roundings.
    scale = ((high - low) / torch.full_like(high, 255.0)).clamp(min=SCALE_MIN)
    scale = torch.where(low == high, torch.ones_like(scale), scale)
    zero_point = (-128 - torch.round(low * (torch.ones_like(scale) / scale))).clamp(-128, 127)
    return scale, zero_point.to(torch.int32)


def quantize(input: Tensor, scale: Tensor, zero_point: Tensor) -> Tensor:
    """Rule 1 over -128..127, with what choose_qparams gives. Infinities saturate, NaN gives the zero point."""
    return round_clamp(input * (torch.ones_like(scale) / scale), zero_point, -128, 127)


def _centered(input: Tensor, per_token: bool = False) -> tuple[Tensor, Tensor]:
    """quantized input - zero_point as int16, and the scale."""
    input = input.to(torch.float32)
    scale, zero_point = choose_qparams(input, per_token)
    return quantize(input, scale, zero_point).to(torch.int16) - zero_point.to(torch.int16), scale


def _to_float(total: Tensor, multiplier: Tensor, bias: Tensor) -> Tensor:
    return canonical(wrap_int32(total).to(torch.float32) * multiplier + bias)


class Projection:
    """Rule 10's linear with fixed weights: input [..., K] to [..., O]. Layers that run many times make it once."""

    def __init__(self, weight: Tensor, weight_scale: Tensor, bias: Tensor) -> None:
        # In float64 every partial sum is an exact integer, whatever order the library adds in.
        self.weight = weight.to(torch.float64).t()
        self.weight_scale = weight_scale
        self.bias = bias

    def __call__(self, input: Tensor, per_token: bool = False) -> Tensor:
        centered, scale = _centered(input, per_token)
        return _to_float(centered.to(torch.float64) @ self.weight, scale * self.weight_scale, self.bias)


@operator("(Tensor input, Tensor weight, Tensor weight_scale, Tensor bias, bool per_token, bool relu) -> Tensor")
def linear_dynamic(
    input: Tensor, weight: Tensor, weight_scale: Tensor, bias: Tensor, per_token: bool, relu: bool
) -> Tensor:
    """input float [..., K]; weight int8 [O,K]. per_token: a scale and zero point per row, not one for the tensor.

    Returns float32 [..., O].
    """
    output = Projection(weight, weight_scale, bias)(input, per_token)
    return torch.where(output > 0, output, torch.zeros_like(output)) if relu else output


@fake("linear_dynamic")
def _(input: Tensor, weight: Tensor, weight_scale: Tensor, bias: Tensor, per_token: bool, relu: bool) -> Tensor:
    return input.new_empty([*input.shape[:-1], weight.shape[0]], dtype=torch.float32)


_CONV = (
    "(Tensor input, Tensor weight, Tensor weight_scale, Tensor bias, int[] stride, int[] padding, int[] dilation, "
    "int groups) -> Tensor"
)
_CONV_TRANSPOSE = _CONV.replace("int[] padding,", "int[] padding, int[] output_padding,")


def _convolution(
    input: Tensor,
    weight: Tensor,
    weight_scale: Tensor,
    bias: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    centered, scale = _centered(input)
    total = convolution_sum(centered, weight, stride, padding, dilation, groups).to(input.device)
    shape = (-1, *[1] * (total.dim() - 2))
    return _to_float(total, (scale * weight_scale).reshape(shape), bias.reshape(shape)).contiguous()


def _transposed_convolution(
    input: Tensor,
    weight: Tensor,
    weight_scale: Tensor,
    bias: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    centered, scale = _centered(input)
    total = transposed_convolution_sum(centered, weight, stride, padding, output_padding, dilation, groups)
    shape = (-1, *[1] * (total.dim() - 2))
    total = total.to(input.device)
    return _to_float(total, (scale * weight_scale).reshape(shape), bias.reshape(shape)).contiguous()


@operator(_CONV)
def conv2d_dynamic(
    input: Tensor,
    weight: Tensor,
    weight_scale: Tensor,
    bias: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """input float [N,C,H,W]; weight int8 [O,C/groups,KH,KW]; padding is top, left, bottom, right.

    Returns float32 [N,O,OH,OW].
    """
    return _convolution(input, weight, weight_scale, bias, stride, padding, dilation, groups)


@operator(_CONV)
def conv3d_dynamic(
    input: Tensor,
    weight: Tensor,
    weight_scale: Tensor,
    bias: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """input float [N,C,D,H,W]; weight int8 [O,C/groups,KD,KH,KW]; padding is front, top, left, back, bottom, right.

    Returns float32 [N,O,OD,OH,OW].
    """
    return _convolution(input, weight, weight_scale, bias, stride, padding, dilation, groups)


@operator(_CONV_TRANSPOSE)
def conv_transpose2d_dynamic(
    input: Tensor,
    weight: Tensor,
    weight_scale: Tensor,
    bias: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """input float [N,C,H,W]; weight int8 [O,C/groups,KH,KW]; padding and output_padding are h, w.

    Returns float32 [N,O,OH,OW].
    """
    return _transposed_convolution(input, weight, weight_scale, bias, stride, padding, output_padding, dilation, groups)


@operator(_CONV_TRANSPOSE)
def conv_transpose3d_dynamic(
    input: Tensor,
    weight: Tensor,
    weight_scale: Tensor,
    bias: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """input float [N,C,D,H,W]; weight int8 [O,C/groups,KD,KH,KW]; padding and output_padding are d, h, w.

    Returns float32 [N,O,OD,OH,OW].
    """
    return _transposed_convolution(input, weight, weight_scale, bias, stride, padding, output_padding, dilation, groups)


def _convolution_empty(
    input: Tensor,
    weight: Tensor,
    weight_scale: Tensor,
    bias: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    return input.new_empty(convolution_shape(input, weight, stride, padding, dilation), dtype=torch.float32)


def _transposed_convolution_empty(
    input: Tensor,
    weight: Tensor,
    weight_scale: Tensor,
    bias: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    shape = transposed_convolution_shape(input, weight, stride, padding, output_padding, dilation)
    return input.new_empty(shape, dtype=torch.float32)


fake("conv2d_dynamic")(_convolution_empty)
fake("conv3d_dynamic")(_convolution_empty)
fake("conv_transpose2d_dynamic")(_transposed_convolution_empty)
fake("conv_transpose3d_dynamic")(_transposed_convolution_empty)
