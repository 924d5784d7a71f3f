"""Models that torch.ao and torchao have quantized, taken in: their own int8 results, and errors that name operators.

Where torch rounds differently from the numerics contract, a value that lies near the middle of two steps falls on the
other side: one step per operator on the way, rarely.
"""

import copy
import pickle
import warnings

import pytest
import torch
import torch.ao.quantization as tao
import torch.ao.quantization.fx._decomposed  # noqa: F401  (defines torch.ops.quantized_decomposed)
from torch import nn
from torch.ao.nn.quantized import FloatFunctional
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx
from torch.nn import functional as F

import qsdk
from qsdk.errors import UnsupportedOperatorError
from qsdk.nn import quantized as nnq
from qsdk.nn.quantized import dynamic as nnqd
from qsdk.nn.quantized.base import QuantizedModule
from qsdk.quantization import from_pt2e, from_torch

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
ENGINES = [e for e in ("fbgemm", "qnnpack") if e in torch.backends.quantized.supported_engines]


@pytest.fixture(autouse=True)
def engine():
    before = torch.backends.quantized.engine
    yield
    torch.backends.quantized.engine = before


def images(count=8, seed=1):
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def steps(theirs, ours, scale):
    """How many steps two results are apart, and the share that differs at all."""
    apart = ((theirs - ours) / scale).abs()
    return float(apart.max()), float((apart > 0.5).double().mean())


