"""Every quantized module from its float one: close to float, close to PyTorch's, exported or refused by name."""

import copy
import io
import pickle
import warnings

import pytest
import torch
import torch.ao.quantization as ao
from torch import nn

import qsdk
import qsdk.nn.intrinsic.quantized as nniq
import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
from qsdk.errors import QuantizationError, UnsupportedOperatorError
from qsdk.export.schema_tables import UNIONS

# name: (float module, shape of its input without the batch, operators that it becomes, lowest signal-to-noise in dB)
MODULES = {
    "conv1d": (lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2), (4, 17), {"conv2d", "reshape"}, 30),
    "conv1d same": (lambda: nn.Conv1d(4, 4, 4, padding="same", groups=2), (4, 9), {"conv2d", "reshape"}, 30),
    "conv2d": (lambda: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0)), (4, 7, 5), {"conv2d"}, 30),
    "conv3d": (lambda: nn.Conv3d(2, 4, (2, 3, 1), stride=(1, 2, 1), padding=1), (2, 4, 5, 3), {"conv3d"}, 30),
    "conv1d circular": (
        lambda: nn.Conv1d(4, 3, 4, padding="same", padding_mode="circular"), (4, 7), {"pad", "conv2d"}, 30,
    ),
    "conv2d reflect": (
        lambda: nn.Conv2d(4, 6, (3, 4), padding=(1, 2), padding_mode="reflect"), (4, 5, 4), {"pad", "conv2d"}, 30,
    ),
    "conv3d replicate": (
        lambda: nn.Conv3d(2, 3, 3, padding=(2, 0, 1), padding_mode="replicate"), (2, 2, 3, 4), {"pad", "conv3d"}, 30,
    ),
    "conv_transpose1d": (
        lambda: nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), (4, 7),
        {"conv_transpose2d", "reshape"}, 30,
    ),
    "conv_transpose2d": (
        lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, dilation=(2, 1)), (4, 3, 4), {"conv_transpose2d"}, 30,
    ),
    "conv_transpose3d": (
        lambda: nn.ConvTranspose3d(4, 2, 2, stride=2, groups=2), (4, 2, 3, 2), {"conv_transpose3d"}, 30,
    ),
    "linear": (lambda: nn.Linear(9, 5), (3, 9), {"linear"}, 30),
    "batch_norm1d": (lambda: nn.BatchNorm1d(5), (5,), {"batch_norm"}, 35),
    "batch_norm2d": (lambda: nn.BatchNorm2d(5), (5, 3, 4), {"batch_norm"}, 35),
    "batch_norm3d": (lambda: nn.BatchNorm3d(5), (5, 2, 3, 2), {"batch_norm"}, 35),
    "batch_norm plain": (lambda: nn.BatchNorm3d(5, affine=False), (5, 2, 3, 2), {"batch_norm"}, 35),
    "layer_norm": (lambda: nn.LayerNorm((4, 6)), (3, 4, 6), {"layer_norm"}, 35),
    "layer_norm plain": (lambda: nn.LayerNorm(6, elementwise_affine=False), (6,), {"layer_norm"}, 35),
    "group_norm": (lambda: nn.GroupNorm(2, 6), (6, 5, 3), {"group_norm"}, 35),
    "instance_norm1d": (lambda: nn.InstanceNorm1d(4, affine=True), (4, 9), {"group_norm"}, 35),
    "instance_norm2d": (lambda: nn.InstanceNorm2d(4), (4, 5, 3), {"group_norm"}, 35),
    "instance_norm3d": (lambda: nn.InstanceNorm3d(4, affine=True), (4, 2, 3, 2), {"group_norm"}, 35),
    "relu6": (lambda: nn.ReLU6(), (3, 7), set(), 35),
    "hardswish": (lambda: nn.Hardswish(), (3, 7), {"lookup_table"}, 35),
    "elu": (lambda: nn.ELU(0.7), (3, 7), {"lookup_table"}, 35),
    "leaky_relu": (lambda: nn.LeakyReLU(0.2), (3, 7), {"lookup_table"}, 35),
    "sigmoid": (lambda: nn.Sigmoid(), (3, 7), {"lookup_table"}, 35),
    "tanh": (lambda: nn.Tanh(), (3, 7), {"lookup_table"}, 35),
    "hardsigmoid": (lambda: nn.Hardsigmoid(), (3, 7), {"lookup_table"}, 35),
    "gelu": (lambda: nn.GELU("tanh"), (3, 7), {"lookup_table"}, 35),
    "silu": (lambda: nn.SiLU(), (3, 7), {"lookup_table"}, 35),
    "mish": (lambda: nn.Mish(), (3, 7), {"lookup_table"}, 35),
    "softmax": (lambda: nn.Softmax(-1), (3, 7), {"softmax"}, 30),
    "softmax of its own choice": (lambda: nn.Softmax(), (7,), {"softmax"}, 30),
    "prelu": (lambda: nn.PReLU(), (3, 7), {"lookup_table"}, 35),
    "prelu per channel": (lambda: nn.PReLU(3), (3, 7), {"prelu"}, 35),
    "dropout": (lambda: nn.Dropout(), (3, 7), set(), 35),
    "zero_pad2d": (lambda: nn.ZeroPad2d((1, 0, 2, 3)), (3, 4, 5), {"pad"}, 35),
    "constant_pad1d": (lambda: nn.ConstantPad1d((2, 3), 0.7), (3, 4), {"pad"}, 35),
    "reflection_pad2d": (lambda: nn.ReflectionPad2d((1, 2, 3, 0)), (3, 4, 5), {"pad"}, 35),
    "replication_pad3d": (lambda: nn.ReplicationPad3d(2), (2, 3, 1, 2), {"pad"}, 35),
    "circular_pad1d": (lambda: nn.CircularPad1d((4, 1)), (3, 4), {"pad"}, 35),
    "max_pool1d": (lambda: nn.MaxPool1d(3, 2, 1), (3, 8), {"max_pool2d", "reshape"}, 35),
    "avg_pool1d": (lambda: nn.AvgPool1d(2, ceil_mode=True), (3, 7), {"avg_pool2d", "reshape"}, 30),
    "adaptive_avg_pool1d": (lambda: nn.AdaptiveAvgPool1d(3), (3, 8), {"adaptive_avg_pool2d", "reshape"}, 30),
}  # fmt: skip
pytestmark = [
    pytest.mark.filterwarnings("ignore:Using padding='same'"),
    pytest.mark.filterwarnings("ignore:Implicit dimension choice"),
]
KNOWN = set(UNIONS["Operation"])


