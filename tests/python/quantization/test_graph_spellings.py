"""Graph mode knows every spelling of the operator table: functions, methods, operators; compared with eager mode."""

import operator

import pytest
import torch
from graph_mode import OneInput, TwoInputs, eager, kinds, quantized, sqnr, stubs
from torch import nn
from torch.nn import functional as F

import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
from qsdk import ops
from qsdk.qtensor import dequantize
from qsdk.quantization.graph.calls import CALLS
from qsdk.quantization.quantize_fx import prepare_qat_fx


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def _call(spelling, x, *args, **kwargs):
    return getattr(x, spelling)(*args, **kwargs) if isinstance(spelling, str) else spelling(x, *args, **kwargs)


def _trained(module):
    """With statistics and parameters that are not the initial ones."""
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5) if "var" in name else tensor.normal_(0, 0.5)
    return module.eval()


_CONVS = {"stride": 2, "padding": 1}

# Spellings, input shape, module that computes the same, arguments behind the input (of the module's parameters).
FORMS = [
    ((F.conv1d,), (2, 4, 9), nn.Conv1d(4, 6, 3, **_CONVS), lambda m: ((m.weight, m.bias, 2, 1), {})),
    ((F.conv2d,), (2, 4, 7, 9), nn.Conv2d(4, 6, 3, **_CONVS), lambda m: ((m.weight,), {"bias": m.bias, **_CONVS})),
    ((F.conv2d,), (2, 4, 7, 9), nn.Conv2d(4, 6, 3, padding="same", groups=2, bias=False),
     lambda m: ((m.weight,), {"padding": "same", "groups": 2})),
    ((F.conv3d,), (2, 4, 5, 6, 7), nn.Conv3d(4, 6, 3), lambda m: ((m.weight, m.bias), {})),
    ((F.conv_transpose1d,), (2, 4, 5), nn.ConvTranspose1d(4, 6, 3, 2, 1, 1),
     lambda m: ((m.weight, m.bias, 2, 1, 1), {})),
    ((F.conv_transpose2d,), (2, 4, 5, 4), nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2),
     lambda m: ((m.weight, m.bias, 2, 1), {"output_padding": 1, "groups": 2})),
    ((F.conv_transpose3d,), (2, 4, 3, 4, 3), nn.ConvTranspose3d(4, 6, 3), lambda m: ((m.weight, m.bias), {})),
    ((F.linear,), (2, 3, 8), nn.Linear(8, 5), lambda m: ((m.weight, m.bias), {})),
    ((F.batch_norm,), (4, 3, 5, 5), nn.BatchNorm2d(3),
     lambda m: ((m.running_mean, m.running_var, m.weight, m.bias, False, 0.1, m.eps), {})),
    ((torch.batch_norm,), (4, 3, 5, 5), nn.BatchNorm2d(3),
     lambda m: ((m.weight, m.bias, m.running_mean, m.running_var, False, 0.1, m.eps, False), {})),
    ((F.layer_norm, torch.layer_norm), (4, 3, 8), nn.LayerNorm((3, 8)),
     lambda m: (((3, 8),), {"weight": m.weight, "bias": m.bias})),
    ((F.group_norm, torch.group_norm), (4, 6, 5), nn.GroupNorm(3, 6), lambda m: ((3, m.weight, m.bias), {})),
    ((F.instance_norm,), (4, 6, 5, 5), nn.InstanceNorm2d(6, affine=True),
     lambda m: ((None, None, m.weight, m.bias), {"eps": 1e-5})),
    ((torch.instance_norm,), (4, 6, 5, 5), nn.InstanceNorm2d(6, affine=True),
     lambda m: ((m.weight, m.bias, None, None, True, 0.1, 1e-5, False), {})),
    ((F.softmax, torch.softmax, "softmax"), (4, 9), nn.Softmax(-1), lambda m: ((-1,), {"dtype": torch.float32})),
    ((F.prelu, torch.prelu), (2, 3, 4), nn.PReLU(3), lambda m: ((m.weight,), {})),
    ((F.relu, torch.relu, "relu"), (4, 9), nn.ReLU(), lambda m: ((), {})),
    ((F.relu6,), (4, 9), nn.ReLU6(), lambda m: ((), {})),
    ((F.elu,), (4, 9), nn.ELU(0.7), lambda m: ((0.7,), {})),
    ((F.gelu,), (4, 9), nn.GELU("tanh"), lambda m: ((), {"approximate": "tanh"})),
    ((F.hardsigmoid,), (4, 9), nn.Hardsigmoid(), lambda m: ((), {})),
    ((F.hardswish,), (4, 9), nn.Hardswish(), lambda m: ((), {})),
    ((F.leaky_relu,), (4, 9), nn.LeakyReLU(0.2), lambda m: ((0.2,), {})),
    ((F.mish,), (4, 9), nn.Mish(), lambda m: ((), {})),
    ((F.silu,), (4, 9), nn.SiLU(), lambda m: ((), {})),
    ((torch.sigmoid, F.sigmoid, "sigmoid"), (4, 9), nn.Sigmoid(), lambda m: ((), {})),
    ((torch.tanh, F.tanh, "tanh"), (4, 9), nn.Tanh(), lambda m: ((), {})),
    ((F.avg_pool3d,), (2, 3, 4, 4, 6), nn.AvgPool3d(2, ceil_mode=False), lambda m: ((2,), {"ceil_mode": False})),
    ((F.adaptive_avg_pool3d,), (2, 3, 4, 4, 6), nn.AdaptiveAvgPool3d(1), lambda m: ((1,), {})),
    ((F.adaptive_max_pool3d,), (2, 3, 4, 4, 6), nn.AdaptiveMaxPool3d((1, None, 1)),
     lambda m: (((1, None, 1),), {"return_indices": False})),
    ((F.dropout, torch.dropout), (4, 9), nn.Dropout(), lambda m: ((0.5, False), {})),
    ((F.dropout1d,), (2, 4, 9), nn.Dropout1d(), lambda m: ((0.5, False), {})),
    ((F.dropout2d, torch.feature_dropout), (2, 4, 3, 3), nn.Dropout2d(), lambda m: ((0.5, False), {})),
    ((F.dropout3d,), (2, 4, 3, 3, 3), nn.Dropout3d(), lambda m: ((0.5, False), {})),
]  # fmt: skip


