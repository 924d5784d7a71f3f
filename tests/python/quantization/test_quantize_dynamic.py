"""quantize_dynamic, and dynamic qconfigs in eager and graph mode: which layers are swapped, whole networks, export."""

import copy
import io
import pickle
import time
import warnings

import pytest
import torch
import torch.ao.quantization as ao
from torch import nn
from torch.ao.quantization import quantization_mappings

import qsdk
import qsdk.nn.intrinsic as nni
import qsdk.nn.intrinsic.quantized.dynamic as nniqd
import qsdk.nn.quantized as nnq
import qsdk.nn.quantized.dynamic as nnqd
import qsdk.quantization as tq
from qsdk.errors import QuantizationError, UnsupportedOperatorError
from qsdk.export.capture import capture
from qsdk.quantization.quantize_fx import convert_fx, prepare_fx


class Tagger(nn.Module):
    """A label for every word: embedding, recurrent layers, linear layers."""

    def __init__(self, kind=nn.LSTM, words=50, labels=7):
        super().__init__()
        self.embed, self.into = nn.Embedding(words, 24), nn.Linear(24, 32)
        self.body = kind(32, 40, 2, bidirectional=True, batch_first=True)
        self.head = nn.Sequential(nn.Linear(80, 32), nn.ReLU(), nn.Linear(32, labels))

    def forward(self, words):
        hidden, _ = self.body(torch.relu(self.into(self.embed(words))))
        return self.head(hidden)


