"""Quantization-aware training in 1, 2 and 3 dimensions: against PyTorch's modules, by gradient, and down to int8."""

import copy

import pytest
import torch
import torch.ao.nn.intrinsic.qat as ao_nniqat
import torch.ao.nn.qat as ao_nnqat
import torch.ao.quantization as ao
from torch import nn
from torch.nn import functional as F

import qsdk.nn.intrinsic as nni
import qsdk.nn.intrinsic.qat as nniqat
import qsdk.nn.intrinsic.quantized as nniq
import qsdk.nn.qat as nnqat
import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
from qsdk.errors import QuantizationError

SIZES = {1: (9,), 2: (5, 6), 3: (3, 4, 5)}
CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
# name: (axes, ours, PyTorch's)
LAYERS = {
    f"{kind}{axes}d": (axes, getattr(mine, f"{kind}{axes}d"), getattr(theirs, f"{kind}{axes}d"))
    for axes in (1, 2, 3)
    for mine, theirs, kinds in (
        (nnqat, ao_nnqat, ["Conv"]), (nniqat, ao_nniqat, ["ConvReLU", "ConvBn", "ConvBnReLU"]),
    )
    for kind in kinds
} | {
    "Linear": (0, nnqat.Linear, ao_nnqat.Linear),
    "LinearReLU": (0, nniqat.LinearReLU, ao_nniqat.LinearReLU),
    "LinearBn1d": (0, nniqat.LinearBn1d, ao_nniqat.LinearBn1d),
}  # fmt: skip
WITH_NORM = [name for name in LAYERS if "Bn" in name]


def arguments(name):
    axes = LAYERS[name][0]
    return {"kernel_size": 3, "stride": 2, "padding": 1, "groups": 2} if axes else {}


def double(module):
    """In float64, whose sums agree wherever they are computed; scales and zero points stay as they are."""
    module.double()
    module.weight_fake_quant.float()
    return module


def layer(name, per_channel=True, theirs=False, **settings):
    source = ao if theirs else tq
    weight = source.default_per_channel_weight_fake_quant if per_channel else source.default_weight_fake_quant
    # -127..127: the largest weight is not a tie then, as -127.5 steps would be, which the last bit decides.
    qconfig = source.QConfig(source.default_fake_quant, weight.with_args(quant_min=-127, quant_max=127))
    kind = LAYERS[name][2 if theirs else 1]
    made = double(kind(4, 6, bias=True, qconfig=qconfig, **arguments(name), **settings))
    torch.manual_seed(0)
    for key, parameter in sorted(made.named_parameters()):
        nn.init.uniform_(parameter, 0.5 if key == "bn.weight" else -0.6, 1.2 if key == "bn.weight" else 0.6)
    return made


def data(name, count=12):
    torch.manual_seed(1)
    axes = LAYERS[name][0]
    return torch.randn(count, 4, *SIZES.get(axes, ()), dtype=torch.float64)


def trained(module, name, steps=5):
    """Results and parameters along a training run."""
    optimizer = torch.optim.SGD(module.parameters(), 0.05, momentum=0.9)
    seen = []
    for _ in range(steps):
        result = module(data(name))
        seen.append(result.detach())
        optimizer.zero_grad()
        (result - torch.linspace(-1, 1, 6).reshape(6, *[1] * LAYERS[name][0])).square().mean().backward()
        optimizer.step()
    return seen + [v.detach() for _, v in sorted(module.named_parameters())] + [module.eval()(data(name))]


@pytest.mark.filterwarnings("ignore:Please use quant_min")
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("name, frozen", [(n, f) for n in LAYERS for f in (False, True) if n in WITH_NORM or not f])
def test_training_runs_as_torch_s(name, per_channel, frozen):
    settings = {"freeze_bn": True} if frozen else {}
    ours, theirs = (layer(name, per_channel, which, **settings) for which in (False, True))
    for mine, other in zip(trained(ours, name), trained(theirs, name), strict=True):
        # torch multiplies an integer by the scale in float64, ours in float32 as devices do.
        assert (mine - other).abs().max() <= 1e-6 * max(1, other.abs().max())
    if name in WITH_NORM:
        assert (ours.bn.running_var - theirs.bn.running_var).abs().max() <= 1e-6
        assert ours.bn.num_batches_tracked == theirs.bn.num_batches_tracked == (0 if frozen else 5)


def straight_through(watcher, x):
    """The fake quantized x with the gradient that passes inside the range, from autograd's own operations."""
    shape = [-1] + [1] * (x.dim() - 1)
    scale = watcher.scale.reshape(shape)
    steps = (x.detach().float() * (1 / scale)).round()
    inside = (steps >= watcher.quant_min) & (steps <= watcher.quant_max)
    kept = x * inside
    return kept + ((steps.clamp(watcher.quant_min, watcher.quant_max) * scale).to(x.dtype) - kept).detach()


