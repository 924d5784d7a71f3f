"""Dynamically quantized recurrent layers and cells: rule 18.

Weights lie in submodules named after torch's parameters: `ih_l0` has weight_ih_l0 and bias_ih_l0, `hh_l0_reverse` those
of the hidden state in the other direction; a cell has `ih` and `hh`. States go in and come out as tensors, so that a
device can carry them from call to call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from typing_extensions import Self

from qsdk.errors import QuantizationError, UnsupportedOperatorError
from qsdk.nn.quantized import functional as qF
from qsdk.nn.quantized.base import QuantizedModule, place_of
from qsdk.nn.quantized.dynamic.base import DynamicModule
from qsdk.qtensor import QTensor, qint8

State = tuple[Tensor, ...]


class _Projection(DynamicModule):
    """The weights of one linear map inside a recurrent layer."""

    def extra_repr(self) -> str:
        """Sizes of the weights."""
        return ", ".join(str(size) for size in self.qweight.shape)


class _Recurrent(QuantizedModule):
    """Recurrent layers whose weights are the submodules that are _Projections."""

    _gates: int
    _states: int  # 2: hidden and cell
    _operator: Callable[..., State]

    def __init__(self, input_size: int, hidden_size: int, bias: bool) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias

    def _add(self, suffix: str, inputs: int, dtype: Any) -> None:
        rows = self._gates * self.hidden_size
        self.add_module(f"ih{suffix}", _Projection((rows, inputs), self.bias, dtype))
        self.add_module(f"hh{suffix}", _Projection((rows, self.hidden_size), self.bias, dtype))

    def _projections(self) -> dict[str, Any]:
        return {name: module for name, module in self.named_children() if isinstance(module, _Projection)}

    def _weights(self, suffix: str) -> tuple[Any, Any]:
        parts = self._projections()
        return parts[f"ih{suffix}"].weights(), parts[f"hh{suffix}"].weights()

    def get_weight(self) -> dict[str, QTensor]:
        """The quantized weights, by torch's names, such as weight_ih_l0."""
        return {f"weight_{name}": part.weight() for name, part in self._projections().items()}

    def get_bias(self) -> dict[str, Tensor | None]:
        """The float biases, by torch's names, such as bias_ih_l0; None without."""
        return {f"bias_{name}": part.bias() for name, part in self._projections().items()}

    def set_weight_bias(self, weight_bias_dict: Mapping[str, Any]) -> None:
        """Replace every weight (qint8, symmetric, per tensor or along axis 0) and bias (or None), by torch's names.

        Raises:
            QuantizationError: a name is missing, or a weight does not fit; names the layer.
        """
        for name, part in self._projections().items():
            for key in (f"weight_{name}", f"bias_{name}"):
                if key not in weight_bias_dict:
                    raise QuantizationError(f"{place_of(self)}: set_weight_bias got no {key}")
            part.set_weight_bias(weight_bias_dict[f"weight_{name}"], weight_bias_dict[f"bias_{name}"])

    def _take_float(self, mod: nn.Module) -> Self:
        for name, part in self._projections().items():
            part._take_float(mod, getattr(mod, f"weight_{name}"), getattr(mod, f"bias_{name}") if mod.bias else None)
        self._qualified_name = mod.__dict__.get("_qualified_name", "")
        return self

    def _need(self, value: Any, axes: tuple[int, ...], last: int, layout: str) -> Tensor:
        """`value`, if it is a float tensor with one of these numbers of axes, the last one of `last` features."""
        if isinstance(value, PackedSequence):
            raise UnsupportedOperatorError(
                f"{place_of(self)} got a PackedSequence; unpack it with torch.nn.utils.rnn.pad_packed_sequence, or run "
                "its sequences one by one"
            )
        tensor = qF.need_float(value, type(self).__name__)
        if tensor.dim() not in axes or tensor.shape[-1] != last:
            raise QuantizationError(f"{place_of(self)} got shape {list(tensor.shape)}, but takes {layout}")
        return tensor

    def _given(self, hx: Any, shape: tuple[int, ...], input: Tensor) -> State:
        """The initial state, hidden first; zeros if it is None."""
        if hx is None:
            return (torch.zeros(shape, dtype=input.dtype, device=input.device),) * self._states
        state = (hx,) if self._states == 1 else tuple(hx)
        if len(state) != self._states or any(not isinstance(s, Tensor) or tuple(s.shape) != shape for s in state):
            got = [list(s.shape) if isinstance(s, Tensor) else type(s).__name__ for s in state]
            kind = "tensor" if self._states == 1 else "pair of tensors"
            raise QuantizationError(f"{place_of(self)}: its state is a {kind} {list(shape)}, not {got}")
        return state

    def _result(self, state: State) -> Any:
        return state[0] if self._states == 1 else state


