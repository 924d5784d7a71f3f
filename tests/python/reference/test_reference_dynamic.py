"""Dynamic operators against naive loops: ranges at their ends, what is not finite, empty tensors, ties."""

import math

import hypothesis
import hypothesis.strategies as st
import naive_dynamic as naive
import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import qsdk.ops
from qsdk.reference import constants
from qsdk.reference.dynamic import choose_qparams, quantize
from qsdk.reference.functions import canonical

ops = torch.ops.qsdk
INFINITE, NAN = float("inf"), float("nan")


def same_bits(actual, expected):
    assert actual.dtype == torch.float32 and actual.is_contiguous()
    expected = torch.from_numpy(np.ascontiguousarray(expected))
    assert actual.shape == expected.shape
    assert torch.equal(actual.view(torch.int32), expected.view(torch.int32))


def weights(*shape, bias=True, seed=0):
    """int8 weights [O, ...], scales and biases; a scale that is a power of two makes ties common."""
    rng = np.random.default_rng(seed)
    scale = np.where(np.arange(shape[0]) % 2, 0.0123, 2.0**-6).astype(np.float32)
    values = rng.integers(-128, 128, shape).astype(np.int8)
    offset = rng.normal(size=shape[0]).astype(np.float32) if bias else np.zeros(shape[0], np.float32)
    return values, scale, offset


def tensors(arrays):
    return [torch.from_numpy(a) for a in arrays]


# Rows of inputs that meet every case of rule 10.
EDGES = {
    "zeros": [0.0, -0.0, 0.0, 0.0],
    "one sign": [1.0, 2.5, 3.0, 0.25],
    "other sign": [-1.0, -2.5, -3.0, -0.25],
    "ties": [-0.5, 254.5, 126.5, 0.5],
    "more ties": [-127.5, 127.5, 1.5, -1.5],
    "one nan": [NAN, 1.0, -2.0, 0.5],
    "infinite": [INFINITE, -INFINITE, 1.0, -0.25],
    "nothing finite": [NAN, INFINITE, -INFINITE, NAN],
    "large": [1e38, -3e38, 1e30, 1.0],
    "denormal": [1e-40, -3e-41, 1e-45, 0.0],
    "denormal and one": [1e-40, 1.0, -1e-45, 0.0],
    "beyond 2^60": [2.0**61, -(2.0**60), 2.0**59, -1.0],
    "below the smallest scale": [2.0**-60, -(2.0**-55), 0.0, 2.0**-70],
}


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    x = np.array([EDGES[name]], np.float32)
    scale, zero_point = choose_qparams(torch.from_numpy(x), False)
    expected = naive.choose_qparams(x[0])
    assert (scale.item(), zero_point.item()) == expected
    assert 2.0**-60 <= scale.item() <= 2.0**60 and scale.dtype == torch.float32 and zero_point.dtype == torch.int32
    integers = quantize(torch.from_numpy(x), scale, zero_point)
    assert integers.tolist()[0] == (naive.quantized(x)[0][0] + expected[1]).tolist()
    for value, integer in zip(EDGES[name], integers.tolist()[0], strict=True):
        if not math.isfinite(value):
            assert integer == (expected[1] if math.isnan(value) else 127 if value > 0 else -128)
        if value == 0:
            assert integer == expected[1]  # 0 is exact
    w = weights(3, 4)
    same_bits(ops.linear_dynamic(torch.from_numpy(x), *tensors(w), False, False), naive.linear(x, *w))


def test_written_out():
    scale, zero_point = choose_qparams(torch.tensor([-1.0, 0.56, 4.1]), False)
    assert scale.item() == np.float32(np.float32(np.float32(4.1) + np.float32(1)) / np.float32(255))
    assert zero_point.item() == -78  # -128 + 1 / 0.02
    assert quantize(torch.tensor([-1.0, 0.56, 4.1]), scale, zero_point).tolist() == [-128, -50, 127]
    assert choose_qparams(torch.zeros(3), False) == (torch.tensor(1.0), torch.tensor(-128))
    assert choose_qparams(torch.empty(0), False) == (torch.tensor(1.0), torch.tensor(-128))


floats = st.floats(width=32, allow_nan=True, allow_infinity=True, allow_subnormal=True)


