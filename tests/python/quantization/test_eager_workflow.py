"""fuse, prepare, calibrate, convert: what happens to which module, and every way it can go wrong."""

import copy
import io
import pickle

import pytest
import torch
import torch.ao.quantization as ao
from torch import nn

import qsdk.nn.intrinsic as nni
import qsdk.nn.intrinsic.quantized as nniq
import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
from qsdk.errors import QsdkError, QuantizationError
from qsdk.qtensor import qint8


class Small(nn.Module):
    """Every kind of module once."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.conv, self.bn, self.relu = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
        self.body = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU6(), nn.Dropout())
        self.add, self.join = nnq.FloatFunctional(), nnq.FloatFunctional()
        self.fc, self.act = nn.Linear(8, 5), nn.ReLU()

    def forward(self, x):
        x = self.relu(self.bn(self.conv(self.quant(x))))
        y = self.body(x)
        x = self.join.cat([self.add.add_relu(x, y), y], 1)
        x = self.act(self.fc(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1)))
        return self.dequant(x)


def small(backend="qsdk", fuse=True):
    torch.manual_seed(0)
    model = Small()
    for _ in range(3):
        model(torch.randn(4, 3, 6, 6))  # batch-norm statistics
    model.eval()
    if fuse:
        tq.fuse_modules(model, [["conv", "bn", "relu"], ["fc", "act"]], inplace=True)
    model.qconfig = tq.get_default_qconfig(backend)
    return model


def images():
    torch.manual_seed(1)
    return torch.randn(8, 3, 6, 6)


def converted(backend="qsdk"):
    prepared = tq.prepare(small(backend))
    prepared(images())
    return tq.convert(prepared)


def signal_to_noise(exact, approximate):
    return float(10 * torch.log10(exact.square().sum() / (exact - approximate).square().sum()).detach())


@pytest.mark.parametrize("backend", ["fbgemm", "qnnpack", "x86", "qsdk"])
def test_end_to_end(backend):
    model = small(backend)
    prepared = tq.prepare(model)
    exact = prepared(images())
    assert torch.equal(exact, model(images()))  # observers change nothing
    quantized = tq.convert(prepared)
    assert signal_to_noise(exact, quantized(images())) > (25 if backend != "qsdk" else 30)
    kinds = {name: type(module) for name, module in quantized.named_modules()}
    assert kinds["conv"] is nniq.ConvReLU2d and kinds["bn"] is nn.Identity and kinds["fc"] is nniq.LinearReLU
    assert kinds["body.0"] is nnq.Conv2d and kinds["body.1"] is nnq.ReLU6 and kinds["add"] is nnq.QFunctional
    assert kinds["quant"] is nnq.Quantize and kinds["dequant"] is nnq.DeQuantize
    assert not any("activation_post_process" in name for name in kinds)
    assert not any(hasattr(module, "qconfig") for module in quantized.modules())


def test_the_original_is_left_alone_unless_inplace():
    model = small()
    prepared = tq.prepare(model)
    assert "activation_post_process" not in dict(model.conv.named_children())
    prepared(images())
    quantized = tq.convert(prepared)
    assert isinstance(prepared.conv, nni.ConvReLU2d) and isinstance(quantized.conv, nniq.ConvReLU2d)
    assert tq.prepare(model, inplace=True) is model
    model(images())
    assert tq.convert(model, inplace=True) is model and isinstance(model.conv, nniq.ConvReLU2d)


def test_fused_relu_and_range_bound_the_integers():
    quantized = converted("fbgemm")
    seen = {}
    for name, module in quantized.named_modules():
        if isinstance(module, nnq.Conv2d | nnq.Linear | nnq.Quantize):
            module.register_forward_hook(lambda m, i, o, name=name: seen.update({name: o}))
    quantized(images() * 3)
    for q in seen.values():
        assert q.int_repr().max() <= 127  # reduce_range
    assert seen["conv"].int_repr().min() >= quantized.conv.zero_point and seen["conv"].dequantize().min() == 0


@pytest.mark.parametrize("mode", ["deepcopy", "pickle", "state_dict", "save"])
def test_copies_compute_the_same(mode):
    quantized = converted()
    expected = quantized(images())
    if mode == "deepcopy":
        other = copy.deepcopy(quantized)
    elif mode == "pickle":
        other = pickle.loads(pickle.dumps(quantized))
    elif mode == "save":
        buffer = io.BytesIO()
        torch.save(quantized, buffer)
        buffer.seek(0)
        other = torch.load(buffer, weights_only=False)
    else:
        buffer = io.BytesIO()
        torch.save(quantized.state_dict(), buffer)
        buffer.seek(0)
        prepared = tq.prepare(small("qnnpack"))
        prepared(torch.rand(2, 3, 6, 6) * 7)
        other = tq.convert(prepared)
        assert not torch.equal(other(images()), expected)
        state = torch.load(buffer, weights_only=True)
        keys = set(state)
        other.load_state_dict(state)
        assert set(state) == keys
        other.load_state_dict(state)
    assert torch.equal(other(images()), expected)
    assert other.conv.output_qparams == quantized.conv.output_qparams


def test_state_dict_reports_what_is_missing():
    quantized = converted()
    state = quantized.state_dict()
    del state["fc.scale"], state["conv.qweight"]
    with pytest.raises(RuntimeError, match="fc.scale"):
        quantized.load_state_dict(state)
    result = quantized.load_state_dict(state, strict=False)
    assert set(result.missing_keys) == {"fc.scale", "conv.qweight"} and not result.unexpected_keys


def test_changed_parameters_take_effect():
    quantized = converted()
    before = quantized(images())
    quantized.fc.scale = quantized.fc.scale * 2
    assert signal_to_noise(before, quantized(images())) > 15 and not torch.equal(before, quantized(images()))
    layer = quantized.body[0]
    layer.set_weight_bias(layer.weight(), None)
    assert layer.bias() is None
    assert not torch.equal(before, quantized(images()))
    quantized.double()
    assert quantized.fc.weight_scale.dtype == torch.float32


def test_conv_bn_fused_in_training_mode_converts_too():
    model = small(fuse=False).train()
    tq.fuse_modules(model, [["conv", "bn", "relu"]], inplace=True)
    assert isinstance(model.conv, nni.ConvBnReLU2d)
    model.eval()
    prepared = tq.prepare(model)
    exact = prepared(images())
    quantized = tq.convert(prepared)
    assert type(quantized.conv) is nniq.ConvReLU2d
    assert signal_to_noise(exact, quantized(images())) > 30


@pytest.mark.parametrize("kinds", [["conv", "bn"], ["conv", "bn", "relu"], ["conv", "relu"], ["fc", "act"]])
def test_fusing_changes_no_result_and_equals_torch_s(kinds):
    if kinds == ["conv", "relu"]:
        model = small(fuse=False)
        model.bn = nn.Identity()
    else:
        model = small(fuse=False)
    fused = tq.fuse_modules(model, kinds)
    x = images()
    if "bn" in kinds:  # float algebra: batch norm's factor moves into the weight, so the roundings differ
        assert (fused(x) - model(x)).abs().max() <= 1e-6 * model(x).abs().max()
    else:
        assert torch.equal(fused(x), model(x))
    theirs = ao.fuse_modules(model, kinds)
    ours, other = dict(fused.named_parameters()), dict(theirs.named_parameters())
    # torch folds by rsqrt, which its vector kernels round in another way than its scalar ones; ours is 1 / sqrt.
    assert set(ours) == set(other)
    assert all((ours[k] - other[k]).abs().max() <= 4 * 2**-24 * other[k].abs().max() for k in ours)


def test_fusing_moves_hooks():
    model = small(fuse=False)
    calls = []
    model.conv.register_forward_pre_hook(lambda m, i: calls.append("before"))
    model.relu.register_forward_hook(lambda m, i, o: calls.append("after"))
    fused = tq.fuse_modules(model, ["conv", "bn", "relu"])
    fused(images())
    assert calls == ["before", "after"]


@pytest.mark.parametrize(
    "group, message",
    [(["conv", "act", "bn"], "cannot fuse"), (["conv", "nope"], "nope"), (["fc", "bn"], "known fusions")],
)
def test_fusing_what_cannot_be_fused(group, message):
    with pytest.raises(QuantizationError, match=message):
        tq.fuse_modules(small(fuse=False), group)


class Branching(nn.Module):
    """A convolution whose ReLU comes after something else, and one whose result is used twice."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.relu = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1), nn.ReLU()
        self.c, self.twice, self.again = nn.Conv2d(1, 1, 1), nn.ReLU(), nn.ReLU()

    def forward(self, x):
        x = self.relu(self.b(self.a(x)))
        x = self.c(x)
        return self.again(self.twice(x) + x)


