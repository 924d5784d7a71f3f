"""embedding and embedding_bag against naive loops: widths, modes, padding, weights, offsets; and what is refused."""

import naive
import numpy as np
import pytest
import torch

import qsdk.ops  # noqa: F401  (defines torch.ops.qsdk)
from qsdk.reference.embedding import pack_nibbles, unpack_nibbles

ops = torch.ops.qsdk
ROWS = 9


def table(bits, dim, seed=0):
    """Bytes, scales of many magnitudes, and zero points that are no integers."""
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 2**bits, (ROWS, dim), generator=generator, dtype=torch.uint8)
    scale = torch.exp2(torch.rand(ROWS, generator=generator) * 20 - 10)
    zero_point = torch.randn(ROWS, generator=generator) * 2.0 ** torch.arange(ROWS)
    return pack_nibbles(codes) if bits == 4 else codes, scale, zero_point


def row_of(parts, dim, bits):
    arrays = [p.numpy() for p in parts]
    return lambda index: naive.table_row(arrays[0], int(index), *arrays[1:], dim, bits)


def bits_of(values):
    return np.asarray(values, np.float32).view(np.int32)


def test_nibbles():
    values = torch.arange(15, dtype=torch.uint8).reshape(3, 5)
    packed = pack_nibbles(values)
    assert packed.tolist()[0] == [0x10, 0x32, 0x04] and packed.dtype == torch.uint8
    assert torch.equal(unpack_nibbles(packed, 5), values)
    assert torch.equal(unpack_nibbles(pack_nibbles(values[:, :4]), 4), values[:, :4])


@pytest.mark.parametrize("bits, dim", [(8, 5), (4, 6), (4, 7), (4, 1)])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 1, 3), (0, 2)])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_embedding(bits, dim, shape, dtype):
    parts = table(bits, dim)
    indices = (torch.arange(int(np.prod(shape))) * 5 % ROWS).reshape(shape).to(dtype)
    actual = ops.embedding(indices, *parts, dim, bits)
    row = row_of(parts, dim, bits)
    expected = np.array([row(i) for i in indices.reshape(-1)], np.float32).reshape(*shape, dim)
    assert actual.dtype == torch.float32 and actual.shape == expected.shape
    np.testing.assert_array_equal(bits_of(actual.numpy()), bits_of(expected))


BAGS = {
    "one": ([0], 7), "several": ([0, 2, 3], 7), "empty": ([0, 0, 4, 4, 7], 7), "none": ([], 0), "nothing": ([0, 0], 0),
    "no bags": ([], 5),
}  # fmt: skip


@pytest.mark.parametrize("mode, weighted", [("sum", False), ("sum", True), ("mean", False), ("max", False)])
@pytest.mark.parametrize("bags", BAGS)
@pytest.mark.parametrize("padding_idx", [-1, 0, 3])
@pytest.mark.parametrize("bits, dim, dtype", [(8, 3, torch.int64), (4, 3, torch.int32)])
def test_embedding_bag(mode, weighted, bags, padding_idx, bits, dim, dtype):
    parts = table(bits, dim)
    offsets, count = BAGS[bags]
    indices = torch.tensor([0, 3, 0, 8, 5, 3, 3], dtype=dtype)[:count]
    weights = torch.tensor([0.5, -3.1, 1e-3, 7.7, 0.0, 1e20, -1.0])[:count] if weighted else None
    for include_last_offset in (False, True):
        if include_last_offset and not offsets:
            continue
        bounds = offsets if include_last_offset or not offsets else [*offsets, count]
        actual = ops.embedding_bag(
            indices, torch.tensor(offsets, dtype=dtype), *parts, weights, mode, include_last_offset, padding_idx, dim,
            bits,
        )  # fmt: skip
        expected = naive.embedding_bag(
            indices.tolist(), bounds or [0], weights, mode, padding_idx, row_of(parts, dim, bits), dim
        )
        np.testing.assert_array_equal(bits_of(actual.numpy()), bits_of(expected))


def test_sums_run_in_the_order_of_the_indices():
    """Where the order matters: 1 is lost beside 2^24, unless the big values cancel first."""
    parts = (
        torch.tensor([[255], [0], [1]], dtype=torch.uint8),
        torch.ones(3),
        torch.tensor([255.0 - 2**24, 2.0**24, 0.0]),
    )
    for order, total in (([0, 2, 1], 0.0), ([0, 1, 2], 1.0)):
        bag = ops.embedding_bag(torch.tensor(order), torch.tensor([0]), *parts, None, "sum", False, -1, 1, 8)
        assert bag.tolist() == [[total]]


def test_nan_is_written_in_one_way():
    parts = (torch.tensor([[1]], dtype=torch.uint8), torch.ones(1), torch.zeros(1))
    weights = torch.tensor([float("inf"), -float("inf")])
    indices = torch.zeros(2, dtype=torch.int64)
    bag = ops.embedding_bag(indices, torch.tensor([0]), *parts, weights, "sum", False, -1, 1, 8)
    assert bag.view(torch.int32).tolist() == [[0x7FC00000]]


@pytest.mark.parametrize("index", [-1, ROWS, 2**31 - 1])
def test_indices_outside_the_table(index):
    parts = table(8, 2)
    with pytest.raises(IndexError, match=f"index {index} is outside the table, which has {ROWS} rows"):
        ops.embedding(torch.tensor([0, index]), *parts, 2, 8)
    with pytest.raises(IndexError, match=f"index {index} is outside the table"):
        ops.embedding_bag(torch.tensor([index]), torch.tensor([0]), *parts, None, "sum", False, -1, 2, 8)


@pytest.mark.parametrize(
    "offsets, last", [([1, 2], False), ([0, 2, 1], False), ([0, 5], False), ([0, 5], True), ([], True)]
)
def test_offsets_that_are_no_bags(offsets, last):
    indices, offsets = torch.zeros(4, dtype=torch.int64), torch.tensor(offsets, dtype=torch.int64)
    with pytest.raises(IndexError, match="begin at 0, ascend"):
        ops.embedding_bag(indices, offsets, *table(8, 2), None, "sum", last, -1, 2, 8)
