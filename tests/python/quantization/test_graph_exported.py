"""capture='export': the same graphs, files and training as torch.fx gives, also for models that it cannot trace."""

import copy
import importlib.util
import pathlib
import pickle

import pytest
import torch
from graph_mode import QCONFIG, Net, OneInput, TwoInputs, graph_convert, images, kinds, quantized, sqnr, stubs
from torch import nn
from torch.nn import functional as F

import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
import qsdk.quantization.quantize_fx as fx
from qsdk.errors import CaptureError, QuantizationError
from qsdk.export import to_bytes
from qsdk.reference.interpreter import run

_PATH = pathlib.Path(__file__).parents[3] / "examples" / "networks.py"
_SPEC = importlib.util.spec_from_file_location("example_networks", _PATH)
networks = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(networks)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def exported(model, *inputs, **options):
    return quantized(model, *inputs, example_inputs=inputs, capture="export", **options)


class Everything(nn.Module):
    """The spellings that ATen has other names for."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 8, 3, padding="same", groups=1), nn.BatchNorm2d(8)
        self.act, self.pool, self.drop = nn.ReLU6(inplace=True), nn.MaxPool2d(2), nn.Dropout()
        self.norm, self.fc, self.prelu = nn.LayerNorm(8), nn.Linear(8, 8), nn.PReLU()
        self.group, self.up = nn.GroupNorm(2, 8), nn.ConvTranspose2d(8, 4, 2, 2)
        self.drop2d, self.gelu, self.act2 = nn.Dropout2d(), nn.GELU("tanh"), nn.Hardswish()

    def forward(self, x):
        x = self.drop2d(self.pool(self.act(self.bn(self.conv(x)))))
        y = F.avg_pool2d(self.act2(self.group(x)), 3, 1, 1) - x.clamp(0, 1)
        a, b = y.chunk(2, dim=1)
        x = torch.cat([a * b, 2 - b], 1) + x[:, 1:2]
        tokens = self.norm(x.flatten(2).transpose(1, 2))
        q, k = self.fc(tokens), self.gelu(tokens)
        tokens = torch.softmax(q @ k.mT / 4, dim=-1) @ F.leaky_relu(tokens, 0.2)
        x = self.up(self.drop(tokens).permute(0, 2, 1).reshape(x.shape))
        return torch.tanh(self.prelu(x.mean((2, 3), keepdim=True)).squeeze(-1)).unsqueeze(1), F.adaptive_avg_pool2d(
            x, 1
        )


@pytest.mark.parametrize("make", [Net, Everything, *(lambda n=n: networks.make(n)[0] for n in ("digits", "resnet8"))])
def test_both_captures_give_the_same_integers(make):
    model = make().eval()
    shape = next(m.in_channels for m in model.modules() if isinstance(m, nn.Conv2d))
    x = torch.randn(4, shape, 8, 8)
    prepared, by_export = exported(model, x)
    by_trace = graph_convert(model, x)
    # What passes scale and zero point may be a module in the one and a function in the other.
    layers = [
        [kind for kind in kinds(m) if hasattr(nnq, kind) and kind not in ("ReLU6", "Dropout")]
        for m in (by_export, by_trace)
    ]
    assert layers[0] == layers[1]
    exact = model(x)
    for results in zip(*(r if isinstance(r, tuple) else (r,) for r in (by_export(x), by_trace(x), exact)), strict=True):
        assert torch.equal(results[0], results[1]) and sqnr(results[2], results[0]) > 20
    if make is not Everything:
        assert to_bytes(by_export, x, strip_names=True)[1] == to_bytes(by_trace, x, strip_names=True)[1]


class Untraceable(nn.Module):
    """Which layer it takes depends on the input's shape, and it may walk over a tensor."""

    def __init__(self):
        super().__init__()
        self.small, self.large = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 3)

    def forward(self, x):
        layer = self.small if x.shape[-1] < 16 else self.large
        if len(x) == 1:
            return F.relu(layer(x)) + 1
        return sum(F.relu(layer(part.unsqueeze(0))) for part in x)


