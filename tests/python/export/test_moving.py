"""Functions that only move integers: as torch's on the integers, in models, files and C; with few permutes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import qsdk.quantization as tq
from qsdk.export import to_bytes
from qsdk.qtensor import QParams, QTensor, qint8
from qsdk.quantization.quantize_fx import convert_fx, prepare_fx
from qsdk.reference.interpreter import run
from qsdk.runtime import Session

# name -> (function, the operators of the file between two convolutions, where they matter)
CASES: dict[str, tuple[Callable[[Any], Any], list[str] | None]] = {
    "half of the channels": (lambda x: x[:, 4:], ["slice"]),
    "every other pixel": (lambda x: x[..., ::2, 1::2], ["slice"]),
    "narrow": (lambda x: x.narrow(2, 1, 3), ["slice"]),
    "flip": (lambda x: torch.flip(x, (1, -1)), ["slice"]),
    "expand": (lambda x: x[:, :, :1].expand(-1, -1, 5, -1), ["slice", "slice"]),
    "roll": (lambda x: torch.roll(x, (2, -1), (2, 3)), ["slice", "slice", "cat"] * 2),
    "space to depth": (
        lambda x: torch.cat([x[..., a::2, b::2] for a in (0, 1) for b in (0, 1)], 1),
        ["slice"] * 4 + ["cat"],
    ),
    "chunks": (lambda x: torch.cat([x.chunk(2, 1)[1], x.chunk(2, 1)[0]], 1), ["slice", "slice", "cat"]),
    "pieces": (
        lambda x: torch.cat([x.split([1, 5, 2], 1)[0], torch.split(x, [3, 5], 1)[1]], 1),
        ["slice", "slice", "cat"],
    ),
    "row": (lambda x: x[:, :, 1].unsqueeze(2), ["slice"]),
    "pixel shuffle": (lambda x: F.pixel_shuffle(x, 2), ["reshape", "permute", "reshape"]),
    "pixel unshuffle": (lambda x: F.pixel_unshuffle(x, 2), ["reshape", "permute", "reshape"]),
    "channel shuffle": (lambda x: F.channel_shuffle(x, 2), ["reshape", "permute", "reshape"]),
    "channel shuffle by hand": (
        lambda x: x.view(x.size(0), 2, 4, 4, 6).transpose(1, 2).contiguous().view(x.size(0), -1, 4, 6),
        ["reshape", "permute", "reshape"],
    ),
    "rot90": (lambda x: torch.rot90(x, 3, (2, 3)), ["slice", "permute"]),
    "largest of pixels": (lambda x: x.amax((2, 3), keepdim=True), ["max_pool2d"]),
    "largest of channels": (
        lambda x: torch.amax(x, 1, keepdim=True),
        ["reshape", "max_pool2d", "reshape"],
    ),
    "smallest of rows": (
        lambda x: torch.amin(x, (1, 2), True),
        None,
    ),
    "adaptive windows": (lambda x: F.adaptive_max_pool2d(x, (2, None)), ["max_pool2d"]),
    "uneven windows": (lambda x: F.adaptive_max_pool2d(x, (3, 2)), None),
    "reflect pad": (lambda x: F.pad(x, (1, 2, 3, 0), "reflect"), ["pad"]),
    "crop and pad": (lambda x: F.pad(x, (1, 0, -1, 2, 0, 3)), ["slice", "pad"]),
    "nearest": (lambda x: F.interpolate(x, scale_factor=2), ["upsample_nearest2d"]),
    "bilinear": (
        lambda x: F.interpolate(x, (7, 9), mode="bilinear", align_corners=True),
        ["upsample_bilinear2d"],
    ),
    "nearest by hand": (
        lambda x: x.repeat_interleave(2, 2).repeat_interleave(3, 3),
        ["reshape", "slice", "reshape", "slice", "reshape"],
    ),
}  # fmt: skip


class Between(nn.Module):
    """Convolution, function, convolution."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.first = nn.Conv2d(3, 8, 1)
        self.function = function
        self.second = nn.Conv2d(function(torch.zeros(1, 8, 4, 6)).shape[1], 2, 1)

    def forward(self, x: Any) -> Any:
        """[N, 3, 4, 6] to [N, 2, ...]."""
        return self.dequant(self.second(self.function(self.first(self.quant(x)))))