@pytest.mark.parametrize(
    "spelling, shape, module, arguments",
    [
        pytest.param(spelling, *rest, id=getattr(spelling, "__name__", spelling))
        for spellings, *rest in FORMS
        for spelling in spellings
    ],
)
def test_functions_are_quantized_as_their_modules(spelling, shape, module, arguments):
    module = _trained(module)
    args, kwargs = arguments(module)
    tensors = [*args, *kwargs.values()]
    names = {id(t): f"t{i}" for i, t in enumerate(tensors) if isinstance(t, torch.Tensor)}
    parts = {names[id(t)]: t for t in tensors if id(t) in names}

    def forward(model, x):
        own = [getattr(model, names[id(a)]) if id(a) in names else a for a in args]
        named = {k: getattr(model, names[id(a)]) if id(a) in names else a for k, a in kwargs.items()}
        return _call(spelling, model.first(x), *own, **named)

    first = nn.Hardswish()  # so that a function that passes what it gets is given something quantized
    model, x = OneInput(forward, first=first, **parts), torch.randn(shape) * 2
    prepared, converted = quantized(model, x)
    assert torch.equal(prepared(x), model(x))
    assert torch.equal(converted(x), eager(tq.QuantWrapper(nn.Sequential(first, module).eval()), x)(x))
    assert stubs(converted) == (1, 1)


def test_every_form_is_tested():
    known = {spelling for spellings, *_ in FORMS for spelling in spellings}
    assert known == ops.FORMS.keys() - {F.embedding}  # its input is no float tensor


