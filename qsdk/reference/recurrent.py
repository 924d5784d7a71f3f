"""Recurrent layers, dynamic: one layer in one direction over [T, N, I], with its state in and out. Rule 18.

    gx = rule 10's linear of the input with weight_ih, over the whole sequence at once, or per_step of each step alone
    gh = rule 10's linear of the hidden state with weight_hh, at each step
    rnn:   h = tanh(gx + gh), or g > 0 ? g : 0
    lstm:  i, f, g, o = gx + gh;  c = f * c + i * g,  h = o * tanh(c);  i, f, o through sigmoid, g through tanh
    gru:   r, z = sigmoid(gx + gh),  n = tanh(gx_n + gh_n * r);  h = (h - n) * z + n

Each operation is one binary32 operation. Weights are int8 [gates * H, I] and [gates * H, H] with scales and biases
float32 [gates * H]. `reverse` runs from the last step to the first; step t of the output stays in its place. A cell is
a layer with T = 1. With no steps the state is given back.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from qsdk.reference.dynamic import Projection
from qsdk.reference.functions import canonical, sigmoid, tanh
from qsdk.reference.registry import fake, operator

_WEIGHTS = (
    "Tensor weight_ih, Tensor weight_scale_ih, Tensor bias_ih, Tensor weight_hh, Tensor weight_scale_hh, "
    "Tensor bias_hh, "
)
_State = tuple[Tensor, ...]  # the hidden state, and the cell state of lstm


def _run(
    input: Tensor,
    state: _State,
    of_input: Projection,
    of_hidden: Projection,
    cell: Callable[[Tensor, Tensor, _State], _State],
    reverse: bool,
    per_step: bool,
) -> tuple[Tensor, ...]:
    """The hidden state after each step, [T, N, H], and the state after the last."""
    state = tuple(s.to(torch.float32) for s in state)
    steps = input.shape[0]
    hidden = [state[0]] * steps
    gates = None if per_step else of_input(input)
    for t in reversed(range(steps)) if reverse else range(steps):
        gx = of_input(input[t]) if gates is None else gates[t]
        state = cell(gx, of_hidden(state[0]), state)
        hidden[t] = state[0]
    output = torch.stack(hidden) if steps else state[0].new_empty((0, *state[0].shape))
    # An operator's result is never its operand.
    return canonical(output), *(canonical(s) for s in state)


def _rnn_tanh(gx: Tensor, gh: Tensor, state: _State) -> _State:
    return (tanh(gx + gh),)


def _rnn_relu(gx: Tensor, gh: Tensor, state: _State) -> _State:
    g = gx + gh
    return (torch.where(g > 0, g, torch.zeros_like(g)),)


def _lstm(gx: Tensor, gh: Tensor, state: _State) -> _State:
    i, f, g, o = (gx + gh).chunk(4, -1)
    c = sigmoid(f) * state[1] + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def _gru(gx: Tensor, gh: Tensor, state: _State) -> _State:
    (xr, xz, xn), (hr, hz, hn) = gx.chunk(3, -1), gh.chunk(3, -1)
    n = tanh(xn + hn * sigmoid(xr + hr))
    return ((state[0] - n) * sigmoid(xz + hz) + n,)


@operator(f"(Tensor input, Tensor hidden, {_WEIGHTS}bool relu, bool reverse, bool per_step) -> (Tensor, Tensor)")
def rnn_dynamic(
    input: Tensor,
    hidden: Tensor,
    weight_ih: Tensor,
    weight_scale_ih: Tensor,
    bias_ih: Tensor,
    weight_hh: Tensor,
    weight_scale_hh: Tensor,
    bias_hh: Tensor,
    relu: bool,
    reverse: bool,
    per_step: bool,
) -> tuple[Tensor, ...]:
    """input float [T,N,I]; hidden float [N,H]. Returns float32 output [T,N,H] and hidden [N,H]."""
    projections = Projection(weight_ih, weight_scale_ih, bias_ih), Projection(weight_hh, weight_scale_hh, bias_hh)
    return _run(input, (hidden,), *projections, _rnn_relu if relu else _rnn_tanh, reverse, per_step)


@operator(
    f"(Tensor input, Tensor hidden, Tensor cell, {_WEIGHTS}bool reverse, bool per_step) -> (Tensor, Tensor, Tensor)"
)
def lstm_dynamic(
    input: Tensor,
    hidden: Tensor,
    cell: Tensor,
    weight_ih: Tensor,
    weight_scale_ih: Tensor,
    bias_ih: Tensor,
    weight_hh: Tensor,
    weight_scale_hh: Tensor,
    bias_hh: Tensor,
    reverse: bool,
    per_step: bool,
) -> tuple[Tensor, ...]:
    """input float [T,N,I]; hidden and cell float [N,H]. Returns float32 output [T,N,H], hidden and cell [N,H]."""
    projections = Projection(weight_ih, weight_scale_ih, bias_ih), Projection(weight_hh, weight_scale_hh, bias_hh)
    return _run(input, (hidden, cell), *projections, _lstm, reverse, per_step)


@operator(f"(Tensor input, Tensor hidden, {_WEIGHTS}bool reverse, bool per_step) -> (Tensor, Tensor)")
def gru_dynamic(
    input: Tensor,
    hidden: Tensor,
    weight_ih: Tensor,
    weight_scale_ih: Tensor,
    bias_ih: Tensor,
    weight_hh: Tensor,
    weight_scale_hh: Tensor,
    bias_hh: Tensor,
    reverse: bool,
    per_step: bool,
) -> tuple[Tensor, ...]:
    """input float [T,N,I]; hidden float [N,H]. Returns float32 output [T,N,H] and hidden [N,H]."""
    projections = Projection(weight_ih, weight_scale_ih, bias_ih), Projection(weight_hh, weight_scale_hh, bias_hh)
    return _run(input, (hidden,), *projections, _gru, reverse, per_step)


def _empty(input: Tensor, states: int, hidden: Tensor) -> tuple[Tensor, ...]:
    shapes = [(input.shape[0], *hidden.shape)] + [tuple(hidden.shape)] * states
    return tuple(input.new_empty(shape, dtype=torch.float32) for shape in shapes)


@fake("rnn_dynamic")
def _(input: Tensor, hidden: Tensor, *constants: object) -> tuple[Tensor, ...]:
    return _empty(input, 1, hidden)


@fake("lstm_dynamic")
def _(input: Tensor, hidden: Tensor, cell: Tensor, *constants: object) -> tuple[Tensor, ...]:
    return _empty(input, 2, hidden)


@fake("gru_dynamic")
def _(input: Tensor, hidden: Tensor, *constants: object) -> tuple[Tensor, ...]:
    return _empty(input, 1, hidden)