@pytest.mark.parametrize(
    "group, message",
    [
        (["a", "relu"], "'relu' does not follow 'a'"),
        (["c", "twice"], "uses the result of 'c' elsewhere"),
        (["c", "again"], "'again' does not follow 'c'"),
    ],
)
def test_fusing_modules_that_are_not_adjacent(group, message):
    with pytest.raises(QuantizationError, match=message):
        tq.fuse_modules(Branching().eval(), group)
    assert type(tq.fuse_modules(Branching().eval(), ["b", "relu"]).b) is nni.ConvReLU2d


def test_fusing_a_module_that_runs_twice():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    model.append(model[1])
    with pytest.raises(QuantizationError, match="'1' 2 times"):
        tq.fuse_modules(model.eval(), ["0", "1"])


def test_fusing_where_forward_cannot_be_traced():
    class Data(nn.Sequential):
        def forward(self, x):
            return super().forward(x) if x.sum() > 0 else x

    assert type(tq.fuse_modules(Data(nn.Linear(2, 2), nn.ReLU()).eval(), ["0", "1"])[0]) is nni.LinearReLU


@pytest.mark.parametrize("training", [False, True])
def test_fusing_linear_and_batch_norm(training):
    torch.manual_seed(0)
    model = tq.QuantWrapper(nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4)))
    for _ in range(5):
        model(torch.randn(32, 6) * 2)
    fused = tq.fuse_modules(model.train(training), ["module.0", "module.1"]).eval()
    assert type(fused.module[0]) is (nni.LinearBn1d if training else nn.Linear)
    x = torch.randn(64, 6)
    exact = model.eval()(x)
    assert (fused(x) - exact).abs().max() <= 1e-6 * exact.abs().max()  # float algebra, as above
    fused.qconfig = tq.get_default_qconfig()
    prepared = tq.prepare(fused)
    prepared(x)
    quantized = tq.convert(prepared)
    assert type(quantized.module[0]) is nnq.Linear and signal_to_noise(exact, quantized(x)) > 30
    with pytest.raises(QuantizationError, match="BatchNorm1d of 3 features"):
        tq.fuse_modules(nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(3)).eval(), ["0", "1"])


