"""Gated recurrent units on quantized tensors: rule 21."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from qsdk.dispatch import call
from qsdk.nn.quantized.functional.common import constant, need_qtensor
from qsdk.nn.quantized.functional.elementwise import table_of
from qsdk.nn.quantized.functional.lstm import Matrix
from qsdk.qtensor import QParams, QTensor
from qsdk.reference import constants


def keep_gate(gate: Tensor) -> Tensor:
    """1 - sigmoid(gate)."""
    return torch.sigmoid(-gate)


def gru(
    input: QTensor,
    hidden: QTensor,
    of_input: Matrix,
    of_hidden: Matrix,
    values: Sequence[QParams],
    reverse: bool = False,
    name: str = "",
) -> tuple[QTensor, QTensor]:
    """One layer in one direction: [T, N, I] and the state [N, H] to the output [T, N, H] and the new state.

    Args:
        values: parameters of the linear layers' outputs (of input, of hidden), the sum of gates r and z, sigmoid's
            outputs (r, z and 1 - z), the product of r and what the hidden state gives n, the sum that tanh takes,
            tanh's output, and both products that the new state is the sum of
        name: of the layer, for messages
    """
    x, h, gates, reset, update, keep, scaled, new, tanh, kept, added = values
    a, b = (need_qtensor(value, "gru", name) for value in (input, hidden))
    state = b.qparams
    tables = [
        table_of(function, source, output, name).to(input.device)
        for function, source, output in (
            (torch.sigmoid, gates, reset),
            (torch.sigmoid, gates, update),
            (keep_gate, gates, keep),
            (torch.tanh, new, tanh),
        )
    ]
    multipliers = [
        constant(constants.rescale, x.scale, gates.scale, name=name),
        constant(constants.rescale, h.scale, gates.scale, name=name),
        constant(constants.product_multiplier, reset.scale, h.scale, scaled.scale, name=name),
        constant(constants.rescale, x.scale, new.scale, name=name),
        constant(constants.rescale, scaled.scale, new.scale, name=name),
        constant(constants.product_multiplier, update.scale, state.scale, kept.scale, name=name),
        constant(constants.product_multiplier, keep.scale, tanh.scale, added.scale, name=name),
        constant(constants.rescale, kept.scale, state.scale, name=name),
        constant(constants.rescale, added.scale, state.scale, name=name),
    ]
    ranged = (x, h, gates, scaled, new, kept, added, state)
    output, last = call(
        torch.ops.qsdk.gru.default,
        *(a.storage, b.storage),
        *of_input,
        *of_hidden,
        *tables,
        reverse,
        [int(q.device_zero_point) for q in (*ranged[:-1], reset, update, keep, tanh)],
        [q.device_min for q in ranged],
        [q.device_max for q in ranged],
        multipliers,
        int(a.qparams.device_zero_point),
        state.scale,
        int(state.device_zero_point),
    )
    return QTensor(output, state), QTensor(last, state)
