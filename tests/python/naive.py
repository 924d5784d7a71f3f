"""The numerics contract once more, as plain loops over Python integers and numpy float32 scalars, independent of torch.

Shapes are NCHW. Slow; for small tensors.
"""

import itertools
import math

import numpy as np

f32 = np.float32


def wrap(total: int) -> int:
    """Modulo 2^32, as signed."""
    return (total + 2**31) % 2**32 - 2**31


def round_clamp(value: np.float32, zero_point: int, lowest: int, highest: int) -> int:
    """clamp(rne(value) + zero_point)."""
    if math.isnan(value):
        return zero_point
    if math.isinf(value):
        return highest if value > 0 else lowest
    return min(max(int(np.rint(f32(value))) + zero_point, lowest), highest)


def quantize(x: np.ndarray, scale: float, zero_point: int, lowest: int, highest: int) -> np.ndarray:
    """Rule 1."""
    with np.errstate(all="ignore"):
        inverse = f32(1) / f32(scale)
        flat = [round_clamp(f32(f32(v) * inverse), zero_point, lowest, highest) for v in x.reshape(-1)]
    return np.array(flat, np.int64).reshape(x.shape)


def requantize(total: int, multiplier: np.float32, zo: int, lo: int, hi: int) -> int:
    """Rule 3's last step."""
    return round_clamp(f32(f32(np.int32(wrap(total))) * f32(multiplier)), zo, lo, hi)


def conv(a, w, bias, multiplier, stride, padding, dilation, groups, za, zo, lo, hi):
    """Rule 3 in any number of axes; padding is the begin of each axis, then the end of each."""
    axes = w.ndim - 2
    extents = [
        (a.shape[2 + i] + padding[i] + padding[i + axes] - dilation[i] * (w.shape[2 + i] - 1) - 1) // stride[i] + 1
        for i in range(axes)
    ]
    out = np.zeros((a.shape[0], w.shape[0], *extents), np.int8)
    for n, c, *at in np.ndindex(*out.shape):
        group = c // (w.shape[0] // groups)
        total = int(bias[c])
        for k, *tap in np.ndindex(*w.shape[1:]):
            place = [at[i] * stride[i] - padding[i] + tap[i] * dilation[i] for i in range(axes)]
            if all(0 <= p < e for p, e in zip(place, a.shape[2:], strict=True)):
                total += (int(a[(n, group * w.shape[1] + k, *place)]) - za) * int(w[(c, k, *tap)])
        out[(n, c, *at)] = requantize(total, multiplier[c], zo, lo, hi)
    return out


