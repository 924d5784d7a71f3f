"""Cross-layer equalization keeps the float function and helps weights per tensor; bias correction takes out a mean."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import qsdk
import qsdk.quantization as tq
from qsdk.errors import QuantizationError
from qsdk.quantization import bias_correction, cross_layer_equalization

PER_TENSOR = tq.get_default_qconfig("qnnpack")


def used(model):
    """Batch norm that has been trained: statistics and factors that are not 0 and 1."""
    generator = torch.Generator().manual_seed(3)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            count = module.num_features
            module.running_mean.copy_(0.3 * torch.randn(count, generator=generator))
            module.running_var.copy_(0.5 + torch.rand(count, generator=generator))
            with torch.no_grad():
                module.weight.copy_(0.5 + torch.rand(count, generator=generator))
                module.bias.copy_(torch.randn(count, generator=generator))
    return model.eval()


def badly_scaled(model, spread=2.0):
    """The same function with channels of very different ranges: what one layer multiplies, the next divides."""
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for norm, reader in ((model.bn1, model.depth), (model.bn2, model.project)):
            factor = torch.exp(spread * torch.randn(16, generator=generator))
            norm.weight.mul_(factor)
            norm.bias.mul_(factor)
            reader.weight.div_(factor.reshape(16, 1, 1, 1) if reader is model.depth else factor.reshape(1, 16, 1, 1))
    return model


class Depthwise(nn.Module):
    def __init__(self, relu=nn.ReLU):
        super().__init__()
        self.expand, self.bn1, self.act1 = nn.Conv2d(3, 16, 1, bias=False), nn.BatchNorm2d(16), relu()
        self.depth, self.bn2, self.act2 = nn.Conv2d(16, 16, 3, groups=16, bias=False), nn.BatchNorm2d(16), relu()
        self.project, self.head = nn.Conv2d(16, 8, 1), nn.Linear(8 * 9, 4)

    def forward(self, x):
        x = self.act2(self.bn2(self.depth(self.act1(self.bn1(self.expand(x))))))
        return self.head(torch.flatten(F.max_pool2d(F.relu(self.project(x)), 2), 1))


class Grouped(nn.Module):
    """Groups, PReLU, a residual that must not be touched, Linear after Linear, a mean in between."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.a, self.b, self.c = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 12, 3, groups=4, padding=1), nn.Conv2d(12, 12, 1)
        self.act, self.d, self.e = nn.PReLU(8), nn.Linear(12, 6), nn.Linear(6, 4)

    def forward(self, x):
        x = self.b(self.act(self.a(self.quant(x))))
        x = (x + self.c(x)).mean((2, 3))
        return self.dequant(self.e(F.leaky_relu(self.d(x), 0.1)))


def images(count=16):
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def error(model, other, qconfig):
    return float((model(images()) - qsdk.quantize(other, images(), qconfig)(images())).double().square().mean())


