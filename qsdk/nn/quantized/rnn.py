"""Statically quantized LSTM and GRU: rule 21. Each layer and direction is one operator."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn
from typing_extensions import Self

from qsdk.errors import QuantizationError
from qsdk.nn.quantized import functional as qF
from qsdk.nn.quantized.activation import Sigmoid, Tanh
from qsdk.nn.quantized.base import QuantizedModule, place_of
from qsdk.nn.quantized.functional_modules import QFunctional
from qsdk.nn.quantized.linear import Linear
from qsdk.qtensor import QParams, QTensor, quantize

State = tuple[QTensor, QTensor]


class _Cell(QuantizedModule):
    """The parts of one layer in one direction, with their parameters; named as those of the cells in
    qsdk.nn.quantizable.

    _VALUES are the parts in the order in which the operator takes their parameters, after both linear layers; _STATES
    those whose outputs are the states, from the hidden state on.
    """

    _GATES: ClassVar[int]
    _PARTS: ClassVar[dict[str, Any]]
    _VALUES: ClassVar[tuple[str, ...]]
    _STATES: ClassVar[tuple[str, ...]]
    _FUNCTION: ClassVar[Any]

    def __init__(self, input_size: int, hidden_size: int, bias: bool) -> None:
        super().__init__()
        self.igates = Linear(input_size, self._GATES * hidden_size, bias)
        self.hgates = Linear(hidden_size, self._GATES * hidden_size, bias)
        for name, kind in self._PARTS.items():
            self.add_module(name, kind())

    def _output(self, name: str) -> QParams:
        part: Any = getattr(self, name)
        qparams: QParams = part.output_qparams
        return qparams

    @property
    def state_qparams(self) -> tuple[QParams, ...]:
        """Those of the hidden state and, of LSTM, the cell state."""
        return tuple(self._output(name) for name in self._STATES)

    def run(self, sequence: QTensor, state: tuple[QTensor, ...], reverse: bool) -> tuple[QTensor, ...]:
        """[T, N, I] and states [N, H] of state_qparams to the output [T, N, H] and the new states."""
        of_input = self.igates.bound_constants(sequence.qparams)
        of_hidden = self.hgates.bound_constants(self.state_qparams[0])
        values = [self._output(name) for name in ("igates", "hgates", *self._VALUES)]
        result: tuple[QTensor, ...] = type(self)._FUNCTION(
            sequence, *state, of_input, of_hidden, values, reverse, self._qualified_name
        )
        return result

    def _take_float(self, mod: nn.Module) -> None:
        self._qualified_name = mod.__dict__.get("_qualified_name", "")
        for name, kind in (("igates", Linear), ("hgates", Linear), *self._PARTS.items()):
            setattr(self, name, kind.from_float(getattr(mod, name)))


class _LSTMCell(_Cell):
    _GATES = 4
    _PARTS = {
        **dict.fromkeys(("gates", "fgate_cx", "igate_cgate", "fgate_cx_igate_cgate", "ogate_cy"), QFunctional),
        **dict.fromkeys(("input_gate", "forget_gate", "output_gate"), Sigmoid),
        **dict.fromkeys(("cell_gate", "cell_tanh"), Tanh),
    }
    _VALUES = ("gates", "input_gate", "cell_gate", "fgate_cx", "igate_cgate", "cell_tanh")
    _STATES = ("ogate_cy", "fgate_cx_igate_cgate")
    _FUNCTION = staticmethod(qF.lstm)

    def _take_float(self, mod: nn.Module) -> None:
        super()._take_float(mod)
        sigmoids = {self._output(name) for name in ("input_gate", "forget_gate", "output_gate")}
        if len(sigmoids) > 1:
            raise QuantizationError(
                f"{place_of(mod)}: its three sigmoids have different scales or zero points; give them one qconfig"
            )


class _GRUCell(_Cell):
    _GATES = 3
    _PARTS = {
        **dict.fromkeys(("gates", "rgate_hgate", "ngate"), QFunctional),
        **dict.fromkeys(("reset_gate", "update_gate", "keep_gate"), Sigmoid),
        "new_gate": Tanh,
        **dict.fromkeys(("zgate_hx", "kgate_ngate", "zgate_hx_kgate_ngate"), QFunctional),
    }
    _VALUES = (
        *("gates", "reset_gate", "update_gate", "keep_gate", "rgate_hgate", "ngate", "new_gate"),
        *("zgate_hx", "kgate_ngate"),
    )
    _STATES = ("zgate_hx_kgate_ngate",)
    _FUNCTION = staticmethod(qF.gru)


class _Recurrent(QuantizedModule):
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
            for name in [f"l{layer}", f"l{layer}_reverse"][: 1 + bidirectional]:
                self.add_module(name, self._CELL(inputs, hidden_size, bias))
            if bidirectional:
                self.add_module(f"cat_l{layer}", QFunctional())
        if num_layers * (1 + bidirectional) > 1:
            for name in self._STATES:
                self.add_module(name, QFunctional())

    def _forward(self, input: QTensor, hx: Any) -> tuple[QTensor, tuple[QTensor, ...]]:
        input = self.need_qtensor(input)
        if input.dim() != 3 or input.shape[-1] != self.input_size:
            layout = "[N, T, {}]" if self.batch_first else "[T, N, {}]"
            raise QuantizationError(
                f"{place_of(self)} got shape {list(input.shape)}, but takes {layout.format(self.input_size)}"
            )
        sequence = qF.permute(input, 1, 0, 2) if self.batch_first else input
        cells = [(name, cell) for name, cell in self.named_children() if isinstance(cell, _Cell)]
        shape = (len(cells), sequence.shape[1], self.hidden_size)
        if hx is not None and (len(hx) != len(self._STATES) or any(tuple(s.shape) != shape for s in hx)):
            got, what = [list(s.shape) for s in hx], "a pair of tensors" if len(self._STATES) == 2 else "a tensor"
            raise QuantizationError(
                f"{place_of(self)}: its state is {what} {list(shape)}, not {got if len(got) != 1 else got[0]}"
            )
        final: list[tuple[QTensor, ...]] = []
        outputs: list[QTensor] = []
        for name, cell in cells:
            state = self._state(cell, hx, len(final), shape[1:], sequence.device)
            output, *after = cell.run(sequence, state, name.endswith("reverse"))
            final.append(tuple(after))
            outputs.append(output)
            if len(outputs) == 1 + self.bidirectional:
                layer = name.partition("_")[0]
                sequence = getattr(self, f"cat_{layer}").cat(outputs, -1) if self.bidirectional else outputs[0]
                outputs = []
        states = [[qF.unsqueeze(part, 0) for part in parts] for parts in zip(*final, strict=True)]
        if len(final) > 1:
            joined = [getattr(self, name).cat(parts) for name, parts in zip(self._STATES, states, strict=True)]
        else:
            joined = [parts[0] for parts in states]
        return qF.permute(sequence, 1, 0, 2) if self.batch_first else sequence, tuple(joined)

    @staticmethod
    def _state(cell: _Cell, hx: Any, at: int, shape: tuple[int, ...], device: torch.device) -> tuple[QTensor, ...]:
        """The states that a cell begins with, as it has them; `at` is its place among all."""
        if hx is None:
            return tuple(quantize(torch.zeros(shape, device=device), q) for q in cell.state_qparams)
        states = []
        for given, q in zip(hx, cell.state_qparams, strict=True):
            part = given[at]
            states.append(qF.requantize(part, q) if isinstance(part, QTensor) else quantize(part, q))
        return tuple(states)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From the prepared and calibrated module of this name in qsdk.nn.quantizable.

        Raises:
            QuantizationError: not calibrated, or not finite; names the part.
        """
        source: Any = mod
        names = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional")
        result = cls(**{name: getattr(source, name) for name in names})
        result._qualified_name = mod.__dict__.get("_qualified_name", "")
        for name, child in result.named_children():
            if isinstance(child, _Cell):
                child._take_float(getattr(source, name))
            else:
                setattr(result, name, QFunctional.from_float(getattr(source, name)))
        return result

    def extra_repr(self) -> str:
        """Sizes and options."""
        options = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        changed = [f"{n}={getattr(self, n)}" for n, usual in options.items() if getattr(self, n) != usual]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *changed])


