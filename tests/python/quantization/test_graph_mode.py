"""Graph mode: the same files as eager mode, what is fused and placed, every option, and every way it can go wrong."""

import copy
import importlib.util
import io
import pathlib
import pickle

import pytest
import torch
from graph_mode import QCONFIG, Calls, Net, OneInput, TwoInputs, graph_convert, images, kinds, quantized, sqnr, stubs
from torch import nn
from torch.nn import functional as F

import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
import qsdk.quantization.quantize_fx as fx
from qsdk.errors import CaptureError, QuantizationError
from qsdk.export import to_bytes

_PATH = pathlib.Path(__file__).parents[3] / "examples" / "networks.py"
_SPEC = importlib.util.spec_from_file_location("example_networks", _PATH)
networks = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(networks)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


# The same as eager mode


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_examples_give_the_same_file_as_in_eager_mode(name):
    model, shape = networks.make(name)
    x = torch.randn(2, *shape[1:])
    by_graph = graph_convert(model, x)
    model.fuse()
    model.qconfig = QCONFIG
    prepared = tq.prepare(model)
    prepared(x)
    files = [to_bytes(m, x[:1], strip_names=True)[1] for m in (by_graph, tq.convert(prepared))]
    assert files[0] == files[1]


class WithFunctions(nn.Module):
    """As one writes it for graph mode."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.weight, self.bias = nn.Parameter(torch.randn(8, 8, 1, 1) * 0.3), nn.Parameter(torch.randn(8))
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        x = F.relu(self.bn(self.conv(x)))
        y = F.conv2d(x, self.weight, self.bias)
        x = torch.cat([F.relu(x + y), F.hardswish(y * 2)], dim=1)
        return torch.relu(self.fc(x.mean((2, 3))))


class WithModules(WithFunctions):
    """The same for eager mode."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.relu, self.relu2, self.act = nn.ReLU(), nn.ReLU(), nn.Hardswish()
        self.second = nn.Conv2d(8, 8, 1)
        self.second.weight, self.second.bias = self.weight, self.bias
        self.add, self.twice, self.join = (nnq.FloatFunctional() for _ in range(3))

    def forward(self, x):
        x = self.relu(self.bn(self.conv(self.quant(x))))
        y = self.second(x)
        x = self.join.cat([self.add.add_relu(x, y), self.act(self.twice.mul_scalar(y, 2))], dim=1)
        return self.dequant(self.relu2(self.fc(x.mean((2, 3)))))


def test_functions_give_the_same_file_as_modules():
    model, twin, x = WithFunctions().eval(), WithModules().eval(), images()
    twin.load_state_dict(model.state_dict(), strict=False)
    assert torch.equal(model(x), twin(x))
    tq.fuse_modules(twin, [["conv", "bn", "relu"], ["fc", "relu2"]], inplace=True)
    twin.qconfig = QCONFIG
    prepared = tq.prepare(twin)
    prepared(x)
    files = [to_bytes(m, x[:1], strip_names=True)[1] for m in (graph_convert(model, x), tq.convert(prepared))]
    assert files[0] == files[1]


# What is placed


def test_fusion_and_stubs():
    model, x = Net().eval(), images()
    prepared, converted = quantized(model, x)
    # Float algebra: batch norm's factor moves into the weights.
    assert (prepared(x) - model(x)).abs().max() < 1e-5
    assert kinds(converted) == [
        "Quantize", "ConvReLU2d", "Conv2d", "FunctionalCall", "ConvReLU2d", "Quantize", "FunctionalCall",
        "FunctionalCall", "Conv2d", "Sigmoid", "Linear", "DeQuantize",
    ]  # fmt: skip
    assert [m.method for m in converted.modules() if hasattr(m, "method")] == ["add_relu", "mul", "cat"]
    assert sqnr(model(x), converted(x)) > 30
    assert not any(hasattr(m, "qconfig") or "activation_post_process" in m._modules for m in converted.modules())
    assert not any(isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.Linear) for m in converted.modules())


def test_the_original_is_left_alone():
    model, x = Net().eval(), images()
    before, state = model(x), copy.deepcopy(model.state_dict())
    prepared, _ = quantized(model, x)
    assert torch.equal(model(x), before) and all(torch.equal(state[k], v) for k, v in model.state_dict().items())
    assert not any(hasattr(m, "qconfig") for m in model.modules())
    assert isinstance(prepared.conv1[0], nn.Conv2d) and prepared.conv1[0] is not model.conv1


