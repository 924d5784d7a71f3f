"""Float activations and weights of 8 or 4 bits. Rule 20.

    w   = f32(weight_scale[o][k // group_size] * f32(q))
    acc = f32(acc + f32(x * w)), beginning at 0, k ascending
    y   = f32(acc + bias[o]), and with relu y > 0 ? y : 0

A weight is a matrix [O, K]: int8, or two values a byte, uint8 [O, ceil(K / 2)], the low nibble first, each stored plus
8. weight_scale is float32 [O, ceil(K / group_size)], or [O, 1] if group_size is 0; bias is float32 [O]. In a
convolution k runs over window rows, then columns, then channels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from qsdk.reference.conv import convolution_shape
from qsdk.reference.embedding import unpack_nibbles
from qsdk.reference.functions import canonical
from qsdk.reference.registry import fake, operator

_TAIL = "int bits, int group_size, bool relu) -> Tensor"


def dequantized(weight: Tensor, weight_scale: Tensor, k: int, bits: int, group_size: int) -> Tensor:
    """The weight as float32 [O, k]."""
    values = unpack_nibbles(weight, k).to(torch.float32) - 8 if bits == 4 else weight.to(torch.float32)
    return weight_scale.repeat_interleave(group_size or k, 1)[:, :k] * values


def _product(rows: Tensor, weight: Tensor, bias: Tensor, relu: bool) -> Tensor:
    """rows [..., K], weight float32 [O, K]."""
    columns = weight.t().contiguous()
    acc = torch.zeros_like(rows[..., :1] * columns[0])
    for k in range(rows.shape[-1]):
        acc = acc + rows[..., k : k + 1] * columns[k]
    output = acc + bias
    return torch.where(output > 0, output, torch.zeros_like(output)) if relu else canonical(output)


@operator(f"(Tensor input, Tensor weight, Tensor weight_scale, Tensor bias, {_TAIL}")
def linear_weight_only(
    input: Tensor, weight: Tensor, weight_scale: Tensor, bias: Tensor, bits: int, group_size: int, relu: bool
) -> Tensor:
    """input float [..., K]. Returns float32 [..., O]."""
    w = dequantized(weight, weight_scale, input.shape[-1], bits, group_size)
    return _product(input.to(torch.float32), w, bias, relu)


@fake("linear_weight_only")
def _(input: Tensor, weight: Tensor, weight_scale: Tensor, bias: Tensor, *options: object) -> Tensor:
    return input.new_empty([*input.shape[:-1], weight.shape[0]], dtype=torch.float32)


@operator(
    "(Tensor input, Tensor weight, Tensor weight_scale, Tensor bias, int[] kernel_size, int[] stride, int[] padding, "
    f"int[] dilation, int groups, {_TAIL}"
)
def conv2d_weight_only(
    input: Tensor,
    weight: Tensor,
    weight_scale: Tensor,
    bias: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    bits: int,
    group_size: int,
    relu: bool,
) -> Tensor:
    """input float [N,C,H,W]; padding is top, left, bottom, right. Returns float32 [N,O,OH,OW]."""
    top, left, bottom, right = padding
    padded = F.pad(input.to(torch.float32), (left, right, top, bottom))
    _, _, height, width = _shape(input, weight, kernel_size, stride, padding, dilation)
    taps = [
        padded[:, :, y * dilation[0] :: stride[0], x * dilation[1] :: stride[1]][:, :, :height, :width]
        for y in range(kernel_size[0])
        for x in range(kernel_size[1])
    ]
    k, outputs = len(taps) * input.shape[1] // groups, weight.shape[0] // groups
    w = dequantized(weight, weight_scale, k, bits, group_size)
    results = []
    for group, (part, own) in enumerate(zip(torch.stack(taps, 1).chunk(groups, 2), w.split(outputs), strict=True)):
        # [N, taps, C / groups, OH, OW] to [N, OH, OW, K]
        rows = part.permute(0, 3, 4, 1, 2).flatten(3)
        results.append(_product(rows, own, bias[group * outputs : (group + 1) * outputs], relu))
    return torch.cat(results, -1).permute(0, 3, 1, 2).contiguous()


def _shape(
    input: Tensor,
    weight: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> list[int]:
    window = weight.new_empty((weight.shape[0], 1, *kernel_size), device="meta")
    return list(convolution_shape(input, window, stride, padding, dilation))


@fake("conv2d_weight_only")
def _(
    input: Tensor,
    weight: Tensor,
    weight_scale: Tensor,
    bias: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    *options: object,
) -> Tensor:
    return input.new_empty(_shape(input, weight, kernel_size, stride, padding, dilation), dtype=torch.float32)
