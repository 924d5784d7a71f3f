"""Attention and Transformer layers, statically quantized in eager and graph mode, with masks; in the file and in C."""

import copy

import pytest
import torch
from graph_mode import OneInput, TwoInputs, graph_convert, quantized, sqnr, stubs
from test_graph_selection import same_everywhere
from torch import nn
from torch.nn import functional as F

import qsdk.quantization as tq
from qsdk import QuantizationError
from qsdk.nn import quantizable
from qsdk.nn.quantizable.transformer import swapped

QCONFIG = tq.get_default_qconfig("qsdk")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def lively(module):
    """With biases and norms that are not the initial ones."""
    for name, parameter in module.named_parameters():
        if parameter.dim() == 1:
            nn.init.normal_(parameter, 1.0 if "norm" in name and "weight" in name else 0.0, 0.2)
    return module.eval()


def eager(model, *inputs):
    model.qconfig = QCONFIG
    prepared = tq.prepare(model)
    prepared(*inputs)
    return prepared, tq.convert(prepared)


class Attend(nn.Module):
    """Multi-head attention between stubs."""

    def __init__(self, **settings):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.attention = nn.MultiheadAttention(16, 4, **settings)

    def forward(self, x, padding=None, mask=None):
        x = self.quant(x)
        y, weights = self.attention(x, x, x, key_padding_mask=padding, attn_mask=mask)
        return self.dequant(y), self.dequant(weights)


MASKS = {
    "none": (None, None),
    "padding": (torch.tensor([[False, False, True, True, True], [False] * 5]), None),
    "causal": (None, torch.ones(5, 5, dtype=torch.bool).triu(1)),
    "additive": (None, nn.Transformer.generate_square_subsequent_mask(5)),
    "both": (torch.tensor([[False] * 4 + [True], [False] * 5]), torch.ones(5, 5, dtype=torch.bool).triu(1)),
}


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("name", MASKS)
def test_multihead_attention_in_eager_mode(name, batch_first):
    model = lively(Attend(batch_first=batch_first))
    padding, mask = MASKS[name]
    x = torch.randn(2, 5, 16) if batch_first else torch.randn(5, 2, 16)
    exact = model(x, padding, None if mask is None else mask)
    prepared, converted = eager(model, x, padding, mask)
    for a, b, c in zip(exact, prepared(x, padding, mask), converted(x, padding, mask), strict=True):
        assert (a - b).abs().max() < 1e-5 and sqnr(a, c) > 20  # the same in another order of sums
    inputs = [v for v in (x, padding) if v is not None]

    def whole(m, x, padding=None):
        return m.model(x, padding, m.mask)

    whole = (OneInput if padding is None else TwoInputs)(whole, model=converted, mask=mask)
    kinds = same_everywhere(whole, *inputs)
    assert kinds.count("linear") == 4 and kinds.count("matmul") == 2 and "softmax" in kinds


def test_masked_keys_have_no_weight():
    model, x = lively(Attend(batch_first=True)), torch.randn(2, 5, 16)
    padding = torch.tensor([[False, False, True, True, True], [True] * 5])
    _, converted = eager(model, x, padding)
    weights = converted(x, padding)[1]
    assert not weights[0, :, 2:].any() and weights[0, :, :2].sum(-1).sub(1).abs().max() < 0.02
    assert not weights[1].any()  # nothing to look at


def test_other_sizes_of_keys_and_values():
    attention = lively(nn.MultiheadAttention(8, 2, kdim=6, vdim=10, bias=False, batch_first=True))
    q, k, v = torch.randn(3, 4, 8), torch.randn(3, 7, 6), torch.randn(3, 7, 10)
    ours = quantizable.MultiheadAttention.from_float(attention)
    for average in (True, False):
        expected = attention(q, k, v, average_attn_weights=average)
        for a, b in zip(expected, ours(q, k, v, average_attn_weights=average), strict=True):
            assert (a - b).abs().max() < 1e-5
    assert ours(q, k, v, need_weights=False)[1] is None
    causal = attention(q, k, v, attn_mask=torch.ones(4, 7, dtype=torch.bool).triu(1))[0]
    assert (ours(q, k, v, is_causal=True)[0] - causal).abs().max() < 1e-5