def test_training_mode_is_refused():
    model = small()
    model.body.train()
    with pytest.raises(QuantizationError, match="'body' is in training mode.*eval"):
        tq.prepare(model)
    prepared = tq.prepare(small())
    prepared(images())
    prepared.train()
    with pytest.raises(QuantizationError, match="training mode"):
        tq.convert(prepared)


def test_uncalibrated_layers_are_named():
    with pytest.raises(QuantizationError, match=r"layer 'quant' \(QuantStub\) has seen no calibration data"):
        tq.convert(tq.prepare(small()))
    model = small()
    model.extra = nn.Linear(2, 2)  # never called
    model.extra.eval()
    prepared = tq.prepare(model)
    prepared(images())
    with pytest.raises(QuantizationError, match="layer 'extra'"):
        tq.convert(prepared)
    model.extra.qconfig = None
    prepared = tq.prepare(model)
    prepared(images())
    assert type(tq.convert(prepared).extra) is nn.Linear


def test_converting_without_prepare_names_the_layer():
    model = small()
    tq.propagate_qconfig_(model)
    with pytest.raises(QuantizationError, match="layer 'quant'.*call prepare"):
        tq.convert(model)


def test_calibration_data_that_is_not_finite_names_the_layer():
    prepared = tq.prepare(small())
    with pytest.raises(QuantizationError, match="layer 'quant' got calibration data with NaN"):
        prepared(images() * float("nan"))
    prepared = tq.prepare(small())
    with torch.no_grad():
        prepared.body[0].weight[0] = float("inf")
    with pytest.raises(QuantizationError, match="layer 'body.0'"):
        prepared(images())


