"""Layers left in float, and models that are float as a whole: what export makes of PyTorch's calls."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import qsdk
import qsdk.quantization as tq
from qsdk.export import to_bytes
from qsdk.reference.interpreter import run


def check(model: nn.Module, *inputs: torch.Tensor, close: float = 1e-5) -> list[str]:
    """Reference and runtime agree to the bit, and with PyTorch up to rounding (its sums have other orders); returns the
    program's operators."""
    program, data = to_bytes(model.eval(), inputs)
    with torch.no_grad():
        results = model(*inputs)
    expected = run(data, *inputs)
    for made, wanted in zip(expected, results if isinstance(results, tuple) else (results,), strict=True):
        torch.testing.assert_close(torch.from_numpy(made), wanted, rtol=close, atol=close)
    for isa in qsdk.runtime.available_isas():
        session = qsdk.Session(data, isa=isa)
        assert [o.tobytes() for o in session.run(*inputs)] == [o.tobytes() for o in expected], isa
        assert session.self_test() == 2
    return [op.kind for op in program.operators]


class Call(nn.Module):
    """A function and a parameter of its own."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function, self.weight = function, nn.Parameter(torch.randn(6, 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.function(x, self.weight)
        return result


CALLS: dict[str, tuple[Any, list[str]]] = {
    "sum and difference": (lambda x, w: (x + w[0]) - 2 * x, ["add", "mul", "sub"]),
    "number first": (lambda x, w: 1 - x, ["sub"]),
    "quotient": (lambda x, w: x / w[1] / 3, ["div", "div"]),
    "number over tensor": (lambda x, w: 1 / x, ["div", "mul"]),
    "square and cube": (lambda x, w: x**2 + x**3, ["mul", "mul", "mul", "add"]),
    "roots": (lambda x, w: torch.rsqrt(x.abs() + 1) * (x**2).sqrt(), ["abs", "add", "rsqrt", "mul", "sqrt", "mul"]),
    "clamps": (lambda x, w: x.clamp(-1, 1).clamp(min=0.1).clamp_max(0.5), ["clamp", "clamp", "clamp"]),
    "relu6": (lambda x, w: F.relu6(x, inplace=True), ["clamp"]),
    "hardtanh": (lambda x, w: F.hardtanh(x, -2, 2), ["clamp"]),
    "activations": (
        lambda x, w: F.hardswish(F.hardsigmoid(F.silu(F.elu(F.leaky_relu(x, 0.2), 0.5)))),
        ["leaky_relu", "elu", "silu", "hardsigmoid", "hardswish"],
    ),
    "gelus": (lambda x, w: F.gelu(F.gelu(x), approximate="tanh"), ["gelu", "gelu"]),
    "exp of minus": (lambda x, w: torch.exp(-x), ["neg", "exp"]),
    "linear": (lambda x, w: F.linear(x, w, w[0]), ["linear"]),
    "product with a constant": (lambda x, w: x @ w, ["linear"]),
    "product with itself": (lambda x, w: x.transpose(1, 2) @ x, ["permute", "matmul"]),
    "product and sum": (lambda x, w: torch.baddbmm(x, x[:, :, :3], x[:, :3]), ["slice", "slice", "matmul", "add"]),
    "softmax of the last": (lambda x, w: F.softmax(x, -1), ["softmax"]),
    "softmax of the first": (lambda x, w: x.softmax(0), ["permute", "softmax", "permute"]),
    "layer norm": (lambda x, w: F.layer_norm(x, (5, 6)), ["layer_norm"]),
    "mean of some": (lambda x, w: x.mean((1, 2)), ["mean"]),
    "mean of all": (lambda x, w: x.mean(), ["mean"]),
    "expanded": (lambda x, w: x[:1].expand(2, -1, -1) + x, ["slice", "slice", "add"]),
    "expanded by an axis": (lambda x, w: x.expand(2, 2, 5, 6), ["reshape", "slice"]),
    "largest and smallest of two": (
        lambda x, w: torch.maximum(x, w[0]) - torch.min(w[1], x),
        ["maximum", "minimum", "sub"],
    ),
    "choice": (lambda x, w: torch.where(x > 0, x, w[0]) + x.masked_fill(x < -1, 0.5), None),
    "sums": (lambda x, w: x.sum() + x.sum((0, 2)) + x.sum(1, keepdim=True).sum(-1), None),
    "extremes of axes": (lambda x, w: x.amax((0, 2), keepdim=True) - x.amin(-1, keepdim=True) * x.amax(), None),
    "zeros around": (lambda x, w: F.pad(x, (1, 2, 3, 0)), ["pad"]),
    "number around, parts gone": (lambda x, w: F.pad(x, (-1, 2, 0, -2), value=-0.75), ["slice", "pad", "where"]),
    "mirrored": (lambda x, w: F.pad(x, (2, 3), mode="reflect"), ["pad"]),
    "edges repeated": (lambda x, w: F.pad(x.unsqueeze(0), (2, 3, 1, 0), mode="replicate"), None),
    "bilinear": (lambda x, w: F.interpolate(x.unsqueeze(0), scale_factor=(2, 1.5), mode="bilinear"), None),
    "bilinear, corners aligned": (
        lambda x, w: F.interpolate(x.unsqueeze(0), (7, 3), mode="bilinear", align_corners=True),
        None,
    ),
    "attention": (lambda x, w: F.scaled_dot_product_attention(x, x @ w, x), None),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls(name: str) -> None:
    torch.manual_seed(0)
    function, kinds = CALLS[name]
    made = check(Call(function), torch.randn(2, 5, 6))
    assert kinds is None or made == kinds


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x, w: torch.sub(x, w[0], alpha=2), "alpha=2"),
        (lambda x, w: x**2.5, "exponent=2.5"),
        (lambda x, w: F.selu(x), "scale="),
        (lambda x, w: F.layer_norm(x, (6,), x[0, 0]), "a weight that is no constant"),
        (lambda x, w: torch.sin(x), "aten.sin"),
    ],
)
def test_refused(function: Any, message: str) -> None:
    with pytest.raises(qsdk.UnsupportedOperatorError, match=message):
        to_bytes(Call(function).eval(), torch.randn(2, 5, 6))


class Block(nn.Module):
    """A transformer's layer, as it is written by hand."""

    def __init__(self, width: int = 24, heads: int = 3) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.up, self.down, self.heads = nn.Linear(width, 2 * width), nn.Linear(2 * width, width), heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, t, d = x.shape
        q, k, v = self.qkv(self.first(x)).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        a = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(d // self.heads), -1) @ v
        x = x + self.out(a.transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(self.second(x))))