def quantized(function: Callable[[Any], Any], graph: bool) -> nn.Module:
    if graph:
        return quantized_graph(function)
    torch.manual_seed(0)
    model = Between(function).eval()
    model.qconfig = tq.get_default_qconfig("qsdk")
    prepared = tq.prepare(model)
    for _ in range(3):
        prepared(torch.randn(1, 3, 4, 6))
    return tq.convert(prepared)


def quantized_graph(function: Callable[[Any], Any], capture: str = "fx") -> nn.Module:
    torch.manual_seed(0)
    model: Any = Between(function).eval()
    model.quant, model.dequant = nn.Identity(), nn.Identity()
    mapping = tq.QConfigMapping().set_global(tq.get_default_qconfig("qsdk"))
    prepared = prepare_fx(model, mapping, (torch.randn(1, 3, 4, 6),), capture=capture)
    for _ in range(3):
        prepared(torch.randn(1, 3, 4, 6))
    return convert_fx(prepared)


@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("name", CASES)
def test_between_convolutions(name: str, graph: bool) -> None:
    function, kinds = CASES[name]
    model = quantized(function, graph)
    x = torch.randn(1, 3, 4, 6)
    program, data = to_bytes(model, x)
    found = [op.kind for op in program.operators]
    first, second = (i for i, kind in enumerate(found) if kind == "conv2d")
    assert kinds is None or found[first + 1 : second] == kinds
    expected = model(x).numpy().tobytes()
    assert [o.tobytes() for o in run(data, x)] == [expected]
    assert [o.tobytes() for o in Session(data).run(x.numpy())] == [expected]


INTEGERS = np.random.default_rng(0).integers(-128, 128, (2, 3, 4, 5)).astype(np.int8)
ALONE: dict[str, Callable[[Any], Any]] = {
    **{name: lambda t, function=function: function(t.repeat(1, 3, 1, 2)[:, :8, :4, :6]) for name, (function, _) in
       CASES.items() if not name.endswith(("pad", "nearest", "bilinear", "windows"))},
    "largest": lambda t: t.amax(), "largest of all": lambda t: torch.amax(t, (0, 1, 2, 3), True),
    "largest apart": lambda t: t.amax((0, 2)), "smallest": lambda t: torch.amin(t, -1),
    "new axis": lambda t: t[:, None, 1, ..., None, ::2], "all": lambda t: t[...], "none of it": lambda t: t[:, 3:],
    "expand more": lambda t: t[0, :1].expand(3, 2, -1, 4, 5), "expand_as": lambda t: t[:1].expand_as(t),
    "nothing to expand": lambda t: t.expand(-1, 3, 4, 5),
    "tile": lambda t: torch.tile(t, (2, 1, 3)), "repeat more": lambda t: t.repeat(2, 1, 1, 2, 1),
    "repeat_interleave": lambda t: torch.repeat_interleave(t, 3), "fliplr": torch.fliplr, "flipud": torch.flipud,
    "roll flat": lambda t: t.roll(7), "rot90": lambda t: torch.rot90(t, 1, (1, 3)), "rot180": lambda t: t.rot90(2),
    "rot360": lambda t: torch.rot90(t, -4, (0, 1)), "unbind": lambda t: torch.cat(t.unbind(2)[1:3]),
    "image without batch": lambda t: F.pixel_shuffle(t.reshape(8, 3, 5), 2),
    "list of indices": lambda t: t[:, [2, 0]],
}  # fmt: skip