class LSTM(_Recurrent):
    """Long short-term memory on quantized tensors; arguments as torch.nn.LSTM. Made by convert.

    Its submodules are those of qsdk.nn.quantizable.LSTM: cells l0, l0_reverse, l1, ..., and what joins their results.
    """

    _CELL = _LSTMCell
    _STATES = ("hidden_states", "cell_states")

    def forward(self, input: QTensor, hx: Any = None) -> tuple[QTensor, State]:
        """[T, N, input_size], or [N, T, input_size] if batch_first; hx: two QTensors or float tensors
        [layers * directions, N, hidden_size], zeros if None."""
        output, (h, c) = self._forward(input, hx)
        return output, (h, c)


class GRU(_Recurrent):
    """Gated recurrent units on quantized tensors; arguments as torch.nn.GRU. Made by convert.

    Its submodules are those of qsdk.nn.quantizable.GRU.
    """

    _CELL = _GRUCell
    _STATES = ("hidden_states",)

    def forward(self, input: QTensor, hx: Any = None) -> tuple[QTensor, QTensor]:
        """[T, N, input_size], or [N, T, input_size] if batch_first; hx: a QTensor or float tensor
        [layers * directions, N, hidden_size], zeros if None."""
        output, (h,) = self._forward(input, None if hx is None else (hx,))
        return output, h
