"""Every reference operator against naive loops: extremes, ties, every pooling option."""

import itertools

import naive
import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import qsdk.ops
from qsdk.reference import constants
from qsdk.reference.rounding import f32

ops = torch.ops.qsdk
FILLS = ("random", "min", "max", "alternating")


def filled(shape, fill, seed=0):
    rng = np.random.default_rng(seed)
    if fill == "random":
        values = rng.integers(-128, 128, shape)
    elif fill == "alternating":
        values = np.where(np.arange(np.prod(shape)).reshape(shape) % 2 == 0, -128, 127)
    else:
        values = np.full(shape, -128 if fill == "min" else 127)
    return values.astype(np.int8)


def same(actual, expected):
    assert actual.dtype == torch.int8 and actual.is_contiguous()
    np.testing.assert_array_equal(actual.numpy(), expected)


CONVS = [
    # input shape, weight shape, stride, padding, dilation, groups
    ((1, 1, 3, 3), (1, 1, 1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1),
    ((2, 3, 5, 4), (4, 3, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
    ((1, 4, 6, 5), (4, 1, 3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 4),
    ((1, 4, 6, 5), (8, 1, 3, 2), (2, 1), (1, 0, 1, 0), (1, 1), 4),
    ((1, 4, 7, 7), (6, 2, 3, 3), (1, 2), (2, 2, 2, 2), (2, 2), 2),
    ((1, 2, 5, 5), (3, 2, 2, 4), (1, 1), (0, 1, 1, 2), (1, 1), 1),
]


@pytest.mark.parametrize("case", CONVS)
@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("zero_point", [-128, 3, 127])
def test_conv2d(case, fill, zero_point):
    shape, weight_shape, stride, padding, dilation, groups = case
    a, w = filled(shape, fill, 1), filled(weight_shape, "random" if fill == "alternating" else fill, 2)
    outputs = weight_shape[0]
    bias = np.random.default_rng(3).integers(-(2**14), 2**14, outputs).astype(np.int32)
    # A power of two makes ties common; the other is ordinary.
    multiplier = np.where(np.arange(outputs) % 2 == 0, 2.0**-7, 0.00137).astype(np.float32)
    actual = ops.conv2d(
        torch.from_numpy(a), torch.from_numpy(w), torch.from_numpy(bias), torch.from_numpy(multiplier),
        stride, padding, dilation, groups, zero_point, 1.0, -5, -100, 120,
    )  # fmt: skip
    same(actual, naive.conv(a, w, bias, multiplier, stride, padding, dilation, groups, zero_point, -5, -100, 120))


CONVS_3D = [
    ((1, 2, 3, 4, 3), (4, 2, 2, 3, 1), (1, 1, 1), (1, 0, 1, 0, 1, 0), (1, 1, 1), 1),
    ((2, 4, 3, 3, 4), (4, 1, 2, 2, 2), (2, 1, 2), (0, 1, 0, 1, 0, 2), (1, 2, 1), 4),
]
TRANSPOSED = [
    # input shape, weight shape [O, I/groups, ...], stride, padding, output padding, dilation, groups
    ((1, 2, 3, 4), (3, 2, 3, 2), (2, 1), (1, 0), (1, 0), (1, 1), 1),
    ((2, 4, 3, 2), (6, 2, 2, 3), (1, 3), (0, 1), (0, 2), (2, 1), 2),
    ((1, 3, 2, 2), (3, 1, 1, 1), (3, 2), (0, 0), (2, 1), (1, 1), 3),
    ((1, 2, 2, 3, 2), (4, 1, 2, 1, 3), (1, 2, 2), (0, 0, 1), (0, 1, 1), (1, 1, 1), 2),
]


def constants_of(outputs):
    """Bias and multiplier; a power of two makes ties common, the other is ordinary."""
    bias = np.random.default_rng(3).integers(-(2**14), 2**14, outputs).astype(np.int32)
    return bias, np.where(np.arange(outputs) % 2 == 0, 2.0**-7, 0.00137).astype(np.float32)


@pytest.mark.parametrize("case", CONVS_3D)
@pytest.mark.parametrize("fill", FILLS)
def test_conv3d(case, fill):
    shape, weight_shape, *geometry = case
    a, w = filled(shape, fill, 1), filled(weight_shape, "random", 2)
    operands = (a, w, *constants_of(weight_shape[0]))
    actual = ops.conv3d(*map(torch.from_numpy, operands), *geometry, -128, 1.0, -5, -100, 120)
    same(actual, naive.conv(*operands, *geometry, -128, -5, -100, 120))


@pytest.mark.parametrize("case", TRANSPOSED)
@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("zero_point", [-128, 3])
def test_conv_transpose(case, fill, zero_point):
    shape, weight_shape, *geometry = case
    a, w = filled(shape, fill, 1), filled(weight_shape, "random", 2)
    operands = (a, w, *constants_of(weight_shape[0]))
    operator = ops.conv_transpose2d if len(shape) == 4 else ops.conv_transpose3d
    actual = operator(*map(torch.from_numpy, operands), *geometry, zero_point, 1.0, -5, -100, 120)
    same(actual, naive.conv_transpose(*operands, *geometry, zero_point, -5, -100, 120))


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("multiplier", [2.0**-9, f32(0.0003), 2.0**-60])
def test_matmul(fill, multiplier):
    a, b = filled((5, 7), fill, 1), filled((7, 4), "random", 2)
    for za, zb, zo in [(0, 0, 0), (-128, 127, 3), (5, -6, -128)]:
        actual = ops.matmul(torch.from_numpy(a), torch.from_numpy(b), multiplier, za, zb, 1.0, zo, -128, 127)
        same(actual, naive.matmul(a, b, multiplier, za, zb, zo, -128, 127))
    batch = torch.from_numpy(filled((3, 1, 5, 7), "random"))
    many = ops.matmul(batch, torch.from_numpy(b), multiplier, 1, 2, 1.0, 0, -128, 127)
    assert torch.equal(many[1, 0], ops.matmul(batch[1, 0], torch.from_numpy(b), multiplier, 1, 2, 1.0, 0, -128, 127))


def test_batch_norm():
    m = np.array([0.5, -0.25, 0.0, 2.0**-60, -(2.0**60)], np.float32)
    b = np.array([0.5, 1e-3, -7.5, 0.0, 2.0**60], np.float32)
    for fill, shape in itertools.product(FILLS, [(2, 5), (1, 5, 3, 4)]):
        a = filled(shape, fill)
        for zi, zo in [(0, 0), (-128, 7), (127, -128)]:
            actual = ops.batch_norm(torch.from_numpy(a), *map(torch.from_numpy, (m, b)), zi, 1.0, zo, -100, 127)
            same(actual, naive.batch_norm(a, m, b, zi, zo, -100, 127))


@pytest.mark.parametrize("fill", [*FILLS, "one"])
@pytest.mark.parametrize("eps", [2.0**-60, f32(1e-5 / 0.03**2), 2.0**60])
def test_norms(fill, eps):
    """Constant rows have variance 0; 'one' differs in a single value; rows of one element have no spread either."""
    rng = np.random.default_rng(4)
    for shape, groups in [((2, 6, 5), 3), ((1, 4, 1), 4), ((2, 4, 3, 3), 1), ((1, 3, 700), 3)]:
        a = filled(shape, "min" if fill == "one" else fill)
        if fill == "one":
            a[..., -1] = -127
        channels, zi, zo = shape[1], -3, 11
        weight, bias = (rng.normal(0, 40, channels).astype(np.float32) for _ in range(2))
        parameters = [torch.from_numpy(v) for v in (weight, bias)]
        actual = ops.group_norm(torch.from_numpy(a), *parameters, groups, eps, zi, 1.0, zo, -128, 120)
        repeat = int(np.prod(shape[2:]))
        expected = [
            naive.normalize(
                block.reshape(-1), *(v.repeat(repeat).reshape(groups, -1)[g] for v in (weight, bias)), eps, zi, zo,
                -128, 120,
            )
            for image in a
            for g, block in enumerate(image.reshape(groups, -1))
        ]  # fmt: skip
        same(actual, np.array(expected).reshape(shape))
        last = shape[-1]
        weight, bias = (rng.normal(0, 40, last).astype(np.float32) for _ in range(2))
        parameters = [torch.from_numpy(v) for v in (weight, bias)]
        actual = ops.layer_norm(torch.from_numpy(a), *parameters, eps, zi, 1.0, zo, -128, 120)
        rows = [naive.normalize(row, weight, bias, eps, zi, zo, -128, 120) for row in a.reshape(-1, last)]
        same(actual, np.array(rows).reshape(shape))


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("scale", [f32(0.05), 1.0, 2.0**-60, 2.0**40])
def test_softmax(fill, scale):
    a = filled((3, 9, 2), fill)
    table = constants.softmax_table(scale)
    for dim in range(3):
        actual = ops.softmax(torch.from_numpy(a), table, dim, 256.0, 1 / 256, -128, -128, 127)
        moved = np.moveaxis(a, dim, -1)
        rows = [naive.softmax(row, table.numpy(), 256.0, -128, -128, 127) for row in moved.reshape(-1, a.shape[dim])]
        same(actual, np.moveaxis(np.array(rows).reshape(moved.shape), -1, dim))


def test_prelu():
    slope = np.array([0.5, -0.125, 0.0, f32(0.3), 2.0**60], np.float32)
    for fill, zi, zo in itertools.product(FILLS, (-128, 4), (-128, 9)):
        a = filled((2, 5, 3), fill)
        actual = ops.prelu(torch.from_numpy(a), torch.from_numpy(slope), 0.25, zi, 1.0, zo, -128, 127)
        same(actual, naive.prelu(a, slope, 0.25, zi, zo, -128, 127))


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("features", [1, 2, 17])
def test_linear(fill, features):
    a, w = filled((3, features), fill, 1), filled((5, features), "random" if fill == "alternating" else fill, 2)
    bias = np.array([0, 1, -1, 2**20, -(2**20)], np.int32)
    multiplier = np.array([0.5, 0.25, 2.0**-9, 3e-5, 1e-4], np.float32)
    tensors = [torch.from_numpy(v) for v in (a, w, bias, multiplier)]
    same(ops.linear(*tensors, -128, 1.0, 7, -128, 127), naive.linear(a, w, bias, multiplier, -128, 7, -128, 127))
    batched = ops.linear(tensors[0][None], *tensors[1:], -128, 1.0, 7, -128, 127)
    assert batched.shape == (1, 3, 5)


def test_accumulators_wrap_and_round_like_int32():
    """Beyond int32 sums wrap; above 2^24 int32 -> float32 rounds to nearest even."""
    a, w = np.full((1, 3), 127, np.int8), np.full((7, 3), 127, np.int8)
    bias = np.array([2**31 - 1, -(2**31), 2**24 + 1, 2**24 + 3, 2**25 + 2, -(2**24) - 1, 2**31 - 200], np.int32)
    bias[1:6] -= 3 * 127 * 127  # the sum lands on the number itself
    bias[1] = -(2**31)
    multiplier = np.array([1e-8, 1e-8, 2.0**-23, 2.0**-23, 2.0**-23, 2.0**-23, 1e-8], np.float32)
    tensors = [torch.from_numpy(v) for v in (a, w, bias, multiplier)]
    same(ops.linear(*tensors, 0, 1.0, 0, -128, 127), naive.linear(a, w, bias, multiplier, 0, 0, -128, 127))


def test_quantize_per_tensor_every_kind_of_float():
    scale = f32(0.1)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 3.4e38, -3.4e38, 1e-38, 0.05, 0.15, 0.25, -0.05]
    x = np.concatenate([np.array(special, np.float32), np.linspace(-30, 30, 5001, dtype=np.float32)])
    for zero_point, low, high in [(0, -128, 127), (-128, -128, 127), (127, -128, 127), (-100, -128, -1)]:
        actual = ops.quantize_per_tensor(
            torch.from_numpy(x), constants.inverse_scale(scale), scale, zero_point, low, high
        )
        same(actual, naive.quantize(x, scale, zero_point, low, high))
    assert int(ops.quantize_per_tensor(torch.tensor([float("nan")]), 10.0, 0.1, 5, -128, 127)) == 5


def test_ties_go_to_even_for_odd_zero_points_too():
    x = torch.arange(-20, 21, dtype=torch.float32) * 0.5
    for zero_point in (0, 1, 7):
        actual = ops.quantize_per_tensor(x, 1.0, 1.0, zero_point, -128, 127)
        expected = torch.fake_quantize_per_tensor_affine(x, 1.0, zero_point, -128, 127) + zero_point
        assert torch.equal(actual.float(), expected)


def test_dequantize_all_values():
    q = torch.arange(-128, 128).to(torch.int8)
    scale = f32(0.0123)
    expected = np.float32(scale) * (np.arange(-128, 128) + 77).astype(np.float32)
    np.testing.assert_array_equal(ops.dequantize(q, scale, -77).numpy(), expected)


@pytest.mark.parametrize("ra, rb", [(0.5, 0.5), (1.0, 0.25), (f32(0.3), f32(1.7)), (2.0**-20, 2.0**20)])
def test_add_all_pairs(ra, rb):
    a = np.arange(-128, 128, 3).astype(np.int8)[:, None]
    b = np.arange(-128, 128, 5).astype(np.int8)[None]
    for za, zb, zo in [(0, 0, 0), (-128, 127, 3), (5, -6, -128)]:
        actual = ops.add(torch.from_numpy(a), torch.from_numpy(b), ra, rb, za, zb, 1.0, zo, -128, 127)
        same(actual, naive.add(a, b, ra, rb, za, zb, zo, -128, 127))
        actual = ops.sub(torch.from_numpy(a), torch.from_numpy(b), ra, rb, za, zb, 1.0, zo, -128, 127)
        same(actual, naive.add(a, b, ra, -rb, za, zb, zo, -128, 127))


@pytest.mark.parametrize("m", [0.5, 2.0**-8, f32(0.0031), 2.0**20])
def test_mul_all_pairs(m):
    a = np.arange(-128, 128, 3).astype(np.int8)[:, None]
    b = np.arange(-128, 128, 5).astype(np.int8)[None]
    for za, zb, zo in [(0, 0, 0), (-128, 127, 3), (5, -6, -128)]:
        actual = ops.mul(torch.from_numpy(a), torch.from_numpy(b), m, za, zb, 1.0, zo, -100, 127)
        same(actual, naive.mul(a, b, m, za, zb, zo, -100, 127))


def test_clamp_lookup_table_and_shapes():
    a = filled((2, 3, 4), "random")
    t = torch.from_numpy(a)
    same(ops.clamp(t, -7, 99), a.clip(-7, 99))
    table = np.random.default_rng(1).integers(-128, 128, 256).astype(np.int8)
    same(ops.lookup_table(t, torch.from_numpy(table), 1.0, 0), table[a.astype(int) + 128])
    same(ops.cat([t, t], 1), np.concatenate([a, a], 1))
    same(ops.reshape(t, [4, 6]), a.reshape(4, 6))
    same(ops.permute(t, [2, 0, 1]), a.transpose(2, 0, 1))


def test_results_are_never_their_operands():
    t = torch.zeros(2, 3, dtype=torch.int8)
    for result in (ops.reshape(t, [2, 3]), ops.permute(t, [0, 1]), ops.cat([t], 0), ops.clamp(t, -128, 127)):
        assert result.data_ptr() != t.data_ptr()


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("extents", [(1, 1), (2, 5), (7, 6)])
def test_max_pool2d_options(ceil_mode, extents):
    a = filled((1, 2, *extents), "random")
    tried = 0
    for kernel, stride, padding, dilation in itertools.product([1, 2, 3], [1, 2, 3], [0, 1], [1, 2]):
        if 2 * padding > kernel or any(e + 2 * padding < dilation * (kernel - 1) + 1 for e in extents):
            continue
        options = [(kernel, kernel), (stride, 1), (padding, padding), (dilation, dilation), ceil_mode]
        same(ops.max_pool2d(torch.from_numpy(a), *options), naive.max_pool2d(a, *options))
        tried += 1
    assert tried >= 3


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("count_include_pad", [False, True])
@pytest.mark.parametrize("divisor", [0, 3, -3])
def test_avg_pool2d_options(ceil_mode, count_include_pad, divisor):
    for extents in [(1, 2), (5, 4), (7, 6)]:
        a = filled((1, 2, *extents), "random")
        for kernel, stride, padding in itertools.product([(1, 1), (2, 3), (3, 2)], [1, 2, 3], [0, 1]):
            if 2 * padding > min(kernel) or any(e + 2 * padding < k for e, k in zip(extents, kernel, strict=True)):
                continue
            options = [kernel, (stride, stride), (padding, padding), ceil_mode, count_include_pad, divisor]
            for rescale, zi, zo in [(1.0, -128, -128), (0.5, 3, 4), (f32(1.7), 127, -1)]:
                actual = ops.avg_pool2d(torch.from_numpy(a), *options, rescale, zi, 1.0, zo, -128, 127)
                same(actual, naive.avg_pool2d(a, *options, rescale, zi, zo, -128, 127))


def test_avg_pool2d_counts_are_pytorch_s():
    """With a rescale of 1 and a wide scale the result is the rounded float result of torch itself."""
    a = filled((1, 1, 7, 5), "random")
    for ceil_mode, include in itertools.product([False, True], repeat=2):
        options = [(3, 3), (2, 2), (1, 1), ceil_mode, include]
        exact = torch.nn.functional.avg_pool2d(torch.from_numpy(a).double() - 9, *options)
        actual = ops.avg_pool2d(torch.from_numpy(a), *options, 0, 1.0, 9, 1.0, 9, -128, 127)
        assert (actual - (exact + 9)).abs().max() <= 0.5001


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 7), (7, 5), (9, 8)])
def test_adaptive_avg_pool2d(size):
    for fill in FILLS:
        a = filled((2, 2, 7, 5), fill)
        for rescale, zi, zo in [(1.0, 0, 0), (0.5, -128, 7), (f32(0.77), 127, -128)]:
            actual = ops.adaptive_avg_pool2d(torch.from_numpy(a), size, rescale, zi, 1.0, zo, -128, 127)
            same(actual, naive.adaptive_avg_pool2d(a, size, rescale, zi, zo, -128, 127))


