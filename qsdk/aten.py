"""PyTorch's operators on float32 tensors, as calls of qsdk's: what the `aten` column of the operator table holds.

Each function takes the arguments of the operators of torch.ops.aten that it stands for, and calls torch.ops.qsdk and
functions that only move elements. Where PyTorch adds up in an order of its own, results differ by rounding: the
definition is qsdk's. A ValueError says why a call has no counterpart.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from qsdk.errors import UnsupportedOperatorError
from qsdk.reference import ops as _reference_ops  # noqa: F401  (defines torch.ops.qsdk)
from qsdk.reference import volumes
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


def log_softmax(input: Tensor, dim: int, half_to_float: bool = False) -> Tensor:
    """input less the logarithm of the sum of exp(input) along dim."""
    below = sub(input, amax(input, [dim], True))
    return sub(below, _log(sum(_qsdk.exp(below), [dim], True), input.shape[dim]))


def _log(input: Tensor, most: int) -> Tensor:
    """Logarithms of numbers from 1 to `most`, as the roots of exp(y) = input by Halley's steps, to the
    precision of float32: each step leaves e - 2 tanh(e / 2) of an error e."""
    error = math.log(most) / 2
    result = torch.full_like(input, error)
    while error > 1e-9:
        power = _qsdk.exp(result)
        result = add(result, mul(div(sub(input, power), add(input, power)), 2.0))
        error -= 2 * math.tanh(error / 2)
    return result


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along dim, times the sigmoid of the second."""
    half = input.shape[dim] // 2
    first, second = input.split(half, dim)
    return mul(first, _qsdk.sigmoid(second))


def embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int = -1,
) -> Tensor:
    """Sums, means or maxima of as many rows of a float table for each bag, as a matrix of indices has them."""
    _only("padding_idx", padding_idx, -1)
    _only("include_last_offset", include_last_offset, False)
    bags = len(offsets)
    size = len(indices) // max(bags, 1)
    try:
        regular = size > 0 and offsets.tolist() == list(range(0, len(indices), size))
    except UnsupportedOperatorError:  # offsets that are known in a run alone
        regular = False
    if not regular:
        raise ValueError("bags of several sizes and a float table (give it a qconfig for embeddings)")
    rows = _qsdk.index_select(weight, 0, indices).reshape(bags, size, -1)
    if per_sample_weights is not None:
        rows = mul(rows, per_sample_weights.reshape(bags, size, 1))
    return (sum, mean, amax)[mode](rows, [1])


def index(input: Tensor, indices: Sequence[Tensor | None]) -> Tensor:
    """Elements of one axis, or of several axes side by side where the indices of these are constants."""
    axes = [axis for axis, at in enumerate(indices) if at is not None]
    given = [at for at in indices if at is not None]
    if any(at.dtype != torch.int64 for at in given):
        raise ValueError("indices that are not int64")
    if axes != list(range(axes[0], axes[-1] + 1)):
        raise ValueError("indices of axes apart")
    before, extents, behind = input.shape[: axes[0]], input.shape[axes[0] : axes[-1] + 1], input.shape[axes[-1] + 1 :]
    if len(given) > 1:
        try:
            given = list(torch.broadcast_tensors(*given))
            where = torch.zeros_like(given[0])
            for at, extent in zip(given, extents, strict=True):
                where = where * extent + at % extent
        except UnsupportedOperatorError as error:  # indices that are known in a run alone
            raise ValueError("indices of several axes that are not constants") from error
    else:
        where = given[0]
    rows = _qsdk.index_select(input.reshape(*before, -1, *behind), len(before), where.reshape(-1))
    result: Tensor = rows.reshape(*before, *where.shape, *behind)
    return result


