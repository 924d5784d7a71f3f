"""Graph mode's options: rules for qconfigs, custom configurations, ways to quantize mixed in one model."""

import copy
import pickle

import pytest
import torch
from graph_mode import QCONFIG, Net, OneInput, TwoInputs, graph_convert, images, kinds, quantized, sqnr, stubs
from torch import nn
from torch.nn import functional as F

import qsdk.nn.intrinsic.quantized as nniq
import qsdk.nn.intrinsic.quantized.dynamic as nniqd
import qsdk.nn.quantized as nnq
import qsdk.nn.quantized.dynamic as nnqd
import qsdk.quantization as tq
import qsdk.quantization.quantize_fx as fx
from qsdk.errors import CaptureError
from qsdk.qtensor import QTensor, dequantize, quantize


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


# Rules for qconfigs


def test_precedence_of_rules():
    model = Net().eval()
    rules = {
        "": QCONFIG,
        "object_type": [(nn.Conv2d, None), (torch.sigmoid, None)],
        "module_name_regex": [("conv.*", QCONFIG), ("conv2", None)],
        "module_name": [("conv1", None)],
    }
    converted = graph_convert(model, images(), mapping=rules)
    modules = dict(converted.named_modules())
    assert type(modules["conv1"]) is nn.Conv2d and type(modules["bn1"]) is nniq.BNReLU2d  # not fused with each other
    assert type(modules["conv2"]) is nnq.Conv2d and type(modules["layers.0"]) is nn.Conv2d
    assert type(modules["sigmoid"]) is nn.Sigmoid and type(modules["heads.scores"]) is nnq.Linear
    as_mapping = tq.QConfigMapping.from_dict(rules)
    assert kinds(graph_convert(model, images(), mapping=as_mapping)) == kinds(converted)
    assert tq.QConfigMapping.from_dict(as_mapping.to_dict()).to_dict() == as_mapping.to_dict()


@pytest.mark.parametrize(
    "rule",
    [
        lambda m: m.set_object_type(F.relu, None),
        lambda m: m.set_object_type(nn.ReLU, None),
        lambda m: m.set_module_name_object_type_order("", F.relu, 1, None),
        lambda m: m.set_module_name_regex("", None).set_module_name_object_type_order("", nn.Conv2d, 0, QCONFIG),
    ],
)
def test_functions_are_named_by_themselves_or_by_their_module(rule):
    def forward(m, x):
        return F.relu(m.two(F.relu(m.one(x))))

    model = OneInput(forward, one=nn.Conv2d(3, 3, 1), two=nn.Conv2d(3, 3, 1))
    mapping = rule(tq.get_default_qconfig_mapping())
    converted = graph_convert(model, images(), mapping=mapping)
    assert "ReLU" in kinds(converted) and (kinds(converted).count("ConvReLU2d") <= 1)


def test_rules_for_a_class_hold_within_its_modules():
    class Block(nn.Sequential):
        pass

    model = nn.Sequential(nn.Conv2d(3, 3, 1), Block(nn.Conv2d(3, 3, 1), nn.Sequential(nn.Conv2d(3, 3, 1)))).eval()
    mapping = tq.get_default_qconfig_mapping().set_object_type(Block, None).set_module_name("1.1", QCONFIG)
    converted = graph_convert(model, images(), mapping=mapping)
    modules = dict(converted.named_modules())
    assert type(modules["1.0"]) is nn.Conv2d and type(modules["1.1.0"]) is nnq.Conv2d
    assert kinds(converted) == ["Quantize", "Conv2d", "DeQuantize", "Conv2d", "Quantize", "Conv2d", "DeQuantize"]


def test_values_of_one_layer_with_two_qconfigs():
    unsigned = tq.get_default_qconfig("qnnpack")
    model = OneInput(lambda m, x: (m.one(x), m.two(x)), one=nn.Conv2d(3, 3, 1), two=nn.Conv2d(3, 3, 1))
    mapping = tq.get_default_qconfig_mapping().set_module_name("two", unsigned)
    converted = graph_convert(model, images(), mapping=mapping)
    assert stubs(converted) == (2, 2)
    assert {m.output_qparams.dtype.value for m in converted.modules() if isinstance(m, nnq.Quantize)} == {
        "qint8",
        "quint8",
    }


def test_nothing_is_quantized_without_qconfigs():
    model, x = Net().eval(), images()
    prepared, converted = quantized(model, x, mapping={"": None})
    assert torch.equal(converted(x), model(x)) and stubs(converted) == (0, 0)


