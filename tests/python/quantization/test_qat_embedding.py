"""Embeddings in quantization-aware training: against PyTorch's, their table against the naive formula."""

import copy
import io

import numpy as np
import pytest
import torch
import torch.ao.nn.qat as ao_nnqat
import torch.ao.quantization as ao
from torch import nn
from torch.nn import functional as F

import qsdk.nn.qat as nnqat
import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
import qsdk.quantization.quantize_fx as quantize_fx
from qsdk.errors import QuantizationError
from qsdk.qtensor import quint4x2, quint8

ROWS, WIDTH = 20, 6
BAGS = torch.tensor([[1, 2, 3, 4], [5, 5, 6, 0], [19, 1, 1, 7]])
# name: (class, its arguments, those of forward)
LAYERS = {
    "embedding": ("Embedding", {}, (BAGS,)),
    "embedding padding": ("Embedding", {"padding_idx": 5, "scale_grad_by_freq": True}, (BAGS,)),
    "bag mean": ("EmbeddingBag", {}, (BAGS,)),
    "bag sum weighted": ("EmbeddingBag", {"mode": "sum"}, (BAGS, None, torch.linspace(-1, 2, 12).reshape(3, 4))),
    "bag max offsets": ("EmbeddingBag", {"mode": "max"}, (BAGS.flatten(), torch.tensor([0, 3, 3, 8]))),
    "bag last offset": (
        "EmbeddingBag", {"mode": "sum", "include_last_offset": True, "padding_idx": 1},
        (BAGS.flatten(), torch.tensor([0, 3, 12])),
    ),
}  # fmt: skip
BITS = {8: ("default_embedding_qat_qconfig", 255), 4: ("default_embedding_qat_qconfig_4bit", 15)}


def made(name, bits=8, theirs=False):
    kind, arguments, _ = LAYERS[name]
    torch.manual_seed(0)
    layer = getattr(nn, kind)(ROWS, WIDTH, **arguments)
    layer.qconfig = getattr(ao if theirs else tq, BITS[bits][0])
    return getattr(ao_nnqat if theirs else nnqat, kind).from_float(layer)


def fake_quantized(weight, highest):
    """Rule 16, row by row and value by value, each step rounded to float32."""
    result = np.empty_like(weight)
    for i, row in enumerate(weight):
        scale = np.float32((row.max() - row.min()) / np.float32(highest)) or np.float32(1)  # a row of one value
        zero_point = np.float32(-row.min() / scale)
        for j, x in enumerate(row):
            integer = np.rint(np.float32(np.float32(x * np.float32(np.float32(1) / scale)) + zero_point))
            result[i, j] = scale * np.float32(np.float32(min(max(integer, 0), highest)) - zero_point)
    return result


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("name", LAYERS)
def test_result_is_the_float_one_of_the_fake_quantized_table(name, bits):
    layer, inputs = made(name, bits), LAYERS[name][2]
    table = torch.from_numpy(fake_quantized(layer.weight.detach().numpy(), BITS[bits][1]))
    floating = layer.to_float()
    assert type(floating) is getattr(nn, LAYERS[name][0]) and torch.equal(floating.weight, layer.weight)
    floating.weight = nn.Parameter(table)
    assert torch.equal(layer(*inputs), floating(*inputs))
    assert layer.weight_fake_quant.zero_point.dtype is torch.float32
    assert (layer.weight - table).abs().max() <= 0.500001 * layer.weight_fake_quant.scale.max()


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("name", LAYERS)
def test_training_runs_as_torch_s(name, bits):
    seen = []
    for module in (made(name, bits), made(name, bits, theirs=True)):
        optimizer = torch.optim.SGD(module.parameters(), 0.05, momentum=0.9)
        results = []
        for _ in range(5):
            result = module(*LAYERS[name][2])
            optimizer.zero_grad()
            (result - torch.linspace(-1, 1, WIDTH)).square().mean().backward()
            optimizer.step()
            results.append(result.detach())
        seen.append([*results, module.weight.detach(), module.weight_fake_quant.scale])
    for mine, other in zip(*seen, strict=True):
        # torch's kernel contracts (q - zero_point) * scale, so that the last bits differ
        assert (mine - other).abs().max() <= 1e-6 * max(1, other.abs().max())


@pytest.mark.parametrize("name", LAYERS)
def test_copies_and_state(name):
    layer, inputs = made(name), LAYERS[name][2]
    expected = layer(*inputs)
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    other = made(name)
    with torch.no_grad():
        other.weight.zero_()
    other.load_state_dict(torch.load(buffer, weights_only=True))
    other.weight_fake_quant.disable_observer()
    for copied in (other, copy.deepcopy(layer)):
        assert torch.equal(copied(*inputs), expected) and copied.weight_fake_quant.calibrated


@pytest.mark.parametrize("kind", ["Embedding", "EmbeddingBag"])
def test_sparse_gradients_and_limited_norms(kind):
    layer = getattr(nnqat, kind)(ROWS, WIDTH, sparse=True, qconfig=tq.default_embedding_qat_qconfig)
    layer(BAGS).sum().backward()
    dense = getattr(nnqat, kind)(ROWS, WIDTH, _weight=layer.weight, qconfig=tq.default_embedding_qat_qconfig)
    dense(BAGS).sum().backward()
    assert layer.weight.grad.is_sparse and torch.equal(layer.weight.grad.to_dense(), dense.weight.grad)

    limited = getattr(nnqat, kind)(ROWS, WIDTH, max_norm=0.5, qconfig=tq.default_embedding_qat_qconfig)
    floating = getattr(nn, kind)(ROWS, WIDTH, max_norm=0.5, _weight=limited.weight.detach().clone())
    results = limited(BAGS), floating(BAGS)
    assert torch.equal(limited.weight, floating.weight)  # the rows that were used are shorter now
    assert limited.weight[BAGS].norm(dim=-1).max() <= 0.50001 < limited.weight.norm(dim=-1).max()
    assert (results[0] - results[1]).abs().max() <= 0.500001 * limited.weight_fake_quant.scale.max()


