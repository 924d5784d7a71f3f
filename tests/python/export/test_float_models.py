"""Models whose activations are float: dynamic layers, and what PyTorch computes between them."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import qsdk
import qsdk.nn.quantized.dynamic as nnqd
import qsdk.quantization as tq
from qsdk.export import to_bytes
from qsdk.reference.interpreter import run


def dynamic(model: nn.Module, *kinds: type[nn.Module]) -> nn.Module:
    return tq.quantize_dynamic(model.eval(), set(kinds or (nn.Linear,)))


def check(model: nn.Module, *inputs: torch.Tensor) -> list[str]:
    """The model, the reference and the runtime agree to the bit; returns the program's operators."""
    program, data = to_bytes(model, inputs)
    with torch.no_grad():
        results = model(*inputs)
    expected = [r.numpy().tobytes() for r in (results if isinstance(results, tuple) else (results,))]
    assert [o.tobytes() for o in run(program, *inputs)] == expected
    assert [o.tobytes() for o in run(data, *inputs)] == expected
    for isa in qsdk.runtime.available_isas():
        session = qsdk.Session(data, isa=isa)
        assert [o.tobytes() for o in session.run(*inputs)] == expected
        assert session.self_test() == 2
    return [op.kind for op in program.operators]


class Perceptron(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(20, 33), nn.Linear(33, 33), nn.Linear(33, 7, bias=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.first(x))
        return self.third(F.relu(self.second(y)) + y)


@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.parametrize("shape", [(1, 20), (5, 20), (2, 40, 20), (20,)])
def test_perceptron(per_token: bool, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model = dynamic(Perceptron())
    for layer in (model.first, model.second, model.third):
        layer.per_token = per_token
    kinds = check(model, torch.randn(shape))
    assert kinds == ["linear_dynamic", "linear_dynamic", "add", "linear_dynamic"]


CONVOLUTIONS = {
    "conv1d": (lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2), (2, 4, 17)),
    "conv1d same": (lambda: nn.Conv1d(4, 4, 4, padding="same", groups=2, bias=False), (2, 4, 9)),
    "conv2d": (lambda: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0)), (2, 4, 7, 5)),
    "conv3d": (lambda: nn.Conv3d(4, 5, (2, 3, 1), stride=(1, 2, 1), padding=1), (2, 4, 4, 5, 3)),
    "conv_transpose1d": (
        lambda: nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), (2, 4, 7),
    ),
    "conv_transpose2d": (lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, dilation=(2, 1)), (2, 4, 3, 4)),
    "conv_transpose3d": (lambda: nn.ConvTranspose3d(4, 2, 2, stride=2, groups=2), (2, 4, 2, 3, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str) -> None:
    """Two of them, with what permutes they need only at the ends."""

    torch.manual_seed(0)
    make, shape = CONVOLUTIONS[name]
    layer = make()
    one = type(layer)(layer.out_channels, 3, 1)
    kind = getattr(nnqd, type(layer).__name__)
    model = tq.quantize_dynamic(nn.Sequential(layer, nn.ReLU(), one).eval(), {type(layer)}, mapping={type(layer): kind})
    kinds = check(model, torch.randn(shape))
    operator = f"{name.split()[0].replace('1d', '2d')}_dynamic"
    assert [k for k in kinds if k not in ("permute", "reshape")] == [operator, "relu", operator]
    assert kinds.count("permute") <= 2


class Functions(nn.Module):
    """One function of PyTorch after a dynamic layer."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.layer, self.function = nn.Linear(4, 6), function
        self.offset = nn.Parameter(torch.randn(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self.layer(x), self.offset)  # type: ignore[operator]


FUNCTIONS = {
    "offset": (lambda y, w: y + w, ["add"]),
    "number": (lambda y, w: 1.5 + y, ["add"]),
    "in place": (lambda y, w: y.add_(w).relu_(), ["add", "relu"]),
    "cat": (lambda y, w: torch.cat([y, y, y + 1], -1), ["add", "cat"]),
    "stack": (lambda y, w: torch.stack([y, y + 1], 1), ["add", "reshape", "reshape", "cat"]),
    "transposes": (lambda y, w: y.view(3, 2, 3).transpose(1, -1).permute(2, 0, 1), ["reshape", "permute"]),
    "t": (lambda y, w: y.t() + 1, ["add", "permute"]),
    "broadcast": (lambda y, w: y.unsqueeze(1) + y, ["reshape", "add"]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_between_layers(name: str) -> None:
    torch.manual_seed(0)
    function, kinds = FUNCTIONS[name]
    assert check(dynamic(Functions(function)), torch.randn(3, 4)) == ["linear_dynamic", *kinds]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda y, w: torch.add(y, w, alpha=2), "alpha=2 has no counterpart"),
        (lambda y, w: torch.sin(y), r"aten.sin on a torch.float32 tensor"),
        (lambda y, w: y.double() + 1, "aten._to_copy on a torch.float32"),
        (lambda y, w: y + torch.ones(6, dtype=torch.int64), "aten.add on a torch.float32"),
    ],
)
def test_refused_functions(function: object, message: str) -> None:
    with pytest.raises(qsdk.UnsupportedOperatorError, match=message):
        to_bytes(dynamic(Functions(function)), torch.randn(1, 4))


def test_constants_do_not_change_in_place() -> None:
    with pytest.raises(qsdk.UnsupportedOperatorError, match="aten.add_"):
        to_bytes(dynamic(Functions(lambda y, w: w.data.add_(y.view(6)))), torch.randn(1, 4))


def test_views_of_what_changed_in_place() -> None:
    def function(y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        seen = y.view(6)
        F.relu_(y)
        return seen + 1

    with pytest.raises(qsdk.CaptureError, match="view of a tensor that .* changed in place"):
        to_bytes(dynamic(Functions(function)), torch.randn(1, 4))


def test_the_runtime_is_an_engine_for_dynamic_layers() -> None:
    torch.manual_seed(0)
    model = dynamic(Perceptron())
    x = torch.randn(3, 20)
    expected = model(x)
    qsdk.backends.quantized.engine = "qsdk"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert torch.equal(copy.deepcopy(model)(x), expected)
    finally:
        qsdk.backends.quantized.engine = "reference"
