"""Long short-term memory on quantized tensors: rule 21."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from qsdk.dispatch import call
from qsdk.nn.quantized.functional.common import constant, need_qtensor
from qsdk.nn.quantized.functional.elementwise import table_of
from qsdk.qtensor import QParams, QTensor
from qsdk.reference import constants

Matrix = tuple[Tensor, Tensor, Tensor]  # weight int8, bias int32, multiplier float32


def lstm(
    input: QTensor,
    hidden: QTensor,
    cell: QTensor,
    of_input: Matrix,
    of_hidden: Matrix,
    values: Sequence[QParams],
    reverse: bool = False,
    name: str = "",
) -> tuple[QTensor, QTensor, QTensor]:
    """One layer in one direction: [T, N, I] and states [N, H] to the output [T, N, H] and the new states.

    Args:
        values: parameters of the linear layers' outputs (of input, of hidden), the gates' sum, sigmoid's and tanh's
            output, both products that the new cell state is the sum of, and tanh's output of that
        name: of the layer, for messages
    """
    x, h, gates, sigmoid, tanh, kept, added, squashed = values
    a, b, c = (need_qtensor(value, "lstm", name) for value in (input, hidden, cell))
    hq, cq = b.qparams, c.qparams
    tables = [
        table_of(function, source, output, name).to(input.device)
        for function, source, output in (
            (torch.sigmoid, gates, sigmoid),
            (torch.tanh, gates, tanh),
            (torch.tanh, cq, squashed),
        )
    ]
    multipliers = [
        constant(constants.rescale, x.scale, gates.scale, name=name),
        constant(constants.rescale, h.scale, gates.scale, name=name),
        constant(constants.product_multiplier, sigmoid.scale, cq.scale, kept.scale, name=name),
        constant(constants.product_multiplier, sigmoid.scale, tanh.scale, added.scale, name=name),
        constant(constants.rescale, kept.scale, cq.scale, name=name),
        constant(constants.rescale, added.scale, cq.scale, name=name),
        constant(constants.product_multiplier, sigmoid.scale, squashed.scale, hq.scale, name=name),
    ]
    ranged = (x, h, gates, kept, added, cq, hq)
    output, last_hidden, last_cell = call(
        torch.ops.qsdk.lstm.default,
        *(a.storage, b.storage, c.storage),
        *of_input,
        *of_hidden,
        *tables,
        reverse,
        [int(q.device_zero_point) for q in (x, h, gates, kept, added, sigmoid, tanh, squashed)],
        [q.device_min for q in ranged],
        [q.device_max for q in ranged],
        multipliers,
        int(a.qparams.device_zero_point),
        hq.scale,
        int(hq.device_zero_point),
        cq.scale,
        int(cq.device_zero_point),
    )
    return QTensor(output, hq), QTensor(last_hidden, hq), QTensor(last_cell, cq)
