"""Rules 10, 11 and 18 once more, as loops over numpy float32 scalars and Python integers, independent of torch."""

import functools
import math
import struct

import naive
import numpy as np

from qsdk.reference import functions

f32 = np.float32
NAN = np.array([0x7FC00000], np.uint32).view(f32)[0]


def quiet(function):
    """Without numpy's warnings about infinities and NaN, which are wanted here."""

    @functools.wraps(function)
    def run(*args, **kwargs):
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return run


# Rule 11


def poly(x, coefficients):
    result = f32(coefficients[-1])
    for c in coefficients[-2::-1]:
        result = f32(f32(result * x) + f32(c))
    return result


def power_of_two(n):
    return f32(struct.unpack("<f", struct.pack("<i", (n + 127) << 23))[0])


@quiet
def exp(x):
    x = f32(x)
    if math.isnan(x):
        return NAN
    x = f32(-104) if x < -104 else f32(89) if x > 89 else x
    n = np.rint(f32(x * f32(functions.LOG2E)))
    high = f32(x - f32(n * f32(functions.LN2_HIGH)))
    low = f32(n * f32(functions.LN2_LOW))
    r = f32(high - low)
    p = f32(f32(f32(f32(poly(r, functions.EXP) * f32(r * r)) - low) + high) + f32(1))
    half = int(n) // 2
    return f32(f32(p * power_of_two(half)) * power_of_two(int(n) - half))


@quiet
def sigmoid(x):
    x = f32(x)
    if math.isnan(x):
        return NAN
    t = exp(-abs(x))
    q = f32((f32(1) if x >= 0 else t) / f32(t + f32(1)))
    return q if x >= 0 else f32(t - f32(t * q))


@quiet
def tanh(x):
    x = f32(x)
    if math.isnan(x):
        return NAN
    a = abs(x)
    z = f32(a * a)
    if a < f32(functions.TANH_SMALL):
        t = f32(f32(f32(poly(z, functions.TANH) * z) * a) + a)
    else:
        t = f32(f32(1) - f32(f32(2) / f32(exp(f32(a + a)) + f32(1))))
    return np.copysign(t, x)


@quiet
def erf(x):
    x = f32(x)
    if math.isnan(x):
        return NAN
    a = abs(x)
    if a < f32(functions.ERF_SMALL):
        t = f32(f32(poly(f32(a * a), functions.ERF) * a) + a)
    else:
        t = f32(f32(1) - exp(poly(f32(4) if a > 4 else a, functions.LOG_ERFC)))
    return np.copysign(t, x)


# Rule 10


@quiet
def choose_qparams(values):
    """(scale, zero point) of the values of one tensor or row."""
    low, high = f32(0), f32(0)
    for v in values:
        if math.isfinite(v):
            low, high = (v if v < low else low), (v if v > high else high)
    low, high = max(low, f32(-(2.0**60))), min(high, f32(2.0**60))
    if low == high:
        return f32(1), -128
    scale = max(f32(f32(high - low) / f32(255)), f32(2.0**-60))
    return scale, min(max(-128 - int(np.rint(f32(low * f32(f32(1) / scale)))), -128), 127)


@quiet
def quantized(x, per_token=False):
    """Integers minus zero point, as objects, and one scale per row of the last axis."""
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    whole = choose_qparams(x.reshape(-1))
    out, scales = np.zeros(rows.shape, object), []
    for i, row in enumerate(rows):
        scale, zero_point = choose_qparams(row) if per_token else whole
        out[i] = naive.quantize(row, scale, zero_point, -128, 127).astype(object) - zero_point
        scales.append(scale)
    return out.reshape(x.shape), scales


@quiet
def real(total, multiplier, bias):
    y = f32(f32(f32(np.int32(naive.wrap(int(total)))) * multiplier) + f32(bias))
    return NAN if math.isnan(y) else y


@quiet
def linear(x, weight, weight_scale, bias, per_token=False, relu=False):
    q, scales = quantized(x, per_token)
    flat = q.reshape(len(scales), x.shape[-1])
    out = np.zeros((len(scales), weight.shape[0]), f32)
    for i, c in np.ndindex(*out.shape):
        total = sum(int(a) * int(w) for a, w in zip(flat[i], weight[c], strict=True))
        y = real(total, f32(scales[i] * f32(weight_scale[c])), bias[c])
        out[i, c] = (y if y > 0 else f32(0)) if relu else y
    return out.reshape(*x.shape[:-1], weight.shape[0])