@pytest.mark.parametrize("batch", [1, 2])
def test_what_torch_fx_cannot_trace(batch):
    model, x = Untraceable().eval(), torch.randn(batch, 3, 8, 8)
    with pytest.raises(CaptureError, match=r"test_graph_exported.py:\d+.*capture='export'"):
        fx.prepare_fx(model, {"": QCONFIG}, x)
    prepared, converted = exported(model, x)
    assert torch.equal(prepared(x), model(x)) and sqnr(model(x), converted(x)) > 25
    assert kinds(converted).count("ConvReLU2d") == batch  # torch.export sees calls, not layers
    if batch == 1:
        _, data = to_bytes(converted, x)
        assert run(data, x)[0].tobytes() == converted(x).numpy().tobytes()


def test_paths_of_the_user_s_modules_stay():
    model, x = networks.make("resnet8")[0], torch.randn(1, 3, 32, 32)
    _, converted = exported(model, x)
    names = {name for name, m in converted.named_modules() if isinstance(m, nnq.Conv2d | nnq.Linear)}
    assert {"stem.0.conv2d", "blocks.1.shortcut.0.conv2d", "classify.linear"} <= names
    prepared = fx.prepare_fx(model, {"": QCONFIG}, x, capture="export")
    prepared.images_quant(x)
    with pytest.raises(QuantizationError, match="'stem.0.conv2d'.*has seen no calibration data"):
        fx.convert_fx(prepared)


def test_rules_hold_as_for_torch_fx():
    class Block(nn.Sequential):
        pass

    model = nn.Sequential(nn.Conv2d(3, 3, 1), Block(nn.Conv2d(3, 3, 1)), nn.Sequential(nn.Conv2d(3, 3, 1))).eval()
    mapping = tq.get_default_qconfig_mapping().set_object_type(Block, None).set_module_name("2.0", None)
    x = images()
    _, converted = exported(model, x, mapping=mapping)
    assert kinds(converted) == kinds(graph_convert(model, x, mapping=mapping))
    assert kinds(converted) == ["Quantize", "Conv2d", "DeQuantize", "Conv2d", "Conv2d"]
    mapping = tq.get_default_qconfig_mapping().set_object_type(nn.Conv2d, None)
    assert stubs(exported(model, x, mapping=mapping)[1]) == (0, 0)


def test_the_batch_is_free_unless_the_model_needs_it():
    model, x = Net().eval(), images(4)
    _, converted = exported(model, x)
    more = images(7)
    assert torch.equal(converted(more), graph_convert(model, x)(more))
    fixed = OneInput(lambda m, x: m.conv(x).view(4, -1), conv=nn.Conv2d(3, 4, 1))
    assert exported(fixed, x)[1](x).shape == (4, 256)


def test_inputs_and_outputs_of_any_form():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, pair, extra):
            a, more = pair
            y = self.conv(a) + more["b"]
            return {"sum": y, "rest": (extra["c"] * 2, [y + 1])}

    inputs = ((images(), {"b": images()}), {"c": images()})
    model = Model().eval()
    _, converted = exported(model, *inputs)
    exact, close = model(*inputs), converted(*inputs)
    assert close.keys() == exact.keys() and isinstance(close["rest"], tuple) and isinstance(close["rest"][1], list)
    assert sqnr(exact["sum"], close["sum"]) > 25 and sqnr(exact["rest"][0], close["rest"][0]) > 25


def test_quantized_inputs_and_outputs():
    model, x = OneInput(lambda m, x: m.conv(x), conv=nn.Conv2d(3, 3, 1)), images()
    config = {"input_quantized_idxs": [0], "output_quantized_idxs": [0]}
    _, converted = exported(model, x, prepare_custom_config_dict=config)
    assert stubs(converted) == (0, 0)


def test_parts_that_are_written_to():
    """Views that are changed in place, which torch.export can express and torch.fx cannot."""

    def forward(m, x):
        y = m.conv(x)
        y[:, 0] += 1
        y.view(-1)[:5].mul_(2)
        return m.after(F.relu(y))

    model, x = OneInput(forward, conv=nn.Conv2d(3, 4, 1), after=nn.Conv2d(4, 2, 1)), images()
    with pytest.raises(CaptureError, match="changes a tensor in place"):
        fx.prepare_fx(model, {"": QCONFIG})
    prepared, converted = exported(model, x)
    assert torch.equal(prepared(x), model(x)) and sqnr(model(x), converted(x)) > 25