class Net(nn.Module):
    """Fused and unfused layers, operators, functions with fixed ranges, an average."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.relu = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()
        self.depth, self.act, self.pool = (
            nn.Conv2d(8, 8, 3, groups=8, padding=1, padding_mode="reflect"),
            nn.Hardswish(),
            nn.MaxPool2d(2),
        )
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        x = self.relu(self.bn(self.conv(x)))
        x = self.pool(F.relu(x + self.act(self.depth(x))))
        x = torch.cat([x, x * torch.sigmoid(x)], 1)
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))


def converted_fx(model, engine, x):
    torch.backends.quantized.engine = engine
    prepared = prepare_fx(model.eval(), tao.get_default_qconfig_mapping(engine), x)
    prepared(x)
    return convert_fx(prepared)


@pytest.mark.parametrize("engine", ENGINES)
def test_fx(engine, tmp_path):
    torch.manual_seed(0)
    theirs = converted_fx(Net(), engine, images())
    before = set(theirs.state_dict())
    ours = from_torch(theirs)
    assert set(theirs.state_dict()) == before
    furthest, share = steps(theirs(images(64, 2)), ours(images(64, 2)), ours.head.scale)
    assert furthest < 1.5 and share < 0.1
    assert isinstance(ours.conv, nnq.Conv2d) and not any("torch.ao" in type(m).__module__ for m in ours.modules())
    assert torch.equal(pickle.loads(pickle.dumps(ours))(images()), ours(images()))
    qsdk.export(ours, images(1), tmp_path / "net.qsdk")
    (result,) = qsdk.Session(tmp_path / "net.qsdk").run(images(1))
    assert result.tobytes() == ours(images(1)).numpy().tobytes()


def test_what_stays_float_in_between():
    """torch.ao leaves dequantize, view, quantize; ours moves the integers."""

    class Between(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 4, 3), nn.Linear(144, 2)

        def forward(self, x):
            return self.last(F.relu(self.first(x)).flatten(1))

    theirs = converted_fx(Between(), ENGINES[0], images())
    ours = from_torch(theirs)
    kinds = [type(module).__name__ for module in ours.modules()]
    assert kinds.count("DeQuantize") == 1 and kinds.count("Quantize") == 1
    assert steps(theirs(images()), ours(images()), ours.last.scale)[0] < 1.5


class Eager(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.quant, self.dequant, self.layers = tao.QuantStub(), tao.DeQuantStub(), nn.Sequential(*layers)

    def forward(self, x):
        return self.dequant(self.layers(self.quant(x)))


def converted(model, x, engine="fbgemm"):
    torch.backends.quantized.engine = engine
    model.eval().qconfig = tao.get_default_qconfig(engine)
    prepared = tao.prepare(model)
    prepared(x)
    return tao.convert(prepared)


def normalized(kind, *arguments):
    layer = kind(*arguments)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(0.5, 1.5)
    return layer


LAYERS = [
    (lambda: nn.Conv1d(3, 4, 3, padding=1), (2, 3, 9)),
    (lambda: nn.Conv2d(4, 6, (3, 1), (2, 1), (1, 0), groups=2), (2, 4, 9, 5)),
    (lambda: nn.Conv3d(2, 3, 2, bias=False), (2, 2, 4, 4, 4)),
    (lambda: nn.Linear(5, 3), (2, 4, 5)),
    (lambda: nn.BatchNorm2d(3), (2, 3, 4, 4)),
    (lambda: normalized(nn.LayerNorm, [4, 5]), (2, 3, 4, 5)),
    (lambda: normalized(nn.GroupNorm, 2, 4), (2, 4, 5)),
    (lambda: nn.InstanceNorm2d(3, affine=True), (2, 3, 4, 5)),
    (lambda: nn.ReLU6(), (2, 30)),
    (lambda: nn.Hardswish(), (2, 30)),
    (lambda: nn.ELU(0.7), (2, 30)),
    (lambda: nn.LeakyReLU(0.2), (2, 30)),
    (lambda: nn.Dropout(), (2, 30)),
    (lambda: nn.Sequential(nn.MaxPool2d(2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()), (2, 3, 8, 8)),
]


@pytest.mark.parametrize("make, shape", LAYERS, ids=[repr(make()) for make, _ in LAYERS])
def test_eager_layers(make, shape):
    torch.manual_seed(0)
    x = 3 * torch.randn(shape)
    theirs = converted(Eager(make()), x)
    ours = from_torch(theirs)
    outputs = [module for module in ours.modules() if hasattr(module, "output_qparams")]
    # A norm's statistics, and softmax, are float in torch's kernels: up to two steps.
    furthest, share = steps(theirs(x), ours(x), outputs[-1].scale)
    assert furthest < 2.5 and share < 0.25
    state = ours.state_dict()
    again = from_torch(theirs)
    again.load_state_dict(state)
    assert torch.equal(copy.deepcopy(again)(x), ours(x))


@pytest.mark.parametrize(
    "layer, shape",
    [
        (nn.ConvTranspose1d(4, 6, 3, 2, 1, 1, groups=2), (2, 4, 9)),
        (nn.ConvTranspose2d(4, 6, (3, 2), 2, 1, 1, groups=2), (2, 4, 6, 5)),
    ],
)
def test_transposed_convolutions(layer, shape):
    torch.manual_seed(0)
    x = torch.randn(shape)
    theirs = converted(Eager(layer), x, "qnnpack")
    ours = from_torch(theirs)
    assert steps(theirs(x), ours(x), ours.layers[0].scale)[0] < 1.5


def test_prelu():
    """Against float: torch 2.13's kernel gives positive values in the input's scale, under the output's."""
    torch.manual_seed(0)
    x = torch.randn(2, 4, 5)
    model = Eager(nn.PReLU())
    ours = from_torch(converted(model, x, "qnnpack"))
    # The slope is rounded to 1/510; values to the input's and to the output's step.
    assert (ours(x) - model(x)).abs().max() < 3 * ours.layers[0].scale


def test_fused_layers_and_functional_modules():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.quant, self.dequant = tao.QuantStub(), tao.DeQuantStub()
            self.conv, self.relu, self.norm, self.relu2 = nn.Conv2d(3, 3, 1), nn.ReLU(), nn.BatchNorm2d(3), nn.ReLU()
            self.add, self.mul, self.cat = FloatFunctional(), FloatFunctional(), FloatFunctional()

        def forward(self, x):
            x = self.relu(self.conv(self.quant(x)))
            y = self.relu2(self.norm(x))
            return self.dequant(self.cat.cat([self.add.add_relu(x, y), self.mul.mul(x, y)], 1))

    torch.manual_seed(0)
    model = tao.fuse_modules(Model().eval(), [["conv", "relu"], ["norm", "relu2"]])
    theirs = converted(model, images())
    ours = from_torch(theirs)
    assert type(ours.norm).__name__ == "BNReLU2d" and type(ours.add) is nnq.QFunctional
    assert steps(theirs(images()), ours(images()), ours.cat.scale)[0] < 1.5


