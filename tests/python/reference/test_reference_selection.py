"""Comparisons, selections, quotients, norms and masks against naive loops: extremes, ties, all zero points."""

import itertools
import math

import numpy as np
import pytest
import torch
from naive import f32, round_clamp

from qsdk.reference import constants
from qsdk.reference.embedding import OutsideError

ops = torch.ops.qsdk
VALUES = np.array([-128, -127, -3, -2, -1, 0, 1, 2, 3, 7, 126, 127], np.int8)
LEFT, RIGHT = (np.array(v, np.int8) for v in zip(*itertools.product(VALUES, VALUES), strict=True))
COMPARE = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
}  # fmt: skip


def real(q, scale, zero_point):
    return f32(f32(scale) * f32(int(q) - zero_point))


@pytest.mark.parametrize("name", COMPARE)
def test_comparisons(name):
    holds, operator = COMPARE[name], getattr(ops, name)
    for scales, zero_points in itertools.product([(0.5, 0.25), (0.1, 0.3)], [(0, 0), (-128, 127), (3, -6)]):
        (sa, sb), (za, zb) = scales, zero_points
        expected = [holds(real(p, sa, za), real(q, sb, zb)) for p, q in zip(LEFT, RIGHT, strict=True)]
        a, b = torch.from_numpy(LEFT), torch.from_numpy(RIGHT)
        assert operator(a, b, f32(sa), za, f32(sb), zb).tolist() == expected
        mixed = operator(a, (b - zb).float() * f32(sb), f32(sa), za)
        expected = [holds(real(p, sa, za), real(np.int8(q), sb, zb)) for p, q in zip(LEFT, RIGHT, strict=True)]
        if zb == 0:
            assert mixed.tolist() == expected
    special = torch.tensor([0.0, -0.0, 1e-45, float("inf"), float("-inf"), float("nan"), 3.0])
    grid = operator(special[:, None], special[None])
    assert grid.tolist() == [[holds(p, q) for q in special.tolist()] for p in special.tolist()]
    integers = torch.tensor([-(2**63), -1, 0, 2**53, 2**53 + 1])
    assert operator(integers, integers.flip(0)).tolist() == [
        holds(p, q) for p, q in zip(integers.tolist(), integers.tolist()[::-1], strict=True)
    ]
    with pytest.raises(ValueError, match="cannot be compared"):
        operator(integers, special[:5])


def test_extremes_and_where():
    a, b = torch.from_numpy(LEFT), torch.from_numpy(RIGHT)
    assert ops.maximum.default(a, b).tolist() == [max(p, q) for p, q in zip(LEFT, RIGHT, strict=True)]
    assert ops.minimum.default(a, b).tolist() == [min(p, q) for p, q in zip(LEFT, RIGHT, strict=True)]
    for kind in (torch.int8, torch.float32, torch.int64, torch.bool):
        chosen = ops.where(a > b, a.to(kind), b.to(kind))
        assert chosen.tolist() == [p if x > y else q for p, q, x, y in zip(
            a.to(kind).tolist(), b.to(kind).tolist(), LEFT, RIGHT, strict=True)]  # fmt: skip
    for wrong in ((a, a, b), (a > b, a, b.float())):
        with pytest.raises(ValueError, match="chooses between"):
            ops.where(*wrong)


def naive_topk(row, k, largest):
    infinity = -math.inf if largest else math.inf
    keys = [infinity if isinstance(v, float) and math.isnan(v) else v for v in row]
    return sorted(range(len(row)), key=lambda i: (-keys[i] if largest else keys[i], i))[:k]


@pytest.mark.parametrize("largest", [True, False])
def test_topk(largest):
    generator = torch.Generator().manual_seed(0)
    integers = torch.randint(-3, 3, (4, 9, 3), generator=generator).to(torch.int8)
    floats = integers.float()
    floats[0, :4, 0] = torch.tensor([float("nan"), float("inf"), float("-inf"), -0.0])
    for source in (integers, floats):
        values, indices = ops.topk(source, 5, 1, largest)
        for i, j in itertools.product(range(4), range(3)):
            expected = naive_topk(source[i, :, j].tolist(), 5, largest)
            assert indices[i, :, j].tolist() == expected
            torch.testing.assert_close(
                values[i, :, j], source[i, expected, j], rtol=0, atol=0, equal_nan=True
            )  # equal, NaN too


def test_by_indices():
    x = torch.arange(60, dtype=torch.int8).reshape(3, 4, 5)
    assert torch.equal(ops.index_select(x, 1, torch.tensor([3, 0, 3])), x[:, [3, 0, 3]])
    index = torch.tensor([[[0, 3], [2, 1]]], dtype=torch.int32)
    assert torch.equal(ops.gather(x, 1, index), x[:1, :, :2].gather(1, index.long()))
    for outside in (4, -1, 2**40):
        with pytest.raises(OutsideError, match=f"index {outside} is outside an axis of 4"):
            ops.index_select(x, 1, torch.tensor([0, outside]))
        with pytest.raises(OutsideError):
            ops.gather(x, 1, torch.full((1, 1, 1), outside))


def test_normalize():
    rows = [[0, 0, 0], [127, -128, 127], [3, 4, 0], [1, 0, 0], [-128, -128, -128]]
    for zi, zo, eps, inverse in itertools.product([0, -128, 3], [0, -128], [2.0**-60, 1.0, 300.0], [128.0, f32(99.7)]):
        expected = []
        for row in rows:
            value = [v - zi for v in row]
            norm = np.sqrt(f32(sum(v * v for v in value)))
            factor = f32(f32(inverse) / max(norm, f32(eps)))
            expected.append([round_clamp(f32(f32(v) * factor), zo, -128, 127) for v in value])
        x = torch.tensor(rows, dtype=torch.int8)
        assert ops.normalize(x, 1, eps, inverse, zi, 1.0, zo, -128, 127).tolist() == expected
        assert ops.normalize(x.T.contiguous(), 0, eps, inverse, zi, 1.0, zo, -128, 127).T.tolist() == expected


def test_masked_softmax():
    table = constants.softmax_table(0.05)
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(-128, 128, (6, 7), generator=generator).to(torch.int8)
    mask = torch.rand(6, 7, generator=generator) > 0.4
    mask[2] = False
    actual = ops.softmax(x, table, 1, 256.0, 1 / 256, -120, -128, 127, mask)
    for row, kept, result in zip(x.tolist(), mask.tolist(), actual.tolist(), strict=True):
        largest = max([v for v, k in zip(row, kept, strict=True) if k], default=0)
        terms = [int(table[largest - v]) if k else 0 for v, k in zip(row, kept, strict=True)]
        factor = f32(f32(256.0) / f32(sum(terms))) if any(kept) else f32(0)
        assert result == [round_clamp(f32(f32(t) * factor), -120, -128, 127) for t in terms]
    everything = ops.softmax(x, table, 1, 256.0, 1 / 256, -120, -128, 127, torch.tensor(True))
    assert torch.equal(everything, ops.softmax(x, table, 1, 256.0, 1 / 256, -120, -128, 127))
