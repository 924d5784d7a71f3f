"""Convolutions, transposed convolutions, linear (rule 3) and matmul (rule 15).

    output = clamp(rne(f32(f32(bias[o] + sum input' * weight) * multiplier[o])) + output_zero_point,
                   output_min, output_max)

input' is input - input_zero_point; padding contributes 0; the sum is modulo 2^32. A transposed convolution adds
input'[i] * weight[k] to output[i * stride - padding + k * dilation]; its weight is [O, I/groups, ...], as a
convolution's.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from qsdk.reference.registry import fake, operator
from qsdk.reference.rounding import f32_tensor, round_clamp, wrap_int32

_CONV = (
    "(Tensor input, Tensor weight, Tensor bias, Tensor multiplier, int[] stride, int[] padding, int[] dilation, "
    "int groups, int input_zero_point, float output_scale, int output_zero_point, int output_min, int output_max) "
    "-> Tensor"
)
_CONV_TRANSPOSE = _CONV.replace("int[] padding,", "int[] padding, int[] output_padding,")


def _exact(value: Tensor) -> Tensor:
    """In float64 every partial sum is an exact integer, whatever order the library adds in; on other devices than the
    CPU a library may choose an algorithm that is not a plain sum of products."""
    return value.to("cpu", torch.float64)


def convolution_sum(
    input: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], groups: int
) -> Tensor:
    """sum input * weight, exact, float64 on the CPU. padding: the begin of each axis, then the end of each."""
    axes = weight.dim() - 2
    sides = [side for axis in reversed(range(axes)) for side in (padding[axis], padding[axis + axes])]
    convolve = (F.conv2d, F.conv3d)[axes - 2]
    padded = F.pad(_exact(input), sides)
    return convolve(padded, _exact(weight), None, list(stride), 0, list(dilation), groups)


def transposed_convolution_sum(
    input: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """As convolution_sum, for a transposed convolution; padding is cut off both ends of each axis."""
    outputs, inputs, *kernel = weight.shape
    by_input = _exact(weight).reshape(groups, outputs // groups, inputs, *kernel).transpose(1, 2)
    by_input = by_input.reshape(groups * inputs, outputs // groups, *kernel)
    convolve = (F.conv_transpose2d, F.conv_transpose3d)[len(kernel) - 2]
    value = _exact(input)
    return convolve(value, by_input, None, list(stride), list(padding), list(output_padding), groups, list(dilation))


def _requantize(total: Tensor, bias: Tensor, multiplier: Tensor, zero_point: int, lowest: int, highest: int) -> Tensor:
    """total [N, O, ...]; bias and multiplier [O]."""
    shape = (-1, *[1] * (total.dim() - 2))
    accumulator = wrap_int32(total + _exact(bias).reshape(shape))
    scaled = accumulator.to(torch.float32) * multiplier.cpu().reshape(shape)
    return round_clamp(scaled, zero_point, lowest, highest).contiguous()


def convolution_shape(
    input: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """Shape of a convolution's output."""
    axes = weight.dim() - 2
    return [input.shape[0], weight.shape[0]] + [
        (input.shape[2 + i] + padding[i] + padding[i + axes] - dilation[i] * (weight.shape[2 + i] - 1) - 1) // stride[i]
        + 1
        for i in range(axes)
    ]


def transposed_convolution_shape(
    input: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
) -> list[int]:
    """Shape of a transposed convolution's output."""
    return [input.shape[0], weight.shape[0]] + [
        (input.shape[2 + i] - 1) * stride[i]
        - 2 * padding[i]
        + dilation[i] * (weight.shape[2 + i] - 1)
        + output_padding[i]
        + 1
        for i in range(weight.dim() - 2)
    ]


def _convolution(
    input: Tensor, weight: Tensor, bias: Tensor, multiplier: Tensor, stride: Any, padding: Any, dilation: Any, *_: Any
) -> Tensor:
    return input.new_empty(convolution_shape(input, weight, stride, padding, dilation), dtype=torch.int8)


def _transposed_convolution(input: Tensor, weight: Tensor, bias: Tensor, multiplier: Tensor, *geometry: Any) -> Tensor:
    return input.new_empty(transposed_convolution_shape(input, weight, *geometry[:4]), dtype=torch.int8)


@operator(_CONV)
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
    total = convolution_sum(input.to(torch.int16) - input_zero_point, weight, stride, padding, dilation, groups)
    return _requantize(total, bias, multiplier, output_zero_point, output_min, output_max).to(input.device)


fake("conv2d")(_convolution)


@operator(_CONV)
def conv3d(
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
    """input int8 [N,C,D,H,W]; weight int8 [O,C/groups,KD,KH,KW]; bias int32 [O]; multiplier float32 [O].

    padding is front, top, left, back, bottom, right. Returns int8 [N,O,OD,OH,OW].
    """
    total = convolution_sum(input.to(torch.int16) - input_zero_point, weight, stride, padding, dilation, groups)
    return _requantize(total, bias, multiplier, output_zero_point, output_min, output_max).to(input.device)


fake("conv3d")(_convolution)


@operator(_CONV_TRANSPOSE)
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    multiplier: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """input int8 [N,C,H,W]; weight int8 [O,C/groups,KH,KW]; bias int32 [O]; multiplier float32 [O].

    padding and output_padding are h, w. Returns int8 [N,O,OH,OW].
    """
    centred = input.to(torch.int16) - input_zero_point
    total = transposed_convolution_sum(centred, weight, stride, padding, output_padding, dilation, groups)
    return _requantize(total, bias, multiplier, output_zero_point, output_min, output_max).to(input.device)


fake("conv_transpose2d")(_transposed_convolution)


@operator(_CONV_TRANSPOSE)
def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    multiplier: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """input int8 [N,C,D,H,W]; weight int8 [O,C/groups,KD,KH,KW]; bias int32 [O]; multiplier float32 [O].

    padding and output_padding are d, h, w. Returns int8 [N,O,OD,OH,OW].
    """
    centred = input.to(torch.int16) - input_zero_point
    total = transposed_convolution_sum(centred, weight, stride, padding, output_padding, dilation, groups)
    return _requantize(total, bias, multiplier, output_zero_point, output_min, output_max).to(input.device)


fake("conv_transpose3d")(_transposed_convolution)


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
def _(input: Tensor, weight: Tensor, *_: Any) -> Tensor:
    return input.new_empty([*input.shape[:-1], weight.shape[0]], dtype=torch.int8)


@operator(
    "(Tensor input, Tensor other, float multiplier, int input_zero_point, int other_zero_point, float output_scale, "
    "int output_zero_point, int output_min, int output_max) -> Tensor",
)
def matmul(
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
    """Rule 15. input int8 [..., M, K]; other int8 [..., K, N]; leading axes broadcast. Returns int8 [..., M, N]."""
    total = (input.to(torch.float64) - input_zero_point) @ (other.to(torch.float64) - other_zero_point)
    scaled = wrap_int32(total).to(torch.float32) * f32_tensor(multiplier, input)
    return round_clamp(scaled, output_zero_point, output_min, output_max).contiguous()


@fake("matmul")
def _(input: Tensor, other: Tensor, *_: Any) -> Tensor:
    leading = torch.broadcast_shapes(input.shape[:-2], other.shape[:-2])
    return input.new_empty([*leading, input.shape[-2], other.shape[-1]], dtype=torch.int8)