class Bags(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.tags = nn.Embedding(ROWS, WIDTH), nn.EmbeddingBag(ROWS, WIDTH, mode="sum")
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.classify = nn.Linear(WIDTH, 3)

    def forward(self, x):
        return self.dequant(self.classify(self.quant(self.words(x).mean(1) + self.tags(x))))


def prepared_bags(graph):
    torch.manual_seed(0)
    model = Bags().train()
    tables = {"words": tq.default_embedding_qat_qconfig, "tags": tq.default_embedding_qat_qconfig_4bit}
    if graph:
        mapping = tq.QConfigMapping().set_global(tq.get_default_qat_qconfig())
        for name, qconfig in tables.items():
            mapping.set_module_name(name, qconfig)
        return quantize_fx.prepare_qat_fx(model, mapping)
    model.qconfig = tq.get_default_qat_qconfig()
    for name, qconfig in tables.items():
        model.get_submodule(name).qconfig = qconfig
    assert type(tq.prepare_qat(model).words) is nn.Embedding  # the default mapping has none, as PyTorch's
    return tq.prepare_qat(model, tq.get_embedding_qat_module_mappings())


@pytest.mark.parametrize("graph", [False, True])
def test_from_training_to_integers(graph):
    prepared = prepared_bags(graph)
    assert type(prepared.words) is nnqat.Embedding and type(prepared.tags) is nnqat.EmbeddingBag
    optimizer = torch.optim.Adam(prepared.parameters(), 0.02)
    x = torch.randint(ROWS, (200, 5))
    labels = x[:, 0] % 3
    losses = []
    for _ in range(60):
        loss = F.cross_entropy(prepared(x), labels)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.7 * losses[0]
    table = prepared.words.weight_fake_quant(prepared.words.weight)
    assert torch.equal(prepared.words(x), table[x])  # the output is not fake quantized once more
    levels = [row.unique().numel() for row in prepared.tags.weight_fake_quant(prepared.tags.weight)]
    assert max(levels) <= 16
    prepared(x)
    prepared.eval().apply(tq.disable_observer)
    quantized = (quantize_fx.convert_fx if graph else tq.convert)(prepared)
    assert type(quantized.words) is nnq.Embedding and type(quantized.tags) is nnq.EmbeddingBag
    assert (quantized.words.dtype, quantized.tags.dtype) == (quint8, quint4x2)
    for name in ("words", "tags"):
        layer = prepared.get_submodule(name)
        exact = layer.weight_fake_quant(layer.weight)
        assert torch.equal(quantized.get_submodule(name).weight().dequantize(), exact)
    assert torch.equal(quantized.words(x), prepared.words(x))
    # torch's kernel sums a bag in another order
    assert (quantized.tags(x) - prepared.tags(x)).abs().max() <= 1e-6
    assert (quantized(x).argmax(1) == prepared(x).argmax(1)).double().mean() >= 0.995
    assert torch.equal(quantized(x), copy.deepcopy(quantized)(x))


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("name", LAYERS)
def test_the_stored_table_gives_the_bits_that_training_saw(name, bits):
    layer, inputs = made(name, bits), LAYERS[name][2]
    expected = layer(*inputs).detach()
    quantized = getattr(nnq, LAYERS[name][0]).from_float(layer.eval())
    table = layer.weight_fake_quant(layer.weight)
    assert torch.equal(quantized.weight().dequantize(), table)
    if LAYERS[name][0] == "Embedding":
        assert torch.equal(quantized(*inputs), expected)
    else:  # torch's kernel adds in another order
        assert (quantized(*inputs) - expected).abs().max() <= 1e-6 * expected.abs().max()


def test_settings_without_float_zero_points_name_the_layer():
    model = Bags().train()
    model.qconfig = tq.get_default_qat_qconfig()
    with pytest.raises(QuantizationError, match="layer 'words'.*default_embedding_qat_qconfig"):
        tq.prepare_qat(model, tq.get_embedding_qat_module_mappings())
    for fake in (nn.Identity, tq.default_embedding_fake_quant.with_args(ch_axis=1)):
        qconfig = tq.QConfig(tq.NoopObserver, fake)
        with pytest.raises(QuantizationError, match="EmbeddingBag needs a fake quantize with .*float_qparams.* axis 0"):
            nnqat.EmbeddingBag(ROWS, WIDTH, qconfig=qconfig)


def test_settings_are_torch_s():
    for name in ("default_embedding_fake_quant", "default_embedding_fake_quant_4bit", "default_dynamic_fake_quant"):
        ours, theirs = getattr(tq, name)(), getattr(ao, name)() if hasattr(ao, name) else None
        if theirs is None:
            theirs = getattr(ao.fake_quantize, name)()
        assert (ours.quant_min, ours.quant_max, ours.is_dynamic) == (
            theirs.quant_min, theirs.quant_max, theirs.is_dynamic,
        )  # fmt: skip
        assert ours.activation_post_process.averaging_constant == theirs.activation_post_process.averaging_constant
        assert repr(ours.qscheme).split(".")[-1] == str(theirs.qscheme).split(".")[-1]
        for _ in range(3):
            x = torch.randn(5, 7) * 3
            ours(x), theirs(x)
            assert torch.equal(ours.scale, theirs.scale) and torch.equal(ours.zero_point, theirs.zero_point)
            assert ours.zero_point.dtype is theirs.zero_point.dtype
