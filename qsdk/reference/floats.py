"""Elementwise operators on float32: rule 11. Every NaN they write is 0x7fc00000.

An operator that int8 tensors have as well is an overload of the same name: torch.ops.qsdk.add.float.
"""

from typing import Any

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


@operator("(Tensor input) -> Tensor")
def exp(input: Tensor) -> Tensor:
    """functions.exp of each element."""
    return functions.exp(input)


@operator("(Tensor input) -> Tensor")
def neg(input: Tensor) -> Tensor:
    """-x; its sign bit alone changes."""
    return canonical(-input)


@operator("(Tensor input) -> Tensor")
def abs(input: Tensor) -> Tensor:
    """|x|: the sign bit is cleared."""
    return canonical(input.abs())


@operator("(Tensor input) -> Tensor")
def sqrt(input: Tensor) -> Tensor:
    """The square root, correctly rounded; NaN below 0; of -0 it is -0."""
    return canonical(functions.sqrt(input))


@operator("(Tensor input) -> Tensor")
def rsqrt(input: Tensor) -> Tensor:
    """f32(1 / f32(sqrt(x)))."""
    return canonical(torch.ones_like(input) / functions.sqrt(input))


@operator("(Tensor input) -> Tensor")
def silu(input: Tensor) -> Tensor:
    """functions.silu of each element."""
    return functions.silu(input)


@operator("(Tensor input) -> Tensor")
def hardsigmoid(input: Tensor) -> Tensor:
    """functions.hardsigmoid of each element."""
    return functions.hardsigmoid(input)


@operator("(Tensor input) -> Tensor")
def hardswish(input: Tensor) -> Tensor:
    """functions.hardswish of each element."""
    return functions.hardswish(input)


@operator("(Tensor input, bool approximate) -> Tensor")
def gelu(input: Tensor, approximate: bool) -> Tensor:
    """functions.gelu of each element, or functions.gelu_tanh, the approximation."""
    return functions.gelu_tanh(input) if approximate else functions.gelu(input)


@operator("(Tensor input, float alpha) -> Tensor")
def elu(input: Tensor, alpha: float) -> Tensor:
    """functions.elu of each element."""
    return functions.elu(input, alpha)


@operator("(Tensor input, float negative_slope) -> Tensor")
def leaky_relu(input: Tensor, negative_slope: float) -> Tensor:
    """functions.leaky_relu of each element."""
    return functions.leaky_relu(input, negative_slope)


@operator("(Tensor input, float min, float max) -> Tensor", "clamp.float")
def clamp_float(input: Tensor, min: float, max: float) -> Tensor:
    """x < min ? min : x > max ? max : x; so NaN stays NaN. min <= max; either may be infinite."""
    least, most = (torch.full_like(input, value) for value in (min, max))
    return canonical(torch.where(input < least, least, torch.where(input > most, most, input)))


@operator("(Tensor input, Tensor other) -> Tensor", "add.float")
def add_float(input: Tensor, other: Tensor) -> Tensor:
    """f32(input + other), shapes broadcast."""
    return canonical(input + other)


@operator("(Tensor input, Tensor other) -> Tensor", "sub.float")
def sub_float(input: Tensor, other: Tensor) -> Tensor:
    """f32(input - other), shapes broadcast."""
    return canonical(input - other)


@operator("(Tensor input, Tensor other) -> Tensor", "mul.float")
def mul_float(input: Tensor, other: Tensor) -> Tensor:
    """f32(input * other), shapes broadcast."""
    return canonical(input * other)


@operator("(Tensor input, Tensor other) -> Tensor")
def div(input: Tensor, other: Tensor) -> Tensor:
    """f32(input / other), shapes broadcast."""
    return canonical(input / other)


@operator("(Tensor input, Tensor other) -> Tensor", "maximum.float")
def maximum_float(input: Tensor, other: Tensor) -> Tensor:
    """input > other ? input : other, shapes broadcast; so NaN is left where other has it."""
    return canonical(torch.where(input > other, input, other))


@operator("(Tensor input, Tensor other) -> Tensor", "minimum.float")
def minimum_float(input: Tensor, other: Tensor) -> Tensor:
    """input < other ? input : other, shapes broadcast; so NaN is left where other has it."""
    return canonical(torch.where(input < other, input, other))


UNARY = (
    *("relu", "sigmoid", "tanh", "exp", "neg", "abs", "sqrt", "rsqrt", "silu", "hardsigmoid", "hardswish"),
    *("gelu", "elu", "leaky_relu", "clamp.float"),
)
BINARY = ("add.float", "sub.float", "mul.float", "div", "maximum.float", "minimum.float")


def _like(input: Tensor, *_: Any) -> Tensor:
    return input.new_empty(input.shape)


def _broadcast(input: Tensor, other: Tensor) -> Tensor:
    return input.new_empty(torch.broadcast_shapes(input.shape, other.shape))


for _name in UNARY:
    fake(_name)(_like)
for _name in BINARY:
    fake(_name)(_broadcast)