@pytest.mark.parametrize("name, frozen", [(n, f) for n in LAYERS for f in (False, True) if n in WITH_NORM or not f])
def test_gradients_are_those_of_the_formula(name, frozen):
    module, x = layer(name, **({"freeze_bn": True} if frozen else {})), data(name).requires_grad_()
    axes = LAYERS[name][0]
    module(x)  # a range for the weights, which the next ones leave in places
    module.weight_fake_quant.disable_observer()
    with torch.no_grad():
        module.weight.mul_(1.3)
    norm = copy.deepcopy(module.bn) if name in WITH_NORM else None
    result = module(x)
    weights = torch.linspace(-1, 1, result.numel()).reshape(result.shape)
    (result * weights).sum().backward()
    gradients = [x.grad, *(parameter.grad for parameter in module.parameters())]

    def apply(w, b):
        if not axes:
            return F.linear(y, w, b)
        return CONVOLVE[axes](y, w, b, stride=module.stride, padding=module.padding, groups=module.groups)

    y = x.detach().clone().requires_grad_()
    weight, bias = (p.detach().clone().requires_grad_() for p in (module.weight, module.bias))
    leaves = [y, weight, bias]
    if norm is None:
        expected = apply(straight_through(module.weight_fake_quant, weight), bias)
    else:
        leaves += [norm.weight, norm.bias]
        deviation = (norm.running_var + norm.eps).sqrt()
        ones = [1] * (weight.dim() - 2)
        folded = straight_through(module.weight_fake_quant, weight * (norm.weight / deviation).reshape(-1, 1, *ones))
        if frozen:
            expected = apply(folded, norm.bias + (bias - norm.running_mean) * norm.weight / deviation)
        else:
            expected = apply(folded, None) * (deviation / norm.weight).reshape(-1, *ones)
            expected = norm(expected + bias.reshape(-1, *ones))
    if "ReLU" in name:
        expected = expected.relu()
    (expected * weights).sum().backward()
    # float64 up to the order of a few operations
    assert (result - expected).abs().max() <= 1e-12 * expected.abs().max()
    names = [key for key, _ in module.named_parameters()]
    assert sorted(["x", *names]) == sorted(["x", "weight", "bias", *(["bn.weight", "bn.bias"] if norm else [])])
    ordered = dict(zip(["x", *names], gradients, strict=True))
    for key, leaf in zip(["x", "weight", "bias", "bn.weight", "bn.bias"], leaves, strict=False):
        assert (ordered[key] - leaf.grad).abs().max() <= 1e-10 * max(g.abs().max() for g in gradients)
    if frozen or norm is None:
        assert (ordered["weight"] == 0).any() or "ReLU" in name  # a weight outside the range


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_weights_are_the_ones_that_convert_stores_ties_included(name, per_channel):
    """In eval mode the layer computes with the dequantized int8 weights, to the last bit."""
    axes, kind, _ = LAYERS[name]
    torch.manual_seed(0)
    qconfig = tq.get_default_qat_qconfig("qsdk" if per_channel else "qnnpack")
    module = kind(4, 6, qconfig=qconfig, **arguments(name))
    with torch.no_grad():
        # Half steps of scales that are powers of two, so that every other weight is a tie; 255 half steps are the top.
        halves = torch.randint(-255, 256, module.weight.shape)
        halves.flatten(1)[:, 0] = 255
        exponents = torch.arange(-9.0, -3) if per_channel else torch.full((6,), -7.0)
        module.weight.copy_(halves * 0.5 * (2**exponents).reshape(-1, *[1] * (module.weight.dim() - 1)))
        if name in WITH_NORM:
            module.bn.eps = 0.0  # a factor of exactly 1, 2 or 1/2
            module.bn.running_var.copy_(4.0 ** torch.tensor([0, 1, -1, 0, 1, -1]))
            module.bn.running_mean.normal_()
            if not per_channel:
                module.bn.weight.copy_(module.bn.running_var.sqrt())
    x = data(name).float()
    module.weight_fake_quant(module.folded()[0])  # observe
    module.eval()
    wrapped = tq.QuantWrapper(module)
    for watched in (wrapped.quant, module):
        watched.activation_post_process = tq.MinMaxObserver(dtype=torch.qint8)
        watched.activation_post_process(torch.linspace(-8, 8, 9))
        watched.qconfig = qconfig
    static = tq.convert(wrapped).module
    weight, bias = module.folded()
    stored = static.weight().dequantize()
    steps = weight / static.weight_scale.reshape(-1, *[1] * (weight.dim() - 1))
    assert (steps.frac().abs() == 0.5).double().mean() > 0.3  # ties they are
    assert torch.equal(module.weight_fake_quant(weight), stored)
    geometry = {"stride": module.stride, "padding": module.padding, "groups": module.groups} if axes else {}
    expected = (CONVOLVE[axes] if axes else F.linear)(x, stored, bias, **geometry)
    assert torch.equal(module(x), expected.relu() if "ReLU" in name else expected)