@pytest.mark.parametrize("batch", [1, 2])
def test_transformer_float_and_dynamic(batch: int) -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(Block(), Block()).eval(), torch.randn(batch, 7, 24)
    kinds = check(model, x)
    assert kinds.count("linear") == 8 and kinds.count("matmul") == 4
    kinds = check(tq.quantize_dynamic(copy.deepcopy(model), {nn.Linear}), x)
    assert "linear" not in kinds and kinds.count("linear_dynamic") == 8


@pytest.mark.parametrize("norm_first", [False, True])
def test_transformer_encoder(norm_first: bool) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True, norm_first=norm_first)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    assert check(model, torch.randn(2, 6, 16)).count("softmax") == 2


def test_masks_that_are_filled_in_place() -> None:
    """PyTorch makes a mask to add of one of truth values; what has the shape of an input alone is a constant."""

    class Masked(nn.Module):
        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            bias = torch.zeros_like(mask, dtype=torch.float32).masked_fill_(mask, float("-inf"))
            y = (x * torch.ones_like(x) + bias).softmax(-1)
            y.masked_fill_(mask, -1.0)
            return y + x.new_full((5,), 0.5)

    check(Masked(), torch.randn(2, 5), torch.arange(5) > torch.tensor([[1], [3]]))


def cell(inputs: int, outputs: int, **geometry: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, **geometry), nn.BatchNorm2d(outputs), nn.ReLU6())