def test_default_mappings():
    assert tq.get_default_qconfig_mapping("qnnpack").global_qconfig == tq.get_default_qconfig("qnnpack")
    assert tq.get_default_qconfig_dict()[""] == tq.get_default_qconfig()
    assert str(tq.get_default_qat_qconfig_mapping().global_qconfig) == str(tq.get_default_qat_qconfig())
    assert str(tq.get_default_qat_qconfig_dict("fbgemm")[""]) == str(tq.get_default_qat_qconfig("fbgemm"))


# Options


def test_quantized_inputs_and_outputs():
    model = TwoInputs(
        lambda m, x, y: (m.one(x), m.two(y), F.softplus(x)), one=nn.Conv2d(3, 3, 1), two=nn.Conv2d(3, 3, 1)
    )
    config = {"input_quantized_idxs": [1], "output_quantized_idxs": [1, 2]}
    x, y = images(), images()
    prepared, converted = quantized(model, x, y, prepare_custom_config_dict=config)
    assert stubs(converted) == (2, 1)  # x, and softplus of x for the caller
    q = quantize(y, converted.x_quant.output_qparams)
    a, b, c = converted(x, q)
    assert isinstance(a, torch.Tensor) and isinstance(b, QTensor) and isinstance(c, QTensor)
    assert sqnr(model(x, y)[1], dequantize(b)) > 20 and sqnr(F.softplus(x), dequantize(c)) > 30


def test_modules_that_are_not_traced_stay_float():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x):
            return self.conv(x) if x.sum() > 1e9 else x * 2

    model = nn.Sequential(nn.Conv2d(3, 3, 1), Branches(), nn.Conv2d(3, 3, 1)).eval()
    x = images()
    with pytest.raises(CaptureError, match=r"test_graph_options.py:\d+.*capture='export'.*non_traceable_module_name"):
        fx.prepare_fx(model, {"": QCONFIG})
    for config in ({"non_traceable_module_name": ["1"]}, {"non_traceable_module_class": [Branches]}):
        converted = graph_convert(model, x, prepare_custom_config_dict=config)
        assert kinds(converted) == ["Quantize", "Conv2d", "DeQuantize", "Branches", "Quantize", "Conv2d", "DeQuantize"]
        assert type(getattr(converted, "1").conv) is nn.Conv2d and sqnr(model(x), converted(x)) > 25


class Block(nn.Module):
    """conv, ReLU."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return F.relu(self.conv(x)) + 1


@pytest.mark.parametrize("quantized_io", [False, True])
def test_standalone_modules_are_prepared_on_their_own(quantized_io):
    model, x = nn.Sequential(nn.Conv2d(3, 3, 1), Block(), nn.Conv2d(3, 3, 1)).eval(), images()
    own = {"input_quantized_idxs": [0], "output_quantized_idxs": [0]} if quantized_io else {}
    unsigned = {"": tq.get_default_qconfig("qnnpack")}
    for config in (
        {"standalone_module_name": [("1", unsigned, own)]},
        {"standalone_module_class": [(Block, unsigned, (x,), own, None)]},
    ):
        prepared, converted = quantized(model, x, prepare_custom_config_dict=config)
        assert torch.equal(prepared(x), model(x))
        block = getattr(converted, "1")
        assert kinds(block) == (["ConvReLU2d", "FunctionalCall"] if quantized_io else
                                ["Quantize", "ConvReLU2d", "FunctionalCall", "DeQuantize"])  # fmt: skip
        assert block.conv.output_qparams.dtype.value == "quint8"
        assert stubs(converted) == ((1, 1) if quantized_io else (3, 3)) and sqnr(model(x), converted(x)) > 25


class FloatScale(nn.Module):
    """x * factor."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


class ObservedScale(FloatScale):
    @classmethod
    def from_float(cls, mod):
        assert mod.qconfig is not None
        return cls(mod.factor)


class QuantizedScale(nn.Module):
    @classmethod
    def from_observed(cls, mod):
        result = cls()
        result.factor, result.scale = mod.factor, float(mod.activation_post_process.calculate_qparams()[0])
        return result

    def forward(self, x):
        return nnq.functional.mul_scalar(x, self.factor)


def test_custom_modules():
    model, x = nn.Sequential(nn.Conv2d(3, 3, 1), FloatScale(3.0), nn.Conv2d(3, 3, 1)).eval(), images()
    prepared = fx.prepare_fx(
        model,
        {"": QCONFIG},
        prepare_custom_config_dict={"float_to_observed_custom_module_class": {"static": {FloatScale: ObservedScale}}},
    )
    assert torch.equal(prepared(x), model(x))
    config = {"observed_to_quantized_custom_module_class": {"static": {ObservedScale: QuantizedScale}}}
    converted = fx.convert_fx(prepared, config)
    assert kinds(converted) == ["Quantize", "Conv2d", "QuantizedScale", "Conv2d", "DeQuantize"]
    assert getattr(converted, "1").scale > 0 and sqnr(model(x), converted(x)) > 25


