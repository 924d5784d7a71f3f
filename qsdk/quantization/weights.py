"""Weights as they are after quantization, still in float: for passes and studies on float models."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from qsdk.nn.quantized.base import place_of, quantized_weight
from qsdk.nn.quantized.conv import by_output_channel


def weighted_part(module: nn.Module) -> nn.Module | None:
    """The convolution or linear layer that a float or fused module is or begins with; None if there is none."""
    first: Any = module[0] if isinstance(module, nn.Sequential) and len(module) > 0 else module
    return first if isinstance(first, (nn.Linear, _ConvNd)) else None


def quantized_and_back(module: nn.Module, part: Any) -> Tensor:
    """The weight of `part` rounded to what convert would store, as float, in the layer's own layout.

    Args:
        module: has the qconfig
        part: its weighted_part

    Raises:
        QuantizationError: the weights cannot be quantized as the qconfig says; names the layer.
    """
    is_conv = isinstance(part, _ConvNd)
    weight = by_output_channel(part, part.weight) if is_conv else part.weight
    values, scales = quantized_weight(module, weight, place_of(module))
    rounded = values.to(scales.dtype) * scales.reshape(-1, *[1] * (weight.dim() - 1))
    if not (is_conv and part.transposed):
        return rounded
    # [O, I/groups, ...] back to a transposed convolution's [I, O/groups, ...]
    outputs, inputs, *kernel = rounded.shape
    grouped = rounded.reshape(part.groups, outputs // part.groups, inputs, *kernel).transpose(1, 2)
    return grouped.reshape(part.weight.shape)