@hypothesis.given(st.lists(floats, max_size=9), st.booleans())
def test_properties(values, per_token):
    x = torch.tensor(values, dtype=torch.float32).reshape(1, -1)
    scale, zero_point = choose_qparams(x, per_token)
    assert (scale.item(), zero_point.item()) == naive.choose_qparams(x.numpy()[0])
    assert 2.0**-60 <= scale.item() <= 2.0**60 and -128 <= zero_point.item() <= 127
    integers = quantize(x, scale, zero_point)
    assert integers.tolist()[0] == (naive.quantized(x.numpy())[0][0] + zero_point.item()).tolist()
    assert quantize(torch.zeros(1), scale.reshape(()), zero_point.reshape(())).item() == zero_point.item()
    finite = x[x.abs() <= 2.0**60].double()
    back = scale.double() * (integers[x.abs() <= 2.0**60].double() - zero_point)
    if finite.numel():
        # Half a step, and one more half where the zero point was rounded away from an end of the range.
        assert float((back - finite).abs().max()) <= scale.item() * 1.001


@hypothesis.given(st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=20), st.randoms())
def test_order_does_not_matter(values, random):
    shuffled = values[:]
    random.shuffle(shuffled)
    assert choose_qparams(torch.tensor(values), False) == choose_qparams(torch.tensor(shuffled), False)


@pytest.mark.parametrize("shape", [(5, 7), (2, 3, 7), (7,), (1, 7), (0, 7), (2, 0, 7)])
@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.parametrize("relu", [False, True])
def test_linear(shape, per_token, relu):
    x, w = np.random.default_rng(1).normal(size=shape).astype(np.float32) * 3, weights(4, 7)
    actual = ops.linear_dynamic(torch.from_numpy(x), *tensors(w), per_token, relu)
    same_bits(actual, naive.linear(x, *w, per_token, relu))


def test_rows_are_quantized_on_their_own():
    rows = np.array(list(EDGES.values()), np.float32)
    w = weights(3, 4, bias=False)
    together = ops.linear_dynamic(torch.from_numpy(rows), *tensors(w), True, False)
    same_bits(together, naive.linear(rows, *w, per_token=True))
    alone = [ops.linear_dynamic(torch.from_numpy(row[None]), *tensors(w), False, False) for row in rows]
    assert torch.equal(together.view(torch.int32), torch.cat(alone).view(torch.int32))


def test_no_features():
    empty = ops.linear_dynamic(torch.empty(3, 0), *tensors(weights(2, 0)), True, False)
    same_bits(empty, np.tile(weights(2, 0)[2], (3, 1)))


def test_sums_wrap_and_large_results_saturate():
    x = np.full((1, 70000), 1, np.float32)
    w = np.full((1, 70000), 127, np.int8), np.ones(1, np.float32), np.zeros(1, np.float32)
    total = 70000 * 255 * 127
    expected = np.float32(np.float32(total - 2**32) * (np.float32(1) / np.float32(255)))
    assert total > 2**31
    assert ops.linear_dynamic(torch.from_numpy(x), *tensors(w), False, False).item() == expected
    bound, scale = constants.fit_dynamic(*tensors(w[:2]))
    assert scale.item() == 2 and bound[0, 0].item() == 64  # rne(127 / 2)
    fits = ops.linear_dynamic(torch.from_numpy(x), bound, scale, torch.zeros(1), False, False).item()
    assert fits == pytest.approx(70000 * 128)
    high = torch.tensor([[2.0**60]]), torch.tensor([[127]], dtype=torch.int8), torch.tensor([2.0**60])
    assert ops.linear_dynamic(*high, torch.zeros(1), False, False).item() == pytest.approx(127 * 2.0**120)
    many = torch.full((1, 4096), 2.0**60), torch.full((1, 4096), 127, dtype=torch.int8), torch.tensor([2.0**60])
    assert ops.linear_dynamic(*many, torch.zeros(1), False, False).item() == INFINITE
    nothing = ops.linear_dynamic(*many, torch.full((1,), -INFINITE), False, False)
    assert nothing.view(torch.int32).item() == 0x7FC00000
    assert ops.linear_dynamic(*many, torch.full((1,), -INFINITE), False, True).item() == 0  # NaN > 0 is false


def test_weights_that_cannot_be_fitted_are_refused():
    with pytest.raises(ValueError, match="weight scale of output channel 1"):
        constants.fit_dynamic(torch.zeros(2, 3, dtype=torch.int8), torch.tensor([1.0, 2.0**-61]))
    weight, scale = torch.ones(2, 3, dtype=torch.int8), torch.ones(2)
    bound = constants.fit_dynamic(weight, scale)
    assert bound[0] is weight and bound[1] is scale