def test_module_paths_stay():
    converted = graph_convert(Net().eval(), images())
    names = {name for name, m in converted.named_modules() if isinstance(m, nnq.base.QuantizedModule)}
    assert names == {
        "x_quant", "conv1", "conv2", "add.functional", "layers.0", "scale_quant", "mul.functional", "cat.functional",
        "layers.1", "sigmoid", "heads.scores", "heads.scores_dequant",
    }  # fmt: skip


def test_a_value_is_quantized_and_dequantized_once():
    def forward(m, x):
        float_ = F.softplus(x)
        a, b = m.one(float_), m.two(float_)
        return F.softplus(a), a, F.softplus(a) * 2, m.one(b), m.two(b)

    model, x = OneInput(forward, one=nn.Conv2d(3, 3, 1), two=nn.Conv2d(3, 3, 1)), images()
    converted = graph_convert(model, x)
    assert kinds(converted).count("Quantize") == 2  # softplus(x) once, and softplus(a) before the product
    assert kinds(converted).count("DeQuantize") == 4  # a once, the product, and the last two


def test_one_relu_in_two_places_is_fused_twice():
    model = OneInput(
        lambda m, x: m.relu(m.b(m.relu(m.a(x)))), a=nn.Conv2d(3, 3, 1), b=nn.Conv2d(3, 3, 1), relu=nn.ReLU()
    )
    assert kinds(graph_convert(model, images())) == ["Quantize", "ConvReLU2d", "ConvReLU2d", "DeQuantize"]


def test_one_relu6_may_be_float_and_quantized():
    model = OneInput(lambda m, x: m.relu6(F.softplus(m.relu6(m.a(x)))), a=nn.Conv2d(3, 3, 1), relu6=nn.ReLU6())
    converted, x = graph_convert(model, images()), images()
    assert kinds(converted) == ["Quantize", "Conv2d", "ReLU6", "DeQuantize", "ReLU6"]
    assert sqnr(model(x), converted(x)) > 25


def test_a_layer_that_runs_twice_has_one_scale():
    model, x = OneInput(lambda m, x: m.a(m.relu(m.a(x))), a=nn.Conv2d(3, 3, 1), relu=nn.ReLU()), images()
    converted = graph_convert(model, x)
    assert kinds(converted) == ["Quantize", "Conv2d", "ReLU", "Conv2d", "DeQuantize"]
    assert sum(isinstance(m, nnq.Conv2d) for m in converted.modules()) == 1
    assert sqnr(model(x), converted(x)) > 25


def test_a_weight_that_is_read_elsewhere_too():
    model = OneInput(
        lambda m, x: F.linear(m.fc(x), m.fc.weight.t()) + m.fc.weight.sum() + m.fc.weight.shape[0], fc=nn.Linear(8, 5)
    )
    x = torch.randn(4, 8)
    prepared, converted = quantized(model, x)
    assert torch.equal(prepared(x), model(x)) and sqnr(model(x), converted(x)) > 25


def test_shape_questions_do_not_hinder_fusion():
    def forward(m, x):
        y = m.conv(x)
        torch._assert(y.ndim == 4, "images")
        return m.relu(y).view(y.size(0), y.shape[1], -1)

    model, x = OneInput(forward, conv=nn.Conv2d(3, 4, 1), relu=nn.ReLU()), images()
    prepared, converted = quantized(model, x)
    assert torch.equal(prepared(x), model(x)) and prepared(images(3)).shape == (3, 4, 64)
    assert kinds(converted) == ["Quantize", "ConvReLU2d", "DeQuantize"]


def test_inputs_and_outputs_of_any_form():
    def forward(m, x, y):
        a = m.one(x)
        return {"a": a, "more": (a + m.two(y), [y, a.shape[0]])}

    model = TwoInputs(forward, one=nn.Conv2d(3, 3, 1), two=nn.Conv2d(3, 3, 1))
    x, y = images(), images()
    converted = graph_convert(model, x, y)
    exact, close = model(x, y), converted(x, y)
    assert close["more"][1][0] is y and close["more"][1][1] == 8 and stubs(converted) == (2, 2)
    assert sqnr(exact["a"], close["a"]) > 25 and sqnr(exact["more"][0], close["more"][0]) > 25