def test_weights_that_are_not_finite_name_the_layer():
    prepared = tq.prepare(small())
    prepared(images())
    with torch.no_grad():
        prepared.body[0].weight[0, 0] = float("nan")
    with pytest.raises(QuantizationError, match="layer 'body.0'.*weights"):
        tq.convert(prepared)


def test_a_float_tensor_in_a_quantized_layer_names_quant_stub():
    quantized = converted()
    with pytest.raises(QuantizationError, match=r"layer 'body.0' \(Conv2d\) is quantized but got.*QuantStub"):
        quantized.body(torch.randn(1, 4, 6, 6))
    with pytest.raises(QuantizationError, match="layer 'add'.*QuantStub"):
        quantized.add.add(torch.ones(1), torch.ones(1))


def test_a_quantized_tensor_in_a_float_layer_names_dequant_stub():
    model = small()
    model.body[0].qconfig = None
    prepared = tq.prepare(model)
    prepared(images())
    with pytest.raises(QuantizationError, match="'body.0', Conv2d.*DeQuantStub"):
        tq.convert(prepared)(images())


def test_a_layer_between_stubs_stays_float():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
            self.conv1, self.conv2 = nn.Conv2d(1, 2, 1), nn.Conv2d(2, 1, 1)

        def forward(self, x):
            return self.conv2(self.dequant(self.conv1(self.quant(x))))

    model = Mixed().eval()
    model.qconfig = tq.get_default_qconfig("qnnpack")
    model.conv2.qconfig = None
    prepared = tq.prepare(model)
    x = torch.randn(4, 1, 4, 4)
    exact = prepared(x)
    quantized = tq.convert(prepared)
    assert type(quantized.conv2) is nn.Conv2d and type(quantized.conv1) is nnq.Conv2d
    assert signal_to_noise(exact, quantized(x)) > 25


def test_unfused_batch_norm_is_quantized_alone():
    prepared = tq.prepare(small(fuse=False))
    exact = prepared(images())
    quantized = tq.convert(prepared)
    assert type(quantized.bn) is nnq.BatchNorm2d and signal_to_noise(exact, quantized(images())) > 25


def test_affine_weights_name_the_layer():
    model = tq.QuantWrapper(nn.Linear(3, 2)).eval()
    model.qconfig = tq.QConfig(tq.MinMaxObserver, tq.MinMaxObserver.with_args(dtype=torch.qint8))
    prepared = tq.prepare(model)
    prepared(torch.randn(1, 3))
    with pytest.raises(QuantizationError, match="layer 'module'.*symmetric"):
        tq.convert(prepared)


def test_preparing_twice_and_nothing_to_prepare():
    prepared = tq.prepare(small())
    with pytest.raises(QuantizationError, match="prepare the float model only once"):
        tq.prepare(prepared)
    with pytest.warns(UserWarning, match="qconfig"):
        tq.prepare(nn.Sequential(nn.Linear(2, 2)).eval())
    with pytest.raises(QsdkError, match="QuantWrapper"):
        linear = nn.Linear(2, 2).eval()
        linear.qconfig = tq.get_default_qconfig()
        prepared = tq.prepare(linear)
        prepared(torch.ones(1, 2))
        tq.convert(prepared)


def test_modules_used_under_two_names_stay_one():
    layer = nn.Linear(3, 3)
    model = tq.QuantWrapper(nn.Sequential(layer, nn.ReLU(), layer)).eval()
    model.qconfig = tq.get_default_qconfig()
    prepared = tq.prepare(model)
    prepared(torch.randn(4, 3))
    quantized = tq.convert(prepared)
    assert quantized.module[0] is quantized.module[2] and isinstance(quantized.module[0], nnq.Linear)


