"""qsdk.quantize: the same as graph mode by hand, whatever the calibration data comes as; errors that say what to do."""

import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import qsdk
import qsdk.quantization as tq
from qsdk.errors import CaptureError, QuantizationError
from qsdk.export import to_bytes
from qsdk.nn import quantized as nnq
from qsdk.quantization.quantize_fx import convert_fx, prepare_fx


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.mix, self.head = nn.Conv2d(4, 4, 1), nn.Linear(4, 3)

    def forward(self, x):
        x = F.relu(self.bn(self.conv(x)))
        return self.head((x + self.mix(x)).mean((2, 3)))


class Two(Net):
    def forward(self, x, y):
        return super().forward(x + y)


class Optional(Net):
    def forward(self, x, y=None):
        return super().forward(x if y is None else x + y)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Net().eval()


def images(count=4):
    return torch.randn(count, 2, 6, 6, generator=torch.Generator().manual_seed(1))


def by_hand(model, batches):
    prepared = prepare_fx(model, tq.get_default_qconfig_mapping())
    for batch in batches:
        prepared(*batch)
    return convert_fx(prepared)


def exported(quantized):
    return to_bytes(quantized, images(1), name="net")[1]


@pytest.mark.parametrize(
    "data, targets",
    [
        (images(), False),
        ([images()], False),
        ([(images(),)], False),
        (iter([images()]), False),
        ((batch for batch in [images()]), False),
        ([(images(), torch.zeros(4))], True),
        ([[[images()], "any target"]], True),
        (DataLoader(TensorDataset(images(), torch.zeros(4)), batch_size=4), True),
        (DataLoader(images(), batch_size=4), False),
    ],
)
def test_equals_graph_mode_by_hand(model, data, targets):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert exported(qsdk.quantize(model, data, targets=targets)) == exported(by_hand(model, [(images(),)]))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_every_batch_is_seen_and_may_have_several_inputs():
    model = Two().eval()
    batches = [(images(2), images(2)), (images(1), 50 * images(1))]
    result = qsdk.quantize(model, batches)(*batches[0])
    assert torch.equal(result, by_hand(model, batches)(*batches[0]))
    assert not torch.equal(result, qsdk.quantize(model, batches[:1])(*batches[0]))


def test_an_optional_input_may_be_left_out_or_given():
    torch.manual_seed(0)
    model = Optional().eval()
    left_out, given = qsdk.quantize(model, images()), qsdk.quantize(model, [(images(), images())])
    # 8 bits of activations and weights on a few layers
    assert (left_out(images()) - model(images())).abs().max() < 0.1
    assert (given(images(), images()) - model(images(), images())).abs().max() < 0.1


def test_training_mode_is_left_to_the_model(model):
    expected = exported(qsdk.quantize(model, images()))
    model.train()
    model.mix.eval()
    assert exported(qsdk.quantize(model, images())) == expected
    assert model.training and model.bn.training and not model.mix.training
    assert model.bn.num_batches_tracked == 0


@pytest.mark.parametrize(
    "mapping",
    [
        tq.get_default_qconfig("qnnpack"),
        tq.get_default_qconfig_mapping("qnnpack"),
        {"": tq.get_default_qconfig("qnnpack")},
    ],
)
def test_forms_of_mapping(model, mapping):
    quantized = qsdk.quantize(model, images(), mapping)
    scales = quantized.conv.weight_scale
    assert bool((scales == scales[0]).all())  # qnnpack has one weight scale per tensor


def test_overrides(model):
    mapping = tq.get_default_qconfig_mapping()
    quantized = qsdk.quantize(model, images(), mapping, overrides={"mix": None, nn.Linear: None})
    assert type(quantized.mix) is nn.Conv2d and type(quantized.head) is nn.Linear
    assert isinstance(quantized.conv, nnq.Conv2d)
    assert not mapping.module_name_qconfigs and not mapping.object_type_qconfigs  # the caller's is not changed
    narrow = qsdk.quantize(model, images(), overrides={"head": tq.get_default_qconfig("qnnpack")})
    assert narrow.head.output_qparams.dtype is qsdk.quint8 and narrow.mix.output_qparams.dtype is qsdk.qint8