def test_arguments_with_constants_as_defaults():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x, mask=None, twice=False):
            x = self.conv(x)
            x = x if mask is None else x * mask
            return self.conv(x) if twice else x

    model, x = Model().eval(), images()
    assert kinds(graph_convert(model, x)) == ["Quantize", "Conv2d", "DeQuantize"]
    masked = graph_convert(model, x, x[:, :1], example_inputs=(x, x[:, :1]))
    assert sqnr(model(x, x[:, :1]), masked(x, x[:, :1])) > 25
    twice = graph_convert(model, x, None, True, example_inputs=(x, None, True))
    assert kinds(twice) == ["Quantize", "Conv2d", "Conv2d", "DeQuantize"]


def test_functions_hidden_from_tracing_are_looked_into():
    def hidden(x, factor):
        return F.relu(x) * factor if factor else x

    def wants_values(x):
        return x * 2 if x.sum() > 0 else x

    for function, arguments, expected in (
        (hidden, (0,), ["Quantize", "Conv2d", "DeQuantize"]),
        (hidden, (2,), ["Quantize", "ConvReLU2d", "FunctionalCall", "DeQuantize"]),
        (wants_values, (), ["Quantize", "Conv2d", "DeQuantize"]),
    ):

        def forward(m, x, function=function, arguments=arguments):
            y = m.conv(x)
            if isinstance(y, torch.fx.Proxy):
                return y.tracer.create_proxy("call_function", function, (y, *arguments), {})
            return function(y, *arguments)

        model, x = OneInput(forward, conv=nn.Conv2d(3, 3, 1)), images()
        prepared, converted = quantized(model, x)
        assert torch.equal(prepared(x), model(x)) and kinds(converted) == expected


def test_models_with_stubs_and_float_functionals_need_no_change():
    model, shape = networks.make("digits")
    converted = graph_convert(model, torch.randn(shape))
    assert stubs(converted) == (1, 1) and kinds(converted).count("FunctionalCall") == 1


# Copies, training


@pytest.mark.parametrize("mode", ["deepcopy", "pickle", "state_dict"])
def test_copies_compute_the_same(mode):
    model, x = Net().eval(), images()
    prepared, converted = quantized(model, x)

    def duplicate(original, make):
        if mode == "deepcopy":
            return copy.deepcopy(original)
        if mode == "pickle":
            return pickle.loads(pickle.dumps(original))
        buffer = io.BytesIO()
        torch.save(original.state_dict(), buffer)
        buffer.seek(0)
        result = make()
        result.load_state_dict(torch.load(buffer, weights_only=True))
        return result

    fresh = Net().eval()
    other = duplicate(converted, lambda: graph_convert(fresh, images()))
    assert torch.equal(other(x), converted(x))
    assert to_bytes(other, x[:1])[1] == to_bytes(converted, x[:1])[1]
    again = duplicate(prepared, lambda: fx.prepare_fx(fresh, {"": QCONFIG}))
    assert torch.equal(fx.convert_fx(again)(x), converted(x))


