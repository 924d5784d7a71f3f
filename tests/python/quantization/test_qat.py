"""Quantization-aware training: modules, batch-norm folding, and the int8 model that training leads to."""

import copy
import io
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
import torch.ao.nn.intrinsic.qat as ao_nniqat
import torch.ao.quantization as ao
from torch import nn

import qsdk
import qsdk.nn.intrinsic as nni
import qsdk.nn.intrinsic.qat as nniqat
import qsdk.nn.intrinsic.quantized as nniq
import qsdk.nn.qat as nnqat
import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
from qsdk.errors import QuantizationError


class Small(nn.Module):
    """Every kind of fused module once."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.conv, self.bn, self.relu = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
        self.mix, self.mix_bn = nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4)
        self.last, self.last_relu = nn.Conv2d(4, 4, 1), nn.ReLU()
        self.plain = nn.Conv2d(4, 6, 3)
        self.add = nnq.FloatFunctional()
        self.fc, self.fc_relu = nn.Linear(6 * 4 * 4, 8), nn.ReLU()
        self.norm, self.norm_bn = nn.Linear(8, 8), nn.BatchNorm1d(8)
        self.classify = nn.Linear(8, 5)

    def forward(self, x):
        x = self.relu(self.bn(self.conv(self.quant(x))))
        x = self.add.add(x, self.mix_bn(self.mix(x)))
        x = self.plain(self.last_relu(self.last(x)))
        x = self.fc_relu(self.fc(torch.flatten(x, 1)))
        return self.dequant(self.classify(self.norm_bn(self.norm(x))))


GROUPS = [["conv", "bn", "relu"], ["mix", "mix_bn"], ["last", "last_relu"], ["fc", "fc_relu"], ["norm", "norm_bn"]]
KINDS = {
    "conv": (nniqat.ConvBnReLU2d, nniq.ConvReLU2d), "mix": (nniqat.ConvBn2d, nnq.Conv2d),
    "last": (nniqat.ConvReLU2d, nniq.ConvReLU2d), "plain": (nnqat.Conv2d, nnq.Conv2d),
    "fc": (nniqat.LinearReLU, nniq.LinearReLU), "norm": (nniqat.LinearBn1d, nnq.Linear),
    "classify": (nnqat.Linear, nnq.Linear),
}  # fmt: skip


def prepared(backend="qsdk", inplace=False):
    torch.manual_seed(0)
    model = Small().train()
    model.qconfig = tq.get_default_qat_qconfig(backend)
    return tq.prepare_qat(tq.fuse_modules(model, GROUPS), inplace=inplace)


def images(count=64):
    return torch.randn(count, 3, 6, 6)


def labelled(count=64):
    """Images of five patterns with noise, and which it is."""
    patterns = torch.randn(5, 3, 6, 6, generator=torch.Generator().manual_seed(5))
    labels = torch.randint(5, (count,))
    return patterns[labels] + 0.4 * images(count), labels


def trained(backend="qsdk", steps=10):
    model = prepared(backend)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(steps):
        x, labels = labelled()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()
    return model.eval().apply(tq.disable_observer)


def test_every_module_becomes_its_counterpart():
    model = prepared()
    model(images())
    quantized = tq.convert(model.eval())
    for name, (qat, static) in KINDS.items():
        assert type(model.get_submodule(name)) is qat and type(quantized.get_submodule(name)) is static
    assert not any("fake_quant" in name for name, _ in quantized.named_modules())
    assert isinstance(model.add.activation_post_process, tq.FakeQuantize)


@pytest.mark.parametrize("backend", ["qsdk", "fbgemm", "qnnpack"])
def test_int8_gives_the_class_that_training_saw(backend):
    model = trained(backend, steps=150)
    quantized = tq.convert(model)
    x, labels = labelled(4000)
    with torch.no_grad():
        fake, real = model(x), quantized(x)
    assert (fake.argmax(1) == labels).double().mean() > 0.95
    assert (fake.argmax(1) == real.argmax(1)).double().mean() >= 0.999
    assert (fake == real).double().mean() > 0.9  # the rest: float sums are rounded, and so are integer biases
    assert (fake - real).abs().max() <= 3.01 * quantized.classify.scale


def test_int8_weights_are_the_fake_quantized_ones():
    model = trained()
    quantized = tq.convert(model)
    for name in KINDS:
        layer, static = model.get_submodule(name), quantized.get_submodule(name)
        weight = layer.folded()[0] if hasattr(layer, "folded") else layer.weight
        assert torch.equal(layer.weight_fake_quant(weight), static.weight().dequantize())


def test_training_updates_every_parameter():
    model = prepared()
    model(images()).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_batch_norm_statistics_freeze_and_update():
    model = prepared()
    model(images())
    mean = model.conv.bn.running_mean.clone()
    model.apply(nniqat.freeze_bn_stats)
    model(images())
    model.eval().train()
    assert not model.conv.bn.training and torch.equal(model.conv.bn.running_mean, mean)
    model.apply(nniqat.update_bn_stats)
    assert model.conv.bn.training
    model(images())
    assert not torch.equal(model.conv.bn.running_mean, mean)
    model.eval()
    assert not model.conv.bn.training


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_conv_bn_agrees_with_torch_s(bias, frozen):
    torch.manual_seed(0)
    arguments = (3, 4, 3, 1, 1, 1, 1, bias)
    ours = nniqat.ConvBnReLU2d(*arguments, qconfig=tq.get_default_qat_qconfig("qnnpack", 0))
    # Version 0: torch's fused operator rounds symmetric scales in another way than its observers do.
    theirs = ao_nniqat.ConvBnReLU2d(*arguments, qconfig=ao.get_default_qat_qconfig("qnnpack", 0))
    with torch.no_grad():
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            mine.copy_(other)
    if frozen:
        ours.freeze_bn_stats(), theirs.freeze_bn_stats()
    for _ in range(3):
        x = images(8)
        # Training is float arithmetic, in another order than torch's; test_fake_quantize.py has the equal bits.
        assert (ours(x) - theirs(x)).abs().max() <= 1e-6
    assert torch.equal(ours.bn.running_var, theirs.bn.running_var)
    gradients = []
    for module in (ours, theirs):
        module.zero_grad()
        (module(x) * torch.linspace(-1, 1, 6)).sum().backward()
        gradients.append([p.grad for p in module.parameters()])
    for mine, other in zip(*gradients, strict=True):
        assert (mine - other).abs().max() <= 1e-6 * max(1.0, *(g.abs().max() for g in gradients[1]))


def test_a_channel_that_batch_norm_switches_off():
    model = prepared()
    with torch.no_grad():
        model.mix.bn.weight[1] = 0
    assert torch.isfinite(model(images())).all()
    assert torch.isfinite(tq.convert(model.eval())(images())).all()


def test_batch_norm_without_weights_or_a_second_axis():
    pair = nni.ConvBn2d(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3, affine=False))
    pair.qconfig = tq.get_default_qat_qconfig()
    layer = nniqat.ConvBn2d.from_float(pair)
    assert layer(torch.randn(4, 2, 3, 3)).shape == (4, 3, 3, 3) and layer.folded()[0].shape == (3, 2, 1, 1)
    with pytest.raises(QuantizationError, match="takes"):
        nniqat.LinearBn1d(2, 3, qconfig=pair.qconfig)(torch.ones(1, 3, 2))
    with pytest.raises(QuantizationError, match="track_running_stats"):
        broken = nni.ConvBn2d(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3, track_running_stats=False))
        broken.qconfig = pair.qconfig
        nniqat.ConvBn2d.from_float(broken)
    with pytest.raises(QuantizationError, match="needs a qconfig"):
        nnqat.Linear(2, 3)


def test_state_dict_round_trip():
    model = trained(steps=3)
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    other = prepared()
    other.load_state_dict(torch.load(buffer, weights_only=True))
    other.eval()
    x = images()
    assert torch.equal(other(x), model(x)) and torch.equal(tq.convert(other)(x), tq.convert(model)(x))
    assert torch.equal(copy.deepcopy(model)(x), model(x))


def test_quantize_qat_and_inplace():
    torch.manual_seed(0)
    model = tq.fuse_modules(Small().train(), GROUPS)
    model.qconfig = tq.get_default_qat_qconfig()
    quantized = tq.quantize_qat(model, lambda m, x: m(x), [images()])
    assert type(quantized.conv) is nniq.ConvReLU2d and type(model.conv) is nni.ConvBnReLU2d
    assert tq.prepare_qat(model, inplace=True) is model


def test_a_layer_without_qconfig_stays_float():
    model = Small().train()
    model.qconfig = tq.get_default_qat_qconfig()
    model.classify.qconfig = None
    assert type(tq.prepare_qat(model).classify) is nn.Linear


def test_own_fake_quantize_plugs_in():
    class Coarse(tq.FakeQuantizeBase):
        quant_min, quant_max, dtype, qscheme, calibrated = -128, 127, torch.qint8, torch.per_tensor_symmetric, True

        def forward(self, x):
            return (x / 0.25).round().clamp(-128, 127) * 0.25

        def calculate_qparams(self):
            return torch.tensor([0.25]), torch.tensor([0])

    model = tq.QuantWrapper(nn.Linear(4, 3, bias=False)).train()
    model.qconfig = tq.QConfig(Coarse, Coarse.with_args())
    model = tq.prepare_qat(model)
    x = torch.randn(50, 4)
    exact = model.eval()(x)
    assert torch.equal(tq.convert(model)(x), exact)


def test_wrong_mode_settings_and_data_are_named():
    with pytest.raises(QuantizationError, match=r"eval mode; call model.train\(\)"):
        tq.prepare_qat(Small().eval())
    with pytest.warns(UserWarning, match="get_default_qat_qconfig"):
        tq.prepare_qat(Small().train())
    model = Small().train()
    model.qconfig = tq.get_default_qconfig()
    with pytest.raises(QuantizationError, match="layer '.+' has a .*Observer, which does not fake quantize"):
        tq.prepare_qat(model)
    with pytest.raises(QuantizationError, match="layer 'quant' got"):
        prepared()(images() * float("inf"))
    model = prepared()
    with torch.no_grad():
        model.plain.weight[0] = float("nan")
    with pytest.raises(QuantizationError, match="the weight of layer 'plain' has become NaN"):
        model(images())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(QuantizationError, match="layer 'quant'.*no calibration data"):
            tq.convert(prepared().eval())
    with pytest.raises(QuantizationError, match="training mode"):
        tq.convert(prepared())
    with pytest.raises(QuantizationError, match="prepare the float model only once"):
        tq.prepare_qat(prepared())


def test_the_result_exports(tmp_path):
    quantized = tq.convert(trained())
    x = images(3)
    report = qsdk.export(quantized, x[:1], tmp_path / "model.qsdk")
    for image in x:
        expected = quantized(image[None])
        assert torch.equal(torch.as_tensor(qsdk.reference.run(report.program, image[None].numpy())[0]), expected)


def test_the_workflow_of_old_with_its_backends():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
            self.conv, self.bn, self.relu = nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.ReLU()

        def forward(self, x):
            return self.dequant(self.relu(self.bn(self.conv(self.quant(x)))))

    for backend in ("fbgemm", "qnnpack"):
        model = M()
        model.train()
        model.qconfig = tq.get_default_qat_qconfig(backend)
        fused = tq.fuse_modules(model, [["conv", "bn", "relu"]])
        ready = tq.prepare_qat(fused)
        for _ in range(3):
            ready(torch.randn(4, 1, 4, 4))
        ready.eval()
        result = tq.convert(ready)(torch.randn(4, 1, 4, 4))
        assert result.shape == (4, 1, 4, 4) and result.dtype == torch.float32


def test_observers_go_where_the_model_is():
    model = Small().to("meta")
    model.qconfig = tq.get_default_qat_qconfig()
    watchers = [m for m in tq.prepare_qat(model.train()).modules() if isinstance(m, tq.FakeQuantize)]
    assert len(watchers) > 10 and all(watcher.scale.device.type == "meta" for watcher in watchers)
    model.qconfig = tq.get_default_qconfig()
    watchers = [m for m in tq.prepare(model.eval()).modules() if isinstance(m, tq.HistogramObserver)]
    assert len(watchers) > 5 and all(watcher.histogram.device.type == "meta" for watcher in watchers)


@pytest.mark.slow
def test_the_example_recovers_what_quantizing_after_training_loses():
    script = Path(__file__).resolve().parents[3] / "examples" / "qat_digits.py"
    done = subprocess.run([sys.executable, script, "--quiet"], capture_output=True, text=True, check=True)
    exact, after, fake, aware = (float(line.split()[-1].rstrip("%")) for line in done.stdout.splitlines())
    assert exact - after > 1 and exact - aware < 0.8 and abs(fake - aware) < 0.3