@quiet
def conv(x, weight, weight_scale, bias, stride, padding, dilation, groups):
    axes = weight.ndim - 2
    q, (scale, *_) = quantized(x)
    extents = [
        (x.shape[2 + i] + padding[i] + padding[i + axes] - dilation[i] * (weight.shape[2 + i] - 1) - 1) // stride[i] + 1
        for i in range(axes)
    ]
    out = np.zeros((x.shape[0], weight.shape[0], *extents), f32)
    for n, c, *at in np.ndindex(*out.shape):
        group, total = c // (weight.shape[0] // groups), 0
        for k, *tap in np.ndindex(*weight.shape[1:]):
            place = [at[i] * stride[i] - padding[i] + tap[i] * dilation[i] for i in range(axes)]
            if all(0 <= p < e for p, e in zip(place, x.shape[2:], strict=True)):
                total += q[(n, group * weight.shape[1] + k, *place)] * int(weight[(c, k, *tap)])
        out[(n, c, *at)] = real(total, f32(scale * f32(weight_scale[c])), bias[c])
    return out


@quiet
def conv_transpose(x, weight, weight_scale, bias, stride, padding, extra, dilation, groups):
    """weight is [O, I/groups, ...]."""
    axes = weight.ndim - 2
    q, (scale, *_) = quantized(x)
    extents = [
        (x.shape[2 + i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (weight.shape[2 + i] - 1) + extra[i] + 1
        for i in range(axes)
    ]
    total = np.zeros((x.shape[0], weight.shape[0], *extents), object)
    per_group = weight.shape[0] // groups
    for n, c, *at in np.ndindex(*x.shape):
        group, k = divmod(c, weight.shape[1])
        for o in range(group * per_group, (group + 1) * per_group):
            for tap in np.ndindex(*weight.shape[2:]):
                place = [at[i] * stride[i] - padding[i] + tap[i] * dilation[i] for i in range(axes)]
                if all(0 <= p < e for p, e in zip(place, extents, strict=True)):
                    total[(n, o, *place)] += q[(n, c, *at)] * int(weight[(o, k, *tap)])
    out = np.zeros(total.shape, f32)
    for place in np.ndindex(*out.shape):
        out[place] = real(total[place], f32(scale * f32(weight_scale[place[1]])), bias[place[1]])
    return out


# Rule 18


@quiet
def rnn_unit(gx, gh, state, relu=False):
    g = f32(gx[0] + gh[0])
    return ((g if g > 0 else f32(0)) if relu else tanh(g),)


@quiet
def lstm_unit(gx, gh, state):
    i, f, g, o = (f32(a + b) for a, b in zip(gx, gh, strict=True))
    i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
    c = f32(f32(f * state[1]) + f32(i * g))
    return f32(o * tanh(c)), c


@quiet
def gru_unit(gx, gh, state):
    r, z = sigmoid(f32(gx[0] + gh[0])), sigmoid(f32(gx[1] + gh[1]))
    n = tanh(f32(gx[2] + f32(gh[2] * r)))
    return (f32(f32(f32(state[0] - n) * z) + n),)


def recurrent(unit, x, state, of_input, of_hidden, reverse=False, per_step=False):
    """x [T, N, I], each of state [N, H]; the output and the last state. unit computes one number of the state."""
    steps, batch, hidden = x.shape[0], *state[0].shape
    output = np.zeros((steps, batch, hidden), f32)
    whole = linear(x, *of_input) if steps else None
    state = [s.copy() for s in state]
    for t in reversed(range(steps)) if reverse else range(steps):
        gx = linear(x[t], *of_input) if per_step else whole[t]
        gh = linear(state[0], *of_hidden)
        new = [np.zeros_like(s) for s in state]
        for n, k in np.ndindex(batch, hidden):
            values = unit(gx[n, k::hidden], gh[n, k::hidden], [s[n, k] for s in state])
            for part, value in zip(new, values, strict=True):
                part[n, k] = NAN if math.isnan(value) else value
        state = new
        output[t] = state[0]
    return output, *state
