"""Embedding tables: embedding, embedding_bag. Rule 16.

A table is uint8 [V, D], or [V, ceil(D / 2)] with two 4-bit values a byte, the low nibble first; each row has a scale
and a float zero point: x = f32(scale * f32(f32(q) - zero_point)).
"""

import torch
from torch import Tensor

from qsdk.reference.registry import fake, operator
from qsdk.reference.rounding import f32_tensor


class OutsideError(IndexError):
    """An index outside the table, or an offset outside the indices."""


def pack_nibbles(values: Tensor) -> Tensor:
    """uint8 [..., D] of 0..15 to uint8 [..., ceil(D / 2)]; the last high nibble of an odd D is 0."""
    pairs = torch.nn.functional.pad(values, (0, values.shape[-1] % 2))
    return pairs[..., 0::2] | (pairs[..., 1::2] << 4)


def unpack_nibbles(packed: Tensor, count: int) -> Tensor:
    """uint8 [..., ceil(count / 2)] to uint8 [..., count]."""
    return torch.stack([packed & 15, packed >> 4], -1).flatten(-2)[..., :count]


def _rows(input: Tensor, weight: Tensor, scale: Tensor, zero_point: Tensor, embedding_dim: int, bits: int) -> Tensor:
    """float32 [*input.shape, embedding_dim]."""
    at = input.to(torch.int64)
    outside = (at < 0) | (at >= weight.shape[0])
    if bool(outside.any()):
        raise OutsideError(f"index {int(at[outside][0])} is outside the table, which has {weight.shape[0]} rows")
    values = weight[at]
    if bits == 4:
        values = unpack_nibbles(values, embedding_dim)
    return scale[at].unsqueeze(-1) * (values.to(torch.float32) - zero_point[at].unsqueeze(-1))


@operator(
    "(Tensor input, Tensor weight, Tensor weight_scale, Tensor weight_zero_point, int embedding_dim, int bits) "
    "-> Tensor",
)
def embedding(
    input: Tensor, weight: Tensor, weight_scale: Tensor, weight_zero_point: Tensor, embedding_dim: int, bits: int
) -> Tensor:
    """Row input[...] of the table, float32 [*input.shape, embedding_dim].

    input int32 or int64, any shape; weight uint8; weight_scale and weight_zero_point float32 [V]; bits 8 or 4. An
    index outside 0..V-1 is an OutsideError.
    """
    return _rows(input, weight, weight_scale, weight_zero_point, embedding_dim, bits)


@fake("embedding")
def _(
    input: Tensor, weight: Tensor, weight_scale: Tensor, weight_zero_point: Tensor, embedding_dim: int, bits: int
) -> Tensor:
    return weight_scale.new_empty([*input.shape, embedding_dim])


@operator(
    "(Tensor input, Tensor offsets, Tensor weight, Tensor weight_scale, Tensor weight_zero_point, "
    "Tensor? per_sample_weights, str mode, bool include_last_offset, int padding_idx, int embedding_dim, int bits) "
    "-> Tensor",
)
def embedding_bag(
    input: Tensor,
    offsets: Tensor,
    weight: Tensor,
    weight_scale: Tensor,
    weight_zero_point: Tensor,
    per_sample_weights: Tensor | None,
    mode: str,
    include_last_offset: bool,
    padding_idx: int,
    embedding_dim: int,
    bits: int,
) -> Tensor:
    """The sum, mean or maximum of each bag's rows, float32 [B, embedding_dim].

    Bag b is input[offsets[b]:offsets[b + 1]], the last one up to the end; with include_last_offset the last offset
    only ends a bag. Indices equal to padding_idx (-1: none) are left out. Rows are added in order:

        acc = f32(acc + v),  v = row, or f32(row * per_sample_weight)
        mean: f32(acc / f32(n)); max: acc = acc > v ? acc : v, from the first row; an empty bag is 0

    input and offsets int32 or int64, 1-D; per_sample_weights float32 like input, for mode 'sum'. An index outside the
    table, or an offset that does not begin at 0, ascend and stay within input, is an OutsideError.
    """
    count = input.shape[0]
    starts, ends = _bounds(offsets.to(torch.int64), count, include_last_offset)
    position = torch.arange(count, device=input.device)
    bag = torch.searchsorted(ends, position, right=True)
    kept = bag < len(ends)
    if padding_idx >= 0:
        kept = kept & (input != padding_idx)
    bag, position = bag[kept], position[kept]
    rows = _rows(input[kept], weight, weight_scale, weight_zero_point, embedding_dim, bits)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights[position].unsqueeze(-1)

    sizes = torch.bincount(bag, minlength=len(ends))
    first = sizes.cumsum(0) - sizes
    result = rows.new_zeros(len(starts), embedding_dim)
    for step in range(int(sizes.max()) if len(sizes) else 0):
        live = sizes > step
        row = rows[first[live] + step]
        if mode != "max":
            result[live] = result[live] + row
        elif step == 0:
            result[live] = row
        else:
            result[live] = torch.where(result[live] > row, result[live], row)
    if mode == "mean":
        result = result / sizes.clamp(min=1).to(torch.float32).unsqueeze(-1)
    return torch.where(torch.isnan(result), f32_tensor(float("nan"), result), result)


def _bounds(offsets: Tensor, count: int, include_last_offset: bool) -> tuple[Tensor, Tensor]:
    """Where each bag begins and ends."""
    bounds = offsets if include_last_offset else torch.cat([offsets, offsets.new_tensor([count])])
    bags = len(bounds) - 1
    if bags < 0 or (bags and (int(bounds[0]) != 0 or int(bounds[-1]) > count or bool((bounds.diff() < 0).any()))):
        raise OutsideError(
            f"offsets {offsets.tolist()} do not begin at 0, ascend and stay within the {count} indices of all bags"
        )
    return bounds[:-1], bounds[1:]


@fake("embedding_bag")
def _(
    input: Tensor,
    offsets: Tensor,
    weight: Tensor,
    weight_scale: Tensor,
    weight_zero_point: Tensor,
    per_sample_weights: Tensor | None,
    mode: str,
    include_last_offset: bool,
    padding_idx: int,
    embedding_dim: int,
    bits: int,
) -> Tensor:
    return weight_scale.new_empty([offsets.shape[0] - include_last_offset, embedding_dim])
