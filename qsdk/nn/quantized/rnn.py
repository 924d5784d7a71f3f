"""Statically quantized long short-term memory: rule 21. Each layer and direction is one operator."""

from __future__ import annotations

from typing import Any

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
_PARTS: dict[str, Any] = {
    **dict.fromkeys(("igates", "hgates"), Linear),
    **dict.fromkeys(("gates", "fgate_cx", "igate_cgate", "fgate_cx_igate_cgate", "ogate_cy"), QFunctional),
    **dict.fromkeys(("input_gate", "forget_gate", "output_gate"), Sigmoid),
    **dict.fromkeys(("cell_gate", "cell_tanh"), Tanh),
}


class _Cell(QuantizedModule):
    """The parts of one layer in one direction, with their parameters; named as qsdk.nn.quantizable.LSTMCell's."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool) -> None:
        super().__init__()
        for name, kind in _PARTS.items():
            inputs = {"igates": input_size, "hgates": hidden_size}.get(name)
            self.add_module(name, kind() if inputs is None else Linear(inputs, 4 * hidden_size, bias))

    def _output(self, name: str) -> QParams:
        part: Any = getattr(self, name)
        qparams: QParams = part.output_qparams
        return qparams

    @property
    def state_qparams(self) -> tuple[QParams, QParams]:
        """Those of hidden and cell state."""
        return self._output("ogate_cy"), self._output("fgate_cx_igate_cgate")

    def run(self, sequence: QTensor, state: State, reverse: bool) -> tuple[QTensor, QTensor, QTensor]:
        """[T, N, I] and states [N, H] of state_qparams to the output [T, N, H] and the new states."""
        of_input, of_hidden = self._matrices(sequence.qparams)
        gates = ("gates", "input_gate", "cell_gate", "fgate_cx", "igate_cgate", "cell_tanh")
        values = [self._output(name) for name in ("igates", "hgates", *gates)]
        return qF.lstm(sequence, *state, of_input, of_hidden, values, reverse, self._qualified_name)

    def _matrices(self, input: QParams) -> tuple[Any, Any]:
        igates: Any = self.igates
        hgates: Any = self.hgates
        return igates.bound_constants(input), hgates.bound_constants(self.state_qparams[0])

    def _take_float(self, mod: nn.Module) -> None:
        self._qualified_name = mod.__dict__.get("_qualified_name", "")
        for name, kind in _PARTS.items():
            setattr(self, name, kind.from_float(getattr(mod, name)))
        sigmoids = {self._output(name) for name in ("input_gate", "forget_gate", "output_gate")}
        if len(sigmoids) > 1:
            raise QuantizationError(
                f"{place_of(mod)}: its three sigmoids have different scales or zero points; give them one qconfig"
            )


class LSTM(QuantizedModule):
    """Long short-term memory on quantized tensors; arguments as torch.nn.LSTM. Made by convert.

    Its submodules are those of qsdk.nn.quantizable.LSTM: cells l0, l0_reverse, l1, ..., and what joins their results.
    """

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
                self.add_module(name, _Cell(inputs, hidden_size, bias))
            if bidirectional:
                self.add_module(f"cat_l{layer}", QFunctional())
        if num_layers * (1 + bidirectional) > 1:
            self.hidden_states, self.cell_states = QFunctional(), QFunctional()

    def forward(self, input: QTensor, hx: Any = None) -> tuple[QTensor, State]:
        """[T, N, input_size], or [N, T, input_size] if batch_first; hx: two QTensors or float tensors
        [layers * directions, N, hidden_size], zeros if None."""
        input = self.need_qtensor(input)
        if input.dim() != 3 or input.shape[-1] != self.input_size:
            layout = "[N, T, {}]" if self.batch_first else "[T, N, {}]"
            raise QuantizationError(
                f"{place_of(self)} got shape {list(input.shape)}, but takes {layout.format(self.input_size)}"
            )
        sequence = qF.permute(input, 1, 0, 2) if self.batch_first else input
        cells = [(name, cell) for name, cell in self.named_children() if isinstance(cell, _Cell)]
        shape = (len(cells), sequence.shape[1], self.hidden_size)
        if hx is not None and (len(hx) != 2 or any(tuple(s.shape) != shape for s in hx)):
            got = [list(s.shape) for s in hx]
            raise QuantizationError(f"{place_of(self)}: its state is a pair of tensors {list(shape)}, not {got}")
        final: list[State] = []
        outputs: list[QTensor] = []
        for name, cell in cells:
            state = self._state(cell, hx, len(final), shape[1:], sequence.device)
            output, *after = cell.run(sequence, state, name.endswith("reverse"))
            final.append((after[0], after[1]))
            outputs.append(output)
            if len(outputs) == 1 + self.bidirectional:
                layer = name.partition("_")[0]
                sequence = getattr(self, f"cat_{layer}").cat(outputs, -1) if self.bidirectional else outputs[0]
                outputs = []
        h, c = ([qF.unsqueeze(part, 0) for part in parts] for parts in zip(*final, strict=True))
        states = (self.hidden_states.cat(h), self.cell_states.cat(c)) if len(final) > 1 else (h[0], c[0])
        return qF.permute(sequence, 1, 0, 2) if self.batch_first else sequence, states

    @staticmethod
    def _state(cell: _Cell, hx: Any, at: int, shape: tuple[int, ...], device: torch.device) -> State:
        """The states that a cell begins with, as it has them; `at` is its place among all."""
        if hx is None:
            return tuple(quantize(torch.zeros(shape, device=device), q) for q in cell.state_qparams)  # type: ignore[return-value]
        states = []
        for given, q in zip(hx, cell.state_qparams, strict=True):
            part = given[at]
            states.append(qF.requantize(part, q) if isinstance(part, QTensor) else quantize(part, q))
        return states[0], states[1]

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a prepared and calibrated qsdk.nn.quantizable.LSTM.

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