class Model(nn.Module):
    def __init__(self, layer, stub=tq.QuantStub, back=tq.DeQuantStub):
        super().__init__()
        self.quant, self.layer, self.dequant = stub(), layer, back()

    def forward(self, x):
        return self.dequant(self.layer(self.quant(x)))


def made(name):
    torch.manual_seed(0)
    layer, shape = MODULES[name][0](), MODULES[name][1]
    for parameter in layer.parameters():
        if parameter.dim() == 1:
            nn.init.normal_(parameter, 0.5, 0.4)
    if isinstance(layer, nn.modules.batchnorm._BatchNorm):
        layer.running_mean.normal_()
        layer.running_var.uniform_(0.5, 2)
    return layer.eval(), torch.randn(64, *shape)


def converted(name, backend="qsdk"):
    layer, x = made(name)
    model = Model(layer).eval()
    model.qconfig = tq.get_default_qconfig(backend)
    prepared = tq.prepare(model)
    exact = prepared(x)
    return tq.convert(prepared), x, exact.detach()


def signal_to_noise(exact, approximate):
    return float(10 * torch.log10(exact.square().sum() / (exact - approximate).square().sum()))


@pytest.mark.parametrize("backend", ["qsdk", "fbgemm", "qnnpack"])
@pytest.mark.parametrize("name", MODULES)
def test_close_to_float(name, backend):
    model, x, exact = converted(name, backend)
    result = model(x)
    assert result.shape == exact.shape
    # fbgemm's setting leaves one bit of activations unused: 6 dB.
    assert signal_to_noise(exact, result) > MODULES[name][3] - (6 if backend == "fbgemm" else 0)


