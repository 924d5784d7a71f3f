"""Operators that move integers and leave them as they are: cat, reshape, permute, slice. Rule 7."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qsdk.reference.registry import fake, operator


@operator("(Tensor[] inputs, int dim) -> Tensor")
def cat(inputs: Sequence[Tensor], dim: int) -> Tensor:
    """Join tensors of equal qparams along dim (0 <= dim)."""
    # One input alone would come back as itself; an operator's result is never its operand.
    return torch.cat(list(inputs), dim).clone(memory_format=torch.contiguous_format)


@fake("cat")
def _(inputs: Sequence[Tensor], dim: int) -> Tensor:
    shape = list(inputs[0].shape)
    shape[dim] = sum(item.shape[dim] for item in inputs)
    return inputs[0].new_empty(shape)


@operator("(Tensor input, int[] shape) -> Tensor")
def reshape(input: Tensor, shape: Sequence[int]) -> Tensor:
    """The same values in the same row-major order; shape has no -1."""
    return input.reshape(list(shape)).clone(memory_format=torch.contiguous_format)


@fake("reshape")
def _(input: Tensor, shape: Sequence[int]) -> Tensor:
    return input.new_empty(list(shape))


@operator("(Tensor input, int[] dims) -> Tensor")
def permute(input: Tensor, dims: Sequence[int]) -> Tensor:
    """output.shape[i] = input.shape[dims[i]], every dim >= 0."""
    return input.permute(list(dims)).clone(memory_format=torch.contiguous_format)


@fake("permute")
def _(input: Tensor, dims: Sequence[int]) -> Tensor:
    return input.new_empty([input.shape[dim] for dim in dims])


@operator("(Tensor input, int[] shape, int[] start, int[] step) -> Tensor")
def slice(input: Tensor, shape: Sequence[int], start: Sequence[int], step: Sequence[int]) -> Tensor:
    """output[i] = input[start + i * step] along every axis, 0 <= i < shape; a step may be 0 or negative.

    Raises:
        ValueError: a position lies outside of the input.
    """
    _check_positions(input, shape, start, step)
    result = input
    for axis, (extent, first, distance) in enumerate(zip(shape, start, step, strict=True)):
        if (extent, first, distance) != (input.shape[axis], 0, 1):
            positions = first + distance * torch.arange(extent, device=input.device)
            result = result.index_select(axis, positions)
    return result.clone(memory_format=torch.contiguous_format)


@fake("slice")
def _(input: Tensor, shape: Sequence[int], start: Sequence[int], step: Sequence[int]) -> Tensor:
    _check_positions(input, shape, start, step)
    return input.new_empty(list(shape))


def _check_positions(input: Tensor, shape: Sequence[int], start: Sequence[int], step: Sequence[int]) -> None:
    for axis, (has, extent, first, distance) in enumerate(zip(input.shape, shape, start, step, strict=True)):
        last = first + (extent - 1) * distance
        if extent < 1 or not 0 <= first < has or not 0 <= last < has:
            raise ValueError(f"positions {first}..{last} along axis {axis}, which has {has}")
