"""Quantized modules and functionals: geometry, binding of constants, tracing, and PyTorch's own int8 kernels."""

import warnings

import pytest
import torch
from torch import fx, nn
from torch.nn import functional as F

import qsdk
import qsdk.nn.intrinsic.quantized as nniq
import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
from qsdk.errors import QsdkError, QuantizationError, UnsupportedOperatorError
from qsdk.nn.quantized import functional as qF
from qsdk.qtensor import QParams, qint8, quantize, quantize_per_channel, quint8


def quantized_input(shape, dtype=quint8, zero_point=60, high=None):
    torch.manual_seed(0)
    return quantize(torch.randn(shape), QParams(0.03, zero_point, dtype, None, high))


def filled(layer, scale=0.05, zero_point=100):
    torch.manual_seed(1)
    weight = torch.randn(layer.qweight.shape) * 0.2
    outputs = weight.shape[0]
    scales = torch.linspace(0.002, 0.004, outputs)
    layer.set_weight_bias(
        quantize_per_channel(weight, scales, torch.zeros(outputs, dtype=torch.int64), 0, qint8), torch.randn(outputs)
    )
    layer.scale, layer.zero_point = scale, zero_point
    return layer


GEOMETRIES = [
    {"kernel_size": 3}, {"kernel_size": 3, "padding": 1, "stride": 2}, {"kernel_size": (3, 2), "padding": (1, 0)},
    {"kernel_size": 3, "dilation": 2, "padding": 2}, {"kernel_size": 3, "groups": 4, "padding": 1},
    {"kernel_size": 1, "groups": 2}, {"kernel_size": (4, 3), "padding": "same"}, {"kernel_size": 3, "padding": "valid"},
    {"kernel_size": (2, 5), "padding": "same", "dilation": (3, 1)}, {"kernel_size": 3, "bias": False},
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("kind", [nnq.Conv2d, nniq.ConvReLU2d])
def test_conv2d_is_the_float_convolution_of_the_dequantized_values(geometry, kind):
    layer = filled(kind(4, 8, **geometry))
    if not geometry.get("bias", True):
        layer.set_weight_bias(layer.weight(), None)
    q = quantized_input((2, 4, 9, 8))
    arguments = [layer.stride, geometry.get("padding", 0), layer.dilation, layer.groups]
    exact = F.conv2d(q.dequantize().double(), layer.weight().dequantize().double(),
                     None if layer.bias() is None else layer.bias().double(), *arguments)  # fmt: skip
    if kind is nniq.ConvReLU2d:
        exact = exact.relu()
    result = layer(q)
    assert result.shape == exact.shape and result.qparams == layer.output_qparams
    limited = exact.clamp((0 - 100) * 0.05, (255 - 100) * 0.05)
    assert (result.dequantize() - limited).abs().max() < 0.0255


@pytest.mark.parametrize("kind", [nnq.Linear, nniq.LinearReLU])
def test_linear(kind):
    layer = filled(kind(11, 6))
    q = quantized_input((2, 3, 11))
    exact = F.linear(q.dequantize().double(), layer.weight().dequantize().double(), layer.bias().double())
    exact = exact.relu() if kind is nniq.LinearReLU else exact
    result = layer(q)
    assert result.shape == (2, 3, 6)
    assert (result.dequantize() - exact.clamp(-5, 7.75)).abs().max() < 0.0255


def test_functionals_compute_what_modules_compute():
    conv, linear = filled(nnq.Conv2d(4, 8, 3, 2, 1)), filled(nnq.Linear(9, 4))
    q = quantized_input((2, 4, 9, 9))
    result = qF.conv2d(q, conv.weight(), conv.bias(), 2, 1, 1, 1, scale=0.05, zero_point=100)
    assert torch.equal(result.storage, conv(q).storage)
    assert torch.equal(qF.linear(q, linear.weight(), linear.bias(), 0.05, 100).storage, linear(q).storage)
    for layer, function, extents in [
        (nnq.Conv1d(4, 8, 3, 2, 1, 2, groups=2), qF.conv1d, (9,)),
        (nnq.Conv3d(4, 8, (1, 2, 3), 1, (0, 1, 2)), qF.conv3d, (2, 4, 5)),
    ]:
        q = quantized_input((2, 4, *extents))
        filled(layer)
        geometry = (layer.stride, layer.padding, layer.dilation, layer.groups)
        result = function(q, layer.weight(), layer.bias(), *geometry, scale=0.05, zero_point=100)
        assert torch.equal(result.storage, layer(q).storage)


def test_constants_follow_the_input():
    """One layer, two input quantizations: each gets constants of its own, and both are right."""
    layer = filled(nnq.Linear(11, 6))
    torch.manual_seed(0)
    x = torch.rand(3, 11)
    for qparams in (QParams(1 / 255, 0, quint8), QParams(1 / 127, 0, qint8), QParams(1 / 255, 0, quint8)):
        q = quantize(x, qparams)
        exact = F.linear(q.dequantize(), layer.weight().dequantize(), layer.bias())
        assert (layer(q).dequantize() - exact.clamp(-5, 7.75)).abs().max() < 0.0255
    assert len(layer._bound) == 2


def test_a_nearly_dead_channel_still_gives_its_bias():
    layer = nnq.Linear(4, 2)
    scales = torch.tensor([2.0**-40, 0.01])
    layer.set_weight_bias(
        quantize_per_channel(torch.full((2, 4), 2.0**-36), scales, torch.tensor([0, 0]), 0, qint8),
        torch.tensor([3.0, 3.0]),
    )
    layer.scale = 0.05
    assert layer(quantized_input((5, 4))).dequantize()[:, 0].sub(3).abs().max() < 0.026


def test_constants_out_of_range_name_the_layer():
    layer = filled(nnq.Linear(4, 2), scale=2.0**59)
    layer._qualified_name = "head.fc"
    with pytest.raises(QuantizationError, match="layer 'head.fc'.*output channel 0"):
        layer(quantized_input((1, 4)))


@pytest.mark.parametrize("engine", [e for e in torch.backends.quantized.supported_engines if e != "none"])
@pytest.mark.parametrize("kind", ["conv", "depthwise", "linear"])
def test_pytorch_s_int8_kernels_differ_by_one_step_at_most(engine, kind, record_property, capsys):
    groups = 16 if kind == "depthwise" else 1
    layer = filled(nnq.Linear(64, 32) if kind == "linear" else nnq.Conv2d(16, 16, 3, 1, 1, groups=groups), 0.06, 50)
    q = quantized_input((64, 64) if kind == "linear" else (4, 16, 12, 12), high=127)  # no saturation without VNNI
    before = torch.backends.quantized.engine
    try:
        torch.backends.quantized.engine = engine
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x = torch.quantize_per_tensor(q.dequantize(), q.q_scale(), q.q_zero_point(), torch.quint8)
            assert torch.equal(x.int_repr(), q.int_repr())
            w = torch._make_per_channel_quantized_tensor(
                layer.qweight, layer.weight_scale.double(), torch.zeros(layer.qweight.shape[0], dtype=torch.int64), 0
            )
            if kind == "linear":
                packed = torch.ops.quantized.linear_prepack(w, layer.float_bias)
                theirs = torch.ops.quantized.linear(x, packed, layer.scale, layer.zero_point)
            else:
                packed = torch.ops.quantized.conv2d_prepack(w, layer.float_bias, [1, 1], [1, 1], [1, 1], groups)
                theirs = torch.ops.quantized.conv2d(x, packed, layer.scale, layer.zero_point)
    finally:
        torch.backends.quantized.engine = before
    difference = (theirs.int_repr().int() - layer(q).int_repr().int()).abs()
    share = float((difference > 0).float().mean())
    record_property("share of differing elements", share)
    with capsys.disabled():
        print(f"\n{kind} against {engine}: {share:.4%} of elements differ, by {int(difference.max())} at most", end=" ")
    assert difference.max() <= 1 and share < 0.01


@pytest.mark.parametrize("dtype", [qint8, quint8])
def test_q_functional(dtype):
    f = nnq.QFunctional()
    f.output_qparams = QParams(0.07, 20, dtype)
    a, b = quantized_input((2, 3, 4)), quantize(torch.randn(2, 3, 4), QParams(0.011, -3, qint8))
    x, y = a.dequantize(), b.dequantize()
    low, high = (dtype.min - 20) * 0.07, (dtype.max - 20) * 0.07
    for result, exact in [
        (f.add(a, b), x + y), (f.add_relu(a, b), (x + y).relu()), (f.mul(a, b), x * y),
        (f.cat([a, b], -1), torch.cat([x, y], -1)), (f.add(a, quantize(y[:1, :, :1], b.qparams)), x + y[:1, :, :1]),
    ]:  # fmt: skip
        assert result.qparams == f.output_qparams and result.shape == exact.shape
        assert (result.dequantize() - exact.clamp(low, high)).abs().max() < 0.0351


def test_cat_requantizes_only_what_differs():
    a = quantized_input((2, 3))
    f = nnq.QFunctional()
    f.output_qparams = a.qparams
    assert torch.equal(f.cat([a, a]).int_repr(), torch.cat([a.int_repr()] * 2))
    narrow = nnq.QFunctional()
    narrow.output_qparams = QParams(a.q_scale(), a.q_zero_point(), quint8, 0, 100)
    assert torch.equal(narrow.cat([a, a]).int_repr(), torch.cat([a.int_repr().clamp(max=100)] * 2))


def test_q_functional_is_one_node_in_a_trace():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = nnq.QFunctional()
            self.f.output_qparams = QParams(0.07, 20, quint8, 0, 127)
            self.f._qualified_name = "f"

        def forward(self, x, y):
            z = self.f.mul(self.f.add(x, y), self.f.add_relu(x, y))
            return self.f.cat([z, x, y], 1)

    model = Model()
    graph = fx.symbolic_trace(model)
    targets = [node.target for node in graph.graph.nodes if node.op == "call_function"]
    assert targets == [qF.add, qF.add, qF.mul, qF.cat]
    assert all(n.kwargs["name"] == "f" for n in graph.graph.nodes if n.op == "call_function")
    a, b = quantized_input((2, 3)), quantized_input((2, 3), qint8, 5)
    assert torch.equal(graph(a, b).storage, model(a, b).storage) and graph(a, b).qparams == model(a, b).qparams


def test_refusals_name_the_layer():
    f = nnq.QFunctional()
    f._qualified_name = "block.f"
    a = quantized_input((2, 3))
    for function in (
        lambda: f(a),
        lambda: f.matmul(a, a),
        lambda: f.add_scalar(a, a),
        lambda: f.mul_scalar(a, float("inf")),
    ):
        with pytest.raises(QsdkError, match="block.f"):
            function()
    with pytest.raises(QuantizationError, match="block.f.*QuantStub"):
        f.mul(a, torch.ones(2, 3))
    with pytest.raises(UnsupportedOperatorError, match="padding_mode"):
        nnq.ConvTranspose2d(1, 1, 3, padding_mode="circular")
    conv = nnq.Conv2d(3, 2, 1)
    conv._qualified_name = "body.conv"
    with pytest.raises(QuantizationError, match="4 channels.*body.conv.*for 3"):
        conv(quantized_input((1, 4, 2, 2)))
    with pytest.raises(QuantizationError, match="body.conv.*batch axis"):
        conv(quantized_input((3, 2, 2)))
    with pytest.raises(QuantizationError, match="symmetric"):
        conv.set_weight_bias(quantize(torch.ones(2, 3, 1, 1), QParams(1.0, 1, qint8)), None)
    with pytest.raises(QuantizationError, match="shape"):
        conv.set_weight_bias(quantize(torch.ones(2, 3, 2, 1), QParams(1.0, 0, qint8)), None)


def test_quantize_and_dequantize_modules():
    module = nnq.Quantize(0.1, 3, torch.quint8)
    x = torch.randn(5)
    q = module(x)
    assert q.q_zero_point() == 3 and (nnq.DeQuantize()(q) - x.clamp(-0.3)).abs().max() < 0.0501
    assert nnq.DeQuantize()(x) is x
    with pytest.raises(QuantizationError, match="quantized already"):
        module(q)


@pytest.mark.parametrize("dtype, zero_point", [(quint8, 60), (qint8, -100), (qint8, 0)])
@pytest.mark.parametrize("value", [0.0, 0.3, -0.25, 5.0, -40.0, 1000.0])
def test_functions_of_a_number(dtype, zero_point, value):
    q, f = quantized_input((4, 50), dtype, zero_point), nnq.QFunctional()
    total, product = f.add_scalar(q, value), f.mul_scalar(q, value)
    real = q.q_scale() * (q.int_repr().double() - q.q_zero_point())
    inverse = torch.tensor(1.0) / torch.tensor(total.q_scale())
    steps = torch.round((real + value).float() * inverse) + total.q_zero_point()
    low, high = (0, 255) if dtype is quint8 else (-128, 127)
    assert torch.equal(total.int_repr().float(), steps.clamp(low, high))  # rule 6, then rule 1
    # A product keeps the integers: the scale takes the factor's size, a negative factor mirrors the range.
    same, mirrored = q.int_repr().int(), low + high - q.int_repr().int()
    expected = torch.full_like(same, product.q_zero_point()) if value == 0 else same if value > 0 else mirrored
    assert torch.equal(product.int_repr().int(), expected)
    assert value == 0 or product.q_scale() == torch.tensor(q.q_scale() * abs(value)).item()
    theirs = torch.quantize_per_tensor(
        q.dequantize(), q.q_scale(), q.q_zero_point(), torch.quint8 if dtype is quint8 else torch.qint8
    )
    if value not in (0.0, 1000.0):  # 0: torch takes another scale; 1000: its zero point leaves int8's arithmetic
        for ours, other in ((total, torch.ops.quantized.add_scalar(theirs, value)),
                            (product, torch.ops.quantized.mul_scalar(theirs, value))):  # fmt: skip
            assert ours.q_zero_point() == other.q_zero_point() and abs(ours.q_scale() / other.q_scale() - 1) < 1e-6


def test_a_functional_that_only_sees_numbers_converts_and_exports(tmp_path):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
            self.shift, self.fc = nnq.FloatFunctional(), nn.Linear(4, 3)

        def forward(self, x):
            x = self.shift.add_scalar(self.shift.mul_scalar(self.quant(x), -2.0), 0.5)
            return self.dequant(self.fc(x))

    model = Model().eval()
    model.qconfig = tq.get_default_qconfig()
    prepared = tq.prepare(model)
    x = torch.randn(64, 4)
    exact = prepared(x)
    quantized = tq.convert(prepared)
    assert (quantized(x) - exact).abs().max() < 0.1
    report = qsdk.export(quantized, x[:1], tmp_path / "model.qsdk")
    expected = quantized(x[:1]).tolist()
    assert qsdk.reference.run(report.program, x[:1].numpy())[0].tolist() == expected
    assert qsdk.Session(tmp_path / "model.qsdk").run(x[:1])[0].tolist() == expected