def vector_norm(
    input: Tensor, ord: float = 2, dim: Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The sum of the magnitudes over the axes dim, or the root of that of the squares, or the largest magnitude."""
    _only("ord", ord, 1, 2, math.inf)
    if ord == 2:
        return _qsdk.sqrt(sum(mul(input, input), dim, keepdim, dtype=dtype))
    _only("dtype", dtype, None, torch.float32)
    return amax(_qsdk.abs(input), dim or (), keepdim) if ord == math.inf else sum(_qsdk.abs(input), dim, keepdim)


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
    return _qsdk.mean.float(input, _axes(input, dim), keepdim)


def _axes(input: Tensor, dim: Sequence[int] | None) -> list[int]:
    return sorted(d % input.dim() for d in dim) if dim else list(range(input.dim()))


def _kept(input: Tensor, axes: Sequence[int]) -> list[int]:
    return [axis for axis in range(input.dim()) if axis not in axes]


def _reduced(input: Tensor, axes: Sequence[int], keepdim: bool) -> list[int]:
    return [1 if axis in axes else extent for axis, extent in enumerate(input.shape) if keepdim or axis not in axes]


def sum(input: Tensor, dim: Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over the axes dim, or over all: a linear layer of ones, whose sums are row sums."""
    _only("dtype", dtype, None, torch.float32)
    axes = _axes(input, dim)
    kept = _kept(input, axes)
    rows = input.permute(*kept, *axes).reshape(*(input.shape[axis] for axis in kept), -1)
    ones = torch.ones(1, rows.shape[-1])
    return _qsdk.linear.float(rows, ones, torch.zeros(1)).reshape(_reduced(input, axes, keepdim))


def amax(input: Tensor, dim: Sequence[int] = (), keepdim: bool = False) -> Tensor:
    """The largest over the axes dim, or over all: one window, over an image that has these axes as its rows."""
    axes = _axes(input, dim)
    kept = _kept(input, axes)
    rows = math.prod(input.shape[axis] for axis in axes)
    image = input.permute(*axes, *kept).reshape(1, rows, 1, -1).permute(0, 3, 1, 2)
    whole = _qsdk.max_pool2d.float(image, [rows, 1], [1, 1], [0, 0], [1, 1], False)
    return whole.permute(0, 2, 3, 1).reshape(_reduced(input, axes, keepdim))


def amin(input: Tensor, dim: Sequence[int] = (), keepdim: bool = False) -> Tensor:
    """The smallest: what is largest of the negatives, without its sign."""
    return _qsdk.neg(amax(_qsdk.neg(input), dim, keepdim))


def mean_of_all(input: Tensor, *, dtype: Any = None) -> Tensor:
    """The mean of all elements."""
    return mean(input, dtype=dtype)


def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    """Convolutions over one to three axes, transposed or not; those over one have a height of 1."""
    if weight.dim() == 3:
        stride, padding, dilation, output_padding = [1, *stride], [0, *padding], [1, *dilation], [0, *output_padding]
        geometry = (stride, padding, dilation, transposed, output_padding, groups)
        return convolution(input.unsqueeze(2), weight.unsqueeze(2), bias, *geometry).squeeze(2)
    axes = weight.dim() - 2
    if transposed:  # PyTorch's weight is [I, O / groups, ...]
        weight = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    bias = torch.zeros(weight.shape[0]) if bias is None else bias
    if transposed:
        operator = (_qsdk.conv_transpose2d.float, _qsdk.conv_transpose3d.float)[axes - 2]
        return operator(input, weight, bias, stride, padding, output_padding, dilation, groups)
    operator = (_qsdk.conv2d.float, _qsdk.conv3d.float)[axes - 2]
    return operator(input, weight, bias, stride, [*padding, *padding], dilation, groups)


def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    *training_momentum_eps: Any,
) -> Tensor:
    """With the statistics that training has left: a factor and an offset for each channel. With those of one image, as
    instance norm has it, each channel is a group."""
    if len(training_momentum_eps) == 3 and training_momentum_eps[0] and input.shape[0] == 1:
        return group_norm(input, weight, bias, 1, input.shape[1], 0, input.shape[1], training_momentum_eps[-1])
    if running_mean is None or running_var is None or True in training_momentum_eps[:-2]:
        raise ValueError("statistics of the batch")
    factor = (torch.ones_like(running_var) if weight is None else weight).double()
    factor = factor / torch.sqrt(running_var.double() + training_momentum_eps[-1])
    offset = -running_mean.double() * factor + (0 if bias is None else bias.double())
    return _qsdk.batch_norm.float(input, factor.float(), offset.float())


def _planes(pool: Callable[..., Tensor], input: Tensor, *arguments: Any) -> Tensor:
    """A pool of images, or of one image without a batch."""
    return pool(input, *arguments) if input.dim() == 4 else pool(input.unsqueeze(0), *arguments).squeeze(0)


def _pair(value: Sequence[int]) -> list[int]:
    return [value[0], value[-1]]


