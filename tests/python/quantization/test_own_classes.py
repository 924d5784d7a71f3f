"""Observers, fake quantize modules and layers that users write, from prepare to the int8 model."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import qsdk.nn.qat as nnqat
import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
import qsdk.quantization.quantize_fx as quantize_fx
from qsdk.errors import QuantizationError


class Largest(tq.ObserverBase):
    """The largest magnitude seen: no more than forward and calculate_qparams."""

    def __init__(self, dtype=torch.qint8):
        super().__init__(dtype)
        self.register_buffer("high", torch.tensor(0.0))

    def forward(self, x):
        self.high.copy_(torch.maximum(self.high, x.detach().abs().max()))
        return x

    def calculate_qparams(self):
        return self.high / 127, torch.tensor([0])


class LargestPerChannel(Largest):
    qscheme = torch.per_channel_symmetric

    def forward(self, x):
        self.high = x.detach().abs().flatten(1).amax(1)
        return x

    def calculate_qparams(self):
        return self.high / 127, torch.zeros_like(self.high, dtype=torch.int64)


class Halving(tq.FakeQuantizeBase):
    """The scale moves half of the way with each tensor: observing once more would change it."""

    dtype = torch.qint8

    def __init__(self):
        super().__init__()
        self.register_buffer("high", torch.tensor(0.0))

    def forward(self, x):
        if self.observer_enabled[0] == 1:
            self.high.copy_((self.high + x.detach().abs().max()) / 2)
        if self.fake_quant_enabled[0] == 1:
            scale = self.high / 127
            rounded = (x.detach() * (1 / scale)).round().clamp(-128, 127) * scale
            x = rounded + (x - x.detach())
        return x

    def calculate_qparams(self):
        return self.high / 127, torch.tensor(0)


class Learned(tq.FakeQuantizeBase):
    """A scale that is trained as a parameter."""

    dtype, quant_min, quant_max = torch.qint8, -8, 7

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([0.2]))
        self.register_buffer("zero_point", torch.tensor([0]))

    def forward(self, x):
        steps = x / self.scale
        limited = steps.clamp(-8, 7)
        return (limited + (limited.round() - limited).detach()) * self.scale

    def calculate_qparams(self):
        return self.scale, self.zero_point


def model():
    torch.manual_seed(0)
    return tq.QuantWrapper(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)))


def data():
    torch.manual_seed(1)
    return torch.randn(64, 6)


def trained(prepared, rate=0.05):
    x = data()
    optimizer = torch.optim.SGD(prepared.parameters(), rate)
    losses = []
    for _ in range(30):
        loss = F.cross_entropy(prepared(x), (x[:, 0] > 0).long())
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0]
    prepared(x)  # scales of the weights that the last step left
    return prepared.eval().apply(tq.disable_observer)


def nearly_equal(real, fake, scale):
    """Equal but for few results, by a step or one of the layer before: float sums are rounded, biases too."""
    return (real - fake).abs().max() <= 2.01 * scale and (real == fake).double().mean() > 0.75


@pytest.mark.parametrize("weight", [Largest, LargestPerChannel])
def test_own_observers_after_training(weight):
    wrapped = model().eval()
    wrapped.qconfig = tq.QConfig(Largest, weight)
    prepared = tq.prepare(wrapped)
    exact = prepared(data())
    quantized = tq.convert(prepared)
    layer = quantized.module[0]
    assert type(layer) is nnq.Linear and layer.scale == float(prepared.module[0].activation_post_process.high / 127)
    float_weight = wrapped.module[0].weight.detach()
    high = float_weight.abs().amax(1) if weight is LargestPerChannel else float_weight.abs().max().expand(8)
    assert torch.equal(layer.weight_scale, high / 127)
    result = quantized(data())
    assert 10 * torch.log10(exact.square().sum() / (exact - result).square().sum()) > 30
    for other in (copy.deepcopy(quantized), pickle.loads(pickle.dumps(quantized))):
        assert torch.equal(other(data()), result)


@pytest.mark.parametrize(
    "qconfig",
    [
        tq.QConfig(Halving, Halving),
        tq.QConfig(tq.FakeQuantize.with_args(observer=Largest), tq.FakeQuantize.with_args(observer=LargestPerChannel)),
        tq.QConfig(Halving, Learned),
        tq.QConfig(tq.default_fake_quant, tq.FakeQuantize.with_args(observer=Largest.with_args(dtype=torch.qint8))),
    ],
)
@pytest.mark.parametrize("graph", [False, True])
def test_own_fake_quantize_modules_in_training(qconfig, graph):
    if graph:
        prepared = quantize_fx.prepare_qat_fx(model().module.train(), {"": qconfig})
    else:
        wrapped = model().train()
        wrapped.qconfig = qconfig
        prepared = tq.prepare_qat(wrapped)
    prepared = trained(prepared)
    x = data()
    exact = prepared(x)
    layers = {n: m for n, m in prepared.named_modules() if isinstance(m, nn.Linear)}
    weights = {n: m.weight_fake_quant(m.weight) for n, m in layers.items()}
    buffer = io.BytesIO()
    torch.save(prepared.state_dict(), buffer)
    quantized = (quantize_fx.convert_fx if graph else tq.convert)(prepared)
    last = max(weights)
    assert nearly_equal(quantized(x), exact, quantized.get_submodule(last).scale)
    assert len(weights) == 2
    for name, weight in weights.items():
        assert torch.equal(quantized.get_submodule(name).weight().dequantize(), weight)
    buffer.seek(0)
    again = copy.deepcopy(prepared)
    with torch.no_grad():
        again.apply(lambda m: m.weight.zero_() if isinstance(m, nn.Linear) else None)
    again.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(again(x), exact)


def test_a_learned_scale_is_the_one_of_the_integers():
    wrapped = model().train()
    wrapped.qconfig = tq.QConfig(Halving, Learned)
    prepared = trained(tq.prepare_qat(wrapped))
    learned = prepared.module[0].weight_fake_quant.scale
    assert abs(float(learned.detach()) - 0.2) > 1e-4
    layer = tq.convert(prepared).module[0]
    assert torch.equal(layer.weight_scale, learned.detach().expand(8)) and layer.qweight.abs().max() <= 8
    assert not layer.weight_scale.requires_grad


def test_convert_does_not_observe_once_more():
    wrapped = model().train()
    wrapped.qconfig = tq.QConfig(Halving, Halving)
    prepared = trained(tq.prepare_qat(wrapped)).apply(tq.enable_observer)
    with torch.no_grad():
        prepared.module[0].weight.mul_(1.5)  # as an optimizer's last step, which no forward has seen
    high = prepared.module[0].weight_fake_quant.high.clone()
    assert torch.equal(tq.convert(prepared).module[0].weight_scale, (high / 127).expand(8))


class Doubled(nn.Linear):
    """A layer of the user's."""

    def forward(self, x):
        return F.linear(x, self.weight * 2, self.bias)


