"""Weights alone quantized: the rule step by step, modules, qconfigs, files."""

from __future__ import annotations

import copy
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import qsdk
import qsdk.nn.quantized.weight_only as nnqw
import qsdk.quantization as tq
from qsdk.errors import QuantizationError
from qsdk.export import to_bytes

sys.path.insert(0, str(Path(__file__).parents[1] / "export"))
from test_float_models import check  # noqa: E402

FORMS = [(8, 0), (8, 64), (4, 0), (4, 32), (4, 128)]
LAYERS = {
    "linear": (lambda: nn.Linear(77, 19), (3, 2, 77)),
    "narrow": (lambda: nn.Linear(1, 2, bias=False), (1, 1)),
    "conv1d": (lambda: nn.Conv1d(6, 8, 5, stride=2, padding=3, dilation=2, groups=2), (2, 6, 21)),
    "conv1d same": (lambda: nn.Conv1d(4, 4, 3, padding="same", bias=False), (1, 4, 9)),
    "conv2d": (lambda: nn.Conv2d(5, 17, (3, 2), stride=(2, 1), padding=(1, 0)), (2, 5, 7, 6)),
    "depthwise": (lambda: nn.Conv2d(6, 6, 3, padding=1, groups=6), (1, 6, 5, 5)),
}  # fmt: skip


def quantized(layer: nn.Module, bits: int, group_size: int) -> Any:
    return tq.quantize_dynamic(nn.Sequential(layer).eval(), {type(layer): tq.weight_only_qconfig(bits, group_size)})[0]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_float_layers_of_rounded_weights(name: str, form: tuple[int, int]) -> None:
    torch.manual_seed(0)
    make, shape = LAYERS[name]
    layer, x = make(), torch.randn(shape)
    module = quantized(layer, *form)
    assert type(module) is getattr(nnqw, type(layer).__name__) and (module.bits, module.group_size) == form
    rounded = copy.deepcopy(layer)
    rounded.weight.data = module.dequantized_weight()
    step = module.weight_scale.max()
    assert (rounded.weight - layer.weight).abs().max() <= step * 0.5001 + step * (form[0] == 4) * 0.5
    with torch.no_grad():
        # Sums of up to 77 products in another order.
        assert torch.allclose(module(x), rounded(x), rtol=1e-5, atol=1e-5)
    kinds = check(nn.Sequential(module).eval(), x)
    assert [k for k in kinds if k not in ("reshape", "permute")] == [
        "linear_weight_only" if "n" in name and isinstance(layer, nn.Linear) else "conv2d_weight_only"
    ]


