"""Recurrent networks in a file: layers, cells, states that go in and come out, text."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from test_float_models import check
from torch import nn

import qsdk
import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
from qsdk.export import to_bytes
from qsdk.qtensor import QParams, quantize, quint8

LAYERS = {nn.LSTM: "lstm_dynamic", nn.GRU: "gru_dynamic"}
CELLS = {nn.LSTMCell: "lstm_dynamic", nn.GRUCell: "gru_dynamic", nn.RNNCell: "rnn_dynamic"}


def dynamic(model: nn.Module) -> nn.Module:
    return tq.quantize_dynamic(model.eval(), {nn.Linear, *LAYERS, *CELLS})


def flat(value: Any) -> tuple[Any, ...]:
    return tuple(leaf for part in value for leaf in flat(part)) if isinstance(value, tuple) else (value,)


class Layer(nn.Module):
    """One recurrent layer between two linear ones; gives its states, too."""

    def __init__(self, kind: type[nn.Module], **options: Any) -> None:
        super().__init__()
        self.into, self.body = nn.Linear(6, 8), kind(8, 12, **options)
        self.head = nn.Linear(12 * (1 + self.body.bidirectional), 3)  # type: ignore[operator]

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        output, last = self.body(self.into(x))
        return (self.head(output), *flat(last))


@pytest.mark.parametrize("semantics", ["sequence", "step"])
@pytest.mark.parametrize(
    "options", [{}, {"bidirectional": True}, {"num_layers": 2, "batch_first": True}, {"num_layers": 3, "bias": False}]
)
@pytest.mark.parametrize("kind", LAYERS)
def test_layers(kind: type[nn.Module], options: dict[str, Any], semantics: str) -> None:
    torch.manual_seed(0)
    model = dynamic(Layer(kind, **options))
    model.body.semantics = semantics
    kinds = check(model, torch.randn(9, 4, 6))
    directions = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    assert kinds.count(LAYERS[kind]) == directions


@pytest.mark.parametrize("kind", LAYERS)
def test_one_sequence_without_a_batch(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    check(dynamic(Layer(kind, bidirectional=True)), torch.randn(5, 6))


class Steps(nn.Module):
    """A cell over four steps; its state starts as it is given."""

    def __init__(self, kind: type[nn.Module], **options: Any) -> None:
        super().__init__()
        self.cell = kind(6, 8, **options)

    def forward(self, x: torch.Tensor, *state: torch.Tensor) -> tuple[torch.Tensor, ...]:
        last: Any = state if len(state) > 1 else state[0]
        for t in range(4):
            last = self.cell(x[t], last)
        return flat(last)


class OneState(Steps):
    def forward(self, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, ...]:  # type: ignore[override]
        return super().forward(x, h)


class TwoStates(Steps):
    def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, ...]:  # type: ignore[override]
        return super().forward(x, h, c)


@pytest.mark.parametrize(
    ("kind", "options"),
    [(nn.LSTMCell, {}), (nn.GRUCell, {"bias": False}), (nn.RNNCell, {}), (nn.RNNCell, {"nonlinearity": "relu"})],
)
def test_cells(kind: type[nn.Module], options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    states = 2 if kind is nn.LSTMCell else 1
    model = dynamic((TwoStates if states == 2 else OneState)(kind, **options))
    kinds = check(model, torch.randn(4, 3, 6), *[torch.randn(3, 8) for _ in range(states)])
    assert kinds.count(CELLS[kind]) == 4


@pytest.mark.parametrize("kind", LAYERS)
def test_a_device_can_stream(kind: type[nn.Module]) -> None:
    """A file of one step, run step by step with the state carried along, gives what 'step' gives for the sequence."""

    class Stream(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = kind(6, 8)

    class One(Stream):
        def forward(self, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return self.body(x, h)

    class Two(Stream):
        def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return flat(self.body(x, (h, c)))

    torch.manual_seed(0)
    states = 2 if kind is nn.LSTM else 1
    model = dynamic(Two() if states == 2 else One())
    model.body.semantics = "step"
    sequence, state = torch.randn(7, 2, 6), [torch.zeros(1, 2, 8)] * states
    expected = flat(model(sequence, *state))
    whole, step = (to_bytes(model, (part, *state))[1] for part in (sequence, sequence[:1]))
    for isa in qsdk.runtime.available_isas():
        outputs, carried = [], [s.numpy() for s in state]
        session = qsdk.Session(step, isa=isa)
        for t in range(7):
            output, *carried = session.run(sequence[t : t + 1], *carried)
            outputs.append(torch.from_numpy(output))
        at_once = [torch.from_numpy(part) for part in qsdk.Session(whole, isa=isa).run(sequence, *state)]
        streamed = [torch.cat(outputs), *map(torch.from_numpy, carried)]
        assert all(torch.equal(a, b) for results in (streamed, at_once) for a, b in zip(results, expected, strict=True))


def test_text_classifier() -> None:
    """Words to a table, through a recurrent layer, its last hidden state to classes."""

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.body, self.head = nn.Embedding(40, 16), nn.LSTM(16, 12, batch_first=True), nn.Linear(12, 3)

        def forward(self, words: torch.Tensor) -> torch.Tensor:
            _, (h, _) = self.body(self.embed(words))
            return self.head(h[-1])

    torch.manual_seed(0)
    tables = {nn.Embedding: tq.float_qparams_weight_only_qconfig_4bit}
    layers = dict.fromkeys((nn.Linear, nn.LSTM), tq.default_dynamic_qconfig)
    model = tq.quantize_dynamic(Classifier().eval(), {**layers, **tables})
    kinds = check(model, torch.randint(0, 40, (2, 9)))
    assert kinds == ["embedding", "permute", "lstm_dynamic", "linear_dynamic"]


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_float_functions_are_those_of_the_contract(name: str) -> None:
    """PyTorch's own differ from them in the last bits, on one machine from another."""

    class Gate(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return getattr(torch, name)(self.layer(x))

    torch.manual_seed(0)
    model, x = dynamic(Gate()), torch.randn(5, 4) * 4
    program, data = to_bytes(model, x)
    assert [op.kind for op in program.operators] == ["linear_dynamic", name]
    expected = getattr(torch.ops.qsdk, name)(model.layer(x))
    assert torch.allclose(expected, model(x), rtol=3e-7, atol=0)  # 1.81 ulp of ours, and as much of theirs
    for isa in qsdk.runtime.available_isas():
        assert qsdk.Session(data, isa=isa).run(x)[0].tobytes() == expected.numpy().tobytes()
    assert qsdk.reference.run(data, x)[0].tobytes() == expected.numpy().tobytes()


@pytest.mark.parametrize("kind", [*LAYERS, *CELLS])
def test_the_runtime_is_an_engine_for_recurrent_layers(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    model = tq.quantize_dynamic(nn.Sequential(kind(6, 8)).eval(), {kind})
    inputs = [torch.randn(*([5] if kind in LAYERS else []), 3, 6) for _ in range(2)]
    with torch.no_grad():
        expected = [flat(model(x)) for x in inputs]
    qsdk.backends.quantized.engine = "qsdk"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for x, results in zip(inputs, expected, strict=True):
                assert all(torch.equal(a, b) for a, b in zip(flat(model(x)), results, strict=True))
    finally:
        qsdk.backends.quantized.engine = "reference"


def test_operands_that_are_one_tensor_now_and_two_later() -> None:
    """The engine keeps a program per kind of call: one for x + x may not serve x + y."""
    x, y = (quantize(torch.randn(2, 3), QParams(0.05, 100, quint8)) for _ in range(2))
    add = nnq.QFunctional()
    add.scale, add.zero_point = 0.1, 100
    expected = [add.add(x, x).storage, add.add(x, y).storage]
    qsdk.backends.quantized.engine = "qsdk"
    try:
        assert torch.equal(add.add(x, x).storage, expected[0])
        assert torch.equal(add.add(x, y).storage, expected[1])
    finally:
        qsdk.backends.quantized.engine = "reference"