@pytest.mark.parametrize("name", ALONE)
def test_as_torch_on_the_integers(name: str) -> None:
    x = torch.from_numpy(INTEGERS)
    q = QTensor(x, QParams(0.1, 3, qint8))
    result, expected = ALONE[name](q), ALONE[name](x)
    assert torch.equal(result.storage, expected) and result.qparams == q.qparams
    assert result.storage.is_contiguous() and result.storage.data_ptr() != x.data_ptr()


@pytest.mark.parametrize("index", [(slice(None), 3), (0, 0, 0, 0, 0), (Ellipsis, Ellipsis, Ellipsis, 9)])
def test_indices_out_of_range(index: Any) -> None:
    with pytest.raises(IndexError):
        QTensor(torch.from_numpy(INTEGERS), QParams(0.1, 3, qint8))[index]


def test_the_reference_refuses_positions_outside() -> None:
    x = torch.zeros(3, 4, dtype=torch.int8)
    for shape, start, step in (([3, 4], [0, 1], [1, 1]), ([2, 4], [0, 0], [3, 1]), ([2, 4], [1, 0], [-2, 1])):
        for device in ("cpu", "meta"):
            with pytest.raises(ValueError, match="positions"):
                torch.ops.qsdk.slice(x.to(device), shape, start, step)


MODULES = [
    nn.ZeroPad2d((1, 2, 0, 1)), nn.ConstantPad2d(1, 0.5), nn.ReflectionPad2d((1, 0, 2, 1)), nn.ReplicationPad2d(2),
    nn.CircularPad2d(1), nn.Upsample(scale_factor=2), nn.Upsample((5, 7), mode="bilinear"), nn.UpsamplingNearest2d(9),
    nn.UpsamplingBilinear2d(scale_factor=2), nn.PixelShuffle(2), nn.PixelUnshuffle(2), nn.ChannelShuffle(4),
]  # fmt: skip


@pytest.mark.parametrize("capture", ["fx", "export"])
@pytest.mark.parametrize("module", MODULES, ids=lambda m: type(m).__name__)
def test_modules_pass_in_graph_mode(module: nn.Module, capture: str) -> None:
    model = quantized_graph(module, capture)
    x = torch.randn(1, 3, 4, 6)
    program, data = to_bytes(model, x)
    kinds = [op.kind for op in program.operators]
    assert kinds.count("quantize_per_tensor") == kinds.count("dequantize") == 1
    assert [o.tobytes() for o in Session(data).run(x.numpy())] == [model(x).numpy().tobytes()]


def test_other_modes_stay_float() -> None:
    for function in (nn.Upsample(scale_factor=2, mode="bicubic"), lambda x: F.interpolate(x, (3, 3), mode="area")):
        model = quantized_graph(function)
        assert isinstance(model(torch.randn(1, 3, 4, 6)), torch.Tensor)


class Floats(nn.Module):
    """Parts of a float tensor, in a model that quantizes later."""

    def __init__(self) -> None:
        super().__init__()
        self.quant, self.conv, self.dequant = tq.QuantStub(), nn.Conv2d(3, 4, 1), tq.DeQuantStub()

    def forward(self, x: Any) -> Any:
        """[N, 4, H, W] to several."""
        x = torch.flip(x[:, 1:, ::2], (3,))
        y = self.dequant(self.conv(self.quant(x)))
        first, second = y.split([1, 3], 1)
        halves = y.chunk(2, -1)
        return first, second, halves[1], y[:, -1], y[0, 2, 1:], y.unbind(1)[3]


def test_parts_of_float_tensors() -> None:
    torch.manual_seed(0)
    model, x = Floats().eval(), torch.randn(2, 4, 5, 7)
    model.qconfig = tq.get_default_qconfig("qsdk")
    prepared = tq.prepare(model)
    prepared(x)
    converted = tq.convert(prepared)
    _, data = to_bytes(converted, x)
    expected = [part.numpy().tobytes() for part in converted(x)]
    assert [o.tobytes() for o in run(data, x)] == expected
    assert [o.tobytes() for o in Session(data).run(x.numpy())] == expected
