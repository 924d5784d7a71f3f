"""Gated recurrent units on int8, one layer in one direction, each value with parameters of its own. Rule 21.

    x = linear(input), h = linear(hidden): r, z, n, of H values each; gates = x + h of r and z
    r = reset_table[r], k = keep_table[z], z = update_table[z]
    scaled = r * h_n, new = x_n + scaled, kept = z * hidden, added = k * new_table[new], hidden = kept + added

Each step is the operator of that name: linear (rule 3), add (4), lookup_table (6), mul (5). zero_point has those of x,
h, gates, scaled, new, kept, added, and of what the four tables give; output_min and output_max those of x, h, gates,
scaled, new, kept, added, hidden; multiplier the factors of x and h in gates, of scaled, of x and scaled in new, of
kept, of added, and of kept and added in hidden. `reverse` runs from the last step to the first.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from qsdk.reference.conv import linear
from qsdk.reference.elementwise import add, lookup_table, mul
from qsdk.reference.registry import fake, operator


@operator(
    "(Tensor input, Tensor hidden, Tensor weight_ih, Tensor bias_ih, Tensor multiplier_ih, Tensor weight_hh, "
    "Tensor bias_hh, Tensor multiplier_hh, Tensor reset_table, Tensor update_table, Tensor keep_table, "
    "Tensor new_table, bool reverse, int[] zero_point, int[] output_min, int[] output_max, float[] multiplier, "
    "int input_zero_point, float hidden_scale, int hidden_zero_point) -> (Tensor, Tensor)"
)
def gru(
    input: Tensor,
    hidden: Tensor,
    weight_ih: Tensor,
    bias_ih: Tensor,
    multiplier_ih: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor,
    multiplier_hh: Tensor,
    reset_table: Tensor,
    update_table: Tensor,
    keep_table: Tensor,
    new_table: Tensor,
    reverse: bool,
    zero_point: Sequence[int],
    output_min: Sequence[int],
    output_max: Sequence[int],
    multiplier: Sequence[float],
    input_zero_point: int,
    hidden_scale: float,
    hidden_zero_point: int,
) -> tuple[Tensor, Tensor]:
    """input int8 [T,N,I]; hidden int8 [N,H]. Returns output [T,N,H] and hidden [N,H]."""
    zx, zh, _, zscaled, _, zkept, zadded, zreset, zupdate, zkeep, znew = zero_point
    tails = list(zip((*zero_point[:7], hidden_zero_point), output_min, output_max, strict=True))
    of_input = linear(input, weight_ih, bias_ih, multiplier_ih, input_zero_point, 1.0, *tails[0])
    width = 2 * hidden.shape[-1]
    output = [hidden] * len(input)
    for t in reversed(range(len(input))) if reverse else range(len(input)):
        gx, gh = of_input[t], linear(hidden, weight_hh, bias_hh, multiplier_hh, hidden_zero_point, 1.0, *tails[1])
        gates = add(gx[:, :width], gh[:, :width], multiplier[0], multiplier[1], zx, zh, 1.0, *tails[2])
        r, z = gates.chunk(2, -1)
        r, k = lookup_table(r, reset_table, 1.0, zreset), lookup_table(z, keep_table, 1.0, zkeep)
        z = lookup_table(z, update_table, 1.0, zupdate)
        scaled = mul(r, gh[:, width:], multiplier[2], zreset, zh, 1.0, *tails[3])
        new = add(gx[:, width:], scaled, multiplier[3], multiplier[4], zx, zscaled, 1.0, *tails[4])
        kept = mul(z, hidden, multiplier[5], zupdate, hidden_zero_point, 1.0, *tails[5])
        added = mul(k, lookup_table(new, new_table, 1.0, znew), multiplier[6], zkeep, znew, 1.0, *tails[6])
        hidden = add(kept, added, multiplier[7], multiplier[8], zkept, zadded, 1.0, *tails[7])
        output[t] = hidden
    return torch.stack(output) if output else input.new_empty((0, *hidden.shape)), hidden.clone()


@fake("gru")
def _(input: Tensor, hidden: Tensor, *constants: object) -> tuple[Tensor, Tensor]:
    output = input.new_empty([input.shape[0], *hidden.shape], dtype=torch.int8)
    return output, hidden.new_empty(hidden.shape)