def test_what_is_refused():
    for settings in ({"add_bias_kv": True}, {"add_zero_attn": True}):
        with pytest.raises(QuantizationError, match="adds a key"):
            quantizable.MultiheadAttention.from_float(nn.MultiheadAttention(8, 2, **settings))
    ours = quantizable.MultiheadAttention(8, 2, batch_first=True)
    x = torch.randn(1, 3, 8)
    with pytest.raises(QuantizationError, match="neither 0 nor -inf"):
        ours(x, x, x, attn_mask=torch.full((3, 3), -2.0))
    with pytest.raises(QuantizationError, match="not a multiple"):
        quantizable.MultiheadAttention(8, 3)
    layer = nn.TransformerEncoderLayer(8, 2, 16, activation=torch.sigmoid)
    with pytest.raises(QuantizationError, match="activation that is no module"):
        quantizable.TransformerEncoderLayer.from_float(layer)


def encoder(norm_first=False, activation="relu"):
    layer = nn.TransformerEncoderLayer(16, 4, 24, batch_first=True, norm_first=norm_first, activation=activation)
    return lively(nn.TransformerEncoder(layer, 2, nn.LayerNorm(16), enable_nested_tensor=False))


@pytest.mark.parametrize("norm_first", [False, True])
def test_encoder_in_both_modes(norm_first):
    stack, x = encoder(norm_first, "gelu" if norm_first else "relu"), torch.randn(2, 6, 16)
    mask = nn.Transformer.generate_square_subsequent_mask(6)
    exact = stack(x, mask)
    graph = OneInput(lambda m, x: m.stack(x, m.mask), stack=copy.deepcopy(stack), mask=mask)
    prepared, converted = quantized(graph, x, example_inputs=x)
    assert (prepared(x) - exact).abs().max() < 1e-5
    assert stubs(converted) == (1, 1) and sqnr(exact, converted(x)) > 20
    kinds = same_everywhere(converted, x)
    assert kinds.count("softmax") == 2 and kinds.count("matmul") == 4 and kinds.count("layer_norm") == 5
    assert len(kinds) == kinds.index("dequantize") + 1  # nothing in float in between

    wrapped = tq.QuantWrapper(OneInput(lambda m, x: m.stack(x, m.mask), stack=stack, mask=mask)).eval()
    _, by_hand = eager(wrapped, x)
    if norm_first:
        assert torch.equal(by_hand(x), converted(x))
    else:
        assert sqnr(converted(x), by_hand(x)) > 25  # graph mode fuses linear1 and the ReLU behind it
    same_everywhere(by_hand, x)


@pytest.mark.parametrize("example", [False, True])
def test_encoder_with_padding_as_an_input(example):
    model = TwoInputs(lambda m, x, p: m.stack(x, src_key_padding_mask=p), stack=encoder())
    x, padding = torch.randn(2, 6, 16), torch.tensor([[False] * 4 + [True] * 2, [False] * 6])
    prepared, converted = quantized(model, x, padding, **({"example_inputs": (x, padding)} if example else {}))
    kept = ~padding
    assert (prepared(x, padding) - model(x, padding))[kept].abs().max() < 1e-5
    assert sqnr(model(x, padding)[kept], converted(x, padding)[kept]) > 20
    same_everywhere(converted, x, padding)


def test_decoder():
    layer = nn.TransformerDecoderLayer(16, 2, 24, batch_first=True)
    stack = lively(nn.TransformerDecoder(layer, 2))
    mask = torch.ones(5, 5, dtype=torch.bool).triu(1)
    model = TwoInputs(lambda m, x, y: m.stack(x, y, tgt_mask=m.mask), stack=stack, mask=mask)
    x, memory = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    prepared, converted = quantized(model, x, memory, example_inputs=(x, memory))
    assert (prepared(x, memory) - model(x, memory)).abs().max() < 1e-5
    assert sqnr(model(x, memory), converted(x, memory)) > 20
    assert same_everywhere(converted, x, memory).count("softmax") == 4


def test_layers_of_other_classes_and_qconfigs_are_left():
    class Own(nn.TransformerEncoderLayer):
        pass

    own = Own(16, 2, 8, batch_first=True).eval()
    assert swapped(own, quantizable.TransformerEncoderLayer) is own
    dynamic = tq.quantize_dynamic(nn.Sequential(encoder()).eval(), {nn.Linear})
    assert type(dynamic[0]) is nn.TransformerEncoder


