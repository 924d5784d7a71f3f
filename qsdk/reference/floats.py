"""Float operators between those that quantize inside: rule 11. Float32 in and out; every NaN is 0x7fc00000."""

import torch
from torch import Tensor

from qsdk.reference import functions
from qsdk.reference.functions import canonical
from qsdk.reference.registry import fake, operator


@operator("(Tensor input) -> Tensor")
def relu(input: Tensor) -> Tensor:
    """x > 0 ? x : 0; so of NaN it is 0, and -0 becomes 0."""
    return torch.where(input > 0, input, torch.zeros_like(input))


@operator("(Tensor input) -> Tensor")
def sigmoid(input: Tensor) -> Tensor:
    """functions.sigmoid of each element."""
    return functions.sigmoid(input)


@operator("(Tensor input) -> Tensor")
def tanh(input: Tensor) -> Tensor:
    """functions.tanh of each element."""
    return functions.tanh(input)


@operator("(Tensor input, Tensor other) -> Tensor")
def add_float(input: Tensor, other: Tensor) -> Tensor:
    """f32(input + other), shapes broadcast."""
    return canonical(input + other)


@fake("relu")
@fake("sigmoid")
@fake("tanh")
def _(input: Tensor) -> Tensor:
    return torch.empty_like(input)


@fake("add_float")
def _(input: Tensor, other: Tensor) -> Tensor:
    return input.new_empty(torch.broadcast_shapes(input.shape, other.shape))