class Block(nn.Module):
    def __init__(self, width=32, heads=4):
        super().__init__()
        self.heads, self.norm1, self.norm2 = heads, nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down, self.act = nn.Linear(width, 2 * width), nn.Linear(2 * width, width), nn.GELU()

    def forward(self, x):
        batch, steps, width = x.shape
        parts = self.qkv(self.norm1(x)).reshape(batch, steps, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = parts[0] @ parts[1].transpose(-1, -2) / (width // self.heads) ** 0.5
        mixed = (torch.softmax(scores, -1) @ parts[2]).transpose(1, 2).reshape(x.shape)
        x = x + self.out(mixed)
        return x + self.down(self.act(self.up(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self, words=50, width=32):
        super().__init__()
        self.embed, self.place = nn.Embedding(words, width), nn.Parameter(torch.randn(16, width) * 0.1)
        self.blocks, self.head = nn.Sequential(Block(), Block(), Block()), nn.Linear(width, 7)

    def forward(self, words):
        return self.head(self.blocks(self.embed(words) + self.place[: words.shape[1]]).mean(1))


class Cells(nn.Module):
    """Cells in loops of the user's own."""

    def __init__(self):
        super().__init__()
        self.embed, self.rnn = nn.Embedding(50, 24), nn.RNNCell(24, 24)
        self.lstm, self.gru, self.head = nn.LSTMCell(24, 20), nn.GRUCell(20, 16), nn.Linear(16, 7)

    def forward(self, words):
        x, r, state, g = self.embed(words), None, None, None
        for t in range(8):
            r = self.rnn(x[:, t], r)
            state = self.lstm(r, state)
            g = self.gru(state[0], g)
        return self.head(g)


NETWORKS = {
    "lstm tagger": (Tagger, 3 + 1),
    "gru tagger": (lambda: Tagger(nn.GRU), 3 + 1),
    "transformer": (Transformer, 3 * 4 + 1),
    "cells": (Cells, 4),
}
DYNAMIC = (nnqd.Linear, nnqd.LSTM, nnqd.GRU, nnqd.RNNCell, nnqd.LSTMCell, nnqd.GRUCell)


def network(name):
    torch.manual_seed(0)
    return NETWORKS[name][0]().eval(), torch.randint(0, 50, (4, 8))


def signal_to_noise(exact, approximate):
    exact, approximate = exact.detach(), approximate.detach()
    return float(10 * torch.log10(exact.square().sum() / (exact - approximate).square().sum()))


def count(model, kinds):
    return sum(isinstance(m, kinds) for m in model.modules())


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name, capsys):
    """Close to float, and as PyTorch's with engine qnnpack: 60 dB and more, as test_dynamic_modules.py explains."""
    model, words = network(name)
    exact = model(words).detach()
    quantized = tq.quantize_dynamic(model)
    result = quantized(words)
    assert count(quantized, DYNAMIC) == NETWORKS[name][1] and count(model, DYNAMIC) == 0
    assert not count(quantized, (nn.Linear, nn.LSTM, nn.GRU, nn.RNNCellBase))
    before, torch.backends.quantized.engine = torch.backends.quantized.engine, "qnnpack"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = ao.quantize_dynamic(model)(words).detach()
    finally:
        torch.backends.quantized.engine = before
    with capsys.disabled():
        print(
            f"\n{name}: to float {signal_to_noise(exact, result):.1f} dB, "
            f"to PyTorch's {signal_to_noise(theirs, result.detach()):.0f} dB",
            end=" ",
        )
    assert signal_to_noise(exact, result) > 30 and signal_to_noise(theirs, result.detach()) > 60
    assert not any(hasattr(m, "qconfig") for m in quantized.modules())
    for copied in (copy.deepcopy(quantized), pickle.loads(pickle.dumps(quantized))):
        assert torch.equal(copied(words), result)
    buffer = io.BytesIO()
    torch.save(quantized.state_dict(), buffer)
    buffer.seek(0)
    other = tq.quantize_dynamic(NETWORKS[name][0]())
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(other(words), result)


def test_what_is_swapped():
    model, words = network("lstm tagger")
    float_result = model(words)

    def kinds(spec, **options):
        quantized = tq.quantize_dynamic(model, spec, **options)
        names = ("into", "body", "head.0", "head.2")
        return [type(quantized.get_submodule(n)) for n in names], quantized(words)

    linear, lstm = nnqd.Linear, nnqd.LSTM
    assert kinds(None)[0] == [linear, lstm, linear, linear]
    assert kinds({nn.Linear})[0] == [linear, nn.LSTM, linear, linear]
    assert kinds({"body", "head.2"})[0] == [nn.Linear, lstm, nn.Linear, linear]
    assert kinds({"head"})[0] == [nn.Linear, nn.LSTM, linear, linear]
    assert kinds({nn.Sequential: tq.default_dynamic_qconfig})[0] == [nn.Linear, nn.LSTM, linear, linear]
    without = {nn.Linear: tq.default_dynamic_qconfig, "head.0": None}
    assert kinds(without)[0] == [linear, nn.LSTM, nn.Linear, linear]
    assert torch.equal(kinds({nn.Conv2d})[1], float_result) and torch.equal(kinds({})[1], float_result)
    assert kinds({"": tq.per_channel_dynamic_qconfig, "embed": None})[0] == [linear, lstm, linear, linear]
    model.into.qconfig = None  # what a layer says itself holds
    assert kinds(None)[0] == [nn.Linear, lstm, linear, linear]
    del model.into.qconfig
    assert kinds({nn.Linear}, dtype=qsdk.qint8)[0] == kinds({nn.Linear}, dtype=torch.qint8)[0]
    assert kinds(None, mapping={nn.LSTM: nnqd.LSTM})[0] == [nn.Linear, lstm, nn.Linear, nn.Linear]
    assert [type(m) for m in (model.into, model.body)] == [nn.Linear, nn.LSTM]
    assert tq.quantize_dynamic(model, inplace=True) is model and type(model.body) is lstm


def test_per_channel_qconfig():
    model, words = network("transformer")
    model.head.weight.data *= torch.logspace(-2, 0, 7)[:, None]
    exact = model(words).detach() - model.head.bias
    errors = {}
    for name in ("default_dynamic_qconfig", "per_channel_dynamic_qconfig"):
        quantized = tq.quantize_dynamic(model, {nn.Linear: getattr(tq, name)})
        scales = quantized.head.weight().qparams.scale
        assert (scales == scales[0]).all() == (name == "default_dynamic_qconfig")
        error = (quantized(words) - model.head.bias - exact).norm(dim=0) / exact.norm(dim=0)
        errors[name] = float(error[0].detach())  # of the channel with the smallest weights
    assert errors["per_channel_dynamic_qconfig"] < errors["default_dynamic_qconfig"] / 5


def test_already_dynamic_models_stay_as_they_are():
    model, words = network("lstm tagger")
    once = tq.quantize_dynamic(model, {nn.LSTM})
    again = tq.quantize_dynamic(once, {nn.LSTM})
    assert again is not once and torch.equal(once(words), again(words)) and type(again.body) is nnqd.LSTM
    all_of_it = tq.quantize_dynamic(again)
    assert torch.equal(all_of_it(words), tq.quantize_dynamic(model)(words))
    assert torch.equal(tq.quantize_dynamic(all_of_it)(words), all_of_it(words))


def test_embeddings():
    model = nn.ModuleDict({"table": nn.Embedding(30, 16), "bags": nn.EmbeddingBag(30, 16), "head": nn.Linear(16, 2)})
    eight = tq.quantize_dynamic(model, dtype=torch.quint8)
    assert [type(m) for m in eight.values()] == [nnq.Embedding, nnq.EmbeddingBag, nn.Linear]
    four = tq.quantize_dynamic(model, dtype=torch.quint4x2)
    assert [type(m) for m in four.values()] == [nn.Embedding, nnq.EmbeddingBag, nn.Linear]
    chosen = tq.quantize_dynamic(model, {nn.Embedding}, dtype=qsdk.quint8)
    assert [type(m) for m in chosen.values()] == [nnq.Embedding, nn.EmbeddingBag, nn.Linear]
    words = torch.randint(0, 30, (4, 5))
    assert torch.equal(eight["table"](words), chosen["table"](words))
    exact = [model[name](words) for name in ("table", "bags")]
    assert (
        signal_to_noise(exact[0], eight["table"](words)) > 40 and signal_to_noise(exact[1], eight["bags"](words)) > 40
    )
    assert 15 < signal_to_noise(exact[1], four["bags"](words)) < 30
    everything = tq.quantize_dynamic(tq.quantize_dynamic(model), dtype=torch.quint8)
    assert [type(m) for m in everything.values()] == [nnq.Embedding, nnq.EmbeddingBag, nnqd.Linear]
    with pytest.raises(QuantizationError, match="layer 'table'.*float_qparams_weight_only_qconfig"):
        tq.quantize_dynamic(model, {"table"})


@pytest.mark.parametrize("kinds", [{nn.Linear}, {nn.Linear, nn.MultiheadAttention}, {nn.MultiheadAttention}])
def test_encoder_of_pytorch(kinds):
    """Its fast path would read the weights of layers that are swapped."""
    torch.manual_seed(0)
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2).eval()
    x, padding = torch.randn(3, 5, 32), torch.arange(5) > torch.tensor([[4], [2], [3]])
    with torch.no_grad():
        exact = [model(x), model(x, src_key_padding_mask=padding)[0]]
        quantized = tq.quantize_dynamic(model, kinds)
        found = [quantized(x), quantized(x, src_key_padding_mask=padding)[0]]
    assert count(quantized, nnqd.Linear) == 4 * (nn.Linear in kinds) + 8 * (nn.MultiheadAttention in kinds)
    assert all(signal_to_noise(a, b) > 35 for a, b in zip(exact, found, strict=True))


def test_training_mode_and_hooks():
    model, words = network("lstm tagger")
    calls = []
    model.into.register_forward_pre_hook(lambda module, args: calls.append(type(module)))
    model.into.register_forward_hook(lambda module, args, result: calls.append(type(result)))
    quantized = tq.quantize_dynamic(model.train())
    assert not quantized.training and model.training
    quantized(words)
    assert calls == [nnqd.Linear, torch.Tensor]


def test_shared_layers_stay_shared():
    shared = nn.Linear(4, 4)
    quantized = tq.quantize_dynamic(nn.Sequential(shared, nn.ReLU(), shared))
    assert quantized[0] is quantized[2] and type(quantized[0]) is nnqd.Linear
    # PyTorch takes the path that comes first; so a second one says nothing.
    assert type(tq.quantize_dynamic(nn.Sequential(shared, nn.ReLU(), shared), {"0", "2"})[2]) is nnqd.Linear


def test_fused_layers():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    fused = tq.fuse_modules(model, ["0", "1"])
    x = torch.randn(5, 4)
    named = tq.quantize_dynamic(fused, {"0", nn.Linear})
    assert type(named[0]) is nniqd.LinearReLU and type(named[2]) is nnqd.Linear
    inside = tq.quantize_dynamic(fused)  # the linear layer inside is one as well
    assert type(inside[0]) is nni.LinearReLU and type(inside[0][0]) is nnqd.Linear
    assert torch.equal(named(x), inside(x)) and torch.equal(named(x), tq.quantize_dynamic(model)(x))


def test_convolutions_are_swapped_if_asked_for():
    model = nn.Sequential(nn.Conv1d(4, 6, 3), nn.ReLU(), nn.ConvTranspose1d(6, 2, 3)).eval()
    x = torch.randn(2, 4, 9)
    with pytest.warns(UserWarning, match="layer '0' stays float.*Conv1d"):
        same = tq.quantize_dynamic(model, {nn.Conv1d})
    assert torch.equal(same(x), model(x))
    mapping = {nn.Conv1d: nnqd.Conv1d, nn.ConvTranspose1d: nnqd.ConvTranspose1d}
    quantized = tq.quantize_dynamic(model, set(mapping), mapping=mapping)
    assert count(quantized, (nnqd.Conv1d, nnqd.ConvTranspose1d)) == 2
    assert signal_to_noise(model(x), quantized(x)) > 30


def test_mappings():
    mapping = tq.get_default_dynamic_quant_module_mappings()
    expected = {nn.Linear, nn.LSTM, nn.GRU, nn.RNNCell, nn.LSTMCell, nn.GRUCell, nni.LinearReLU}
    assert (
        expected <= set(mapping)
        and nn.Conv2d not in mapping
        and nn.LSTM not in tq.get_default_static_quant_module_mappings()
    )
    assert mapping is not tq.get_default_dynamic_quant_module_mappings()
    assert tq.get_dynamic_quant_module_class(nn.GRU) is nnqd.GRU
    assert tq.get_dynamic_quant_module_class(nn.Conv1d, {nn.Conv1d: nnqd.Conv1d}) is nnqd.Conv1d
    with pytest.raises(QuantizationError, match="Conv1d has no dynamically"):
        tq.get_dynamic_quant_module_class(nn.Conv1d)
    theirs = quantization_mappings.DEFAULT_DYNAMIC_QUANT_MODULE_MAPPINGS
    ours = {kind.__name__ for kind in mapping}
    # nn.MultiheadAttention reads the weights of this one itself: swapping it would break that.
    assert {kind.__name__ for kind in theirs} - ours <= {"NonDynamicallyQuantizableLinear"}


def test_what_is_refused():
    model, _ = network("lstm tagger")
    with pytest.raises(UnsupportedOperatorError, match="layer 'into'.*float16.*qint8"):
        tq.quantize_dynamic(model, dtype=torch.float16)
    with pytest.raises(QuantizationError, match="no default qconfig for torch.qint32.*qint8"):
        tq.quantize_dynamic(model, dtype=torch.qint32)
    with pytest.raises(QuantizationError, match="no layer 'haed'"):
        tq.quantize_dynamic(model, {"haed"})
    with pytest.raises(QuantizationError, match="single LSTM.*nn.Sequential"):
        tq.quantize_dynamic(nn.LSTM(3, 4))
    model.body.weight_ih_l1_reverse.data[0, 0] = float("inf")
    with pytest.raises(QuantizationError, match="layer 'body'.*infinite"):
        tq.quantize_dynamic(model)
    affine = tq.QConfig(tq.default_dynamic_quant_observer, tq.MinMaxObserver.with_args(dtype=qsdk.quint8))
    with pytest.raises((QuantizationError, UnsupportedOperatorError), match="layer 'into'.*quint8"):
        tq.quantize_dynamic(model, {nn.Linear: affine})


class Mixed(nn.Module):
    """A trunk that is quantized statically, and a recurrent head that is not."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.conv, self.lstm, self.head = (
            nn.Conv1d(4, 8, 3, padding=1),
            nn.LSTM(8, 12, batch_first=True),
            nn.Linear(12, 3),
        )

    def forward(self, x):
        x = self.dequant(torch.relu(self.conv(self.quant(x))))
        return self.head(self.lstm(x.transpose(1, 2))[0][:, -1])


def test_dynamic_qconfigs_in_prepare_and_convert():
    torch.manual_seed(0)
    model, x = Mixed().eval(), torch.randn(6, 4, 10)
    model.qconfig = tq.get_default_qconfig()
    model.lstm.qconfig, model.head.qconfig = tq.default_dynamic_qconfig, tq.per_channel_dynamic_qconfig
    prepared = tq.prepare(model)
    assert not hasattr(prepared.head, "activation_post_process")  # nothing of it has to be observed
    exact = prepared(x).detach()
    quantized = tq.convert(prepared)
    kinds = [type(m) for m in (quantized.quant, quantized.conv, quantized.dequant, quantized.lstm, quantized.head)]
    assert kinds == [nnq.Quantize, nnq.Conv1d, nnq.DeQuantize, nnqd.LSTM, nnqd.Linear]
    assert signal_to_noise(exact, quantized(x)) > 30
    everything = Mixed().eval()
    everything.qconfig = tq.default_dynamic_qconfig
    result = tq.convert(tq.prepare(everything))
    assert [type(m) for m in (result.quant, result.conv, result.lstm)] == [tq.QuantStub, nn.Conv1d, nnqd.LSTM]
    assert torch.equal(result(x), tq.quantize_dynamic(everything)(x))
    assert type(tq.convert(everything, mapping={nn.LSTM: nnqd.LSTM}).head) is nn.Linear


def test_graph_mode():
    model, words = network("lstm tagger")
    prepared = prepare_fx(model, {"": tq.default_dynamic_qconfig, "module_name": [("embed", None)]})
    quantized = convert_fx(prepared)
    assert count(quantized, DYNAMIC) == 4 and not count(quantized, (nn.Linear, nn.LSTM))
    assert torch.equal(quantized(words), tq.quantize_dynamic(model)(words))


# Capture and export; tests/python/export has more of them.


class Middle(nn.Module):
    """A recurrent layer in the middle, all of whose results are used."""

    def __init__(self, kind=nn.LSTM, **options):
        super().__init__()
        self.into, self.body = nn.Linear(6, 8), kind(8, 12, **options)
        self.head = nn.Linear(12 * (1 + self.body.bidirectional), 3)

    def forward(self, x):
        output, last = self.body(self.into(x))
        return self.head(output), last


class MiddleOfLSTM(Middle):
    """Takes both states apart."""

    def forward(self, x):
        output, (h, c) = self.body(self.into(x))
        return self.head(output), h + c


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"num_layers": 2, "batch_first": True}])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_capture(kind, options):
    torch.manual_seed(0)
    for network in [Middle] if kind is nn.GRU else [Middle, MiddleOfLSTM]:
        model, x = tq.quantize_dynamic(network(kind, **options)), torch.randn(3, 3, 6)
        captured = capture(model, [x])
        assert [n.target for n in captured.graph.nodes if n.op == "call_module"] == ["into", "body", "head"]
        ours, theirs = (leaves(m(x)) for m in (captured, model))
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def leaves(result):
    return [leaf for part in result for leaf in leaves(part)] if isinstance(result, tuple) else [result]


@pytest.mark.slow  # torch.export imports the compiler
def test_capture_where_fx_cannot_follow():
    class Steps(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(6, 8)

        def forward(self, x):
            state = None
            for t in range(x.shape[0]):
                state = self.cell(x[t], state)
            return state

    model, x = tq.quantize_dynamic(Steps()), torch.randn(3, 2, 6)
    captured = capture(model, [x])
    assert sum("lstm_dynamic" in str(node.target) for node in captured.graph.nodes) == 3
    assert all(torch.equal(a, b) for a, b in zip(captured(x), model(x), strict=True))


@pytest.mark.parametrize("kind, states", [(nn.LSTM, 2), (nn.GRU, 1)])
def test_states_are_inputs_and_outputs(kind, states, tmp_path):
    class Stream(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = kind(6, 8)

    class Two(Stream):
        def forward(self, x, h, c):
            output, (h, c) = self.body(x, (h, c))
            return output, h, c

    class One(Stream):
        def forward(self, x, h):
            return self.body(x, h)

    model = tq.quantize_dynamic((Two if states == 2 else One)())
    inputs = [torch.randn(1, 2, 6), *[torch.randn(1, 2, 8) for _ in range(states)]]
    captured = capture(model, inputs)
    assert [n.op for n in captured.graph.nodes].count("call_module") == 1
    results = captured(*inputs)
    assert len(results) == 1 + states and all(torch.equal(a, b) for a, b in zip(results, model(*inputs), strict=True))
    qsdk.export(model, tuple(inputs), tmp_path / "model.qsdk")
    answers = qsdk.Session(tmp_path / "model.qsdk").run(*inputs)
    assert [a.tobytes() for a in answers] == [r.numpy().tobytes() for r in results]


def test_speed():
    """Two layers of 256 over 50 steps: 0.07 s on one core of 2026; far more would be another algorithm."""
    model = tq.quantize_dynamic(nn.Sequential(nn.LSTM(256, 256, 2)))
    x = torch.randn(50, 1, 256)
    model(x)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        model(x)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.7