@pytest.mark.parametrize("capture", ["fx", "export"])
def test_instance_norm_without_weights_takes_channels_from_the_example(capture):
    x = torch.randn(2, 3, 7)
    model = OneInput(lambda m, x: F.instance_norm(F.hardswish(x)))
    _, converted = quantized(model, x, example_inputs=(x,), capture=capture)
    assert stubs(converted) == (1, 1) and "InstanceNorm1d" in kinds(converted)
    assert (converted(x) - model(x)).abs().max() < 0.1


class Functional(nn.Module):
    """A method of FloatFunctional between stubs."""

    def __init__(self, method):
        super().__init__()
        self.method, self.functional = method, nnq.FloatFunctional()
        self.quant, self.other_quant, self.dequant = tq.QuantStub(), tq.QuantStub(), tq.DeQuantStub()

    def forward(self, x, y):
        x, y = self.quant(x), self.other_quant(y)
        arguments = ([x, y], 1) if self.method == "cat" else (x, y)
        return self.dequant(getattr(self.functional, self.method)(*arguments))


def _pair(spelling, x, y):
    if spelling in (torch.cat, torch.concat, torch.concatenate):
        return spelling([x, y], 1)
    return _call(spelling, x, y)


PAIRS = [s for s, method in ops.FUNCTIONALS.items() if method not in CALLS]


@pytest.mark.parametrize("spelling", PAIRS, ids=lambda s: getattr(s, "__name__", s))
def test_sums_and_products_are_quantized_as_float_functionals(spelling):
    x, y = torch.randn(2, 4, 4), torch.randn(2, 4, 4) * 3
    model = TwoInputs(lambda model, x, y: _pair(spelling, x, y))
    prepared, converted = quantized(model, x, y)
    assert torch.equal(prepared(x, y), model(x, y))
    assert torch.equal(converted(x, y), eager(Functional(ops.FUNCTIONALS[spelling]), x, y)(x, y))
    assert stubs(converted) == (2, 1)