@pytest.mark.parametrize("name", [n for n, row in MODULES.items() if row[2] <= KNOWN and row[2]])
def test_exports_with_equal_bytes(name, tmp_path):
    model, x, _ = converted(name)
    report = qsdk.export(model, x[:2], tmp_path / "model.qsdk")
    assert MODULES[name][2] <= {op.kind for op in report.program.operators}
    session = qsdk.Session(tmp_path / "model.qsdk")
    for start in range(0, 64, 2):
        batch = x[start : start + 2] * 2
        expected = model(batch).numpy().tobytes()
        assert session.run(batch)[0].tobytes() == expected
        assert qsdk.reference.run(report.program, batch)[0].tobytes() == expected


@pytest.mark.parametrize("name", MODULES)
def test_an_engine_gives_equal_bytes(name):
    model, x, _ = converted(name)
    expected = model(x)
    qsdk.backends.quantized.engine = "qsdk"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # nothing is left to the reference
            assert model(x).numpy().tobytes() == expected.numpy().tobytes()
    finally:
        qsdk.backends.quantized.engine = "reference"


@pytest.mark.parametrize("name", ["conv3d", "group_norm"])
def test_what_the_file_does_not_know_is_refused_by_name(name, tmp_path, monkeypatch):
    model, x, _ = converted(name)
    (operator,) = MODULES[name][2]
    monkeypatch.setitem(UNIONS, "Operation", tuple(KNOWN - {operator}))
    with pytest.raises(UnsupportedOperatorError, match=f"layer 'layer'.*{operator}"):
        qsdk.export(model, x[:2], tmp_path / "model.qsdk")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", MODULES)
def test_copies_compute_the_same(name):
    model, x, _ = converted(name)
    expected = model(x)
    assert torch.equal(copy.deepcopy(model)(x), expected)
    assert torch.equal(pickle.loads(pickle.dumps(model))(x), expected)
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    layer, _ = made(name)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, 0.1, 0.9)
    other = Model(layer).eval()
    other.qconfig = tq.get_default_qconfig()
    other = tq.prepare(other)
    other(x * 3 + 1)
    other = tq.convert(other)
    other(x)  # constants are bound to the old parameters
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(other(x), expected)