class Net(nn.Module):
    """Every kind of fused module that there is in so many dimensions."""

    def __init__(self, axes):
        super().__init__()
        conv, norm = getattr(nn, f"Conv{axes}d"), getattr(nn, f"BatchNorm{axes}d")
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.conv, self.bn, self.relu = conv(2, 4, 3, padding=1), norm(4), nn.ReLU()
        self.mix, self.mix_bn = conv(4, 4, 1, bias=False), norm(4)
        self.last, self.last_relu = conv(4, 4, 3, stride=2), nn.ReLU()
        self.norm, self.norm_relu = norm(4), nn.ReLU()
        self.up, self.up_bn = getattr(nn, f"ConvTranspose{axes}d")(4, 4, 2), norm(4)
        self.plain = conv(4, 4, 2)
        size = {1: 12, 3: 5}[axes]
        self.shape = (2, *[size] * axes)
        self.classify = nn.Linear(4 * ((size - 1) // 2) ** axes, 5)

    def forward(self, x):
        x = self.relu(self.bn(self.conv(self.quant(x))))
        x = self.last_relu(self.last(self.mix_bn(self.mix(x))))
        x = self.plain(self.up_bn(self.up(self.norm_relu(self.norm(x)))))
        return self.dequant(self.classify(torch.flatten(x, 1)))


def groups(axes):
    found = [["conv", "bn", "relu"], ["mix", "mix_bn"], ["last", "last_relu"]]
    return found + ([["norm", "norm_relu"]] if axes > 1 else [])


@pytest.mark.parametrize("axes", [1, 3])
def test_int8_gives_the_class_that_training_saw(axes):
    torch.manual_seed(0)
    model = Net(axes).train()
    patterns = torch.randn(5, *model.shape)

    def labelled(count):
        labels = torch.randint(5, (count,))
        return patterns[labels] + 0.4 * torch.randn(count, *model.shape), labels

    model.qconfig = tq.get_default_qat_qconfig()
    model = tq.prepare_qat(tq.fuse_modules_qat(model, groups(axes)))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(150):
        x, labels = labelled(64)
        optimizer.zero_grad()
        F.cross_entropy(model(x), labels).backward()
        optimizer.step()
    model.eval().apply(tq.disable_observer)
    quantized = tq.convert(model)
    kinds = {
        "conv": ("ConvBnReLU", nniq, "ConvReLU"), "mix": ("ConvBn", nnq, "Conv"),
        "last": ("ConvReLU", nniq, "ConvReLU"),
    }  # fmt: skip
    for name, (qat, room, static) in kinds.items():
        assert type(model.get_submodule(name)) is getattr(nniqat, f"{qat}{axes}d")
        assert type(quantized.get_submodule(name)) is getattr(room, f"{static}{axes}d")
    assert type(model.plain) is getattr(nnqat, f"Conv{axes}d")
    assert type(quantized.plain) is getattr(nnq, f"Conv{axes}d")
    if axes > 1:
        assert type(model.norm) is nni.BNReLU3d and type(quantized.norm) is nniq.BNReLU3d
    x, labels = labelled(2000)
    with torch.no_grad():
        fake, real = model(x), quantized(x)
    assert (fake.argmax(1) == labels).double().mean() > 0.95
    assert (fake.argmax(1) == real.argmax(1)).double().mean() >= 0.999
    assert torch.equal(quantized(x[:8]), copy.deepcopy(quantized)(x[:8]))


@pytest.mark.parametrize("name", LAYERS)
def test_back_to_float(name):
    axes, kind, theirs = LAYERS[name]
    module = layer(name)
    for _ in range(3):
        module(data(name))
    if name in WITH_NORM:
        assert module.bn.running_mean.abs().max() > 0.01
    floating = module.eval().to_float().double()
    relu = "ReLU" in name
    expected = {0: nni.LinearReLU if relu else nn.Linear}.get(axes) or getattr(
        nni if relu else nn, floating.__class__.__name__
    )
    assert type(floating) is expected and type(floating).__name__ == name.replace("Bn1d" if not axes else "Bn", "")
    module.weight_fake_quant.disable_fake_quant()
    # float64 in another order
    assert (module(data(name)) - floating(data(name))).abs().max() <= 1e-12
    floating.qconfig = module.qconfig
    if name not in WITH_NORM:
        again = double(kind.from_float(floating))
        assert torch.equal(again.weight, floating[0].weight if relu else floating.weight) and not again.training


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_wrong_modules_and_shapes_are_named(axes):
    kind, conv = getattr(nniqat, f"ConvBn{axes}d"), getattr(nn, f"Conv{axes}d")(2, 4, 1)
    conv.qconfig = tq.get_default_qat_qconfig()
    conv._qualified_name = "body.3"
    with pytest.raises(QuantizationError, match=rf"ConvBn{axes}d.from_float takes a ConvBn{axes}d, not layer 'body.3'"):
        kind.from_float(conv)
    with pytest.raises(QuantizationError, match=rf"ConvBn{axes}d takes \[N, 4(, ...)?\], not \[4, 5"):
        kind(4, 2, 1, groups=2, qconfig=conv.qconfig)(torch.ones(4, *[5] * axes))
    with pytest.raises(QuantizationError, match="layer 'body.3'.*needs a qconfig"):
        conv.qconfig = None
        getattr(nnqat, f"Conv{axes}d").from_float(conv)