def max_pool2d(
    input: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> Tensor:
    """The largest value under each window."""
    sizes = [_pair(v) for v in (kernel_size, stride or kernel_size, padding, dilation)]
    return _planes(_qsdk.max_pool2d.float, input, *sizes, ceil_mode)


def avg_pool2d(
    input: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean under each window."""
    sizes = [_pair(v) for v in (kernel_size, stride or kernel_size, padding)]
    return _planes(_qsdk.avg_pool2d.float, input, *sizes, ceil_mode, count_include_pad, divisor_override or 0)


def adaptive_avg_pool2d(input: Tensor, output_size: Sequence[int]) -> Tensor:
    """The mean of each of a given number of windows."""
    return _planes(_qsdk.adaptive_avg_pool2d.float, input, _pair(output_size))


def _volumes(pool: Callable[..., Tensor], input: Tensor, *arguments: Any) -> Tensor:
    return pool(input, *arguments) if input.dim() == 5 else pool(input.unsqueeze(0), *arguments).squeeze(0)


def _triple(value: Sequence[int]) -> list[int]:
    return list(value) if len(value) == 3 else [value[0]] * 3


def max_pool3d(
    input: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> Tensor:
    """The largest value under each window of three axes."""
    sizes = [_triple(v) for v in (kernel_size, stride or kernel_size, padding, dilation)]
    return _volumes(functools.partial(volumes.max_pool3d, _qsdk.max_pool2d.float), input, *sizes, ceil_mode)


def avg_pool3d(
    input: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean under each window of three axes; windows lie side by side."""
    _only("divisor_override", divisor_override, None)
    sizes = [_triple(v) for v in (kernel_size, stride or kernel_size, padding)]
    return _volumes(functools.partial(volumes.avg_pool3d, _qsdk.mean.float), input, *sizes, ceil_mode)


def adaptive_avg_pool3d(input: Tensor, output_size: Sequence[int]) -> Tensor:
    """The mean of each of a given number of windows of three axes."""
    return avg_pool3d(input, volumes.adaptive_kernel(input.shape[-3:], _triple(output_size)))


def group_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, n: int, c: int, positions: int, groups: int, eps: float
) -> Tensor:
    """Groups of channels to mean 0 and variance 1."""
    weight = torch.ones(c) if weight is None else weight
    bias = torch.zeros(c) if bias is None else bias
    return _qsdk.group_norm.float(input, weight, bias, groups, f32(eps))


def prelu(input: Tensor, slope: Tensor) -> Tensor:
    """x > 0 ? x : x * slope, one slope or one per channel; PyTorch gives it as many axes as the input has."""
    if input.dim() < 2:
        return prelu(input.unsqueeze(0), slope).squeeze(0)
    return _qsdk.prelu.float(input, slope.flatten().expand(input.shape[1]).contiguous())


def _upsampling_scales(
    input: Tensor, output_size: Sequence[int], scales_h: float | None, scales_w: float | None
) -> list[float]:
    given = zip((scales_h, scales_w), input.shape[2:], output_size, strict=True)
    return [f32(1 / factor) if factor else f32(has / wanted) for factor, has, wanted in given]


def upsample_nearest2d(
    input: Tensor, output_size: Sequence[int], scales_h: float | None = None, scales_w: float | None = None
) -> Tensor:
    """Images of another size: the nearest pixels."""
    return _qsdk.upsample_nearest2d(input, output_size, *_upsampling_scales(input, output_size, scales_h, scales_w))


def upsample_bilinear2d(
    input: Tensor,
    output_size: Sequence[int],
    align_corners: bool,
    scales_h: float | None = None,
    scales_w: float | None = None,
) -> Tensor:
    """Images of another size: along rows, then columns, each position is a sum of two, with constant weights."""
    result = input.permute(0, 2, 3, 1)
    scales = _upsampling_scales(input, output_size, scales_h, scales_w)
    for axis, has, wanted, scale in zip((1, 2), input.shape[2:], output_size, scales, strict=True):
        if align_corners:
            scale = f32((has - 1) / (wanted - 1)) if wanted > 1 else 1.0
        positions = torch.arange(wanted, dtype=torch.float32)
        at = positions * scale if align_corners else ((positions + 0.5) * scale - 0.5).clamp(min=0)
        at = at.clamp(max=has - 1)
        first = at.floor()
        weight = (at - first).reshape(-1, *[1] * (3 - axis))
        pair = (first, (first + 1).clamp(max=has - 1))
        near, far = (_qsdk.index_select(result, axis, index.to(torch.int64)) for index in pair)
        result = add(mul(near, 1 - weight), mul(far, weight))
    return result.permute(0, 3, 1, 2)