def conv_transpose(a, w, bias, multiplier, stride, padding, extra, dilation, groups, za, zo, lo, hi):
    """Rule 3, transposed: every input adds to the outputs it reaches. w is [O, I/groups, ...]."""
    axes = w.ndim - 2
    extents = [
        (a.shape[2 + i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (w.shape[2 + i] - 1) + extra[i] + 1
        for i in range(axes)
    ]
    total = np.zeros((a.shape[0], w.shape[0], *extents), object) + bias.astype(object).reshape(-1, *[1] * axes)
    per_group = w.shape[0] // groups
    for n, c, *at in np.ndindex(*a.shape):
        group, k = divmod(c, w.shape[1])
        for o in range(group * per_group, (group + 1) * per_group):
            for tap in np.ndindex(*w.shape[2:]):
                place = [at[i] * stride[i] - padding[i] + tap[i] * dilation[i] for i in range(axes)]
                if all(0 <= p < e for p, e in zip(place, extents, strict=True)):
                    total[(n, o, *place)] += (int(a[(n, c, *at)]) - za) * int(w[(o, k, *tap)])
    out = np.zeros(total.shape, np.int8)
    for place in np.ndindex(*out.shape):
        out[place] = requantize(int(total[place]), multiplier[place[1]], zo, lo, hi)
    return out


def matmul(a, b, m, za, zb, zo, lo, hi):
    """Rule 15 on [M, K] and [K, N]."""
    out = np.zeros((a.shape[0], b.shape[1]), np.int8)
    for i, j in np.ndindex(*out.shape):
        total = sum((int(p) - za) * (int(q) - zb) for p, q in zip(a[i], b[:, j], strict=True))
        out[i, j] = requantize(total, m, zo, lo, hi)
    return out


def batch_norm(a, m, b, zi, zo, lo, hi):
    """Rule 14."""
    out = np.zeros(a.shape, np.int8)
    for i in np.ndindex(*a.shape):
        out[i] = round_clamp(f32(f32(f32(int(a[i]) - zi) * f32(m[i[1]])) + f32(b[i[1]])), zo, lo, hi)
    return out


def normalize(row, weight, bias, eps, zi, zo, lo, hi):
    """Rule 9 for the n values of one norm."""
    value = [int(v) - zi for v in row]
    n, s1, s2 = len(value), sum(value), sum(v * v for v in value)
    variance = f32(f32(f32(n * s2 - s1 * s1) / f32(n * n)) + f32(eps))
    factor = f32(f32(f32(1) / np.sqrt(variance)) / f32(n))
    return [
        round_clamp(f32(f32(f32(f32(n * v - s1) * factor) * f32(g)) + f32(c)), zo, lo, hi)
        for v, g, c in zip(value, weight, bias, strict=True)
    ]


def softmax(row, table, inverse, zo, lo, hi):
    """Rule 9 for one row."""
    terms = [int(table[int(max(row)) - int(v)]) for v in row]
    factor = f32(f32(inverse) / f32(sum(terms)))
    return [round_clamp(f32(f32(term) * factor), zo, lo, hi) for term in terms]


def prelu(a, slope, m, zi, zo, lo, hi):
    """Rule 17."""
    out = np.zeros(a.shape, np.int8)
    for i in np.ndindex(*a.shape):
        value = int(a[i]) - zi
        out[i] = round_clamp(f32(f32(value) * f32(m if value >= 0 else slope[i[1]])), zo, lo, hi)
    return out


def linear(a, w, bias, multiplier, za, zo, lo, hi):
    """Rule 3 on [N, K]."""
    out = np.zeros((a.shape[0], w.shape[0]), np.int8)
    for i, c in np.ndindex(*out.shape):
        total = int(bias[c]) + sum((int(p) - za) * int(q) for p, q in zip(a[i], w[c], strict=True))
        out[i, c] = requantize(total, multiplier[c], zo, lo, hi)
    return out


def add(a, b, ra, rb, za, zb, zo, lo, hi):
    """Rule 4."""
    a, b = np.broadcast_arrays(a, b)
    out = np.zeros(a.shape, np.int8)
    for i in np.ndindex(*a.shape):
        left = f32(f32(int(a[i]) - za) * f32(ra))
        right = f32(f32(int(b[i]) - zb) * f32(rb))
        out[i] = round_clamp(f32(left + right), zo, lo, hi)
    return out


def mul(a, b, m, za, zb, zo, lo, hi):
    """Rule 5."""
    a, b = np.broadcast_arrays(a, b)
    out = np.zeros(a.shape, np.int8)
    for i in np.ndindex(*a.shape):
        out[i] = round_clamp(f32(f32((int(a[i]) - za) * (int(b[i]) - zb)) * f32(m)), zo, lo, hi)
    return out


def pooled(extent, kernel, stride, padding, dilation, ceil_mode):
    """PyTorch's number of windows."""
    numerator = extent + 2 * padding - dilation * (kernel - 1) - 1
    count = (math.ceil(numerator / stride) if ceil_mode else numerator // stride) + 1
    if ceil_mode and (count - 1) * stride >= extent + padding:
        count -= 1
    return count


def max_pool2d(a, kernel, stride, padding, dilation, ceil_mode):
    """Rule 7."""
    n, c, h, w = a.shape
    size = [pooled((h, w)[i], kernel[i], stride[i], padding[i], dilation[i], ceil_mode) for i in range(2)]
    out = np.zeros((n, c, *size), np.int8)
    for i, ch, y, x in np.ndindex(*out.shape):
        best = -128
        for dy, dx in itertools.product(range(kernel[0]), range(kernel[1])):
            row, column = y * stride[0] - padding[0] + dy * dilation[0], x * stride[1] - padding[1] + dx * dilation[1]
            if 0 <= row < h and 0 <= column < w:
                best = max(best, int(a[i, ch, row, column]))
        out[i, ch, y, x] = best
    return out


def average(total, count, rescale, zo, lo, hi):
    """Rule 8 for one window."""
    return round_clamp(f32(f32(total) * f32(f32(rescale) / f32(count))), zo, lo, hi)


def avg_pool2d(a, kernel, stride, padding, ceil_mode, count_include_pad, divisor, rescale, zi, zo, lo, hi):
    """Rule 8, with the count as PyTorch's loops take it."""
    n, c, h, w = a.shape
    size = [pooled((h, w)[i], kernel[i], stride[i], padding[i], 1, ceil_mode) for i in range(2)]
    out = np.zeros((n, c, *size), np.int8)
    for i, ch, y, x in np.ndindex(*out.shape):
        top, left = y * stride[0] - padding[0], x * stride[1] - padding[1]
        bottom, right = min(top + kernel[0], h + padding[0]), min(left + kernel[1], w + padding[1])
        with_padding = (bottom - top) * (right - left)
        top, left, bottom, right = max(top, 0), max(left, 0), min(bottom, h), min(right, w)
        window = a[i, ch, top:bottom, left:right].astype(np.int64)
        count = divisor or (with_padding if count_include_pad else window.size)
        out[i, ch, y, x] = average(int((window - zi).sum()), count, rescale, zo, lo, hi)
    return out


def adaptive_avg_pool2d(a, size, rescale, zi, zo, lo, hi):
    """Rule 8 over adaptive windows."""
    n, c, h, w = a.shape
    out = np.zeros((n, c, *size), np.int8)
    for i, ch, y, x in np.ndindex(*out.shape):
        rows = slice(math.floor(y * h / size[0]), math.ceil((y + 1) * h / size[0]))
        columns = slice(math.floor(x * w / size[1]), math.ceil((x + 1) * w / size[1]))
        window = a[i, ch, rows, columns].astype(np.int64)
        out[i, ch, y, x] = average(int((window - zi).sum()), window.size, rescale, zo, lo, hi)
    return out


def quantize_row(row, scale, zero_point, highest):
    """Rule 16, quantize."""
    inverse = f32(1) / f32(scale)
    return [min(max(int(np.rint(f32(f32(f32(v) * inverse) + f32(zero_point)))), 0), highest) for v in row]


def table_row(table, index, scale, zero_point, embedding_dim, bits):
    """Rule 16: the real values of one row; low nibble first."""
    codes = [int(v) for v in table[index]]
    if bits == 4:
        codes = [nibble for byte in codes for nibble in (byte % 16, byte // 16)]
    return [f32(f32(scale[index]) * f32(f32(q) - f32(zero_point[index]))) for q in codes[:embedding_dim]]


def embedding_bag(indices, bounds, weights, mode, padding_idx, row_of, embedding_dim):
    """Rule 16; bag b is indices[bounds[b]:bounds[b + 1]], and row_of(index) gives a row's values."""
    out = np.zeros((len(bounds) - 1, embedding_dim), f32)
    with np.errstate(all="ignore"):
        for bag in range(len(bounds) - 1):
            kept = [k for k in range(bounds[bag], bounds[bag + 1]) if indices[k] != padding_idx]
            for column in range(embedding_dim):
                values = [row_of(indices[k])[column] for k in kept]
                if weights is not None:
                    values = [f32(v * f32(weights[k])) for v, k in zip(values, kept, strict=True)]
                total = f32(0)
                if mode == "max" and values:
                    total = values[0]
                    for v in values[1:]:
                        total = total if total > v else v
                elif mode != "max":
                    for v in values:
                        total = f32(total + v)
                    if mode == "mean" and values:
                        total = f32(total / f32(len(values)))
                out[bag, column] = total
    return out
