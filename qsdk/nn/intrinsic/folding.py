"""Batch norm by running statistics, folded into the layer before it: one formula for every kind of layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def _inverse_deviation(norm: Any) -> Tensor:
    result: Tensor = 1.0 / torch.sqrt(norm.running_var + norm.eps)
    return result


def norm_factor(norm: Any) -> Tensor:
    """What batch norm multiplies each channel by: gamma / sqrt(running_var + eps), [C]."""
    inverse = _inverse_deviation(norm)
    return inverse if norm.weight is None else norm.weight * inverse


def scaled_weight(layer: Any, factor: Tensor) -> Tensor:
    """The weight of a linear layer, convolution or transposed convolution, its output channels times factor [C]."""
    weight: Tensor = layer.weight
    ones = [1] * (weight.dim() - 2)
    if getattr(layer, "transposed", False):  # [I, O/groups, ...]: a group of inputs has the outputs of its own group
        inputs, groups = weight.shape[0], layer.groups
        factor = factor.reshape(groups, 1, -1).expand(groups, inputs // groups, -1).reshape(inputs, -1, *ones)
    else:
        factor = factor.reshape(-1, 1, *ones)
    return (weight * factor).to(weight.dtype)


def fold(layer: Any, norm: Any) -> tuple[Tensor, Tensor]:
    """Weight and bias of the layer that does what `layer`, then batch norm by its running statistics, do."""
    offset = -norm.running_mean if layer.bias is None else layer.bias - norm.running_mean
    bias = offset * _inverse_deviation(norm)
    if norm.weight is not None:
        bias = bias * norm.weight
    if norm.bias is not None:
        bias = bias + norm.bias
    return scaled_weight(layer, norm_factor(norm)), bias.to(layer.weight.dtype)