@pytest.mark.parametrize("dims, keepdim", [((0, 1, 2), False), ((1,), True), ((1, 2), False), ((2,), False)])
def test_mean(dims, keepdim):
    a = filled((2, 3, 4), "random")
    total = (a.astype(np.int64) - 5).sum(axis=dims, keepdims=keepdim)
    count = int(np.prod([a.shape[d] for d in dims]))
    expected = [naive.average(t, count, 0.5, -3, -128, 127) for t in np.asarray(total).reshape(-1)]
    actual = ops.mean(torch.from_numpy(a), dims, keepdim, 0.5, 5, 1.0, -3, -128, 127)
    same(actual, np.array(expected).reshape(np.shape(total)))


def calls():
    """One call of every operator."""
    a = torch.from_numpy(filled((1, 2, 5, 4), "random"))
    weight, bias, multiplier = torch.ones(4, 1, 3, 2, dtype=torch.int8), torch.zeros(4).int(), torch.ones(4)
    tail = (1.0, 0, 1.0, 0, -128, 127)
    table = (torch.ones(2, 3, dtype=torch.uint8), torch.ones(2), torch.zeros(2))
    return {
        "quantize_per_tensor": (a.float(), 1.0, 1.0, 0, -128, 127),
        "dequantize": (a, 1.0, 0),
        "conv2d": (a, weight, bias, multiplier, [2, 1], [1, 0, 2, 1], [1, 2], 2, 0, 1.0, 0, -128, 127),
        "conv3d": (
            a[None],
            weight[None].transpose(0, 1),
            bias,
            multiplier,
            [1, 1, 1],
            [0, 1, 1, 0, 1, 2],
            [1, 1, 1],
            1,
            0,
            1.0,
            0,
            -128,
            127,
        ),
        "conv_transpose2d": (a, weight, bias, multiplier, [2, 3], [1, 0], [1, 2], [1, 2], 2, 0, 1.0, 0, -128, 127),
        "conv_transpose3d": (
            a[None],
            weight[None].transpose(0, 1),
            bias,
            multiplier,
            [1, 2, 1],
            [0, 1, 1],
            [0, 1, 0],
            [1, 1, 1],
            1,
            0,
            1.0,
            0,
            -128,
            127,
        ),
        "matmul": (a, a.transpose(2, 3), 1.0, 0, 0, 1.0, 0, -128, 127),
        "batch_norm": (a, multiplier[:2], multiplier[:2], 0, 1.0, 0, -128, 127),
        "layer_norm": (a, torch.ones(5, 4), torch.zeros(5, 4), 1e-5, 0, 1.0, 0, -128, 127),
        "group_norm": (a, multiplier[:2], multiplier[:2], 2, 1e-5, 0, 1.0, 0, -128, 127),
        "softmax": (a, torch.ones(256).int(), 1, *tail[:1], *tail[2:]),
        "prelu": (a, multiplier[:2], *tail[:2], *tail[2:]),
        "linear": (a, torch.ones(3, 4, dtype=torch.int8), bias[:3], multiplier[:3], 0, 1.0, 0, -128, 127),
        "clamp": (a, 0, 6),
        "add": (a, a[:, :1], 1.0, 1.0, 0, 0, 1.0, 0, -128, 127),
        "sub": (a, a[:, :1], 1.0, 1.0, 0, 0, 1.0, 0, -128, 127),
        "mul": (a, a[..., :1], 1.0, 0, 0, 1.0, 0, -128, 127),
        "lookup_table": (a, torch.zeros(256, dtype=torch.int8), 1.0, 0),
        "cat": ([a, a, a], 2),
        "max_pool2d": (a, [3, 2], [2, 2], [1, 1], [1, 1], True),
        "avg_pool2d": (a, [3, 2], [2, 3], [1, 0], True, True, 0, *tail),
        "adaptive_avg_pool2d": (a, [3, 3], *tail),
        "mean": (a, [2, 3], True, *tail),
        "reshape": (a, [5, 8]),
        "permute": (a, [3, 1, 0, 2]),
        "pad": (a, [1, 2, 9, 6], [0, 0, 1, 2], 1, 0),
        "upsample_nearest2d": (a, [7, 3], 0.7, 1.3),
        "upsample_bilinear2d": (a, [7, 3], False, 0.7, 1.3, 0),
        "slice": (a, [2, 1, 3, 5], [0, 1, 4, 0], [0, 1, -2, 0]),
        **dict.fromkeys(("eq", "ne", "lt", "le"), (a, a[0, :, :1], 1.0, 0, 0.5, 1)),
        **dict.fromkeys(("maximum", "minimum"), (a, a[:, :1])),
        "where": (torch.ones(4, dtype=torch.bool), a, a[:1]),
        "topk": (a, 3, 2, False),
        "index_select": (a, 3, torch.tensor([3, 0, 0])),
        "gather": (a, 2, torch.zeros(1, 2, 9, 3, dtype=torch.int64)),
        "normalize": (a, 3, 1.0, 1.0, 0, 1.0, 0, -128, 127),
        "lstm": (
            a[0],
            *(torch.zeros(5, 2, dtype=torch.int8),) * 2,
            *(torch.ones(8, 4, dtype=torch.int8), torch.zeros(8, dtype=torch.int32), torch.ones(8)),
            *(torch.ones(8, 2, dtype=torch.int8), torch.zeros(8, dtype=torch.int32), torch.ones(8)),
            *(torch.zeros(256, dtype=torch.int8),) * 3,
            False,
            *([0] * 8, [-128] * 7, [127] * 7, [1.0] * 7),
            *(0, 1.0, 0, 1.0, 0),
        ),
        "gru": (
            *(a[0], torch.zeros(5, 2, dtype=torch.int8)),
            *(torch.ones(6, 4, dtype=torch.int8), torch.zeros(6, dtype=torch.int32), torch.ones(6)),
            *(torch.ones(6, 2, dtype=torch.int8), torch.zeros(6, dtype=torch.int32), torch.ones(6)),
            *(torch.zeros(256, dtype=torch.int8),) * 4,
            False,
            *([0] * 11, [-128] * 8, [127] * 8, [1.0] * 9),
            *(0, 1.0, 0),
        ),
        "inverted_residual": (
            a,
            *(torch.ones(6, 1, 3, 2, dtype=torch.int8), torch.zeros(6, dtype=torch.int32), torch.ones(6)),
            *(torch.ones(5, 6, 1, 1, dtype=torch.int8), torch.zeros(5, dtype=torch.int32), torch.ones(5)),
            *(torch.ones(6, a.shape[1], 2, 1, dtype=torch.int8), torch.zeros(6, dtype=torch.int32), torch.ones(6)),
            *([2, 1, 1, 2], [1, 0, 0, 0, 1, 0, 2, 1], [1, 2]),
            *([0] * 2, [-128] * 3, [127] * 3, (), 0, 0),
        ),
        "embedding": (torch.tensor([[1, 0]]), *table, 5, 4),
        "embedding_bag": (torch.tensor([1, 0]), torch.tensor([0, 1, 1]), *table, None, "mean", True, -1, 5, 4),
    }


def test_fake_kernels_agree_with_the_operators():
    # test_reference_dynamic.py has those of dynamic quantization, test_reference_floats.py those on float.
    assert set(calls()) == {name for name, row in qsdk.ops.OPERATORS.items() if row.qparams != "float"}
    for name, arguments in calls().items():
        operator = qsdk.ops.OPERATORS[name].reference
        real = operator(*arguments)
        with FakeTensorMode() as mode:
            fakes = [
                mode.from_tensor(v) if isinstance(v, torch.Tensor)
                else [mode.from_tensor(t) for t in v] if isinstance(v, list) and isinstance(v[0], torch.Tensor)
                else v
                for v in arguments
            ]  # fmt: skip
            made = operator(*fakes)
        pairs = zip(made, real, strict=True) if isinstance(real, tuple) else [(made, real)]
        assert all((m.shape, m.dtype) == (r.shape, r.dtype) for m, r in pairs), name
