"""Float in, float out, int8 weights: linear, convolutions (rule 10) and recurrent layers (rule 18).

Weights come as (weight int8 [O, ...], weight_scale float32 [O], bias float32 [O]). Results have the input's dtype.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from qsdk.dispatch import call
from qsdk.errors import QuantizationError
from qsdk.qtensor import QTensor, calling_module

Weights = tuple[Tensor, Tensor, Tensor]


def need_float(value: Any, what: str) -> Tensor:
    """`value`, if it is a float tensor; without its gradient, because integers have none.

    Raises:
        QuantizationError: it is not; names the layer, and DeQuantStub for quantized tensors.
    """
    if isinstance(value, QTensor):
        raise QuantizationError(
            f"{what} got a quantized tensor{calling_module()}, but quantizes float tensors itself; insert a "
            "DeQuantStub before it"
        )
    if not isinstance(value, Tensor) or not value.is_floating_point():
        kind = f"a {value.dtype} tensor" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise QuantizationError(f"{what} got {kind}{calling_module()}, but takes float tensors")
    return value.detach() if value.requires_grad else value


def linear_dynamic(input: Tensor, weights: Weights, per_token: bool = False, relu: bool = False) -> Tensor:
    """[..., K] to [..., O]; per_token: quantized by rows of the last axis, not as a whole."""
    input = need_float(input, "linear")
    if input.dim() < 1 or input.shape[-1] != weights[0].shape[1]:
        raise QuantizationError(
            f"linear got shape {list(input.shape)}{calling_module()}, but its weights take {weights[0].shape[1]} "
            "features"
        )
    result: Tensor = call(torch.ops.qsdk.linear_dynamic.default, input, *weights, per_token, relu)
    return result.to(input.dtype)


def conv_dynamic(
    input: Tensor,
    weights: Weights,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """In two or three axes, by the rank of the weight; padding: the begin of each axis, then the end of each."""
    operator = (torch.ops.qsdk.conv2d_dynamic, torch.ops.qsdk.conv3d_dynamic)[weights[0].dim() - 4].default
    return _convolve(operator, input, weights, (list(stride), list(padding), list(dilation)), groups)


def conv_transpose_dynamic(
    input: Tensor,
    weights: Weights,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """In two or three axes, by the rank of the weight [O, I/groups, ...]; padding is one per axis."""
    operators = (torch.ops.qsdk.conv_transpose2d_dynamic, torch.ops.qsdk.conv_transpose3d_dynamic)
    geometry = (list(stride), list(padding), list(output_padding), list(dilation))
    return _convolve(operators[weights[0].dim() - 4].default, input, weights, geometry, groups)


def _convolve(operator: Any, input: Tensor, weights: Weights, geometry: tuple[Any, ...], groups: int) -> Tensor:
    name = operator._schema.name.removeprefix("qsdk::")
    input = need_float(input, name)
    weight = weights[0]
    if input.dim() != weight.dim() or input.shape[1] != weight.shape[1] * groups:
        raise QuantizationError(
            f"{name} got shape {list(input.shape)}{calling_module()}, but takes batches of {weight.shape[1] * groups} "
            "channels; add a batch axis of 1 if that is what is missing"
        )
    result: Tensor = call(operator, input, *weights, *geometry, groups)
    return result.to(input.dtype)


def rnn_dynamic(
    input: Tensor,
    state: tuple[Tensor, ...],
    of_input: Weights,
    of_hidden: Weights,
    relu: bool = False,
    reverse: bool = False,
    per_step: bool = False,
) -> tuple[Tensor, ...]:
    """input [T, N, I], state ([N, H],). Returns output [T, N, H] and the state; rule 18."""
    return _recur(torch.ops.qsdk.rnn_dynamic.default, input, state, of_input, of_hidden, relu, reverse, per_step)


def lstm_dynamic(
    input: Tensor,
    state: tuple[Tensor, ...],
    of_input: Weights,
    of_hidden: Weights,
    reverse: bool = False,
    per_step: bool = False,
) -> tuple[Tensor, ...]:
    """input [T, N, I], state: hidden and cell [N, H]. Returns output [T, N, H] and the state; rule 18."""
    return _recur(torch.ops.qsdk.lstm_dynamic.default, input, state, of_input, of_hidden, reverse, per_step)


def gru_dynamic(
    input: Tensor,
    state: tuple[Tensor, ...],
    of_input: Weights,
    of_hidden: Weights,
    reverse: bool = False,
    per_step: bool = False,
) -> tuple[Tensor, ...]:
    """input [T, N, I], state ([N, H],). Returns output [T, N, H] and the state; rule 18."""
    return _recur(torch.ops.qsdk.gru_dynamic.default, input, state, of_input, of_hidden, reverse, per_step)


def _recur(
    operator: Any,
    input: Tensor,
    state: tuple[Tensor, ...],
    of_input: Weights,
    of_hidden: Weights,
    *options: bool,
) -> tuple[Tensor, ...]:
    name = operator._schema.name.removeprefix("qsdk::")
    input = need_float(input, name)
    state = tuple(need_float(part, f"{name}, state") for part in state)
    results = call(operator, input, *state, *of_input, *of_hidden, *options)
    return tuple(result.to(input.dtype) for result in results)