def test_nothing_to_calibrate_needs_no_data(model):
    untouched = qsdk.quantize(model, qconfig_mapping=tq.QConfigMapping())
    # The same modules; conv and batch norm are not fused.
    assert torch.equal(untouched(images()), model(images()))


def test_dynamic_quantization_needs_no_data():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    quantized = qsdk.quantize(model, qconfig_mapping=tq.default_dynamic_qconfig)
    expected = tq.quantize_dynamic(tq.fuse_modules(model, ["0", "1"]))
    assert torch.equal(quantized(torch.ones(2, 4)), expected(torch.ones(2, 4)))


def test_exports_and_runs(model, tmp_path):
    quantized = qsdk.quantize(model, images())
    qsdk.export(quantized, images(1), tmp_path / "model.qsdk")
    (scores,) = qsdk.Session(tmp_path / "model.qsdk").run(images(1))
    assert scores.tobytes() == quantized(images(1)).numpy().tobytes()


@pytest.mark.parametrize("progress", [True, False, None])
def test_progress_bar(model, progress, capsys):
    qsdk.quantize(model, [images()] * 3, progress=progress)
    shown = capsys.readouterr().err
    assert ("calibrate" in shown and "0/3" in shown) == (progress is True)


class Untraceable(Net):
    def forward(self, x):
        return super().forward(torch.cat([x[:, i : i + 1] for i in range(x.shape[1])], 1))


def test_torch_export_captures_what_torch_fx_cannot(model):
    untraceable = Untraceable().eval()
    untraceable.load_state_dict(model.state_dict())
    quantized, expected = (qsdk.quantize(m, images()) for m in (untraceable, model))
    # cat is quantized once more in the one.
    assert (quantized(images()) - expected(images())).abs().max() < 0.05
    assert torch.equal(pickle.loads(pickle.dumps(quantized))(images()), quantized(images()))


class Undecided(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (([],), QuantizationError, "the calibration data is empty, but layer .* at least one batch"),
        ((iter(()),), QuantizationError, "empty"),
        ((), QuantizationError, "empty"),
        ((3,), QuantizationError, "calibration data is a int"),
        (({"x": images()},), QuantizationError, "calibration data is a dict"),
        (([{"x": images()}],), QuantizationError, "batch of calibration data is a dict"),
        (([(images(), images(), images())],), QuantizationError, "has 3 elements, but the model takes 1 \\(x\\)"),
        ((images(), "qnnpack"), QuantizationError, "qconfig_mapping is a str"),
    ],
)
def test_errors(model, arguments, error, message):
    with pytest.raises(error, match=message):
        qsdk.quantize(model, *arguments)


def test_more_errors(model):
    with pytest.raises(QuantizationError, match="the model is a list"):
        qsdk.quantize([model], images())
    with pytest.raises(QuantizationError, match=r"layer '.*' \(\w+\) is quantized already"):
        qsdk.quantize(qsdk.quantize(model, images()), images())
    with pytest.raises(QuantizationError, match="no layer 'hed'; did you mean 'head'"):
        qsdk.quantize(model, images(), overrides={"hed": None})
    with pytest.raises(QuantizationError, match="not a pair"):
        qsdk.quantize(model, [images()], targets=True)
    with pytest.raises(QuantizationError, match="has 2 elements, but the model takes 1 .*targets=True"):
        qsdk.quantize(nn.Sequential(nn.Linear(3, 3)).eval(), [(torch.ones(1, 3), torch.ones(1))])
    with pytest.raises(CaptureError):
        qsdk.quantize(Undecided(), images())