def test_integer_inputs_and_embeddings():
    def forward(m, ids):
        return m.fc(m.words(ids) + m.places(torch.arange(ids.shape[1])))

    parts = {"words": nn.Embedding(30, 8, padding_idx=0), "places": nn.Embedding(9, 8), "fc": nn.Linear(8, 4)}
    model, ids = OneInput(forward, **parts), torch.randint(0, 30, (2, 7))
    mapping = tq.get_default_qconfig_mapping()
    mapping.set_module_name("words", tq.float_qparams_weight_only_qconfig)
    prepared, converted = exported(model, ids, mapping=mapping)
    assert torch.equal(prepared(ids), model(ids)) and sqnr(model(ids), converted(ids)) > 25
    assert sum(isinstance(m, nnq.Embedding) for m in converted.modules()) == 1


def test_functions_that_torch_has_no_name_for_stay_atens():
    def forward(m, x):
        return m.conv(F.interpolate(m.conv(x), scale_factor=2.0, mode="bicubic"))

    model, x = OneInput(forward, conv=nn.Conv2d(3, 3, 1)), images(1)
    prepared, converted = exported(model, x)
    assert torch.equal(prepared(x), model(x)) and stubs(converted) == (2, 2) and sqnr(model(x), converted(x)) > 25
    for other in (copy.deepcopy(converted), pickle.loads(pickle.dumps(converted))):
        assert torch.equal(other(x), converted(x))


def test_training():
    torch.manual_seed(1)
    model, x, losses = Net().train(), images(16), []
    for options in ({}, {"example_inputs": (x,), "capture": "export"}):
        prepared = fx.prepare_qat_fx(model, tq.get_default_qat_qconfig_mapping(), **options)
        assert prepared.training
        optimizer = torch.optim.SGD(prepared.parameters(), 0.1)
        for _ in range(3):
            loss = F.cross_entropy(prepared(x), torch.arange(16) % 5)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        converted = fx.convert_fx(prepared.eval())
        losses.append((loss.item(), converted(x)))
    assert losses[0][0] == losses[1][0] and torch.equal(losses[0][1], losses[1][1])
    assert not any(isinstance(m, nn.Conv2d | nn.Linear) for m in converted.modules())


def test_nothing_of_the_float_layers_is_kept():
    _, converted = exported(Net().eval(), images())
    kept = {name for name, tensor in converted.state_dict().items() if tensor.dim() == 4 and tensor.is_floating_point()}
    assert not kept


def test_copies_compute_the_same():
    x = images()
    prepared, converted = exported(Net().eval(), x)
    for other in (copy.deepcopy(converted), pickle.loads(pickle.dumps(converted))):
        assert torch.equal(other(x), converted(x))
    again = pickle.loads(pickle.dumps(prepared))
    assert torch.equal(fx.convert_fx(again)(x), converted(x))
    state = fx.convert_fx(prepared).state_dict()
    other = exported(Net().eval(), images())[1]
    other.load_state_dict(state)
    assert torch.equal(other(x), converted(x))


def test_what_cannot_be_captured():
    def depends(m, x):
        return m.conv(x) if x.sum() > 0 else x

    model, x = OneInput(depends, conv=nn.Conv2d(3, 3, 1)), images()
    with pytest.raises(CaptureError, match=r"test_graph_exported.py:\d+.*capture='fx'.*non_traceable_module_name"):
        fx.prepare_fx(model, {"": QCONFIG}, x, capture="export")
    with pytest.raises(QuantizationError, match="needs example_inputs"):
        fx.prepare_fx(Net().eval(), {"": QCONFIG}, capture="export")
    with pytest.raises(QuantizationError, match="must not have 'non_traceable_module_name'"):
        config = {"non_traceable_module_name": ["conv1"]}
        fx.prepare_fx(Net().eval(), {"": QCONFIG}, x, config, capture="export")
    with pytest.raises(CaptureError, match=r"graph_mode.py:\d+.*to have 3 channels"):
        fx.prepare_fx(Net().eval(), {"": QCONFIG}, torch.randn(1, 4, 8, 8), capture="export")


def test_several_inputs():
    model = TwoInputs(lambda m, x, y: m.one(x) + m.two(y), one=nn.Conv2d(3, 3, 1), two=nn.Conv2d(3, 3, 1))
    x, y = images(), images()
    _, converted = exported(model, x, y)
    assert torch.equal(converted(x, y), graph_convert(model, x, y)(x, y)) and stubs(converted) == (2, 1)
