"""Float operators that add up: linear, matmul, softmax, layer_norm, mean. Rule 11.

A sum over k begins at +0 and adds one product, rounded, after the other, in ascending k. A row sum keeps 16 of them,
for k modulo 16, and adds those by halves: 0 + 8, 1 + 9, ..., then 0 + 4, ... Every NaN written is 0x7fc00000.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from qsdk.reference import functions
from qsdk.reference.functions import canonical
from qsdk.reference.registry import fake, operator

LANES = 16


def row_sum(x: Tensor) -> Tensor:
    """The sum over the last axis: 16 partial sums, then their tree."""
    parts = F.pad(x, (0, -x.shape[-1] % LANES)).unflatten(-1, (-1, LANES))
    total = torch.zeros_like(parts[..., 0, :])
    for part in parts.unbind(-2):
        total = total + part
    while total.shape[-1] > 1:
        half = total.shape[-1] // 2
        total = total[..., :half] + total[..., half:]
    return total[..., 0]


def product(input: Tensor, other: Tensor) -> Tensor:
    """[..., M, K] times [..., K, N], each sum in ascending k."""
    total = torch.zeros_like(input[..., :1] * other[..., :1, :])
    for k in range(input.shape[-1]):
        total = total + input[..., k : k + 1] * other[..., k : k + 1, :]
    return total


@operator("(Tensor input, Tensor weight, Tensor bias) -> Tensor", "linear.float")
def linear_float(input: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """f32(sum input * weight + bias). input [..., K], weight [O, K], bias [O]. Below 16 outputs the sums are row sums,
    else in ascending k."""
    if weight.shape[0] < LANES:
        total = row_sum(input.unsqueeze(-2) * weight)
    else:
        total = product(input.unsqueeze(-2), weight.t()).squeeze(-2)
    return canonical(total + bias)


@fake("linear.float")
def _(input: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return input.new_empty(F.linear(input, weight, bias).shape)


@operator("(Tensor input, Tensor other) -> Tensor", "matmul.float")
def matmul_float(input: Tensor, other: Tensor) -> Tensor:
    """sum input * other, [..., M, K] times [..., K, N]; the leading axes broadcast."""
    return canonical(product(input, other))


@fake("matmul.float")
def _(input: Tensor, other: Tensor) -> Tensor:
    return input.new_empty(torch.matmul(input, other).shape)


@operator("(Tensor input, int dim) -> Tensor", "softmax.float")
def softmax_float(input: Tensor, dim: int) -> Tensor:
    """Over the last axis, which dim has to be: e = exp(f32(x - max x)), output = f32(e / row sum of e)."""
    if dim != input.dim() - 1:
        raise ValueError(f"dim is {dim}, not the last axis")
    e = functions.exp(input - input.amax(-1, keepdim=True))
    return canonical(e / row_sum(e).unsqueeze(-1))


@fake("softmax.float")
def _(input: Tensor, dim: int) -> Tensor:
    if dim != input.dim() - 1:
        raise ValueError(f"dim is {dim}, not the last axis")
    return input.new_empty(input.shape)


def normalized(x: Tensor, eps: float) -> Tensor:
    """h of each row, over the last axis: d = x - f32(row sum of x / n), v = f32(row sum of d * d / n),
    h = f32(d * f32(1 / f32(sqrt(f32(v + eps)))))."""
    n = torch.full_like(x[..., :1], x.shape[-1])
    d = x - row_sum(x).unsqueeze(-1) / n
    variance = row_sum(d * d).unsqueeze(-1) / n
    return d * (torch.ones_like(n) / functions.sqrt(variance + eps))


@operator("(Tensor input, Tensor weight, Tensor bias, float eps) -> Tensor", "layer_norm.float")
def layer_norm_float(input: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """f32(f32(h * weight) + bias); h as `normalized`, over the axes that weight has."""
    first = input.dim() - weight.dim()
    h = normalized(input.flatten(first), eps).reshape(input.shape)
    return canonical(h * weight + bias)


@fake("layer_norm.float")
def _(input: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    if tuple(input.shape[input.dim() - weight.dim() :]) != tuple(weight.shape):
        raise ValueError(f"weight {list(weight.shape)} does not fit {list(input.shape)}")
    return input.new_empty(input.shape)


@operator("(Tensor input, int[] dim, bool keepdim) -> Tensor", "mean.float")
def mean_float(input: Tensor, dim: Sequence[int], keepdim: bool) -> Tensor:
    """f32(row sum / f32(n)) over the axes dim (ascending, each >= 0), the last of them fastest."""
    kept = [axis for axis in range(input.dim()) if axis not in dim]
    rows = input.permute(*kept, *dim).flatten(len(kept))
    result = row_sum(rows)
    result = canonical(result / torch.full_like(result, rows.shape[-1]))
    return result.reshape(_reduced(input, dim, keepdim))


def _reduced(input: Tensor, dim: Sequence[int], keepdim: bool) -> list[int]:
    return [1 if axis in dim else extent for axis, extent in enumerate(input.shape) if keepdim or axis not in dim]


@fake("mean.float")
def _(input: Tensor, dim: Sequence[int], keepdim: bool) -> Any:
    return input.new_empty(_reduced(input, dim, keepdim))