class _RNNBase(_Recurrent):
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = qint8,
        semantics: str = "sequence",
    ) -> None:
        super().__init__(input_size, hidden_size, bias)
        self.num_layers = num_layers
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.semantics = semantics
        for layer in range(num_layers):
            inputs = input_size if layer == 0 else hidden_size * len(self._directions())
            for direction in self._directions():
                self._add(f"_l{layer}{direction}", inputs, dtype)

    @property
    def semantics(self) -> str:
        """What a layer's input is quantized by: the range of the whole 'sequence', or of each 'step'.

        With 'step', a sequence gives the same bits as its steps one by one, each with the state of the one before.
        """
        return self._semantics

    @semantics.setter
    def semantics(self, value: str) -> None:
        if value not in ("sequence", "step"):
            raise QuantizationError(f"semantics is 'sequence' or 'step', not {value!r}")
        self._semantics = value

    def _directions(self) -> tuple[str, ...]:
        return ("", "_reverse") if self.bidirectional else ("",)

    def forward(self, input: Tensor, hx: Any = None) -> tuple[Tensor, Any]:
        """As torch's float module, with tensors only: input and state in, output and state out.

        Args:
            input: [T, N, input_size], [N, T, input_size] if batch_first, or [T, input_size]
            hx: state [num_layers * directions, N, hidden_size] (without N as the input is), or a pair of these for
                LSTM; zeros if None
        """
        layout = "[N, T, {}]" if self.batch_first else "[T, N, {}]"
        layout = f"{layout.format(self.input_size)} or [T, {self.input_size}]"
        sequence = self._need(input, (2, 3), self.input_size, layout)
        batched = sequence.dim() == 3
        if not batched:
            sequence = sequence.unsqueeze(1)
        elif self.batch_first:
            sequence = sequence.permute(1, 0, 2)
        layers = self.num_layers * len(self._directions())
        batch = (sequence.shape[1],) if batched else ()
        state = self._given(hx, (layers, *batch, self.hidden_size), sequence)
        if not batched:
            state = tuple(s.unsqueeze(1) for s in state)
        output, state = self._run(sequence, state)
        if not batched:
            return output.squeeze(1), self._result(tuple(s.squeeze(1) for s in state))
        return output.permute(1, 0, 2) if self.batch_first else output, self._result(state)

    def _run(self, sequence: Tensor, state: State) -> tuple[Tensor, State]:
        """[T, N, I] and [L, N, H] through all layers and directions."""
        before = list(zip(*(_unstacked(s) for s in state), strict=True))
        final: list[State] = []
        for layer in range(self.num_layers):
            outputs = []
            for direction in self._directions():
                weights = self._weights(f"_l{layer}{direction}")
                options = {"reverse": bool(direction), "per_step": self.semantics == "step"}
                output, *after = type(self)._operator(sequence, before[len(final)], *weights, **options)
                outputs.append(output)
                final.append(tuple(after))
            sequence = torch.cat(outputs, -1) if len(outputs) > 1 else outputs[0]
        return sequence, tuple(_stacked(parts) for parts in zip(*final, strict=True))

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From an nn.LSTM or nn.GRU that has a qconfig. Dropout between layers is for training, and left out.

        Raises:
            QuantizationError: weights that are not finite, or a qconfig that does not fit; names the layer.
            UnsupportedOperatorError: a proj_size, or weights of another dtype than qint8; names the layer.
        """
        assert isinstance(mod, nn.RNNBase)
        if mod.proj_size:
            raise UnsupportedOperatorError(
                f"{place_of(mod)} has proj_size {mod.proj_size}, which has no quantized counterpart; use proj_size=0 "
                "and a Linear behind it, or set its qconfig to None"
            )
        names = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional")
        return cls(**{name: getattr(mod, name) for name in names})._take_float(mod)

    def extra_repr(self) -> str:
        """Sizes and options."""
        options = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        changed = [f"{n}={getattr(self, n)}" for n, usual in options.items() if getattr(self, n) != usual]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *changed, f"semantics='{self.semantics}'"])


def _unstacked(states: Tensor) -> tuple[Tensor, ...]:
    # A view where that is enough: it is what a device does with the state of a single layer.
    return (states.squeeze(0),) if states.shape[0] == 1 else states.unbind(0)


def _stacked(states: State) -> Tensor:
    return states[0].unsqueeze(0) if len(states) == 1 else torch.stack(states)


class LSTM(_RNNBase):
    """Long short-term memory, float in and out, int8 weights; arguments as torch.nn.LSTM.

    Args:
        dtype: of the weights; qint8
        semantics: 'sequence' or 'step'; may be changed at any time
    """

    _gates = 4
    _states = 2
    _operator = staticmethod(qF.lstm_dynamic)


class GRU(_RNNBase):
    """Gated recurrent units, float in and out, int8 weights; arguments as torch.nn.GRU.

    Args:
        dtype: of the weights; qint8
        semantics: 'sequence' or 'step'; may be changed at any time
    """

    _gates = 3
    _states = 1
    _operator = staticmethod(qF.gru_dynamic)


class _RNNCellBase(_Recurrent):
    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, dtype: Any = qint8) -> None:
        super().__init__(input_size, hidden_size, bias)
        self._add("", input_size, dtype)

    def _options(self) -> dict[str, bool]:
        return {}

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        """One step: [N, input_size] and state [N, hidden_size] to the new state, or all without N; zeros if None."""
        layout = f"[N, {self.input_size}] or [{self.input_size}]"
        step = self._need(input, (1, 2), self.input_size, layout)
        state = self._given(hx, (*step.shape[:-1], self.hidden_size), step)
        batched = step.dim() == 2
        if not batched:
            step, state = step.unsqueeze(0), tuple(s.unsqueeze(0) for s in state)
        _, *after = type(self)._operator(step.unsqueeze(0), state, *self._weights(""), **self._options())
        return self._result(tuple(s if batched else s.squeeze(0) for s in after))

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From the float cell of the same name that has a qconfig.

        Raises:
            QuantizationError: weights that are not finite, or a qconfig that does not fit; names the layer.
            UnsupportedOperatorError: weights of another dtype than qint8; names the layer.
        """
        assert isinstance(mod, nn.RNNCellBase)
        return cls(mod.input_size, mod.hidden_size, mod.bias)._take_float(mod)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(_RNNCellBase):
    """tanh or ReLU of two linear maps, float in and out, int8 weights; arguments as torch.nn.RNNCell."""

    _gates = 1
    _states = 1
    _operator = staticmethod(qF.rnn_dynamic)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: Any = qint8,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)
        if nonlinearity not in ("tanh", "relu"):
            raise QuantizationError(f"RNNCell: nonlinearity is 'tanh' or 'relu', not {nonlinearity!r}")
        self.nonlinearity = nonlinearity

    def _options(self) -> dict[str, bool]:
        return {"relu": self.nonlinearity == "relu"}

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From an nn.RNNCell that has a qconfig; errors as the other cells'."""
        assert isinstance(mod, nn.RNNCell)
        return cls(mod.input_size, mod.hidden_size, mod.bias, mod.nonlinearity)._take_float(mod)


class LSTMCell(_RNNCellBase):
    """One step of long short-term memory, float in and out, int8 weights; arguments as torch.nn.LSTMCell."""

    _gates = 4
    _states = 2
    _operator = staticmethod(qF.lstm_dynamic)


class GRUCell(_RNNCellBase):
    """One step of gated recurrent units, float in and out, int8 weights; arguments as torch.nn.GRUCell."""

    _gates = 3
    _states = 1
    _operator = staticmethod(qF.gru_dynamic)
