"""Embedding tables of 8 or 4 bits; what they give is float."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from qsdk.errors import QuantizationError, UnsupportedOperatorError
from qsdk.nn.quantized import functional as qF
from qsdk.nn.quantized.base import QuantizedModule, place_of, quantize_weight, weight_observer, weight_qparams
from qsdk.qtensor import (
    QParams,
    QTensor,
    per_channel_affine_float_qparams,
    quint4x2,
    quint8,
    to_qdtype,
    to_qscheme,
)
from qsdk.reference.embedding import unpack_nibbles


class Embedding(QuantizedModule):
    """Rows of a quantized table; arguments as torch.nn.Embedding, those for training without effect.

    Args:
        num_embeddings, embedding_dim: V and D of the table [V, D]
        dtype: quint8 or quint4x2, ours or torch's
        _weight: the table, quantized with float zero points along axis 0; zeros if None

    Buffers:
        qweight: uint8 [V, D], or [V, ceil(D / 2)] with two 4-bit values a byte, the low nibble first
        weight_scale, weight_zero_point: float32 [V]

    Raises:
        UnsupportedOperatorError: max_norm is given.
    """

    qweight: Tensor
    weight_scale: Tensor
    weight_zero_point: Tensor

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: QTensor | None = None,
        dtype: Any = quint8,
    ) -> None:
        super().__init__()
        if max_norm is not None:
            raise UnsupportedOperatorError(
                f"{type(self).__name__} with max_norm={max_norm}, which would change the table while it is used; "
                "from_float applies it to the float table"
            )
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx
        self._empty_table(dtype)
        self.register_buffer("weight_scale", torch.ones(num_embeddings))
        self.register_buffer("weight_zero_point", torch.zeros(num_embeddings))
        if _weight is not None:
            self.set_weight(_weight)

    def _empty_table(self, dtype: Any, device: Any = None) -> None:
        self.dtype = to_qdtype(dtype)
        if self.dtype not in (quint8, quint4x2):
            raise QuantizationError(
                f"{place_of(self)}: tables are qsdk.quint8 or qsdk.quint4x2, not {self.dtype!r}; use one of these"
            )
        columns = self.embedding_dim if self._bits == 8 else -(-self.embedding_dim // 2)
        table = torch.zeros(self.num_embeddings, columns, dtype=torch.uint8, device=device)
        self.register_buffer("qweight", table)

    @property
    def _bits(self) -> int:
        return 4 if self.dtype is quint4x2 else 8

    @property
    def _table(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.qweight, self.weight_scale, self.weight_zero_point

    def forward(self, indices: Tensor) -> Tensor:
        """int32 or int64 of any shape to float32 [*shape, D].

        Raises:
            IndexRangeError: an index is outside 0..V-1; names the layer.
        """
        return qF.embedding_bound(indices, self._table, self.embedding_dim, self._bits)

    def weight(self) -> QTensor:
        """A copy of the table [V, D], quantized with a scale and a float zero point per row."""
        values = unpack_nibbles(self.qweight, self.embedding_dim) if self._bits == 4 else self.qweight.clone()
        return QTensor(values, QParams(self.weight_scale, self.weight_zero_point, self.dtype, ch_axis=0))

    def set_weight(self, w: QTensor) -> None:
        """Replace the table; its dtype becomes the layer's.

        Raises:
            QuantizationError: it is not [V, D] with float zero points along axis 0.
        """
        if list(w.shape) != [self.num_embeddings, self.embedding_dim]:
            raise QuantizationError(
                f"{place_of(self)}: a table of shape {list(w.shape)}, but the layer needs "
                f"{[self.num_embeddings, self.embedding_dim]}"
            )
        table, scale, zero_point = (part.to(w.device).clone() for part in qF.table_constants(w))
        self.dtype = w.dtype
        self.qweight, self.weight_scale, self.weight_zero_point = table, scale, zero_point

    @classmethod
    def from_float(cls, mod: nn.Module) -> Embedding:
        """From nn.Embedding with a qconfig for tables, or its quantization-aware counterpart.

        Raises:
            QuantizationError: the qconfig is not for tables, or weights are not finite; names the layer.
        """
        assert isinstance(mod, nn.Embedding)
        result = cls(mod.num_embeddings, mod.embedding_dim, mod.padding_idx, _weight=_quantized_table(mod))
        result._qualified_name = mod.__dict__.get("_qualified_name", "")
        return result

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "bits"] = torch.tensor(self._bits)

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        *others: Any,
    ) -> None:
        # Taken out while the base class looks, which would call it unexpected; the caller may load it again.
        bits = state_dict.pop(prefix + "bits", None)
        if bits is None:
            missing_keys.append(prefix + "bits")
        elif int(bits) != self._bits:
            self._empty_table(quint4x2 if int(bits) == 4 else quint8, self.qweight.device)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing_keys, *others)
        if bits is not None:
            state_dict[prefix + "bits"] = bits

    def extra_repr(self) -> str:
        """Sizes and dtype."""
        return f"num_embeddings={self.num_embeddings}, embedding_dim={self.embedding_dim}, dtype={self.dtype!r}"


class EmbeddingBag(Embedding):
    """Sums, means or maxima of rows of a quantized table; arguments as torch.nn.EmbeddingBag.

    Args:
        mode: 'sum', 'mean' or 'max'
        include_last_offset: the last offset only ends a bag
        padding_idx: rows that are left out of every bag; the other arguments are those of Embedding
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "sum",
        sparse: bool = False,
        _weight: QTensor | None = None,
        include_last_offset: bool = False,
        dtype: Any = quint8,
        padding_idx: int | None = None,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx, max_norm, _weight=_weight, dtype=dtype)
        self.mode = mode
        self.include_last_offset = include_last_offset

    def forward(
        self, indices: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None
    ) -> Tensor:
        """Bags of indices to float32 [B, D].

        Args:
            indices: int32 or int64 [B, N], or [N] with offsets
            offsets: int32 or int64 [B], or [B + 1] with include_last_offset: where each bag begins
            per_sample_weights: float factors of the rows, of the shape of the indices; for mode 'sum'

        Raises:
            IndexRangeError: an index is outside 0..V-1, or an offset outside the indices; names the layer.
        """
        return qF.embedding_bag_bound(
            indices,
            offsets,
            self._table,
            self.embedding_dim,
            self._bits,
            per_sample_weights,
            self.mode,
            self.include_last_offset,
            self.padding_idx,
        )

    @classmethod
    def from_float(cls, mod: nn.Module) -> EmbeddingBag:
        """From nn.EmbeddingBag with a qconfig for tables, or its quantization-aware counterpart.

        Raises:
            QuantizationError: the qconfig is not for tables, or weights are not finite; names the layer.
        """
        assert isinstance(mod, nn.EmbeddingBag)
        result = cls(
            mod.num_embeddings,
            mod.embedding_dim,
            mode=mod.mode,
            _weight=_quantized_table(mod),
            include_last_offset=mod.include_last_offset,
            padding_idx=mod.padding_idx,
        )
        result._qualified_name = mod.__dict__.get("_qualified_name", "")
        return result

    def extra_repr(self) -> str:
        """Sizes, dtype and mode."""
        return f"{super().extra_repr()}, mode='{self.mode}'"


def _quantized_table(mod: Any) -> QTensor:
    """The rows, none longer than max_norm, by the weight observer of a layer's qconfig or as training had them."""
    place = place_of(mod)
    observer = weight_observer(mod, place)
    qscheme = getattr(observer, "qscheme", None)
    if qscheme is None or to_qscheme(qscheme) is not per_channel_affine_float_qparams:
        raise QuantizationError(
            f"{place}: the weight of its qconfig has the qscheme {qscheme!r}, but tables need "
            f"{per_channel_affine_float_qparams!r}; set its qconfig to float_qparams_weight_only_qconfig or "
            "float_qparams_weight_only_qconfig_4bit, or to None to leave it in float"
        )
    rows = mod.weight.detach()
    if mod.max_norm is not None:
        every = torch.arange(len(rows), device=rows.device)
        rows = torch.embedding_renorm_(rows.clone(), every, mod.max_norm, mod.norm_type)
    qparams = weight_qparams(mod, observer, rows, place)
    if qparams.ch_axis not in (0, -2):
        raise QuantizationError(f"{place}: its table is quantized along axis {qparams.ch_axis}; use ch_axis=0")
    return quantize_weight(rows, qparams)
