"""Long short-term memory on int8, one layer in one direction, each value with parameters of its own. Rule 21.

    x = linear(input), h = linear(hidden), gates = x + h: i, f, g, o, of H values each
    i, f, o = sigmoid_table[.], g = tanh_table[g]
    kept = f * cell, added = i * g, cell = kept + added, hidden = o * cell_table[cell]

Each step is the operator of that name: linear (rule 3), add (4), lookup_table (6), mul (5). zero_point has those of x,
h, gates, kept, added, and of what the three tables give; output_min and output_max those of x, h, gates, kept, added,
cell, hidden; multiplier the factors of x and h in gates, of kept, of added, of kept and added in cell, and of hidden.
`reverse` runs from the last step to the first.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from qsdk.reference.conv import linear
from qsdk.reference.elementwise import add, lookup_table, mul
from qsdk.reference.registry import fake, operator


@operator(
    "(Tensor input, Tensor hidden, Tensor cell, Tensor weight_ih, Tensor bias_ih, Tensor multiplier_ih, "
    "Tensor weight_hh, Tensor bias_hh, Tensor multiplier_hh, Tensor sigmoid_table, Tensor tanh_table, "
    "Tensor cell_table, bool reverse, int[] zero_point, int[] output_min, int[] output_max, float[] multiplier, "
    "int input_zero_point, float hidden_scale, int hidden_zero_point, float cell_scale, int cell_zero_point) "
    "-> (Tensor, Tensor, Tensor)"
)
def lstm(
    input: Tensor,
    hidden: Tensor,
    cell: Tensor,
    weight_ih: Tensor,
    bias_ih: Tensor,
    multiplier_ih: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor,
    multiplier_hh: Tensor,
    sigmoid_table: Tensor,
    tanh_table: Tensor,
    cell_table: Tensor,
    reverse: bool,
    zero_point: Sequence[int],
    output_min: Sequence[int],
    output_max: Sequence[int],
    multiplier: Sequence[float],
    input_zero_point: int,
    hidden_scale: float,
    hidden_zero_point: int,
    cell_scale: float,
    cell_zero_point: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """input int8 [T,N,I]; hidden and cell int8 [N,H]. Returns output [T,N,H], hidden and cell [N,H]."""
    zx, zh, zgates, zkept, zadded, zsigmoid, ztanh, zcell = zero_point
    tails = list(
        zip((zx, zh, zgates, zkept, zadded, cell_zero_point, hidden_zero_point), output_min, output_max, strict=True)
    )
    gates = linear(input, weight_ih, bias_ih, multiplier_ih, input_zero_point, 1.0, *tails[0])
    output = [hidden] * len(input)
    for t in reversed(range(len(input))) if reverse else range(len(input)):
        gh = linear(hidden, weight_hh, bias_hh, multiplier_hh, hidden_zero_point, 1.0, *tails[1])
        i, f, g, o = add(gates[t], gh, multiplier[0], multiplier[1], zx, zh, 1.0, *tails[2]).chunk(4, -1)
        i, f, o = (lookup_table(gate, sigmoid_table, 1.0, zsigmoid) for gate in (i, f, o))
        g = lookup_table(g, tanh_table, 1.0, ztanh)
        kept = mul(f, cell, multiplier[2], zsigmoid, cell_zero_point, 1.0, *tails[3])
        added = mul(i, g, multiplier[3], zsigmoid, ztanh, 1.0, *tails[4])
        cell = add(kept, added, multiplier[4], multiplier[5], zkept, zadded, 1.0, *tails[5])
        squashed = lookup_table(cell, cell_table, 1.0, zcell)
        hidden = mul(o, squashed, multiplier[6], zsigmoid, zcell, 1.0, *tails[6])
        output[t] = hidden
    return torch.stack(output) if output else input.new_empty((0, *hidden.shape)), hidden.clone(), cell.clone()


@fake("lstm")
def _(input: Tensor, hidden: Tensor, cell: Tensor, *constants: object) -> tuple[Tensor, Tensor, Tensor]:
    output = input.new_empty([input.shape[0], *hidden.shape], dtype=torch.int8)
    return output, hidden.new_empty(hidden.shape), cell.new_empty(cell.shape)