SDPA = {
    "plain": {}, "causal": {"is_causal": True}, "scale": {"scale": 0.3},
    "bool": {"attn_mask": torch.ones(6, 6, dtype=torch.bool).tril(2)},
    "minus infinity": {"attn_mask": nn.Transformer.generate_square_subsequent_mask(6)},
    "bias": {"attn_mask": torch.randn(2, 6, 6)},
}  # fmt: skip


@pytest.mark.parametrize("capture", ["fx", "export"])
@pytest.mark.parametrize("name", SDPA)
def test_scaled_dot_product_attention(name, capture):
    options = dict(SDPA[name])
    mask = options.pop("attn_mask", None)

    def function(m, x):
        parts = m.project(x).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        q, k, v = parts[0], parts[1], parts[2]
        return m.out(F.scaled_dot_product_attention(q, k, v, m.mask, **options).transpose(1, 2).flatten(2))

    model = lively(OneInput(function, project=nn.Linear(8, 24), out=nn.Linear(8, 8), mask=mask))
    x = torch.randn(2, 6, 8)
    prepared, converted = quantized(model, x, example_inputs=x, capture=capture)
    assert (prepared(x) - model(x)).abs().max() < 1e-5
    assert stubs(converted) == (2 if name == "bias" else 1, 1) and sqnr(model(x), converted(x)) > 20
    same_everywhere(converted, x)


def test_dynamic_attention():
    model = lively(nn.Sequential(nn.Identity(), nn.MultiheadAttention(16, 4, batch_first=True)))
    converted = tq.quantize_dynamic(model, {nn.MultiheadAttention})
    x, padding = torch.randn(2, 5, 16), torch.tensor([[False, False, True, True, True], [False] * 5])
    expected, actual = (m[1](x, x, x, key_padding_mask=padding) for m in (model, converted))
    for exact, approximate in zip(expected, actual, strict=True):
        assert sqnr(exact, approximate) > 30
    assert type(converted[1].linear_Q).__module__.startswith("qsdk.nn.quantized.dynamic")


def fill_method(m, scores):
    return scores.masked_fill(m.mask, float("-inf")).softmax(-1)


def fill_in_place(m, scores):
    scores.masked_fill_(m.mask, float("-inf"))
    return torch.softmax(scores, dim=-1)


def fill_by_comparison(m, scores):
    return m.softmax(scores.masked_fill(m.triangle[:, :5, :5] == 0, float("-inf")))


def fill_with_a_number(m, scores):
    return F.softmax(torch.masked_fill(scores, mask=m.mask, value=-1e9), -1)


@pytest.mark.parametrize("capture", ["fx", "export"])
@pytest.mark.parametrize("fill", [fill_method, fill_in_place, fill_by_comparison, fill_with_a_number])
def test_scores_filled_by_hand(fill, capture):
    def attend(m, x):
        return fill(m, m.q(x) @ m.k(x).transpose(1, 2)) @ m.v(x)

    layers = {name: nn.Linear(16, 16) for name in "qkv"}
    masks = {"mask": torch.ones(5, 5, dtype=torch.bool).triu(1), "triangle": torch.ones(1, 8, 8).tril()}
    model, x = OneInput(attend, softmax=nn.Softmax(-1), **layers, **masks), torch.randn(2, 5, 16)
    exact = model(x)
    converted = graph_convert(model, x, example_inputs=(x,), capture=capture)
    assert stubs(converted) == (1, 1) and sqnr(exact, converted(x)) > 28
    kinds = same_everywhere(converted, x)
    assert kinds.count("softmax") == 1 and kinds.count("matmul") == 2


def test_masks_that_are_no_such_fill():
    """A number among the others has a place in a range; and a softmax without a dim is PyTorch's affair."""
    model, x = OneInput(lambda m, x: m.fc(x).masked_fill(m.mask, -1.0).softmax(-1), fc=nn.Linear(5, 5),
                        mask=torch.ones(5, 5, dtype=torch.bool).triu(1)), torch.randn(5, 5)  # fmt: skip
    converted = graph_convert(model, x)
    assert sqnr(model(x), converted(x)) > 25 and "where" in same_everywhere(converted, x)