CONVS = [
    # input shape, weight shape, stride, padding, dilation, groups
    ((2, 3, 1, 6), (4, 3, 1, 3), (1, 2), (0, 1, 0, 1), (1, 1), 1),
    ((2, 3, 5, 4), (4, 3, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
    ((1, 4, 6, 5), (8, 1, 3, 2), (2, 1), (1, 0, 0, 2), (1, 2), 4),
    ((1, 2, 3, 4, 3), (4, 2, 2, 3, 1), (1, 1, 1), (1, 0, 1, 0, 1, 0), (1, 1, 1), 1),
    ((2, 4, 3, 3, 4), (4, 1, 2, 2, 2), (2, 1, 2), (0, 1, 0, 1, 0, 2), (1, 2, 1), 4),
]
TRANSPOSED = [
    # input shape, weight shape [O, I/groups, ...], stride, padding, output padding, dilation, groups
    ((1, 2, 3, 4), (3, 2, 3, 2), (2, 1), (1, 0), (1, 0), (1, 1), 1),
    ((2, 4, 3, 2), (6, 2, 2, 3), (1, 3), (0, 1), (0, 2), (2, 1), 2),
    ((1, 2, 2, 3, 2), (4, 1, 2, 1, 3), (1, 2, 2), (0, 0, 1), (0, 1, 1), (1, 1, 1), 2),
]


@pytest.mark.parametrize("case", CONVS)
def test_conv(case):
    shape, weight_shape, *geometry = case
    x, w = np.random.default_rng(2).normal(0.3, size=shape).astype(np.float32), weights(*weight_shape)
    operator = ops.conv2d_dynamic if len(shape) == 4 else ops.conv3d_dynamic
    same_bits(operator(torch.from_numpy(x), *tensors(w), *geometry), naive.conv(x, *w, *geometry))
    none = operator(torch.empty(0, *shape[1:]), *tensors(w), *geometry)
    assert none.shape[0] == 0 and none.shape[1:] == naive.conv(x, *w, *geometry).shape[1:]


@pytest.mark.parametrize("case", TRANSPOSED)
def test_conv_transpose(case):
    shape, weight_shape, *geometry = case
    x, w = np.random.default_rng(2).normal(0.3, size=shape).astype(np.float32), weights(*weight_shape)
    operator = ops.conv_transpose2d_dynamic if len(shape) == 4 else ops.conv_transpose3d_dynamic
    same_bits(operator(torch.from_numpy(x), *tensors(w), *geometry), naive.conv_transpose(x, *w, *geometry))


# name: operator, gates, how many states, what comes between weights and reverse, one number by loops
RECURRENT = {
    "tanh": (ops.rnn_dynamic, 1, 1, [False], naive.rnn_unit),
    "relu": (ops.rnn_dynamic, 1, 1, [True], lambda *args: naive.rnn_unit(*args, relu=True)),
    "lstm": (ops.lstm_dynamic, 4, 2, [], naive.lstm_unit),
    "gru": (ops.gru_dynamic, 3, 1, [], naive.gru_unit),
}


def recurrent(name, shape=(4, 2, 5), hidden=3, size=1.0):
    operator, gates, states, options, unit = RECURRENT[name]
    rng = np.random.default_rng(4)
    x = (rng.normal(size=shape) * size).astype(np.float32)
    state = [rng.normal(size=(shape[1], hidden)).astype(np.float32) for _ in range(states)]
    of_input, of_hidden = weights(gates * hidden, shape[2], seed=5), weights(gates * hidden, hidden, seed=6)
    return operator, (x, state, of_input, of_hidden), options, unit


def run(operator, x, state, of_input, of_hidden, *options):
    return operator(*tensors([x, *state, *of_input, *of_hidden]), *options)


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("per_step", [False, True])
def test_recurrent(name, reverse, per_step):
    for shape, size in [((4, 2, 5), 1.0), ((1, 3, 2), 30.0), ((3, 1, 1), 1e-3)]:
        operator, operands, options, unit = recurrent(name, shape, size=size)
        actual = run(operator, *operands, *options, reverse, per_step)
        expected = naive.recurrent(unit, *operands, reverse, per_step)
        for one, other in zip(actual, expected, strict=True):
            same_bits(one, other)


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_with_nothing_and_with_what_is_not_finite(name):
    for shape in [(0, 2, 5), (3, 0, 5)]:
        operator, operands, options, unit = recurrent(name, shape)
        actual = run(operator, *operands, *options, False, False)
        for one, other in zip(actual, naive.recurrent(unit, *operands), strict=True):
            same_bits(one, other)
    operator, operands, options, unit = recurrent(name)
    operands[0][0, 0, :3] = [NAN, INFINITE, -INFINITE]
    operands[1][-1][0, 0] = NAN
    operands[1][0][1, 1] = -INFINITE
    operands[2][2][1] = INFINITE  # a bias
    operands[3][2][1] = -INFINITE  # inf - inf
    if len(operands[3][2]) > 3:  # 0 * inf: a closed forget gate of lstm or update gate of gru, and its state
        operands[3][2][5] = -INFINITE
        operands[1][-1][1, 2] = -INFINITE
    actual = run(operator, *operands, *options, False, True)
    for one, other in zip(actual, naive.recurrent(unit, *operands, per_step=True), strict=True):
        same_bits(one, other)
        assert torch.equal(one.view(torch.int32), canonical(one).view(torch.int32))


@pytest.mark.parametrize("name", RECURRENT)
def test_step_by_step_with_a_carried_state(name):
    operator, (x, state, *constant), options, _ = recurrent(name, (7, 2, 5))
    whole = run(operator, x, state, *constant, *options, False, True)
    assert not torch.equal(whole[0], run(operator, x, state, *constant, *options, False, False)[0])
    outputs, state = [], tensors(state)
    for t in range(len(x)):
        # A sequence of one step has one range, whichever way it is taken.
        output, *state = run(
            operator, x[t : t + 1], [s.numpy() for s in state], *constant, *options, False, bool(t % 2)
        )
        outputs.append(output)
    for one, other in zip(whole, [torch.cat(outputs), *state], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", RECURRENT)
def test_backwards_is_forwards_on_the_reversed_sequence(name):
    operator, (x, *rest), options, _ = recurrent(name)
    forward = run(operator, np.ascontiguousarray(x[::-1]), *rest, *options, False, False)
    backward = run(operator, x, *rest, *options, True, False)
    assert torch.equal(forward[0].flip(0), backward[0])
    assert all(torch.equal(a, b) for a, b in zip(forward[1:], backward[1:], strict=True))


def test_results_are_never_operands():
    x, state, *constant = recurrent("lstm", (0, 2, 5))[1]
    operands = tensors([x, *state, *constant[0], *constant[1]])
    results = ops.lstm_dynamic(*operands, False, False)
    assert not {r.data_ptr() for r in results if r.numel()} & {o.data_ptr() for o in operands}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_floats_become_float32_first(dtype):
    x, w = torch.randn(3, 7).to(dtype), tensors(weights(4, 7))
    expected = ops.linear_dynamic(x.float(), *w, False, False)
    assert torch.equal(ops.linear_dynamic(x, *w, False, False), expected)


def test_bits_do_not_depend_on_the_layout():
    w = tensors(weights(4, 7))
    x = torch.randn(7, 33).t()
    assert torch.equal(ops.linear_dynamic(x, *w, True, False), ops.linear_dynamic(x.contiguous(), *w, True, False))
    assert torch.equal(ops.linear_dynamic(x, *w, True, False)[5:6], ops.linear_dynamic(x[5:6], *w, True, False))


def test_fake_kernels():
    calls = [(ops.linear_dynamic, [torch.randn(2, 3, 7), *tensors(weights(4, 7)), True, True])]
    for shape, weight_shape, *geometry in CONVS:
        operator = ops.conv2d_dynamic if len(shape) == 4 else ops.conv3d_dynamic
        calls.append((operator, [torch.randn(shape), *tensors(weights(*weight_shape)), *geometry]))
    for shape, weight_shape, *geometry in TRANSPOSED:
        operator = ops.conv_transpose2d_dynamic if len(shape) == 4 else ops.conv_transpose3d_dynamic
        calls.append((operator, [torch.randn(shape), *tensors(weights(*weight_shape)), *geometry]))
    for name in RECURRENT:
        operator, (x, state, *constant), options, _ = recurrent(name)
        operands = tensors([x, *state, *constant[0], *constant[1]])
        calls.append((operator, [*operands, *options, False, True]))
    expected = {row.reference for row in qsdk.ops.OPERATORS.values() if row.name.endswith("_dynamic")}
    assert {operator.default for operator, _ in calls} == expected
    for operator, arguments in calls:
        real = operator(*arguments)
        with FakeTensorMode() as mode:
            empty = operator(*[mode.from_tensor(a) if isinstance(a, torch.Tensor) else a for a in arguments])
        pairs = zip(real, empty, strict=True) if isinstance(real, tuple) else [(real, empty)]
        for one, other in pairs:
            assert (one.shape, one.dtype, one.stride()) == (other.shape, other.dtype, other.stride())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="not run: no CUDA device")
def test_cuda_gives_the_same_bits():
    for name in RECURRENT:
        operator, (x, state, *constant), options, _ = recurrent(name, (6, 3, 40), 32)
        operands = tensors([x, *state, *constant[0], *constant[1]])
        here, there = (operator(*[o.to(d) for o in operands], *options, False, False) for d in ("cpu", "cuda"))
        for one, other in zip(here, there, strict=True):
            assert torch.equal(one.view(torch.int32), other.cpu().view(torch.int32))