ARITHMETIC = {
    "x + 2": (lambda m, x: x + 2, True),
    "2 + x": (lambda m, x: 2 + x, True),
    "x - 2": (lambda m, x: x - 2, True),
    "2 - x": (lambda m, x: 2 - x, True),
    "rsub": (lambda m, x: torch.rsub(x, 2), True),
    "x * 3": (lambda m, x: x * 3, True),
    "-3 * x": (lambda m, x: -3 * x, True),
    "x / 4": (lambda m, x: x / 4, True),
    "-x": (lambda m, x: -x, True),
    "x + x.size(1)": (lambda m, x: x + x.size(1), True),
    "x * shape ** -0.5": (lambda m, x: x * x.shape[-1] ** -0.5, True),
    "x * a tensor without axes": (lambda m, x: x * m.scalar, True),
    "x + a constant": (lambda m, x: x + m.constant, True),
    "a parameter - x": (lambda m, x: m.parameter - x, True),
    "x + x": (lambda m, x: x + x, True),
    "x - x.mean()": (lambda m, x: x - x.mean(-1, keepdim=True), True),
    "stack": (lambda m, x: torch.stack([x, 1 - x], -1), True),
    "add alpha": (lambda m, x: torch.add(x, x, alpha=2), False),
    "2 / x": (lambda m, x: 2 / x, False),
    "x / x": (lambda m, x: x / F.softplus(x), False),
    "x // 1": (lambda m, x: x // 1, False),
    "x ** 2": (lambda m, x: x**2, False),
    "a vector": (lambda m, x: x @ m.vector, False),
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_numbers_and_constants_on_either_side(name):
    function, all_quantized = ARITHMETIC[name]
    parts = {"scalar": torch.tensor(2.5), "constant": torch.randn(5), "parameter": nn.Parameter(torch.randn(5))}
    model = OneInput(function, vector=torch.randn(5), **parts)
    x = torch.randn(3, 5)
    prepared, converted = quantized(model, x, example_inputs=x)
    assert torch.equal(prepared(x), model(x))
    assert all_quantized == ("FunctionalCall" in kinds(converted)) and stubs(converted)[1] <= 1
    assert sqnr(model(x), converted(x)) > 25


def test_division_by_a_number_is_a_product():
    # 1 / 3 is rounded, and then the product: two roundings in place of one.
    model, x = OneInput(lambda m, x: x / 3), torch.randn(100)
    prepared, converted = quantized(model, x)
    assert ((prepared(x) - model(x)).abs() <= model(x).abs() * 2**-23).all()
    assert stubs(converted) == (1, 1)


def _conv(**parts):
    return {"conv": nn.Conv2d(3, 4, 3, padding=1), **parts}


# Functions that move values, or average them, with the parameters of their input.
PASSING = {
    "view": lambda q: q.view(q.shape[0], -1),
    "view of a size": lambda q: q.view(q.size()),
    "reshape": lambda q: torch.reshape(q, (-1, 4)),
    "flatten": lambda q: torch.flatten(q, 1),
    "flatten by keyword": lambda q: torch.flatten(input=q, start_dim=1),
    "unflatten": lambda q: q.unflatten(1, (2, 2)),
    "squeeze": lambda q: q[:1].squeeze(0),
    "unsqueeze": lambda q: q.unsqueeze(1),
    "permute": lambda q: q.permute(0, 2, 3, 1),
    "transpose": lambda q: torch.transpose(q, 1, 2),
    "mT": lambda q: q.mT,
    "contiguous": lambda q: q.contiguous(),
    "expand": lambda q: q[:, :1].expand(-1, 4, -1, -1),
    "index": lambda q: q[:, 1:3, ..., 0],
    "chunk": lambda q: q.chunk(2, 1)[1],
    "split": lambda q: torch.split(q, [1, 3], dim=1)[1],
    "unbind": lambda q: q.unbind(1)[2],
    "narrow": lambda q: torch.narrow(q, 1, 1, 2),
    "mean": lambda q: q.mean((2, 3)),
    "mean of all": torch.mean,
    "clamp": lambda q: q.clamp(-0.5, 0.5),
    "hardtanh": F.hardtanh,
    "max_pool2d": lambda q: F.max_pool2d(q, 2, stride=1),
    "avg_pool2d": lambda q: F.avg_pool2d(q, 3, 2, padding=1),
    "adaptive_avg_pool2d": lambda q: F.adaptive_avg_pool2d(q, (1, 2)),
    "max_pool1d": lambda q: F.max_pool1d(q.flatten(2), 3),
    "avg_pool1d": lambda q: F.avg_pool1d(q.flatten(2), 3),
    "adaptive_avg_pool1d": lambda q: F.adaptive_avg_pool1d(q.flatten(2), 3),
    "pixel_shuffle": lambda q: F.pixel_shuffle(q, 2),
}


@pytest.mark.parametrize("name", PASSING)
def test_functions_that_pass_scale_and_zero_point(name):
    function = PASSING[name]
    model, x = OneInput(lambda m, x: function(m.conv(x)), **_conv()), torch.randn(2, 3, 6, 6)
    prepared, converted = quantized(model, x)
    assert torch.equal(prepared(x), model(x))
    assert stubs(converted) == (1, 1)
    passed = function(converted.conv(converted.x_quant(x)))
    assert passed.qparams == converted.conv.output_qparams
    assert torch.equal(converted(x), dequantize(passed))


MODULES = {
    "flatten": nn.Flatten(), "unflatten": nn.Unflatten(1, (2, 2)), "max_pool2d": nn.MaxPool2d(2),
    "avg_pool2d": nn.AvgPool2d(2), "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d(1), "relu6": nn.ReLU6(),
    "hardtanh": nn.Hardtanh(-0.5, 0.5), "dropout": nn.Dropout(), "dropout2d": nn.Dropout2d(),
    "pixel_shuffle": nn.PixelShuffle(2),
}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_modules_that_pass_scale_and_zero_point(name):
    module = MODULES[name]
    model, x = OneInput(lambda m, x: m.after(m.conv(x)), **_conv(after=module)), torch.randn(2, 3, 6, 6)
    prepared, converted = quantized(model, x)
    assert torch.equal(prepared(x), model(x)) and stubs(converted) == (1, 1)
    passed = module(dequantize(converted.conv(converted.x_quant(x))))
    # Averages and bounds are rounded to the steps of the input.
    rounded = name in ("avg_pool2d", "adaptive_avg_pool2d", "hardtanh")
    assert (converted(x) - passed).abs().max() <= (converted.conv.scale * 0.51 if rounded else 0)


FLOAT = {
    "interpolate": lambda x: F.interpolate(x, scale_factor=2.0, mode="bicubic"),
    "softplus": F.softplus,
    "softmax in another dtype": lambda x: torch.softmax(x, 1, dtype=torch.float64),
    "mean in another dtype": lambda x: x.mean(1, dtype=torch.float64),
    "batch statistics": lambda x: F.batch_norm(x, None, None, training=True),
    "group_norm of unknown channels": lambda x: F.group_norm(x, 2),
    "max_pool with indices": lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
    "masked_fill": lambda x: x.masked_fill(x < 0, -1e9),
    "a weight that is computed": lambda x: F.conv2d(x, F.softplus(x)[:1, :, :1, :1]),
    "norm": lambda x: torch.linalg.vector_norm(x, dim=1),
    "stride": lambda x: x.as_strided(x.shape, x.stride()),
    "dtype": lambda x: x.to(x.dtype),
}


@pytest.mark.parametrize("name", FLOAT)
def test_other_functions_stay_float_behind_one_dequantize(name):
    function = FLOAT[name]
    model, x = OneInput(lambda m, x: function(m.conv(x)), **_conv()), torch.randn(2, 3, 6, 6)
    prepared, converted = quantized(model, x)
    assert torch.equal(prepared(x), model(x))
    assert stubs(converted) == (1, 1)
    assert torch.equal(converted(x), function(dequantize(converted.conv(converted.x_quant(x)))))


def test_attention_is_quantized():
    def attention(m, x):
        q, k, v = m.project(x).chunk(3, -1)
        return m.out(F.scaled_dot_product_attention(q, k, v))

    model, x = OneInput(attention, project=nn.Linear(8, 24), out=nn.Linear(8, 8)), torch.randn(2, 5, 8)
    prepared, converted = quantized(model, x)
    # softmax(q @ k * scale) in another order than the fused kernel's.
    assert (prepared(x) - model(x)).abs().max() < 1e-6
    assert stubs(converted) == (1, 1) and "Softmax" in kinds(converted)
    assert sqnr(model(x), converted(x)) > 25

    def causal(m, x):
        q, k, v = m.project(x).chunk(3, -1)
        return m.out(F.scaled_dot_product_attention(q, k, v, is_causal=True))

    model = OneInput(causal, project=model.project, out=model.out)
    prepared, converted = quantized(model, x)
    assert (prepared(x) - model(x)).abs().max() < 1e-6
    assert stubs(converted) == (1, 1) and sqnr(model(x), converted(x)) > 25


def test_integer_tensors_are_left_alone():
    def embed(m, ids):
        positions = torch.arange(ids.shape[1]) + m.offset
        return m.fc(m.table(ids + 1) + m.table(positions * 2))

    model = OneInput(embed, table=nn.Embedding(30, 8), fc=nn.Linear(8, 4), offset=torch.tensor(3))
    ids = torch.randint(0, 20, (2, 5))
    prepared, converted = quantized(model, ids, example_inputs=ids)
    assert torch.equal(prepared(ids), model(ids))
    assert kinds(converted) == [
        "Embedding",
        "Embedding",
        "Quantize",
        "Quantize",
        "FunctionalCall",
        "Linear",
        "DeQuantize",
    ]
    assert sqnr(model(ids), converted(ids)) > 25


IN_PLACE = {
    "+=": (lambda m, x: operator.iadd(m.conv(x), 1), 1),
    "*= a tensor": (lambda m, x: operator.imul(m.conv(x), x[:, :1]), 1),
    "add_": (lambda m, x: m.conv(x).add_(1), 1),
    "relu_": (lambda m, x: torch.relu_(m.conv(x)), 1),
    "relu inplace": (lambda m, x: F.relu(m.conv(x), inplace=True), 1),
    "relu inplace by position": (lambda m, x: F.relu(m.conv(x), True), 1),
    "clamp_": (lambda m, x: m.conv(x).clamp_(-0.5, 0.5), 1),
    "sigmoid_": (lambda m, x: torch.sigmoid_(m.conv(x)), 1),
    "hardtanh_": (lambda m, x: F.hardtanh_(m.conv(x)), 1),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_forms(name):
    function, dequantizes = IN_PLACE[name]
    model, x = OneInput(function, **_conv()), torch.randn(2, 3, 6, 6)
    given = x.clone()
    prepared, converted = quantized(model, x)
    assert torch.equal(prepared(x), model(x)) and torch.equal(x, given)
    assert sqnr(model(x), converted(x)) > 25 and stubs(converted)[1] == dequantizes


def _reads_later(m, x):
    y = m.conv(x)
    m.relu(y)
    z = y + 1
    y += 2
    return y, z, y.mean()


def _writes_a_part(m, x):
    y = m.conv(x)
    first = y * 1
    y[:, 0] = x[:, 0] * 9
    y[:, 1] = 0.5
    return y, first, m.after(y)


@pytest.mark.parametrize("function", [_reads_later, _writes_a_part])
def test_what_is_changed_in_place_is_read_changed(function):
    parts = _conv(after=nn.Conv2d(4, 2, 1), relu=nn.ReLU(inplace=True))
    model, x = OneInput(function, **parts), torch.randn(2, 3, 6, 6)
    prepared, converted = quantized(model, x)
    for exact, same, close in zip(model(x), prepared(x), converted(x), strict=True):
        assert torch.equal(exact, same) and sqnr(exact, close) > 20


def test_a_number_is_not_changed_in_place():
    def forward(m, x):
        size = x.shape[0]
        other = size
        size += 1
        return m.conv(x) * other * size

    model, x = OneInput(forward, **_conv()), torch.randn(2, 3, 6, 6)
    prepared, _ = quantized(model, x)
    assert torch.equal(prepared(x), model(x))


def test_functions_follow_train_and_eval():
    def forward(m, x):
        x = F.batch_norm(F.conv2d(x, m.weight), m.mean, m.var, training=m.training)
        return F.dropout(F.relu(x), 0.5, m.training)

    model = OneInput(forward, weight=nn.Parameter(torch.randn(4, 3, 3, 3)), mean=torch.zeros(4), var=torch.ones(4))
    prepared = prepare_qat_fx(model.train(), tq.get_default_qat_qconfig_mapping())
    assert kinds(prepared) == ["QuantStub", "ConvBnReLU2d", "Dropout", "DeQuantStub"]
    x = torch.randn(4, 3, 6, 6)
    trained = prepared(x)
    prepared.apply(tq.disable_observer)
    assert (trained == 0).float().mean() > 0.6 and not torch.equal(prepared(x), trained)
    assert torch.equal(prepared.eval()(x), prepared(x)) and (prepared(x) == 0).float().mean() < 0.6


def test_a_join_of_the_parts_of_one_tensor():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.wide, self.narrow = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(4, 2, 1)

        def forward(self, x):
            return self.narrow(torch.cat(torch.split(self.wide(x), 2, 1)[::2], 1))

    model, x = Model().eval(), torch.randn(4, 3, 6, 6)
    _, converted = quantized(model, x)
    assert stubs(converted) == (1, 1) and sqnr(model(x), converted(x)) > 30