# What PyTorch has no eager module for, or cannot compute: it refuses norms without weights and most padding, and its
# prelu with a slope per channel is far from float.
NOT_THEIRS = {
    "adaptive_avg_pool1d", "avg_pool1d", "batch_norm plain", "batch_norm1d", "circular_pad1d", "conv1d circular",
    "conv1d same", "conv3d replicate", "dropout", "gelu", "hardsigmoid", "layer_norm plain", "max_pool1d", "mish",
    "prelu per channel", "replication_pad3d", "silu", "softmax of its own choice", "softmax", "tanh",
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in MODULES if n not in NOT_THEIRS])
def test_close_to_pytorch(name, capsys):
    """PyTorch's own modules with the same scales; what differs is printed.

    Differences have reasons: fbgemm adds biases in float, PyTorch computes norms in float with other roundings, and
    quantizes the slope of prelu. PyTorch's operators do not keep to a range that an observer has reduced.
    """
    layer, x = made(name)
    theirs = Model(copy.deepcopy(layer), ao.QuantStub, ao.DeQuantStub).eval()
    per_channel = "transpose" not in name and "prelu" not in name  # which PyTorch refuses there
    weight = ao.default_per_channel_weight_observer if per_channel else ao.default_weight_observer
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs.qconfig = ao.QConfig(ao.HistogramObserver.with_args(reduce_range=True), weight)
            theirs = ao.prepare(theirs)
            theirs(x)
            theirs = ao.convert(theirs)
            other = theirs(x)
    finally:
        torch.backends.quantized.engine = before
    ours = Model(layer).eval()
    weight = tq.default_per_channel_weight_observer if per_channel else tq.default_weight_observer
    ours.qconfig = tq.QConfig(tq.HistogramObserver.with_args(reduce_range=True), weight)
    ours = tq.prepare(ours)
    ours(x)
    ours = tq.convert(ours)
    source = ours.layer if hasattr(ours.layer, "scale") else ours.quant
    if hasattr(theirs.layer, "scale"):
        assert float(theirs.layer.scale) == pytest.approx(source.scale, rel=1e-6)
    highest = source.scale * (source.output_qparams.quant_max - source.zero_point)
    difference = ((ours(x) - other.clamp(max=highest)) / source.scale).round().abs()
    share = float((difference > 0).float().mean())
    with capsys.disabled():
        print(f"\n{name}: {share:.3%} of elements differ from PyTorch's, by {int(difference.max())} at most", end=" ")
    assert difference.max() <= 1 and share < (0.1 if name == "prelu" else 0.01)


def test_names_and_arguments_of_pytorch():
    layer = nnq.LayerNorm(4, torch.ones(4), torch.zeros(4), 0.1, 3, 1e-6)
    assert (layer.scale, layer.zero_point, layer.eps) == (pytest.approx(0.1), 3, 1e-6)
    assert nnq.GroupNorm(2, 4, torch.ones(4), torch.zeros(4), 0.1, 3).num_groups == 2
    assert nnq.InstanceNorm2d(4, None, None, 0.1, 3).num_groups == 4
    assert nnq.ELU(0.1, 3, 0.5).alpha == 0.5 and nnq.LeakyReLU(0.1, 3, 0.2).negative_slope == 0.2
    assert nnq.Softmax(1, 0.1, 3).dim == 1 and nnq.PReLU(0.1, 3, 4).weight.shape == (4,)
    assert nnq.ConvTranspose2d(4, 6, 3, groups=2).weight().shape == (6, 2, 3, 3)


def test_output_ranges_that_are_known():
    for name, (scale, zero_point) in {
        "sigmoid": (1 / 256, 0), "hardsigmoid": (1 / 256, 0), "tanh": (2 / 256, 128),
    }.items():  # fmt: skip
        layer = converted(name)[0].layer
        assert (layer.scale, layer.zero_point) == (scale, zero_point)


def test_softmax_over_many_values_uses_the_range_that_it_has():
    model = tq.QuantWrapper(nn.Softmax(-1)).eval()
    model.qconfig = tq.get_default_qconfig("qsdk")
    prepared = tq.prepare(model)
    x = torch.randn(4, 200)
    exact = prepared(x)
    quantized = tq.convert(prepared)
    # Steps of 1/256 would leave 3 or 4 of them to probabilities around 1/200: 9 dB.
    noise = (quantized(x) - exact).square().sum()
    assert 10 * torch.log10(exact.square().sum() / noise) > 30


def test_bound_constants_follow_new_parameters():
    q = qsdk.qtensor.quantize_per_tensor(torch.randn(8, 3, 2, 2), 0.05, 100, "quint8")
    norm, slopes = nnq.BatchNorm2d(3), nnq.PReLU(0.05, 100, 3)
    before = norm(q), slopes(q)
    norm.weight, norm.scale, norm.zero_point = torch.full((3,), 2.0), 0.1, 128
    slopes.set_weight(torch.tensor([1.0, 0.0, -1.0]))
    assert not torch.equal(norm(q).storage, before[0].storage)
    exact = 2 * q.dequantize() / (1 + 1e-5) ** 0.5
    assert (norm(q).dequantize() - exact).abs().max() < 0.051
    exact = torch.where(q.dequantize() > 0, q.dequantize(), q.dequantize() * torch.tensor([1, 0, -1.0])[:, None, None])
    assert (slopes(q).dequantize() - exact).abs().max() < 0.026


