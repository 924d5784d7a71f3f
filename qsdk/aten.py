"""PyTorch's operators on float32 tensors, as calls of qsdk's: what the `aten` column of the operator table holds.

Each function takes the arguments of the operators of torch.ops.aten that it stands for, and calls torch.ops.qsdk and
functions that only move elements. Where PyTorch adds up in an order of its own, results differ by rounding: the
definition is qsdk's. A ValueError says why a call has no counterpart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from qsdk.reference import ops as _reference_ops  # noqa: F401  (defines torch.ops.qsdk)
from qsdk.reference.rounding import f32

_qsdk = torch.ops.qsdk

Value = Tensor | float


def _tensor(value: Value) -> Tensor:
    return value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float32)


def _only(name: str, value: Any, *known: Any) -> None:
    if value not in known:
        raise ValueError(f"{name}={value}")


def unary(operator: Any, **options: float) -> Callable[..., Tensor]:
    """A function of each element, with these options of the operator."""

    def call(input: Tensor) -> Tensor:
        result: Tensor = operator(input, **options)
        return result

    return call


def add(input: Value, other: Value, *, alpha: float = 1) -> Tensor:
    """input + alpha * other."""
    _only("alpha", alpha, 1)
    return _qsdk.add.float(_tensor(input), _tensor(other))


def sub(input: Value, other: Value, *, alpha: float = 1) -> Tensor:
    """input - alpha * other."""
    _only("alpha", alpha, 1)
    return _qsdk.sub.float(_tensor(input), _tensor(other))


def rsub(input: Value, other: Value, alpha: float = 1) -> Tensor:
    """other - alpha * input."""
    return sub(other, input, alpha=alpha)


def mul(input: Value, other: Value) -> Tensor:
    """input * other."""
    return _qsdk.mul.float(_tensor(input), _tensor(other))


def div(input: Value, other: Value) -> Tensor:
    """input / other."""
    return _qsdk.div(_tensor(input), _tensor(other))


def reciprocal(input: Tensor) -> Tensor:
    """1 / input."""
    return div(1.0, input)


def power(input: Tensor, exponent: float) -> Tensor:
    """input ** exponent, for squares, cubes and square roots."""
    if exponent in (2, 3):
        square = mul(input, input)
        return square if exponent == 2 else mul(square, input)
    _only("exponent", exponent, 0.5, -0.5)
    return (_qsdk.sqrt if exponent == 0.5 else _qsdk.rsqrt)(input)


def clamp(input: Tensor, min: float | None = None, max: float | None = None) -> Tensor:
    """Elements below min become min, those above max become max."""
    least, most = (-math.inf if min is None else f32(min)), (math.inf if max is None else f32(max))
    if not least <= most:
        raise ValueError(f"min={min} above max={max}")
    return _qsdk.clamp.float(input, least, most)


def clamp_min(input: Tensor, min: float) -> Tensor:
    """Elements below min become min."""
    return clamp(input, min)


def clamp_max(input: Tensor, max: float) -> Tensor:
    """Elements above max become max."""
    return clamp(input, None, max)


def hardtanh(input: Tensor, min_val: float = -1, max_val: float = 1) -> Tensor:
    """clamp under another name."""
    return clamp(input, min_val, max_val)


def gelu(input: Tensor, *, approximate: str = "none") -> Tensor:
    """Gaussian error linear unit."""
    return _qsdk.gelu(input, approximate == "tanh")


def elu(input: Tensor, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Tensor:
    """x > 0 ? x : alpha * (exp(x) - 1)."""
    _only("scale", scale, 1)
    _only("input_scale", input_scale, 1)
    return _qsdk.elu(input, f32(alpha))


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x > 0 ? x : negative_slope * x."""
    return _qsdk.leaky_relu(input, f32(negative_slope))


def matmul(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices, or of two batches of them."""
    return _qsdk.matmul.float(input, mat2)


def matmul_and_add(bias: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """bias + mat1 @ mat2."""
    _only("beta", beta, 1)
    _only("alpha", alpha, 1)
    return add(matmul(mat1, mat2), bias)


def linear(input: Tensor, mat2: Tensor) -> Tensor:
    """input @ mat2, a constant."""
    return _qsdk.linear.float(input, mat2.t(), torch.zeros(mat2.shape[1]))


def linear_and_bias(bias: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """bias + mat1 @ mat2, both of these constants."""
    _only("beta", beta, 1)
    _only("alpha", alpha, 1)
    if bias.shape != mat2.shape[1:]:
        raise ValueError(f"a bias of shape {list(bias.shape)}")
    return _qsdk.linear.float(mat1, mat2.t(), bias)


def linear_of_vector(mat: Tensor, vec: Tensor) -> Tensor:
    """mat @ vec, mat a constant."""
    return _qsdk.linear.float(vec, mat, torch.zeros(mat.shape[0]))


def softmax(input: Tensor, dim: int, half_to_float: bool = False) -> Tensor:
    """exp(input) over its sum along dim, which becomes the last axis meanwhile."""
    last = input.dim() - 1
    if dim % input.dim() == last:
        return _qsdk.softmax.float(input, last)
    moved = input.transpose(dim, -1)
    return _qsdk.softmax.float(moved, last).transpose(dim, -1)


def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """Rows of the last axes to mean 0 and variance 1."""
    weight = torch.ones(list(normalized_shape)) if weight is None else weight
    bias = torch.zeros(list(normalized_shape)) if bias is None else bias
    return _qsdk.layer_norm.float(input, weight, bias, f32(eps))


def mean(input: Tensor, dim: Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over the axes dim, or over all."""
    _only("dtype", dtype, None, torch.float32)
    axes = sorted(d % input.dim() for d in dim) if dim else list(range(input.dim()))
    return _qsdk.mean.float(input, axes, keepdim)


def mean_of_all(input: Tensor, *, dtype: Any = None) -> Tensor:
    """The mean of all elements."""
    return mean(input, dtype=dtype)