def test_mapping_and_custom_classes():
    class Mine(nnq.Linear):
        pass

    model = tq.QuantWrapper(nn.Sequential(nn.Linear(3, 3))).eval()
    model.qconfig = tq.get_default_qconfig()
    prepared = tq.prepare(model)
    prepared(torch.randn(4, 3))
    mapping = {**tq.get_default_static_quant_module_mappings(), nn.Linear: Mine}
    assert type(tq.convert(prepared, mapping).module[0]) is Mine


def test_quantize_and_add_quant_dequant():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    model[0].qconfig = tq.get_default_qconfig()
    wrapped = tq.add_quant_dequant(copy.deepcopy(model))
    x = torch.randn(16, 3)
    quantized = tq.quantize(wrapped, lambda m, data: m(data), [x])
    assert isinstance(quantized[0], tq.QuantWrapper) and isinstance(quantized[0].module, nnq.Linear)
    assert type(quantized[2]) is nn.Linear
    assert signal_to_noise(model(x), quantized(x)) > 25


def test_per_layer_qconfig_and_propagation():
    model = small()
    model.body[0].qconfig = tq.QConfig(
        tq.MinMaxObserver.with_args(quant_min=0, quant_max=15), tq.default_weight_observer
    )
    prepared = tq.prepare(model)
    prepared(images())
    quantized = tq.convert(prepared)
    assert quantized.body[0].output_qparams.quant_max == 15
    assert quantized.conv.output_qparams.dtype is qint8
    plain = small()
    tq.propagate_qconfig_(plain, {"body": None, nn.ReLU6: None})
    assert plain.body[0].qconfig is None and plain.quant.qconfig is not None


def one_linear(activation=None, weight=None):
    model = tq.QuantWrapper(nn.Linear(3, 2)).eval()
    model.qconfig = tq.get_default_qconfig()
    default = tq.get_default_qconfig()
    model.module.qconfig = tq.QConfig(activation or default.activation, weight or default.weight)
    prepared = tq.prepare(model)
    prepared(torch.randn(4, 3))
    return tq.convert(prepared)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"activation": tq.PerChannelMinMaxObserver}, "layer 'module'.*per_channel_affine.*outputs are"),
        ({"activation": tq.MinMaxObserver.with_args(dtype=torch.qint32)}, "layer 'module'.*qint32"),
        ({"activation": tq.default_float_qparams_observer}, "layer 'module'.*float_qparams.*outputs are"),
        ({"weight": tq.MinMaxObserver}, "layer 'module'.*symmetric"),
        ({"weight": tq.default_per_channel_weight_observer.with_args(ch_axis=1)}, "layer 'module'.*ch_axis=0"),
        ({"weight": tq.default_float_qparams_observer}, "layer 'module'.*weights are qsdk.quint8.*symmetric"),
        ({"weight": tq.default_dynamic_quant_observer}, "layer 'module'.*PlaceholderObserver"),
    ],
)
def test_dtypes_and_qschemes_that_layers_lack_are_named(settings, message):
    with pytest.raises(QuantizationError, match=message):
        one_linear(**settings)


@pytest.mark.parametrize("progress", [True, False, None])
def test_calibration_helpers_and_their_progress_bar(progress, capsys):
    batches = [torch.randn(4, 3) for _ in range(3)]
    model = tq.QuantWrapper(nn.Linear(3, 2)).eval()
    model.qconfig = tq.get_default_qconfig()
    quantized = tq.convert(tq.calibrate(tq.prepare(model), batches, progress))
    assert ("calibrate" in capsys.readouterr().err) == (progress is True)
    pairs = [(batch, 0) for batch in batches]
    others = [
        tq.quantize(model, tq.calibrate, [[[batch] for batch in batches], progress]),
        tq.quantize(model, tq.default_eval_fn, [pairs, progress]),
    ]
    for other in others:
        assert torch.equal(other(batches[0]), quantized(batches[0]))