def test_fused_relu_of_batch_norm():
    norm, fused = nnq.BatchNorm2d(3), nniq.BNReLU2d(3)
    fused.scale = norm.scale = 0.02
    fused.zero_point = norm.zero_point = 90
    q = qsdk.qtensor.quantize_per_tensor(torch.randn(8, 3, 2, 2), 0.05, 100, "quint8")
    assert torch.equal(fused(q).int_repr(), norm(q).int_repr().clamp(min=90))


def test_matmul_and_attention_in_eager_mode(tmp_path):
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
            self.q, self.k, self.v = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
            self.scores, self.mixed, self.softmax = nnq.FloatFunctional(), nnq.FloatFunctional(), nn.Softmax(-1)

        def forward(self, x):
            x = self.quant(x)
            scores = self.scores.matmul(self.q(x), self.k(x).transpose(-1, -2))
            return self.dequant(self.mixed.matmul(self.softmax(scores), self.v(x)))

    torch.manual_seed(0)
    model = Attention().eval()
    model.qconfig = tq.get_default_qconfig()
    prepared = tq.prepare(model)
    x = torch.randn(32, 5, 8)
    exact = prepared(x)
    quantized = tq.convert(prepared)
    assert type(quantized.mixed) is nnq.QFunctional and signal_to_noise(exact.detach(), quantized(x)) > 25
    qsdk.export(quantized, x[:2], tmp_path / "attention.qsdk")
    session = qsdk.Session(tmp_path / "attention.qsdk")
    assert all(session.run(b * 2)[0].tobytes() == quantized(b * 2).numpy().tobytes() for b in x.split(2))
    with pytest.raises(QuantizationError, match=r"'scores'.*\[\.\.\., M, K\]"):
        quantized.scores.matmul(quantized.quant(x), quantized.quant(x))


def test_refusals_name_the_layer():
    def convert(layer, shape):
        model = Model(layer).eval()
        model.qconfig = tq.get_default_qconfig()
        prepared = tq.prepare(model)
        prepared(torch.randn(2, *shape))
        return tq.convert(prepared)

    with pytest.raises(UnsupportedOperatorError, match="layer 'layer'.*running statistics"):
        convert(nn.InstanceNorm2d(3, track_running_stats=True), (3, 4, 4))
    with pytest.raises(UnsupportedOperatorError, match="layer 'layer'.*running statistics"):
        convert(nn.BatchNorm2d(3, track_running_stats=False), (3, 4, 4))
    with pytest.raises(QuantizationError, match="pad.*'reflect'.*layer 'layer'"):
        convert(nn.Conv1d(3, 3, 3, padding=1, padding_mode="reflect"), (3, 4))(torch.randn(2, 3, 1))
    quantized = convert(nn.Conv1d(3, 3, 3), (3, 4))
    with pytest.raises(QuantizationError, match=r"'layer'.*\[N, C, L\]"):
        quantized(torch.randn(3, 4))
    with pytest.raises(QuantizationError, match="'layer'.*3"):
        convert(nn.BatchNorm2d(3), (3, 4, 4))(torch.randn(1, 4, 4, 4))
    with pytest.raises(QuantizationError, match="'layer'.*last axes"):
        convert(nn.LayerNorm(4), (3, 4))(torch.randn(1, 3, 5))
    huge = nn.BatchNorm2d(3)
    huge.weight.data.fill_(1e17)
    model = convert(huge, (3, 4, 4))
    model.layer.scale = 2.0**-20
    with pytest.raises(QuantizationError, match="layer 'layer'.*multiplier of channel 0"):
        model(torch.randn(1, 3, 4, 4))
