"""Float in, float out, weights of 8 or 4 bits: linear and convolution. Rule 20.

Weights come as (weight [O, ...] of packed rows, weight_scale float32 [O, groups], bias float32 [O]). Results have the
input's dtype.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from qsdk.dispatch import call
from qsdk.nn.quantized.functional.dynamic import Weights, need_float


def linear_weight_only(input: Tensor, weights: Weights, bits: int, group_size: int, relu: bool = False) -> Tensor:
    """[..., K] to [..., O]."""
    input = need_float(input, "linear_weight_only")
    result: Tensor = call(torch.ops.qsdk.linear_weight_only.default, input, *weights, bits, group_size, relu)
    return result.to(input.dtype)


def conv2d_weight_only(
    input: Tensor,
    weights: Weights,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    bits: int,
    group_size: int,
    relu: bool = False,
) -> Tensor:
    """[N, C, H, W] to [N, O, OH, OW]; padding is top, left, bottom, right."""
    input = need_float(input, "conv2d_weight_only")
    geometry = [list(kernel_size), list(stride), list(padding), list(dilation)]
    operator = torch.ops.qsdk.conv2d_weight_only.default
    result: Tensor = call(operator, input, *weights, *geometry, groups, bits, group_size, relu)
    return result.to(input.dtype)