@pytest.mark.parametrize("kind", [Depthwise, Grouped])
def test_the_float_function_is_kept(kind):
    torch.manual_seed(0)
    model = used(kind())
    before = copy.deepcopy(model.state_dict())
    equal = cross_layer_equalization(model)
    expected = model(images())
    # Every weight is multiplied by a factor and divided by one: two more roundings of 2^-24 per layer.
    assert (equal(images()) - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_ranges_become_equal():
    torch.manual_seed(0)
    equal = cross_layer_equalization(used(Depthwise()))
    for first, second in (("expand", "depth"), ("depth", "project")):
        outgoing = equal.get_submodule(first).weight.flatten(1).abs().amax(1)
        weight = equal.get_submodule(second).weight
        incoming = weight.flatten(1).abs().amax(1) if len(weight) == 16 else weight.abs().amax((0, 2, 3))
        assert torch.allclose(outgoing, incoming, rtol=0.02)  # iterations end at factors within 1 %
    columns = equal.head.weight.reshape(4, 8, 9).abs().amax((0, 2))
    assert torch.allclose(equal.project.weight.flatten(1).abs().amax(1), columns, rtol=0.02)
    assert isinstance(equal.bn1, nn.Identity)


def test_a_residual_is_not_scaled():
    torch.manual_seed(0)
    model = Grouped().eval()
    equal = cross_layer_equalization(model)
    assert torch.equal(equal.c.weight, model.c.weight) and torch.equal(equal.d.weight * 0, model.d.weight * 0)
    assert not torch.equal(equal.a.weight, model.a.weight) and not torch.equal(equal.e.weight, model.e.weight)


def test_badly_scaled_channels_under_per_tensor_weights():
    torch.manual_seed(0)
    good = used(Depthwise())
    bad = badly_scaled(copy.deepcopy(good))
    assert torch.allclose(good(images()), bad(images()), rtol=1e-3, atol=1e-3)  # float: factors cancel up to rounding
    before, after = error(good, good, PER_TENSOR), error(good, bad, PER_TENSOR)
    assert after > 10 * before
    equalized = cross_layer_equalization(bad)
    assert error(good, equalized, PER_TENSOR) < after / 10
    corrected = bias_correction(bad, images(), PER_TENSOR)
    assert error(good, corrected, PER_TENSOR) < after
    both = bias_correction(equalized, images(), PER_TENSOR)
    assert error(good, both, PER_TENSOR) < after / 10


def test_relu6():
    torch.manual_seed(0)
    model = used(Depthwise(nn.ReLU6))
    kept, replaced = cross_layer_equalization(model), cross_layer_equalization(model, replace_relu6=True)
    assert torch.allclose(kept(images()), model(images()), rtol=1e-4, atol=1e-4)  # float algebra as well
    assert isinstance(kept.act1, nn.ReLU6) and type(replaced.act1) is nn.ReLU
    with_relu = copy.deepcopy(model)
    with_relu.act1, with_relu.act2 = nn.ReLU(), nn.ReLU()
    expected = with_relu(images())
    assert (replaced(images()) - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_shared_layers_are_left_alone():
    torch.manual_seed(0)
    shared, tied = nn.Linear(4, 4), nn.Linear(4, 4)
    tied.weight = shared.weight
    for model in (nn.Sequential(shared, nn.ReLU(), shared), nn.Sequential(shared, nn.ReLU(), tied)):
        equal = cross_layer_equalization(model.eval())
        assert torch.equal(equal[0].weight, shared.weight) and torch.equal(equal[2].weight, shared.weight)


def test_dead_channels():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    with torch.no_grad():
        model[0].weight[0], model[2].weight[:, 1] = 0, 0
    equal = cross_layer_equalization(model)
    assert torch.isfinite(equal[0].weight).all() and torch.isfinite(equal[2].weight).all()
    assert torch.allclose(equal(torch.ones(1, 3)), model(torch.ones(1, 3)), atol=1e-6)  # float algebra as well


@pytest.mark.parametrize("bias", [True, False])
def test_bias_correction_takes_out_the_mean(bias):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1, bias=bias), nn.ReLU(), nn.ConvTranspose2d(5, 4, 2, bias=bias))
    with torch.no_grad():
        model[0].weight[0] *= 100
    model.eval()
    x = images() + 1  # a mean that the rounding of weights multiplies
    corrected = bias_correction(model, x, PER_TENSOR)
    observer = PER_TENSOR.weight()
    observer(model[0].weight)
    scale = observer.calculate_qparams()[0]
    rounded = (model[0].weight / scale).round().clamp(-128, 127) * scale
    shift = F.conv2d(x, rounded - model[0].weight, padding=1).mean((0, 2, 3))
    before = model[0].bias if bias else torch.zeros(5)
    assert torch.allclose(corrected[0].bias, before - shift, atol=1e-5)  # means are summed in another order
    assert shift.abs().max() > 1e-2
    for part in (0, 2):
        assert torch.equal(corrected[part].weight, model[part].weight)
        assert not hasattr(corrected[part], "qconfig") and not corrected[part]._forward_hooks
    one = lambda net: qsdk.quantize(net[:1], x, {"": PER_TENSOR})(x).mean((0, 2, 3))  # noqa: E731
    wanted = model[0](x).mean((0, 2, 3))
    assert (one(corrected) - wanted).abs().max() < (one(model) - wanted).abs().max() / 2


def test_mapping_of_bias_correction():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    corrected = bias_correction(
        model, [(torch.ones(2, 3), 0)], {"": PER_TENSOR, "module_name": [("2", None)]}, targets=True
    )
    assert not torch.equal(corrected[0].bias, model[0].bias) and torch.equal(corrected[2].bias, model[2].bias)


def test_errors():
    model = nn.Sequential(nn.Linear(3, 3))
    with pytest.raises(QuantizationError, match="cross_layer_equalization: .* training mode"):
        cross_layer_equalization(model)
    with pytest.raises(QuantizationError, match="bias_correction: .* training mode"):
        bias_correction(model, torch.ones(1, 3))
    with pytest.raises(QuantizationError, match="empty"):
        bias_correction(model.eval(), [])
