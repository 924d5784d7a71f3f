"""LSTM and GRU out of linear layers, sums and products, each of which calibration observes."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import Self

from qsdk.errors import QuantizationError, UnsupportedOperatorError
from qsdk.nn.quantized.base import place_of
from qsdk.nn.quantized.functional_modules import FloatFunctional

State = tuple[Tensor, Tensor]


class _Cell(nn.Module):
    _GATES: ClassVar[int]

    def __init__(
        self, input_dim: int, hidden_dim: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size = input_dim
        self.hidden_size = hidden_dim
        self.bias = bias
        options: dict[str, Any] = {"bias": bias, "device": device, "dtype": dtype}
        self.igates = nn.Linear(input_dim, self._GATES * hidden_dim, **options)
        self.hgates = nn.Linear(hidden_dim, self._GATES * hidden_dim, **options)

    def _take(self, source: nn.Module, suffix: str) -> None:
        for part, name in ((self.igates, "ih"), (self.hgates, "hh")):
            part.weight = getattr(source, f"weight_{name}{suffix}")
            if self.bias:
                part.bias = getattr(source, f"bias_{name}{suffix}")


class LSTMCell(_Cell):
    """One step of long short-term memory; arguments as torch.nn.LSTMCell.

    Attributes:
        igates, hgates: linear layers of input and hidden state, to the four gates i, f, g, o
        gates, fgate_cx, igate_cgate, fgate_cx_igate_cgate, ogate_cy: their sums and products, in this order
    """

    _GATES = 4

    def __init__(
        self, input_dim: int, hidden_dim: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_dim, hidden_dim, bias, device, dtype)
        self.gates = FloatFunctional()
        self.input_gate, self.forget_gate, self.output_gate = nn.Sigmoid(), nn.Sigmoid(), nn.Sigmoid()
        self.cell_gate, self.cell_tanh = nn.Tanh(), nn.Tanh()
        self.fgate_cx, self.igate_cgate = FloatFunctional(), FloatFunctional()
        self.fgate_cx_igate_cgate, self.ogate_cy = FloatFunctional(), FloatFunctional()

    def forward(self, x: Tensor, hidden: State | None = None) -> State:
        """[N, input_dim] and the states [N, hidden_dim], zeros if None, to the new hidden and cell state."""
        hx, cx = (x.new_zeros(len(x), self.hidden_size),) * 2 if hidden is None else hidden
        i, f, g, o = self.gates.add(self.igates(x), self.hgates(hx)).chunk(4, 1)
        i, f, g, o = self.input_gate(i), self.forget_gate(f), self.cell_gate(g), self.output_gate(o)
        kept, added = self.fgate_cx.mul(f, cx), self.igate_cgate.mul(i, g)
        cy = self.fgate_cx_igate_cgate.add(kept, added)
        return self.ogate_cy.mul(o, self.cell_tanh(cy)), cy


class GRUCell(_Cell):
    """One step of gated recurrent units; arguments as torch.nn.GRUCell.

    Attributes:
        igates, hgates: linear layers of input and hidden state, to the gates r, z and n
        gates: their sum, of r and z
        reset_gate, update_gate, keep_gate: r, z and 1 - z, which is sigmoid of z's sum with the other sign
        rgate_hgate, ngate: r times what the hidden state gives n, and the sum that tanh takes
        new_gate: n
        zgate_hx, kgate_ngate, zgate_hx_kgate_ngate: the products of z and 1 - z, and their sum
    """

    _GATES = 3

    def __init__(
        self, input_dim: int, hidden_dim: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_dim, hidden_dim, bias, device, dtype)
        self.gates, self.rgate_hgate, self.ngate = FloatFunctional(), FloatFunctional(), FloatFunctional()
        self.reset_gate, self.update_gate, self.keep_gate = nn.Sigmoid(), nn.Sigmoid(), nn.Sigmoid()
        self.new_gate = nn.Tanh()
        self.zgate_hx, self.kgate_ngate = FloatFunctional(), FloatFunctional()
        self.zgate_hx_kgate_ngate = FloatFunctional()

    def forward(self, x: Tensor, hidden: Tensor | None = None) -> Tensor:
        """[N, input_dim] and the state [N, hidden_dim], zeros if None, to the new state."""
        hx = x.new_zeros(len(x), self.hidden_size) if hidden is None else hidden
        of_input, of_hidden, both = self.igates(x), self.hgates(hx), 2 * self.hidden_size
        reset, update = self.gates.add(of_input[:, :both], of_hidden[:, :both]).chunk(2, 1)
        scaled = self.rgate_hgate.mul(self.reset_gate(reset), of_hidden[:, both:])
        new = self.new_gate(self.ngate.add(of_input[:, both:], scaled))
        kept, added = (
            self.zgate_hx.mul(self.update_gate(update), hx),
            self.kgate_ngate.mul(self.keep_gate(-update), new),
        )
        return self.zgate_hx_kgate_ngate.add(kept, added)


class _Recurrent(nn.Module):
    _CELL: ClassVar[type[_Cell]]
    _STATES: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        for layer in range(num_layers):
            inputs = input_size if layer == 0 else hidden_size * (1 + bidirectional)
            for name in self.cell_names(layer):
                self.add_module(name, self._CELL(inputs, hidden_size, bias, device, dtype))
            if bidirectional:
                self.add_module(f"cat_l{layer}", FloatFunctional())
        if num_layers * (1 + bidirectional) > 1:
            for name in self._STATES:
                self.add_module(name, FloatFunctional())

    def cell_names(self, layer: int) -> list[str]:
        """The names of a layer's cells, one per direction."""
        return [f"l{layer}", f"l{layer}_reverse"][: 1 + self.bidirectional]

    def _forward(self, x: Tensor, hidden: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        if x.dim() != 3:
            raise QuantizationError(
                f"{place_of(self)} got shape {list(x.shape)}, but takes batches of sequences; add a batch axis of 1"
            )
        sequence = x.transpose(0, 1) if self.batch_first else x
        final: list[tuple[Tensor, ...]] = []
        for layer in range(self.num_layers):
            outputs = []
            for name in self.cell_names(layer):
                if hidden is None:
                    state = (sequence.new_zeros(sequence.shape[1], self.hidden_size),) * len(self._STATES)
                else:
                    state = tuple(part[len(final)] for part in hidden)
                output, state = self._run(getattr(self, name), sequence, state, name.endswith("reverse"))
                outputs.append(output)
                final.append(state)
            sequence = getattr(self, f"cat_l{layer}").cat(outputs, -1) if len(outputs) > 1 else outputs[0]
            if layer + 1 < self.num_layers:
                sequence = nn.functional.dropout(sequence, self.dropout, self.training)
        states = [[part.unsqueeze(0) for part in parts] for parts in zip(*final, strict=True)]
        if len(final) > 1:
            joined = [getattr(self, name).cat(parts) for name, parts in zip(self._STATES, states, strict=True)]
        else:
            joined = [parts[0] for parts in states]
        return sequence.transpose(0, 1) if self.batch_first else sequence, tuple(joined)

    def _run(
        self, cell: nn.Module, sequence: Tensor, state: tuple[Tensor, ...], reverse: bool
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        output: list[Tensor] = []
        for x in reversed(sequence) if reverse else sequence:
            state = cell(x, state) if len(state) > 1 else (cell(x, *state),)
            output.append(state[0])
        return torch.stack(output[::-1] if reverse else output), state

    @classmethod
    def from_float(cls, other: Any, qconfig: Any = None) -> Self:
        """From PyTorch's module of this name, with its weights themselves; `qconfig` in place of its own.

        Raises:
            UnsupportedOperatorError: a proj_size; names the layer.
        """
        if other.proj_size:
            raise UnsupportedOperatorError(
                f"{place_of(other)} has proj_size {other.proj_size}, which has no quantized counterpart; use "
                "proj_size=0 and a Linear behind it, or set its qconfig to None"
            )
        names = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional")
        result = cls(**{name: getattr(other, name) for name in names})
        for name, cell in result.named_children():
            if isinstance(cell, _Cell):
                cell._take(other, f"_{name}")
        chosen: Any = getattr(other, "qconfig", None) if qconfig is None else qconfig
        for module in result.modules():
            module.qconfig = chosen
        return result.train(other.training)


class LSTM(_Recurrent):
    """Long short-term memory; arguments as torch.nn.LSTM. Dropout between layers acts in training.

    Its cells are the submodules l0, l0_reverse, l1, ...; cat_l0, ... join directions, hidden_states and cell_states the
    states of several cells.
    """

    _CELL = LSTMCell
    _STATES = ("hidden_states", "cell_states")

    def forward(self, x: Tensor, hidden: State | None = None) -> tuple[Tensor, State]:
        """[T, N, input_size], or [N, T, input_size] if batch_first, and states [layers * directions, N, hidden_size].

        Raises:
            QuantizationError: the input has no batch axis; names the layer.
        """
        output, (h, c) = self._forward(x, hidden)
        return output, (h, c)


class GRU(_Recurrent):
    """Gated recurrent units; arguments as torch.nn.GRU. Submodules and dropout as LSTM's, without cell_states."""

    _CELL = GRUCell
    _STATES = ("hidden_states",)

    def forward(self, x: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """[T, N, input_size], or [N, T, input_size] if batch_first, and a state [layers * directions, N, hidden_size].

        Raises:
            QuantizationError: the input has no batch axis; names the layer.
        """
        output, (h,) = self._forward(x, None if hidden is None else (hidden,))
        return output, h