@pytest.mark.parametrize("form", FORMS)
def test_the_rule_step_by_step(form: tuple[int, int]) -> None:
    torch.manual_seed(1)
    layer, x = nn.Linear(77, 3), torch.randn(2, 77)
    module = quantized(layer, *form)
    bits, group = form[0], form[1] or 77
    for row in range(2):
        for o in range(3):
            acc = np.float32(0)
            for k in range(77):
                byte = int(module.qweight[o, k if bits == 8 else k // 2])
                q = byte if bits == 8 else (byte >> (4 * (k % 2)) & 15) - 8
                w = np.float32(module.weight_scale[o, k // group].item()) * np.float32(q)
                acc = np.float32(acc + np.float32(np.float32(x[row, k].item()) * w))
            expected = np.float32(acc + np.float32(layer.bias[o].item()))
            assert module(x)[row, o].item() == expected


def test_groups_are_finer_than_channels() -> None:
    """One outlier spoils its group only."""
    layer = nn.Linear(128, 1)
    layer.weight.data = torch.full((1, 128), 0.01)
    layer.weight.data[0, 0] = 100.0
    channel, groups = (quantized(layer, 4, size).dequantized_weight() for size in (0, 32))
    assert (channel[0, 1:] == 0).all() and (groups[0, 1:32] == 0).all()
    assert torch.allclose(groups[0, 32:], layer.weight[0, 32:], rtol=0.08)  # 7 or 8 of 7.5 steps


def test_fused_relu() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(72, 9), nn.ReLU())
    model[1].running_mean.normal_()
    model.eval()
    fused = tq.fuse_modules(model, [["0", "1", "2"], ["4", "5"]])
    fused.qconfig = tq.weight_only_qconfig(4)
    prepared = tq.prepare(fused)
    x = torch.randn(2, 3, 5, 5)
    assert torch.equal(prepared(x), fused(x))
    converted = tq.convert(prepared)
    assert type(converted[0]) is nnqw.Conv2d and converted[0].relu and converted[4].relu
    kinds = check(converted, x)
    assert "relu" not in kinds and {"conv2d_weight_only", "linear_weight_only"} <= set(kinds)
    assert F.mse_loss(converted(x), model(x)).sqrt() < 0.25 * model(x).std()


def test_own_state() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(40, 5), torch.randn(2, 40)
    module = quantized(layer, 4, 32)
    fresh = nnqw.Linear(40, 5, bits=4, group_size=32)
    fresh.load_state_dict(module.state_dict())
    for other in (fresh, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(other(x), module(x))
    assert "bits=4, group_size=32" in repr(module)
    assert module(x.double()).dtype is torch.float64


def test_in_graph_mode_beside_other_layers() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8)).eval()
    x = torch.randn(4, 64)
    mapping = tq.QConfigMapping().set_module_name("0", tq.weight_only_qconfig(8))
    mapping.set_module_name("2", tq.default_dynamic_qconfig)
    prepared = qsdk.quantization.quantize_fx.prepare_fx(model, mapping, (x,))
    converted = qsdk.quantization.quantize_fx.convert_fx(prepared)
    kinds = check(converted, x)
    assert kinds == ["linear_weight_only", "linear_dynamic"]  # relu is in the first


def test_a_file_of_4_bits_is_small() -> None:
    model = nn.Sequential(nn.Linear(512, 512)).eval()
    x = torch.randn(1, 512)
    sizes = [
        len(to_bytes(tq.quantize_dynamic(model, {nn.Linear: tq.weight_only_qconfig(bits)}), x)[1]) for bits in (8, 4)
    ]
    assert sizes[0] < 512 * 512 + 12000 and sizes[1] < 512 * 512 // 2 + 512 * 16 * 4 + 12000


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tq.weight_only_qconfig(3), "8 or 4 bits, not 3"),
        (lambda: tq.weight_only_qconfig(4, 33), "group_size is 33; use a multiple of 32"),
        (lambda: tq.PerGroupMinMaxObserver(0), "group_size is 0"),
        (lambda: nnqw.Linear(8, 8, bits=5), "8 or 4 bits"),
        (lambda: nnqw.Conv2d(8, 8, 3, group_size=31), "a multiple of 32"),
    ],
)
def test_refused_settings(make: Any, message: str) -> None:
    with pytest.raises(QuantizationError, match=message):
        make()


def test_refused_inputs_and_weights() -> None:
    model = tq.quantize_dynamic(
        nn.Sequential(nn.Linear(8, 4), nn.Conv2d(4, 4, 1)).eval(),
        dict.fromkeys((nn.Linear, nn.Conv2d), tq.weight_only_qconfig()),
    )
    with pytest.raises(QuantizationError, match=r"layer '0' \(Linear\) got shape \[1, 7\], but its weights take 8"):
        model[0](torch.randn(1, 7))
    with pytest.raises(QuantizationError, match=r"layer '1' \(Conv2d\) got shape \[4, 3, 3\].*add a batch axis"):
        model[1](torch.randn(4, 3, 3))
    with pytest.raises(QuantizationError, match="takes float tensors"):
        model[0](torch.zeros(1, 8, dtype=torch.int64))
    layer = nn.Linear(8, 4)
    layer.weight.data[0, 0] = float("nan")
    with pytest.raises(QuantizationError, match=r"layer '0' \(Linear\) has weights that are NaN"):
        quantized(layer, 8, 0)
    affine = tq.QConfig(tq.PlaceholderObserver, tq.MinMaxObserver.with_args(dtype=qsdk.qint8))
    layer = nn.Linear(8, 4)
    layer.weight.data.uniform_(0.5, 1)
    with pytest.raises(QuantizationError, match=r"layer '0' \(Linear\).*use weight_only_qconfig"):
        tq.quantize_dynamic(nn.Sequential(layer).eval(), {nn.Linear: affine})