def test_training_and_conversion():
    """As good as the model that was trained: the same class for 99.9 % of unseen inputs."""
    centres = torch.randn(5, 3, 8, 8)

    def batch(count):
        labels = torch.randint(0, 5, (count,))
        return centres[labels] + torch.randn(count, 3, 8, 8) * 0.7, labels

    def train(model, steps, rate):
        optimizer = torch.optim.Adam(model.parameters(), rate)
        for _ in range(steps):
            x, labels = batch(64)
            loss = F.cross_entropy(model(x), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss

    model = Net().train()
    train(model, 60, 0.02)
    prepared = fx.prepare_qat_fx(model, tq.get_default_qat_qconfig_mapping())
    assert kinds(prepared).count("ConvBnReLU2d") == 1 and prepared.training and prepared.conv1.training
    loss = train(prepared, 30, 0.002)
    assert loss < 0.1
    prepared.eval().apply(tq.disable_observer)
    converted = fx.convert_fx(prepared)
    x, labels = batch(2000)
    with torch.no_grad():
        trained, quick = prepared(x).argmax(1), converted(x).argmax(1)
    assert (quick == trained).float().mean() >= 0.999 and (quick == labels).float().mean() > 0.98
    assert not converted.training and stubs(converted) == (2, 1)


def test_qat_without_fake_quantize_is_the_model():
    model = Net().train()
    prepared = fx.prepare_qat_fx(model, tq.get_default_qat_qconfig_mapping())
    prepared.apply(tq.disable_fake_quant)
    x = images()
    # ConvBn2d scales its weights by the running statistics and divides again.
    assert (prepared(x) - model(x)).abs().max() < 1e-4
    assert (prepared.conv1.bn.running_mean - model.bn1.running_mean).abs().max() < 1e-5
    assert prepared.conv1.bn.num_batches_tracked == model.bn1.num_batches_tracked == 1


# What goes wrong


def test_modes_are_checked():
    with pytest.raises(QuantizationError, match=r"training mode; call model.eval\(\)"):
        fx.prepare_fx(Net().train(), {"": QCONFIG})
    with pytest.raises(QuantizationError, match=r"eval mode; call model.train\(\)"):
        fx.prepare_qat_fx(Net().eval(), tq.get_default_qat_qconfig_mapping())
    with pytest.raises(QuantizationError, match="'conv1'.*does not fake quantize|does not fake quantize"):
        fx.prepare_qat_fx(Net().train(), {"": QCONFIG})


def test_options_are_checked():
    model = Net().eval()
    with pytest.raises(QuantizationError, match="no key 'output_quantised_idxs'; its keys are"):
        fx.prepare_fx(model, {"": QCONFIG}, prepare_custom_config_dict={"output_quantised_idxs": [0]})
    with pytest.raises(QuantizationError, match="qconfig_dict has no key 'global'"):
        fx.prepare_fx(model, {"global": QCONFIG})
    with pytest.raises(QuantizationError, match="give a QConfigMapping"):
        fx.prepare_fx(model, QCONFIG)
    with pytest.raises(QuantizationError, match="goes by keyword"):
        fx.prepare_fx(model, {"": QCONFIG}, {"preserved_attributes": []})
    with pytest.raises(QuantizationError, match="use 'fx' or 'export'"):
        fx.prepare_fx(model, {"": QCONFIG}, capture="jit")
    with pytest.raises(QuantizationError, match="what prepare_fx returned"):
        fx.convert_fx(model)
    with pytest.raises(QuantizationError, match="module_name_regex"):
        tq.QConfigMapping().set_module_name_regex("(", None)
    with pytest.raises(QuantizationError, match=r"fails on example_inputs in 'conv1'.*graph_mode.py:\d+"):
        fx.prepare_fx(model, {"": QCONFIG}, torch.randn(1, 4, 8, 8))


def test_a_model_that_was_not_calibrated():
    prepared = fx.prepare_fx(Net().eval(), {"": QCONFIG})
    with pytest.raises(QuantizationError, match="'x_quant'.*has seen no calibration data"):
        fx.convert_fx(prepared)


def test_changing_shared_memory_in_place_is_refused():
    def forward(m, x):
        y = m.conv(x)
        part = y.view(-1)
        part.add_(1)
        return y

    with pytest.raises(CaptureError, match=r"'add_' in 'forward' \(.*test_graph_mode.py:\d+\).*shares"):
        fx.prepare_fx(OneInput(forward, conv=nn.Conv2d(3, 3, 1)), {"": QCONFIG})

    def counts(m, x):
        m.count.add_(1)
        return m.conv(x) + m.count

    with pytest.raises(CaptureError, match="changes the model's 'count'"):
        fx.prepare_fx(OneInput(counts, conv=nn.Conv2d(3, 3, 1), count=torch.zeros(1)), {"": QCONFIG})


def test_a_fusion_that_does_not_fit_is_named():
    model = OneInput(lambda m, x: m.bn(m.conv(x)), conv=nn.Conv2d(3, 3, 1), bn=nn.BatchNorm2d(4))
    with pytest.raises(QuantizationError, match="layer 'conv'.*4 features after 3"):
        fx.prepare_fx(model, {"": QCONFIG})


def test_several_calls_of_forward_share_nothing():
    calls = Calls(lambda m, x, y: m.conv(x) + m.conv(y), conv=nn.Conv2d(3, 3, 1))
    with pytest.raises(CaptureError, match="Proxy object cannot be iterated"):
        fx.prepare_fx(calls, {"": QCONFIG})  # *inputs
