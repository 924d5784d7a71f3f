"""Embeddings whose table is fake quantized, each row with a scale and a float zero point: rule 16."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from qsdk.errors import QsdkError, QuantizationError
from qsdk.nn.qat.layer import FakeQuantizedLayer
from qsdk.qtensor import per_channel_affine_float_qparams, to_qscheme


class _Table(FakeQuantizedLayer):
    max_norm: float | None
    norm_type: float

    def __init__(self, *args: Any, qconfig: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, qconfig=qconfig, **kwargs)
        try:
            found = to_qscheme(getattr(self.weight_fake_quant, "qscheme", None))
        except QsdkError:
            found = None
        if found is not per_channel_affine_float_qparams or getattr(self.weight_fake_quant, "ch_axis", 0) != 0:
            raise QuantizationError(
                f"{type(self).__name__} needs a fake quantize with {per_channel_affine_float_qparams!r} along axis 0; "
                "use default_embedding_qat_qconfig, or set its qconfig to None"
            )

    def folded(self) -> tuple[Tensor, None]:
        """The table."""
        return self.weight, None

    def _table(self, input: Tensor) -> Tensor:
        """The fake quantized table. max_norm holds for the float rows, so that each value stays one of its grid."""
        if self.max_norm is not None:
            with torch.no_grad():
                torch.embedding_renorm_(self.weight.detach(), input.reshape(-1), self.max_norm, self.norm_type)
        table: Tensor = self.weight_fake_quant(self.weight)
        return table


class Embedding(_Table, nn.Embedding):
    """Rows of a fake quantized table; arguments as torch.nn.Embedding, and a qconfig.

    Raises:
        QuantizationError: the qconfig's weight is not fake quantized per row with a float zero point.
    """

    _FLOAT = nn.Embedding
    _ARGUMENTS = (
        "num_embeddings",
        "embedding_dim",
        "padding_idx",
        "max_norm",
        "norm_type",
        "scale_grad_by_freq",
        "sparse",
    )

    def forward(self, input: Tensor) -> Tensor:
        """Indices [...] to rows [..., embedding_dim]."""
        table = self._table(input)
        return F.embedding(
            input, table, self.padding_idx, scale_grad_by_freq=self.scale_grad_by_freq, sparse=self.sparse
        )


class EmbeddingBag(_Table, nn.EmbeddingBag):
    """Sums, means or maxima of the rows of a fake quantized table; as torch.nn.EmbeddingBag, and a qconfig.

    Raises:
        QuantizationError: the qconfig's weight is not fake quantized per row with a float zero point.
    """

    _FLOAT = nn.EmbeddingBag
    _ARGUMENTS = (
        "num_embeddings",
        "embedding_dim",
        "max_norm",
        "norm_type",
        "scale_grad_by_freq",
        "mode",
        "sparse",
        "include_last_offset",
        "padding_idx",
    )

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        """Indices [N, L], or [K] with offsets [N], to [N, embedding_dim]."""
        return F.embedding_bag(
            input,
            self._table(input),
            offsets,
            scale_grad_by_freq=self.scale_grad_by_freq,
            mode=self.mode,
            sparse=self.sparse,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )


__all__ = ["Embedding", "EmbeddingBag"]
