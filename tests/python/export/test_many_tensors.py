"""Several inputs and outputs, nested ones, constants, tokens, masks, changes in place, batches: in files and C."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import qsdk
import qsdk.quantization as tq
from qsdk import CaptureError
from qsdk.export import to_bytes
from qsdk.reference.interpreter import run
from qsdk.runtime import Session


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def leaves(value: Any) -> list[torch.Tensor]:
    """Tensors of nested containers, dicts by their order."""
    if isinstance(value, torch.Tensor):
        return [value]
    return [leaf for part in (value.values() if isinstance(value, dict) else value) for leaf in leaves(part)]


def same_everywhere(model: nn.Module, *inputs: torch.Tensor) -> Any:
    """The program, after equal bytes from model, reference and runtime, twice."""
    program, data = to_bytes(model, inputs)
    session = Session(data)
    for _ in range(2):
        expected = [t.numpy().tobytes() for t in leaves(model(*(i.clone() for i in inputs)))]
        assert [o.tobytes() for o in run(data, *inputs)] == expected
        assert [o.tobytes() for o in session.run(*(i.numpy() for i in inputs))] == expected
    assert session.self_test() == 2
    return program


def quantized(model: nn.Module, *inputs: torch.Tensor) -> nn.Module:
    return qsdk.quantize(model.eval(), [inputs], progress=False)


class Reader(nn.Module):
    """Tokens, a mask, features of another shape and an image; nested results."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.register_buffer("position", torch.randn(6, 8))
        self.start = nn.Parameter(torch.randn(1, 1, 8))
        self.mix, self.head, self.conv = nn.Linear(8, 8), nn.Linear(8, 3), nn.Conv2d(3, 8, 3, stride=2)

    def forward(self, tokens: Any, mask: Any, features: Any, image: Any) -> Any:
        """[N, 5], [N, 6], [8], [N, 3, 9, 9]."""
        x = torch.cat([self.start.expand(tokens.shape[0], -1, -1), self.embed(tokens)], 1)
        x = F.relu(self.mix(x + self.position)) * features
        x = torch.where(mask.unsqueeze(-1), x, 0.0)
        picture = self.conv(image).mean((2, 3))
        scores = self.head(x.sum(1) + picture)
        return {"scores": scores, "parts": [x, (picture,)], "class": scores.argmax(-1)}


def test_everything_at_once() -> None:
    model = Reader().eval()
    mapping = tq.get_default_qconfig_mapping("qsdk").set_object_type(nn.Embedding, tq.float_qparams_weight_only_qconfig)
    inputs = (
        torch.randint(0, 20, (3, 5)), torch.rand(3, 6) > 0.3, torch.randn(8), torch.randn(3, 3, 9, 9),
    )  # fmt: skip
    from qsdk.quantization.quantize_fx import convert_fx, prepare_fx

    prepared = prepare_fx(model, mapping, inputs)
    prepared(*inputs)
    converted = convert_fx(prepared)
    program = same_everywhere(converted, *inputs)
    assert [program.tensors[i].name for i in program.outputs] == ["scores", "parts.0", "parts.1.0", "class"]
    assert [program.tensors[i].dtype for i in program.inputs] == ["int64", "bool", "float32", "float32"]


class Constants(nn.Module):
    """Buffers and parameters on either side of quantized operators, one of them twice."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("table", torch.randn(5, 4))
        self.scale = nn.Parameter(torch.rand(4) + 0.5)

    def forward(self, x: Any) -> Any:
        x = self.linear(x) * self.scale + self.table
        return torch.maximum(x, self.table) @ self.table.T, x - self.scale


def test_constants() -> None:
    x = torch.randn(2, 5, 4)
    program = same_everywhere(quantized(Constants(), x), x)
    assert sum(t.is_constant and t.shape == (5, 4) for t in program.tensors) >= 1


class InPlace(nn.Module):
    """Every kind of change in place that a model may make to tensors of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)

    def forward(self, x: Any) -> Any:
        y = self.conv(x)
        z = y.clone()
        y += 1.0
        y.mul_(0.5)
        z = self.act(z)
        y = F.relu_(y.add_(z))
        z.unsqueeze_(1).squeeze_(1).transpose_(2, 3)
        return y.view(y.size(0), -1), z.flatten(2).transpose(1, 2)


def test_changes_in_place() -> None:
    x = torch.randn(2, 3, 6, 6)
    model = InPlace().eval()
    exact = model(x.clone())
    converted = quantized(model, x)
    for a, b in zip(exact, converted(x), strict=True):
        assert (a - b).abs().max() < 0.1 * a.abs().max()
    same_everywhere(converted, x)


def test_views_of_what_is_changed_in_place_are_refused() -> None:
    class Aliases(nn.Module):
        def forward(self, x: Any) -> Any:
            y = torch.tanh(x)
            row = y[0]
            torch.relu_(y)
            return row, y

    with pytest.raises(CaptureError, match="view of a tensor") as raised:
        to_bytes(Aliases().eval(), torch.randn(2, 3))
    assert len(str(raised.value).splitlines()) == 1  # and nothing of how PyTorch got there


def test_parts_beside_what_is_changed_in_place_stay_as_they_are() -> None:
    class Parts(nn.Module):
        def forward(self, x: Any) -> Any:
            left, right = (x + 1).split(2, 1)
            torch.relu_(left)
            return left + right

    x = torch.randn(3, 4)
    same_everywhere(Parts().eval(), x)


def test_arena_of_float_models_with_changes_in_place() -> None:
    class Floats(nn.Module):
        def forward(self, x: Any, y: Any) -> Any:
            a = torch.relu(x)
            b = a + y
            torch.relu_(b)
            b.add_(a)
            return b.reshape(-1), a, torch.relu(b + x)

    same_everywhere(Floats().eval(), torch.randn(3, 4), torch.randn(4))


class Returns(nn.Module):
    """Its input, a result twice, and a view of it."""

    def forward(self, x: Any) -> Any:
        y = torch.relu(x)
        return x, y, y, y.T


def test_inputs_and_equal_tensors_are_returned() -> None:
    same_everywhere(Returns().eval(), torch.randn(3, 4))


def test_constant_outputs_are_refused() -> None:
    class Constant(nn.Module):
        def forward(self, x: Any) -> Any:
            return {"y": torch.relu(x), "none": torch.zeros(3)}

    with pytest.raises(CaptureError, match="output 1 .*does not depend on its inputs"):
        to_bytes(Constant().eval(), torch.randn(3))


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_batches_are_their_samples(batch: int) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.GroupNorm(2, 6), nn.Flatten(),
        nn.Linear(96, 7), nn.Softmax(-1),
    )  # fmt: skip
    converted = quantized(model, torch.randn(8, 3, 8, 8))
    x = torch.randn(batch, 3, 8, 8)
    same_everywhere(converted, x)
    _, data = to_bytes(converted, x[:1])
    single = Session(data)
    together = Session(to_bytes(converted, x)[1]).run(x.numpy())[0]
    assert np.array_equal(np.concatenate([single.run(x[i : i + 1].numpy())[0] for i in range(batch)]), together)