def test_dynamic_linear():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    theirs = tao.quantize_dynamic(model, {nn.Linear})
    ours = from_torch(theirs)
    assert type(ours[0]) is nnqd.Linear and torch.equal(ours[0].weight().int_repr(), theirs[0].weight().int_repr())
    x = torch.randn(5, 6)
    # torch leaves one bit of the activations unused with fbgemm: its steps are twice as large.
    assert (theirs(x) - ours(x)).abs().max() < 0.1 * theirs(x).abs().max()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: tao.quantize_dynamic(nn.Sequential(nn.LSTM(3, 4)), {nn.LSTM}), "layer '0' is a .*dynamic.*LSTM"),
        (lambda: converted_fx(_functional_linear(), "fbgemm", images()), "quantized::linear "),
    ],
)
def test_what_torch_ao_has_and_we_have_not(make, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = make()
    with pytest.raises(UnsupportedOperatorError, match=message):
        from_torch(theirs)


def _functional_linear():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.randn(4, 8)), nn.Parameter(torch.randn(4))

        def forward(self, x):
            return F.linear(x, self.weight, self.bias)

    return Functional()


# pt2e: the graph that its convert leaves, written by hand

OPS = torch.ops.quantized_decomposed


def quantize(x, scale, zero_point=0, low=-128, high=127, dtype=torch.int8):
    return OPS.quantize_per_tensor(x, scale, zero_point, low, high, dtype)


def pair(x, scale, zero_point=0, low=-128, high=127, dtype=torch.int8):
    integers = quantize(x, scale, zero_point, low, high, dtype)
    return OPS.dequantize_per_tensor(integers, scale, zero_point, low, high, dtype)


class Reference(nn.Module):
    """quantize and dequantize around `body`, which gets the input and two weights."""

    def __init__(self, body):
        super().__init__()
        generator = torch.Generator().manual_seed(5)
        self.body = body
        self.register_buffer("kernel", torch.randint(-127, 128, (4, 3, 3, 3), generator=generator).to(torch.int8))
        self.register_buffer("scales", torch.rand(4, generator=generator) * 0.01 + 0.001)
        self.register_buffer("matrix", torch.randint(-127, 128, (5, 3), generator=generator).to(torch.int8))
        self.register_buffer("zeros", torch.zeros(4, dtype=torch.int64))
        self.register_buffer("plain", torch.randn(4, 3, 1, 1, generator=generator))
        self.register_buffer("bias", torch.randn(4, generator=generator))

    def weight(self):
        return OPS.dequantize_per_channel(self.kernel, self.scales, self.zeros, 0, -127, 127, torch.int8)

    def linear_weight(self):
        return OPS.dequantize_per_tensor(self.matrix, 0.01, 0, -127, 127, torch.int8)

    def forward(self, x):
        return self.body(self, pair(x, 0.03, 3))


UINT8 = (0, 255, torch.uint8)
BODIES = {
    "conv and relu": lambda m, x: pair(F.relu(F.conv2d(x, m.weight(), m.bias, 2, 1)), 0.05, -128),
    "uint8": lambda m, x: pair(F.conv2d(pair(x, 0.02, 99, *UINT8), m.weight()), 0.1, 9, *UINT8),
    "add, and an input read twice": lambda m, x: pair(pair(F.relu6(x), 0.0213, -128) + x, 0.0617, 5),
    "mul, matmul": lambda m, x: pair(torch.matmul(pair(x * x, 0.05, -128), x.transpose(2, 3)), 0.6, 5),
    "linear": lambda m, x: pair(F.linear(x.permute(0, 2, 3, 1), m.linear_weight()), 0.07, -5),
    "functions": lambda m, x: pair(torch.tanh(pair(F.hardswish(pair(F.gelu(x), 0.03, -9)), 0.02, -9)), 2**-7),
    "pool, another range, softmax": lambda m, x: pair(torch.softmax(pair(F.max_pool2d(x, 2), 0.04), 1), 2**-8, -128),
    "cat without parameters": lambda m, x: pair(torch.cat([pair(F.relu(x), 0.02, -128), x], 1).mean((2, 3)), 0.03, 3),
    "a number": lambda m, x: pair(2.5 * x, 0.08, 3),
    "moved": lambda m, x: x.flatten(1)[:, 3:100].reshape(-1, 97).unsqueeze(1),
    "several outputs": lambda m, x: (x, {"relu": F.relu(x)}),
    "quantized output": lambda m, x: pair(F.avg_pool2d(x, 2), 0.03, 3),
}  # fmt: skip


