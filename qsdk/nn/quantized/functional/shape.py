"""Functions that move integers and keep their parameters: rule 7."""

from __future__ import annotations

import math
from typing import Any

import torch

from qsdk.dispatch import call
from qsdk.errors import QuantizationError
from qsdk.nn.quantized.functional.common import axis_of, ints
from qsdk.qtensor import QTensor, calling_module


def reshape(input: QTensor, *shape: Any) -> QTensor:
    """The same values in row-major order under another shape; one extent may be -1."""
    extents = ints(shape)
    if extents.count(-1) == 1:
        known = math.prod(e for e in extents if e != -1)
        if known and input.numel() % known == 0:
            extents[extents.index(-1)] = input.numel() // known
    if math.prod(extents) != input.numel() or any(e < 0 for e in extents):
        raise QuantizationError(f"shape {list(input.shape)} cannot become {ints(shape)}{calling_module()}")
    if input.qparams.per_channel:
        raise QuantizationError(f"reshape of a tensor quantized per channel{calling_module()}; dequantize it first")
    return QTensor(call(torch.ops.qsdk.reshape.default, input.storage, extents), input.qparams)


def flatten(input: QTensor, start_dim: int = 0, end_dim: int = -1) -> QTensor:
    """Join the axes start_dim..end_dim into one."""
    rank = input.dim()
    if rank == 0:
        return reshape(input, 1)
    start, end = axis_of(start_dim, rank), axis_of(end_dim, rank)
    shape = list(input.shape)
    return reshape(input, [*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]])


def unflatten(input: QTensor, dim: int, sizes: Any) -> QTensor:
    """Split axis dim into `sizes`, one of which may be -1."""
    axis = axis_of(dim, input.dim())
    extents = [int(s) for s in sizes]
    if -1 in extents:
        known = math.prod(e for e in extents if e != -1)
        extents[extents.index(-1)] = input.shape[axis] // known if known else 0
    return reshape(input, [*input.shape[:axis], *extents, *input.shape[axis + 1 :]])


def reshape_as(input: QTensor, other: Any) -> QTensor:
    """The same values in the shape of another tensor."""
    return reshape(input, list(other.shape))


def squeeze(input: QTensor, *dim: Any) -> QTensor:
    """Drop axes of extent 1: all, or those named."""
    axes = [axis_of(d, input.dim()) for d in ints(dim)] if dim else range(input.dim())
    return reshape(input, [e for axis, e in enumerate(input.shape) if e != 1 or axis not in axes])


def unsqueeze(input: QTensor, dim: int) -> QTensor:
    """Insert an axis of extent 1."""
    axis = axis_of(dim, input.dim() + 1)
    return reshape(input, [*input.shape[:axis], 1, *input.shape[axis:]])


def clone(input: QTensor, memory_format: Any = None) -> QTensor:
    """A copy. An operator like any other, so that captures keep track of the tensor."""
    if input.qparams.per_channel or input.storage.dtype != torch.int8:
        return QTensor(input.storage.clone(), input.qparams)
    return reshape(input, list(input.shape))


def permute(input: QTensor, *dims: Any) -> QTensor:
    """Reorder the axes: output.shape[i] = input.shape[dims[i]]."""
    axes = [axis_of(d, input.dim()) for d in ints(dims)]
    if sorted(axes) != list(range(input.dim())):
        raise QuantizationError(f"permute({ints(dims)}) of a tensor with {input.dim()} axes{calling_module()}")
    qparams = input.qparams
    if qparams.ch_axis is not None:
        raise QuantizationError(f"permute of a tensor quantized per channel{calling_module()}; dequantize it first")
    return QTensor(call(torch.ops.qsdk.permute.default, input.storage, axes), qparams)


def transpose(input: QTensor, dim0: int, dim1: int) -> QTensor:
    """Swap two axes."""
    axes = list(range(input.dim()))
    first, second = axis_of(dim0, input.dim()), axis_of(dim1, input.dim())
    axes[first], axes[second] = axes[second], axes[first]
    return permute(input, axes)


def t(input: QTensor) -> QTensor:
    """Swap the axes of a matrix; a vector as it is."""
    if input.dim() > 2:
        raise QuantizationError(f"t of a tensor with {input.dim()} axes{calling_module()}; name two in transpose")
    return permute(input, list(reversed(range(input.dim()))))


def movedim(input: QTensor, source: Any, destination: Any) -> QTensor:
    """Move axes to other places; those not named keep their order."""
    rank = input.dim()
    sources, destinations = ([axis_of(d, rank) for d in ints((dims,))] for dims in (source, destination))
    axes = [axis for axis in range(rank) if axis not in sources]
    for place, axis in sorted(zip(destinations, sources, strict=True)):
        axes.insert(place, axis)
    return permute(input, axes)


def dropout(input: QTensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> QTensor:
    """Itself; dropout only acts in training, which quantized tensors do not take part in."""
    if training:
        raise QuantizationError(f"dropout in training mode{calling_module()} on a quantized tensor; call eval()")
    return input