NETWORKS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "images": (
        nn.Sequential(
            cell(3, 16, stride=2, padding=1), cell(16, 16, padding=1, groups=16), cell(16, 24, dilation=2, groups=2),
            nn.MaxPool2d(2, ceil_mode=True), nn.ConvTranspose2d(24, 8, 3, 2, 1, output_padding=1),
            nn.AvgPool2d(3, 2, 1), nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten(), nn.Linear(48, 10), nn.Softmax(-1),
        ),
        (2, 3, 24, 20),
    ),
    "sound": (
        nn.Sequential(
            nn.Conv1d(4, 16, 5, 2, 2), nn.BatchNorm1d(16), nn.Hardswish(), nn.MaxPool1d(2),
            nn.Conv1d(16, 16, 3, groups=16), nn.ConvTranspose1d(16, 6, 4, 2, groups=2),
            nn.AvgPool1d(3, 1, 1), nn.Flatten(), nn.Linear(72, 20),
        ),
        (1, 4, 28),
    ),
    "norms": (
        nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8), nn.PReLU(8), nn.Upsample(scale_factor=2),
            nn.InstanceNorm2d(8, affine=True), nn.PReLU(), nn.Upsample(size=(7, 9)),
        ),
        (2, 3, 6, 5),
    ),
    "volumes": (
        nn.Sequential(
            nn.Conv3d(1, 6, 3, (1, 2, 1), 1), nn.BatchNorm3d(6), nn.ELU(),
            nn.ConvTranspose3d(6, 2, (2, 3, 2), 2),
        ),
        (1, 1, 4, 6, 5),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_convolutional_networks(name: str) -> None:
    torch.manual_seed(0)
    model, shape = copy.deepcopy(NETWORKS[name])
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    kinds = check(model, torch.randn(shape))
    assert kinds.count("permute") <= 5  # at both ends, and where a flatten wants the channels first


class Tagger(nn.Module):
    """A recurrent layer both ways; it is unrolled, and float as a whole."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.body, self.head = kind(6, 10, 2, batch_first=True, bidirectional=True), nn.Linear(20, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x)[0])


@pytest.mark.parametrize(("kind", "functions"), [(nn.LSTM, 24), (nn.GRU, 12), (nn.RNN, 12)])
def test_recurrent_layers_in_float(kind: type[nn.RNNBase], functions: int) -> None:
    torch.manual_seed(0)
    assert check(Tagger(kind), torch.randn(2, 3, 6)).count("tanh") == functions


def test_words_in_float() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(9, 6, padding_idx=0), nn.Linear(6, 4))
    assert check(model, torch.randint(0, 9, (2, 5))) == ["reshape", "index_select", "linear", "reshape"]


def test_indices_of_a_pool_are_not_in_the_file() -> None:
    model = nn.Sequential(nn.MaxPool2d(2, return_indices=True)).eval()
    with pytest.raises(qsdk.QsdkError, match="max_pool2d_with_indices"):
        to_bytes(model, torch.randn(1, 2, 4, 4))


def test_mixed_with_a_float_head_and_a_float_stem() -> None:
    torch.manual_seed(0)

    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.quant, self.dequant = nn.Linear(12, 20), tq.QuantStub(), tq.DeQuantStub()
            self.body, self.head = nn.Sequential(nn.Linear(20, 20), nn.ReLU()), nn.Linear(20, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.dequant(self.body(self.quant(F.silu(self.stem(x)))))
            return F.softmax(self.head(x), -1)

    model = Mixed().eval()
    model.qconfig = tq.get_default_qconfig("x86")
    model.stem.qconfig = model.head.qconfig = None
    prepared = tq.prepare(model)
    prepared(torch.randn(64, 12))
    kinds = check(tq.convert(prepared), torch.randn(3, 12), close=0.05)  # a rounding before quantization moves a step
    assert kinds == ["linear", "silu", "quantize_per_tensor", "linear", "dequantize", "linear", "softmax"]