def flat(output):
    return [t for t in torch.utils._pytree.tree_leaves(output) if isinstance(t, torch.Tensor)]


# Averages of four integers lie in the middle of two steps often; cat is rounded once more.
MORE = {"quantized output": 0.2, "cat without parameters": 0.5}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("batch", [1, 4])
def test_pt2e_patterns(name, batch):
    theirs = Reference(BODIES[name]).eval()
    x = images(batch)
    program = torch.export.export(theirs, (x,), strict=False)
    ours = from_pt2e(program)
    results = flat(ours(x))
    assert len(results) == len(flat(theirs(x)))
    for one, other in zip(flat(theirs(x)), results, strict=True):
        scale = max(module.scale for module in ours.modules() if hasattr(module, "output_qparams"))
        furthest, share = steps(one, other, scale)
        assert furthest < 1.5 and share < MORE.get(name, 0.01)
    assert all(
        isinstance(m, QuantizedModule) for m in ours.modules() if type(m).__module__.startswith("qsdk.nn.quantized.")
    )
    assert not any(module.training for module in ours.modules())
    again = from_pt2e(program)
    again.load_state_dict(ours.state_dict())
    for same in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)), again):
        assert all(map(torch.equal, flat(same(x)), results))


REFUSED = {
    "conv2d.* is not quantized": lambda m, x: F.conv2d(x, m.weight()),
    "Conv2d has weights that are not quantized": lambda m, x: pair(F.conv2d(x, m.plain), 0.1),
    "cumsum has no quantized counterpart": lambda m, x: pair(torch.cumsum(x, 1), 0.1),
    "choose_qparams has no counterpart": lambda m, x: _dynamic(x),
    "add has operands that are not quantized": lambda m, x: pair(x + m.plain[:1], 0.1),
    "cannot be taken in: dtype torch.int16": lambda m, x: pair(x * x, 0.1, 0, -1000, 1000, torch.int16),
}


@pytest.mark.parametrize("message", REFUSED)
def test_pt2e_refusals(message):
    program = torch.export.export(Reference(REFUSED[message]).eval(), (images(2),), strict=False)
    with pytest.raises(UnsupportedOperatorError, match=f"from_pt2e: .*{message}"):
        from_pt2e(program)


def _dynamic(x):
    scale, zero_point = OPS.choose_qparams(x, -128, 127, 1e-6, torch.int8)
    integers = OPS.quantize_per_tensor.tensor(x, scale, zero_point, -128, 127, torch.int8)
    return OPS.dequantize_per_tensor.tensor(integers, scale, zero_point, -128, 127, torch.int8)


def test_pt2e_takes_programs_only():
    with pytest.raises(UnsupportedOperatorError, match="not a Linear"):
        from_pt2e(nn.Linear(2, 2))


@pytest.mark.parametrize("per_channel", [True, False])
def test_torchao(per_channel, tmp_path):
    pytest.importorskip("torchao", reason="torchao is not installed")
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

    torch.manual_seed(0)
    exported = torch.export.export(_XnnpackNet().eval(), (images(),), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=per_channel))
    prepared = prepare_pt2e(exported.module(), quantizer)
    prepared(images())
    theirs = convert_pt2e(prepared)
    for given in (theirs, torch.export.export(theirs, (images(),))):
        ours = from_pt2e(given)
        furthest, share = steps(theirs(images()), ours(images()), ours.head.linear.scale)
        assert furthest < 1.5 and share < 0.1
    qsdk.export(ours, images(8), tmp_path / "net.qsdk")


class _XnnpackNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.depth = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.Conv2d(8, 8, 3, groups=8, padding=1),
        )
        self.pool, self.head = nn.MaxPool2d(2), nn.Linear(8, 4)

    def forward(self, x):
        x = F.relu(self.bn(self.conv(x)))
        return self.head(F.adaptive_avg_pool2d(self.pool(F.relu(x + self.depth(x))), 1).flatten(1))