class QatDoubled(nnqat.Linear):
    _FLOAT = Doubled

    def folded(self):
        return self.weight * 2, self.bias

    def forward(self, x):
        return F.linear(x, self.weight_fake_quant(self.weight * 2), self.bias)


def test_own_layers():
    torch.manual_seed(0)
    wrapped = tq.QuantWrapper(nn.Sequential(Doubled(6, 3))).train()
    wrapped.qconfig = tq.get_default_qat_qconfig()
    mapping = {**tq.get_default_qat_module_mappings(), Doubled: QatDoubled}
    prepared = tq.prepare_qat(wrapped, mapping)
    assert type(prepared.module[0]) is QatDoubled
    prepared = trained(prepared)
    quantized = tq.convert(prepared, {**tq.get_default_static_quant_module_mappings(), QatDoubled: nnq.Linear})
    assert type(quantized.module[0]) is nnq.Linear and nearly_equal(
        quantized(data()), prepared(data()), quantized.module[0].scale
    )


class OwnTable(tq.FakeQuantizeBase):
    """A fake quantize of a table, all of its rows alike."""

    qscheme, ch_axis = torch.per_channel_affine_float_qparams, 0

    def forward(self, x):
        return (x / 0.25).round() * 0.25

    def calculate_qparams(self):
        return torch.full((4,), 0.25), torch.zeros(4)


def test_own_fake_quantize_of_a_table():
    layer = nnqat.Embedding(4, 3, qconfig=tq.QConfig(tq.NoopObserver, OwnTable))
    assert torch.equal(layer(torch.arange(4)) * 4, (layer.weight * 4).round())


def test_modules_that_choose_no_scale_are_named():
    class Watching(nn.Module):
        def forward(self, x):
            return x

    wrapped = model().eval()
    wrapped.qconfig = tq.QConfig(Largest, Watching)
    prepared = tq.prepare(wrapped)
    prepared(data())
    with pytest.raises(QuantizationError, match=r"layer 'module.0' \(Linear\), weight has no observer"):
        tq.convert(prepared)
    wrapped.qconfig = tq.QConfig(Largest, Halving)
    wrapped.train()
    with pytest.raises(QuantizationError, match="layer 'quant' has a Largest, which does not fake quantize"):
        tq.prepare_qat(wrapped)