def test_attributes_are_preserved():
    model, x = Net().eval(), images()
    model.labels, model.extra = ["a", "b"], nn.Linear(2, 2)
    prepared, _ = quantized(model, x, prepare_custom_config_dict={"preserved_attributes": ["labels", "extra"]})
    prepared.note = "calibrated"
    converted = fx.convert_fx(prepared, {"preserved_attributes": ["note"]})
    for copied in (converted, copy.deepcopy(converted), pickle.loads(pickle.dumps(converted))):
        assert copied.labels == ["a", "b"] and copied.note == "calibrated" and type(copied.extra) is nn.Linear
        assert torch.equal(copied(x), converted(x))
    assert not hasattr(graph_convert(model, x), "labels")


def test_fuse_fx():
    model, x = Net().eval(), images()
    fused = fx.fuse_fx(model)
    assert kinds(fused) == ["ConvReLU2d", "Conv2d", "ReLU", "ConvReLU2d", "Conv2d", "Sigmoid", "Linear"]
    assert (fused(x) - model(x)).abs().max() < 1e-5 and not fused.training  # float algebra of batch norm

    class Joined(nn.Sequential):
        pass

    sigmoids = {"additional_fuser_method_mapping": {(nn.Conv2d, nn.Sigmoid): lambda is_qat, *parts: Joined(*parts)}}
    assert "Joined" in kinds(fx.fuse_fx(model, sigmoids))
    assert kinds(fx.fuse_fx(model.train())).count("ConvBnReLU2d") == 1


# Other ways to quantize, mixed in one model


class Mixed(nn.Module):
    """A table of words, a recurrent layer, linear layers."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(30, 16)
        self.lstm = nn.LSTM(16, 16, batch_first=True)
        self.static, self.dynamic, self.out = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 4)

    def forward(self, ids):
        x, _ = self.lstm(self.words(ids))
        x = F.relu(self.dynamic(torch.tanh(self.static(x))))
        return self.out(x)


def test_static_dynamic_and_weight_only_in_one_model():
    model, ids = Mixed().eval(), torch.randint(0, 30, (2, 7))
    mapping = (
        tq.get_default_qconfig_mapping()
        .set_object_type(nn.Embedding, tq.float_qparams_weight_only_qconfig)
        .set_object_type(nn.LSTM, tq.default_dynamic_qconfig)
        .set_module_name("dynamic", tq.per_channel_dynamic_qconfig)
        .set_object_type(F.relu, tq.per_channel_dynamic_qconfig)
        .set_module_name("out", None)
    )
    prepared, converted = quantized(model, ids, mapping=mapping, example_inputs=ids)
    assert torch.equal(prepared(ids), model(ids))
    modules = dict(converted.named_modules())
    assert {name: type(modules[name]) for name in ("words", "lstm", "static", "dynamic", "out")} == {
        "words": nnq.Embedding,
        "lstm": nnqd.LSTM,
        "static": nnq.Linear,
        "dynamic": nniqd.LinearReLU,
        "out": nn.Linear,
    }
    assert stubs(converted) == (1, 1) and sqnr(model(ids), converted(ids)) > 20


def test_everything_dynamic_is_what_quantize_dynamic_makes():
    model, ids = Mixed().eval(), torch.randint(0, 30, (2, 7))
    mapping = tq.QConfigMapping().set_global(tq.default_dynamic_qconfig)
    mapping.set_object_type(nn.Embedding, None).set_object_type(F.relu, None)
    converted = fx.convert_fx(fx.prepare_fx(model, mapping))
    assert torch.equal(converted(ids), tq.quantize_dynamic(model)(ids))


def test_a_layer_in_float_within_training():
    model = Net().train()
    mapping = tq.get_default_qat_qconfig_mapping().set_module_name("conv2", None).set_module_name("bn2", None)
    prepared = fx.prepare_qat_fx(model, mapping)
    prepared(images()).sum().backward()
    assert type(prepared.conv2) is nn.Conv2d and type(prepared.bn2) is nn.BatchNorm2d
    prepared.eval()(images())
    converted = fx.convert_fx(prepared)
    assert type(converted.conv2) is nn.Conv2d and not converted.bn2.training
    assert kinds(converted).count("ConvReLU2d") == 2 and stubs(converted) == (3, 2)
