"""Operators on float32: each step as rule 11 says it, and close to what PyTorch computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.nn import functional as F

import qsdk

f32 = np.float32
_qsdk = torch.ops.qsdk
SPECIAL = torch.tensor([0.0, -0.0, 1e-45, -1e-40, 3e38, -3e38, float("inf"), -float("inf"), float("nan"), 3.0, -3.0])


def row_sum(values: list[np.float32]) -> np.float32:
    """16 partial sums and their tree, one addition at a time."""
    parts = [f32(0)] * 16
    for i, value in enumerate(values):
        parts[i % 16] = parts[i % 16] + value
    while len(parts) > 1:
        half = len(parts) // 2
        parts = [parts[i] + parts[i + half] for i in range(half)]
    return parts[0]


def ascending_sum(values: list[np.float32]) -> np.float32:
    total = f32(0)
    for value in values:
        total = total + value
    return total


def normal(*shape: int) -> torch.Tensor:
    """Numbers of many magnitudes, so that the order of a sum shows."""
    return torch.randn(shape) * 2.0 ** torch.randint(-6, 7, shape)


def calls() -> dict[str, tuple[object, ...]]:
    a = normal(2, 3, 5, 4)
    arguments = dict.fromkeys(("relu", "sigmoid", "tanh", "exp", "neg", "abs", "sqrt", "rsqrt", "silu"), (a,))
    arguments |= {"hardsigmoid": (a,), "hardswish": (a,), "gelu": (a, True), "elu": (a, 1.0), "leaky_relu": (a, 0.25)}
    arguments |= {
        "clamp": (a, -1.0, 2.0),
        **dict.fromkeys(("add", "sub", "mul", "div", "maximum", "minimum"), (a, a[:, :1])),
    }
    arguments |= {"linear": (a, normal(20, 4), normal(20)), "matmul": (a, a[0].transpose(1, 2)), "softmax": (a, 3)}
    arguments |= {"layer_norm": (a, normal(5, 4), normal(5, 4), 1e-5), "mean": (a, [1, 2], True)}
    flat_image = normal(2, 4, 3, 5)
    cube, weight, flat = normal(1, 4, 3, 5, 4), normal(6, 2, 3, 2), [[2, 1], [1, 0, 2, 1], [1, 2], 1]
    arguments |= {"conv2d": (normal(2, 2, 5, 4), weight, normal(6), *flat)}
    deep = [[1, 2, 1], [0, 1, 1, 0, 1, 0], [1, 1, 2], 2]
    arguments |= {"conv3d": (cube, normal(6, 2, 2, 3, 2), normal(6), *deep)}
    arguments |= {"conv_transpose2d": (normal(2, 4, 5, 4), weight, normal(6), [2, 3], [1, 0], [1, 2], [1, 2], 2)}
    shifted = [[1, 2, 1], [0, 1, 1], [0, 1, 0], [1, 1, 1], 2]
    arguments |= {"conv_transpose3d": (cube, normal(6, 2, 2, 3, 2), normal(6), *shifted)}
    arguments |= {"batch_norm": (a, normal(3), normal(3)), "adaptive_avg_pool2d": (a, [3, 3])}
    arguments |= {"group_norm": (flat_image, normal(4), normal(4), 2, 1e-5), "prelu": (a, normal(3))}
    arguments |= {"max_pool2d": (a, [3, 2], [2, 2], [1, 1], [1, 1], True)}
    arguments |= {"avg_pool2d": (a, [3, 2], [2, 3], [1, 0], True, True, 0)}
    return arguments


def operator(name: str) -> object:
    row = qsdk.ops.OPERATORS[name]
    return row.floating if row.floating is not None else row.reference


def test_fake_kernels_agree_with_the_operators() -> None:
    rows = qsdk.ops.OPERATORS.values()
    on_float = {row.name for row in rows if row.floating is not None or (row.qparams == "float" and row.rule == 11)}
    assert set(calls()) == on_float
    for name, arguments in calls().items():
        real = operator(name)(*arguments)  # type: ignore[operator]
        with FakeTensorMode() as mode:
            fakes = [mode.from_tensor(v) if isinstance(v, torch.Tensor) else v for v in arguments]
            made = operator(name)(*fakes)  # type: ignore[operator]
        assert (made.shape, made.dtype) == (real.shape, real.dtype), name


@pytest.mark.parametrize(
    ("name", "function", "options"),
    [
        ("relu", torch.relu, ()), ("sigmoid", torch.sigmoid, ()), ("tanh", torch.tanh, ()), ("exp", torch.exp, ()),
        ("neg", torch.neg, ()), ("abs", torch.abs, ()), ("sqrt", torch.sqrt, ()), ("rsqrt", torch.rsqrt, ()),
        ("silu", F.silu, ()), ("hardsigmoid", F.hardsigmoid, ()), ("hardswish", F.hardswish, ()),
        ("gelu", F.gelu, (False,)), ("gelu", lambda x: F.gelu(x, approximate="tanh"), (True,)),
        ("elu", lambda x: F.elu(x, 0.5), (0.5,)), ("leaky_relu", lambda x: F.leaky_relu(x, 0.25), (0.25,)),
    ],
)  # fmt: skip
def test_functions_are_those_of_pytorch(name: str, function: object, options: tuple[object, ...]) -> None:
    torch.manual_seed(0)
    x = torch.cat([torch.randn(2000) * 3, torch.linspace(-12, 12, 999)])
    result = operator(name)(x, *options)  # type: ignore[operator]
    expected = function(x.double())  # type: ignore[operator]
    # A few roundings of numbers of about the size of x, or of 1: exp and the functions made of it lose an ulp or two.
    torch.testing.assert_close(result.double(), expected, rtol=2e-6, atol=2e-6, equal_nan=True)
    for value in (result, operator(name)(SPECIAL, *options)):  # type: ignore[operator]
        nan = value[torch.isnan(value)].view(torch.int32)
        assert (nan == 0x7FC00000).all()


def test_square_roots_are_correctly_rounded() -> None:
    x = torch.cat([normal(5000).abs(), SPECIAL])
    with np.errstate(invalid="ignore"):
        expected = np.sqrt(x.numpy())
        assert np.array_equal(_qsdk.sqrt(x).numpy(), expected, equal_nan=True)
        with np.errstate(divide="ignore"):
            assert np.array_equal(_qsdk.rsqrt(x).numpy(), f32(1) / expected, equal_nan=True)
    assert np.signbit(_qsdk.sqrt(torch.tensor([-0.0])).numpy())[0]


def test_clamp_by_written_comparison() -> None:
    x = torch.cat([torch.randn(50) * 5, SPECIAL])
    for least, most in ((-1.0, 2.0), (0.0, float("inf")), (-float("inf"), float("inf")), (0.5, 0.5)):
        expected = [least if v < least else most if v > most else v for v in x.tolist()]
        result = _qsdk.clamp.float(x, least, most).numpy()
        assert np.array_equal(result, np.array(expected, f32), equal_nan=True)


@pytest.mark.parametrize("shape", [(1,), (15,), (16,), (17,), (33,), (100,)])
def test_row_sums_keep_sixteen_partial_sums(shape: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    x, weight, bias = normal(3, *shape), normal(4, *shape), normal(4)
    n = f32(shape[0])
    for row, mean, products, softmax in zip(
        x.numpy(), _qsdk.mean.float(x, [1], False).numpy(), _qsdk.linear.float(x, weight, bias).numpy(),
        _qsdk.softmax.float(x, 1).numpy(), strict=True,
    ):  # fmt: skip
        assert mean == row_sum(list(row)) / n
        expected = [row_sum(list(row * w)) + b for w, b in zip(weight.numpy(), bias.numpy(), strict=True)]
        assert products.tolist() == expected
        e = _qsdk.exp(torch.from_numpy(row - row.max())).numpy()
        assert softmax.tolist() == (e / row_sum(list(e))).tolist()


@pytest.mark.parametrize("n", [1, 16, 50])
def test_layer_norm_step_by_step(n: int) -> None:
    torch.manual_seed(2)
    x, weight, bias = normal(4, n), normal(n), normal(n)
    eps = float(f32(1e-5))
    result = _qsdk.layer_norm.float(x, weight, bias, eps).numpy()
    for row, made in zip(x.numpy(), result, strict=True):
        d = row - row_sum(list(row)) / f32(n)
        r = f32(1) / np.sqrt(row_sum(list(d * d)) / f32(n) + f32(eps))
        assert made.tolist() == (d * r * weight.numpy() + bias.numpy()).tolist()
    torch.testing.assert_close(
        torch.from_numpy(result).double(),
        F.layer_norm(x.double(), (n,), weight.double(), bias.double(), eps),
        rtol=1e-4, atol=1e-3,  # cancellation in float32, of numbers of up to 2^7
    )  # fmt: skip


def test_products_add_in_ascending_order() -> None:
    torch.manual_seed(3)
    x, weight, bias = normal(2, 3, 20), normal(16, 20), normal(16)
    linear, product = _qsdk.linear.float(x, weight, bias).numpy(), _qsdk.matmul.float(x, weight.t()).numpy()
    for i in range(2):
        for j in range(3):
            sums = [ascending_sum(list(x[i, j].numpy() * w)) for w in weight.numpy()]
            assert product[i, j].tolist() == sums
            assert linear[i, j].tolist() == [s + b for s, b in zip(sums, bias.numpy(), strict=True)]


def test_softmax_wants_the_last_axis() -> None:
    with pytest.raises(ValueError, match="not the last axis"):
        _qsdk.softmax.float(torch.ones(2, 3), 0)


def test_convolutions_are_those_of_pytorch_up_to_rounding() -> None:
    torch.manual_seed(4)
    x, weight, bias = torch.randn(2, 4, 7, 6), torch.randn(6, 2, 3, 2), torch.randn(6)
    made = _qsdk.conv2d.float(x, weight, bias, [2, 1], [1, 0, 2, 1], [1, 2], 2)
    padded = F.pad(x, (0, 1, 1, 2)).double()
    expected = F.conv2d(padded, weight.double(), bias.double(), [2, 1], 0, [1, 2], 2)
    torch.testing.assert_close(made.double(), expected, rtol=1e-5, atol=1e-5)  # float32 sums of 12 products
    by_input = weight.unflatten(0, (2, 3)).transpose(1, 2).flatten(0, 1)
    made = _qsdk.conv_transpose2d.float(x, weight, bias, [2, 3], [1, 0], [1, 2], [1, 2], 2)
    expected = F.conv_transpose2d(x.double(), by_input.double(), bias.double(), [2, 3], [1, 0], [1, 2], 2, [1, 2])
    torch.testing.assert_close(made.double(), expected, rtol=1e-5, atol=1e-5)  # likewise


def test_a_convolution_adds_rows_then_columns_then_channels() -> None:
    torch.manual_seed(5)
    x, weight, bias = normal(1, 3, 2, 2), normal(1, 3, 2, 2), normal(1)
    made = _qsdk.conv2d.float(x, weight, bias, [1, 1], [0, 0, 0, 0], [1, 1], 1).item()
    products = [x[0, c, i, j].numpy() * weight[0, c, i, j].numpy() for i in (0, 1) for j in (0, 1) for c in (0, 1, 2)]
    assert made == ascending_sum(products) + bias.numpy()[0]


def test_pools_are_those_of_pytorch() -> None:
    torch.manual_seed(6)
    x = torch.randn(2, 3, 9, 7)
    made = _qsdk.max_pool2d.float(x, [3, 2], [2, 2], [1, 1], [1, 2], True)
    assert torch.equal(made, F.max_pool2d(x, [3, 2], [2, 2], [1, 1], [1, 2], True))
    for include in (True, False):
        made = _qsdk.avg_pool2d.float(x, [3, 2], [2, 2], [1, 1], True, include, 0)
        torch.testing.assert_close(made, F.avg_pool2d(x, [3, 2], [2, 2], [1, 1], True, include))  # sums of 6
    torch.testing.assert_close(_qsdk.adaptive_avg_pool2d.float(x, [4, 3]), F.adaptive_avg_pool2d(x, [4, 3]))
    nan = torch.tensor([[[[float("nan"), -3.0], [float("nan"), float("nan")]]]])
    assert _qsdk.max_pool2d.float(nan, [2, 2], [1, 1], [0, 0], [1, 1], False).item() == -3


def test_group_norm_is_that_of_pytorch_up_to_rounding() -> None:
    torch.manual_seed(7)
    x, weight, bias = torch.randn(2, 6, 5, 3), torch.randn(6), torch.randn(6)
    made = _qsdk.group_norm.float(x, weight, bias, 3, 1e-5)
    torch.testing.assert_close(made, F.group_norm(x, 3, weight, bias, 1e-5), rtol=1e-5, atol=1e-5)  # of sums of 30
    assert torch.equal(_qsdk.prelu.float(x, weight), F.prelu(x, weight))
