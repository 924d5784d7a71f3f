"""sensitivity against layers quantized by hand; suggest against trying every number of layers."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import qsdk
import qsdk.quantization as tq
from qsdk.debug import sensitivity, suggest
from qsdk.errors import QuantizationError
from qsdk.quantization.quantize_fx import prepare_fx

PER_TENSOR = tq.get_default_qconfig("qnnpack")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.third, self.head = (
            nn.Linear(6, 8),
            nn.Linear(8, 8),
            nn.Linear(8, 8),
            nn.Linear(8, 3),
        )
        with torch.no_grad():  # per tensor, the other rows of these have few steps left
            self.second.weight[0] *= 40
            self.second.bias[0] -= 200  # the channel is not used
            self.first.weight[0] *= 10
            self.third.weight[:, 0] = 0

    def forward(self, x):
        x = F.relu(self.second(torch.tanh(self.first(x))))
        return self.head(x + self.third(x))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Net().eval()


def data():
    return torch.randn(32, 6, generator=torch.Generator().manual_seed(1))


def decibels(x, y):
    x, y = x.detach().double(), y.detach().double()
    return float(10 * torch.log10(x.square().sum() / (x - y).square().sum()))


def scores(result):
    return {row.layer: row.score for row in result.rows}


def test_one_layer_by_hand(model):
    result = sensitivity(model, data(), qconfig_mapping=PER_TENSOR)
    assert [row.score for row in result.rows] == sorted(row.score for row in result.rows)
    prepared = prepare_fx(model, {"": PER_TENSOR})
    prepared(data())

    def fake(x, observer):
        scale, zero_point = observer.calculate_qparams()
        return torch.fake_quantize_per_tensor_affine(x, scale, zero_point.int(), observer.quant_min, observer.quant_max)

    observer = PER_TENSOR.weight()
    observer(model.second.weight)
    with torch.no_grad():
        x = F.linear(torch.tanh(model.first(data())), fake(model.second.weight, observer), model.second.bias)
        x = fake(F.relu(x), prepared.second.activation_post_process)
        by_hand = model.head(x + model.third(x))
        # float32 rounding: torch.fake_quantize multiplies by a reciprocal as we do, linear sums as in the model
        assert math.isclose(scores(result)["second"], decibels(model(data()), by_hand), abs_tol=0.01)


def test_all_layers_are_about_the_real_thing(model):
    result = sensitivity(model, data(), qconfig_mapping=PER_TENSOR)
    quantized = qsdk.quantize(model, data(), PER_TENSOR)
    # In float a sum is not rounded twice in the same way; a value may fall on the other side of a step.
    assert math.isclose(result.score, decibels(model(data()), quantized(data())), abs_tol=1.0)
    assert result.float_score == math.inf


def test_metric(model):
    expected = model(data()).detach()
    seen = []

    def metric(candidate):
        seen.append(candidate)
        return -float((candidate(data()) - expected).abs().max())

    result = sensitivity(model, [data()], metric, qconfig_mapping=PER_TENSOR)
    assert result.float_score == 0 and seen[0] is model
    assert len(seen) == len(result.rows) + 2
    assert all(row.score <= 0 for row in result.rows) and result.score < 0


@pytest.mark.parametrize("progress", [True, False, None])
def test_progress_and_print(model, progress, capsys):
    result = sensitivity(model, data(), progress=progress)
    shown = capsys.readouterr().err
    assert ("sensitivity" in shown) == (progress is True)
    from rich.console import Console

    Console(width=120).print(result)
    printed = capsys.readouterr().out
    assert all(row.layer in printed for row in result.rows)


def test_the_model_stays_as_it_is(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    sensitivity(model, data())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_suggest_leaves_no_more_layers_than_it_takes(model):
    everything = sensitivity(model, data(), qconfig_mapping=PER_TENSOR).score
    found = suggest(model, data(), min_sqnr=everything + 6, qconfig_mapping=PER_TENSOR)
    quantized = qsdk.quantize(model, data(), found.mapping)
    assert decibels(model(data()), quantized(data())) == pytest.approx(found.score)
    assert found.score >= everything + 6
    ranking = [row.layer for row in found.sensitivity.rows if row.layer in ("first", "second", "third", "head")]
    assert list(found.float_layers) == ranking[: len(found.float_layers)] and found.float_layers
    for layer in found.float_layers:
        assert type(quantized.get_submodule(layer)) is nn.Linear
    fewer = suggest(model, data(), min_sqnr=0, qconfig_mapping=PER_TENSOR)
    assert fewer.float_layers == () and fewer.mapping.to_dict() == tq.QConfigMapping().set_global(PER_TENSOR).to_dict()


def test_suggest_with_a_metric(model):
    expected = model(data()).detach()

    def metric(candidate):
        return -float((candidate(data()).detach() - expected).square().mean())

    loss = -metric(qsdk.quantize(model, data(), PER_TENSOR)) / 10
    found = suggest(model, data(), metric, max_loss=loss, qconfig_mapping=PER_TENSOR)
    assert found.float_layers and metric(qsdk.quantize(model, data(), found.mapping)) == found.score >= -loss


def test_batch_norm_stays_in_float_with_its_layer():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3)).eval()
    x = torch.randn(4, 2, 8, 8)
    found = suggest(model, x, min_sqnr=200)
    assert set(found.float_layers) == {"0", "3"} and found.score == math.inf
    assert found.mapping.module_name_qconfigs.keys() == {"0", "1", "3"}
    assert torch.equal(qsdk.quantize(model, x, found.mapping)(x), model(x))


class Untraceable(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.head = nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.Linear(4, 2)

    def forward(self, x):
        x = torch.cat([x[:, i : i + 1] for i in range(x.shape[1])], 1)
        return self.head(F.relu(self.bn(self.conv(x))).mean(-1))


def test_a_model_that_torch_export_captures():
    torch.manual_seed(0)
    model, x = Untraceable().eval(), torch.randn(4, 2, 8)
    found = suggest(model, x, min_sqnr=50)
    assert "head.linear" in [row.layer for row in found.sensitivity.rows]
    assert found.mapping.module_name_qconfigs.keys() >= {"conv", "bn"}
    with pytest.raises(QuantizationError, match="every layer in float that can be"):
        suggest(model, x, min_sqnr=200)  # cat stays


def test_errors(model):
    with pytest.raises(QuantizationError, match="there is no calibration data"):
        sensitivity(model, [])
    for wrong in ({}, {"max_loss": 1.0}, {"min_sqnr": 1.0, "max_loss": 1.0}, {"metric": len, "min_sqnr": 1.0}):
        with pytest.raises(QuantizationError, match="give metric and max_loss .* or min_sqnr"):
            suggest(model, data(), **wrong)
    falling = iter(range(0, -1000, -1))
    with pytest.raises(QuantizationError, match="check the metric"):
        suggest(model, data(), lambda candidate: next(falling), max_loss=0.5)
