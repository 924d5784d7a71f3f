"""Embedding tables: rule 16. Indices come in, float tensors go out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor

from qsdk.dispatch import call
from qsdk.errors import IndexRangeError, QuantizationError, UnsupportedOperatorError
from qsdk.qtensor import QTensor, calling_module, quint4x2
from qsdk.reference.embedding import pack_nibbles


def table_constants(weight: QTensor) -> tuple[Tensor, Tensor, Tensor]:
    """A table [V, D] as the operators take it: its bytes (two 4-bit values in each), scales and zero points [V].

    Raises:
        QuantizationError: it is no table with a scale and a float zero point per row.
    """
    qparams = weight.qparams
    if not qparams.float_zero_point or weight.dim() != 2 or qparams.ch_axis not in (0, -2):
        raise QuantizationError(
            f"embedding{calling_module()} needs a table [V, D] with a float zero point per row, not one of shape "
            f"{list(weight.shape)} with {weight.qscheme()!r}; quantize it with quantize_per_channel along axis 0, and "
            "float zero points"
        )
    values = weight.storage
    return pack_nibbles(values) if weight.dtype is quint4x2 else values, qparams.scale, qparams.zero_point


def _need_indices(value: Any, what: str) -> Tensor:
    if not isinstance(value, Tensor) or value.dtype not in (torch.int32, torch.int64):
        raise QuantizationError(
            f"{what} got {getattr(value, 'dtype', type(value))}{calling_module()}, but takes indices of int32 or int64"
        )
    return value


def _outside(error: IndexError, what: str) -> NoReturn:
    raise IndexRangeError(
        f"{what}: {error}{calling_module()}; check what made the indices, such as the vocabulary"
    ) from None


def embedding_bound(input: Tensor, bound: Sequence[Tensor], embedding_dim: int, bits: int) -> Tensor:
    """embedding with table_constants."""
    input = _need_indices(input, "embedding")
    try:
        result: Tensor = call(torch.ops.qsdk.embedding.default, input, *bound, embedding_dim, bits)
    except IndexError as error:
        _outside(error, "embedding")
    return result


def embedding_bag_bound(
    input: Tensor,
    offsets: Tensor | None,
    bound: Sequence[Tensor],
    embedding_dim: int,
    bits: int,
    per_sample_weights: Tensor | None = None,
    mode: str = "sum",
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """embedding_bag with table_constants."""
    input = _need_indices(input, "embedding_bag")
    if mode not in ("sum", "mean", "max"):
        raise QuantizationError(f"embedding_bag has mode 'sum', 'mean' or 'max', not '{mode}'{calling_module()}")
    if per_sample_weights is not None:
        per_sample_weights = _weights_of(per_sample_weights, input, mode)
    if (input.dim(), offsets is None) not in ((1, False), (2, True)):
        raise QuantizationError(
            f"embedding_bag got indices of shape {list(input.shape)} with offsets "
            f"{None if offsets is None else list(offsets.shape)}{calling_module()}; give indices [B, N] without "
            "offsets, or indices [N] with offsets [B]"
        )
    if offsets is None:
        bags, length = input.shape
        offsets = torch.arange(bags, device=input.device) * length
        input, include_last_offset = input.reshape(-1), False
    padding = -1 if padding_idx is None else int(padding_idx)
    if padding < 0 and padding_idx is not None:
        padding += len(bound[1])
    try:
        result: Tensor = call(
            torch.ops.qsdk.embedding_bag.default,
            input,
            _need_indices(offsets, "embedding_bag"),
            *bound,
            per_sample_weights,
            mode,
            include_last_offset,
            padding,
            embedding_dim,
            bits,
        )
    except IndexError as error:
        _outside(error, "embedding_bag")
    return result


def _weights_of(value: Tensor, input: Tensor, mode: str) -> Tensor:
    if mode != "sum":
        raise UnsupportedOperatorError(f"per_sample_weights need mode 'sum', not '{mode}'{calling_module()}")
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.shape != input.shape:
        raise QuantizationError(
            f"per_sample_weights{calling_module()} have to be a float tensor of the shape of the indices, "
            f"{list(input.shape)}"
        )
    return value.detach().to(torch.float32).reshape(-1)


def _need_table(weight: Any, max_norm: float | None) -> QTensor:
    if max_norm is not None:
        raise UnsupportedOperatorError(
            f"embedding with max_norm{calling_module()}, which changes the table; apply it to the float table once, "
            "and pass None"
        )
    if not isinstance(weight, QTensor):
        raise QuantizationError(f"embedding{calling_module()} got a float table; quantize it per channel")
    return weight


def embedding(
    input: Tensor,
    weight: QTensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of a table, float32 [*input.shape, D]; arguments as torch's, those for training without effect.

    Args:
        input: int32 or int64 indices, any shape
        weight: a table [V, D] with float zero points along axis 0

    Raises:
        IndexRangeError: an index is outside 0..V-1.
    """
    table = _need_table(weight, max_norm)
    bits = 4 if table.dtype is quint4x2 else 8
    return embedding_bound(input, table_constants(table), table.shape[1], bits)


def embedding_bag(
    input: Tensor,
    weight: QTensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Sum, mean or maximum of each bag's rows, float32 [B, D]; arguments as torch's.

    Args:
        input: int32 or int64 indices [B, N], or [N] with offsets [B]
        weight: a table [V, D] with float zero points along axis 0

    Raises:
        IndexRangeError: an index is outside 0..V-1, or an offset outside the indices.
    """
    table = _need_table(weight, max_norm)
    bits = 4 if table.dtype is quint4x2 else 8
    return embedding_bag_bound(
        input,
        offsets,
        table_constants(table),
        table.shape[1],
        bits,
        per_sample_weights,
        mode,
        include_last_offset,
        padding_idx,
    )
