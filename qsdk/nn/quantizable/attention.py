"""Attention of linear layers, products and a softmax, each of which is observed and quantized."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import Self

from qsdk.errors import QuantizationError
from qsdk.nn.quantized.base import place_of
from qsdk.nn.quantized.functional_modules import FloatFunctional
from qsdk.spellings import allowed_positions, causal_mask


class MultiheadAttention(nn.Module):
    """torch.nn.MultiheadAttention on batches. Keys that a mask takes out get a weight of exactly 0; a query that has no
    key left gets zeros.

    Args:
        embed_dim, num_heads, dropout, bias, kdim, vdim, batch_first: as torch.nn.MultiheadAttention has them
    """

    in_proj_bias = None  # so torch.nn.TransformerEncoderLayer calls it and does not read its weights

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
    ) -> None:
        super().__init__()
        if embed_dim % num_heads:
            raise QuantizationError(f"embed_dim {embed_dim} is not a multiple of num_heads {num_heads}")
        self.embed_dim, self.num_heads, self.batch_first = embed_dim, num_heads, batch_first
        self.head_dim = embed_dim // num_heads
        self.linear_Q = nn.Linear(embed_dim, embed_dim, bias)
        self.linear_K = nn.Linear(embed_dim if kdim is None else kdim, embed_dim, bias)
        self.linear_V = nn.Linear(embed_dim if vdim is None else vdim, embed_dim, bias)
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias)
        self.scaled, self.scores, self.weights, self.mixed = (FloatFunctional() for _ in range(4))
        self.dropout = nn.Dropout(dropout)

    def _heads(self, x: Any) -> Any:
        """[N, L, E] or [L, N, E] to [N, heads, L, E / heads]."""
        x = x.unflatten(-1, (self.num_heads, self.head_dim))
        return x.transpose(1, 2) if self.batch_first else x.permute(1, 2, 0, 3)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Any, Any]:
        """query [N, L, E], key and value [N, S, ...] if batch_first, else with the first two axes exchanged.

        Args:
            key_padding_mask: [N, S]; attn_mask: [L, S], [N, 1, L, S] or [N, heads, L, S]. bool: True takes a key out.
                float: -inf does, and everything else is 0
            is_causal: no query sees later keys; attn_mask is left out then

        Returns:
            like query; and the weights [N, L, S], [N, heads, L, S] without average_attn_weights, None without
            need_weights.
        """
        allowed = _together(
            causal_mask(query, key, 1 if self.batch_first else 0) if is_causal else _allowed(attn_mask),
            None if key_padding_mask is None else _allowed(key_padding_mask).unsqueeze(1).unsqueeze(2),
        )
        q = self._heads(self.scaled.mul_scalar(self.linear_Q(query), self.head_dim**-0.5))
        k, v = self._heads(self.linear_K(key)), self._heads(self.linear_V(value))
        weights = self.weights.softmax(self.scores.matmul(q, k.transpose(-2, -1)), -1, allowed)
        mixed = self.mixed.matmul(self.dropout(weights), v)
        mixed = mixed.transpose(1, 2) if self.batch_first else mixed.permute(2, 0, 1, 3)
        output = self.out_proj(mixed.flatten(-2))
        if not need_weights:
            return output, None
        return output, weights.mean(1) if average_attn_weights else weights

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a torch.nn.MultiheadAttention; parameters are copied.

        Raises:
            QuantizationError: it has bias_k, bias_v or add_zero_attn; names the layer.
        """
        source: Any = mod
        if source.bias_k is not None or source.bias_v is not None or source.add_zero_attn:
            raise QuantizationError(
                f"{place_of(mod)} adds a key (add_bias_kv or add_zero_attn), which has no quantized counterpart; set "
                "its qconfig to None to leave it in float"
            )
        bias = source.in_proj_bias is not None
        result = cls(
            source.embed_dim, source.num_heads, source.dropout, bias, source.kdim, source.vdim, source.batch_first
        )
        projections = (result.linear_Q, result.linear_K, result.linear_V)
        if source.in_proj_weight is not None:
            weights = source.in_proj_weight.chunk(3)
        else:
            weights = source.q_proj_weight, source.k_proj_weight, source.v_proj_weight
        biases = source.in_proj_bias.chunk(3) if bias else (None, None, None)
        pairs = [(source.out_proj.weight, source.out_proj.bias), *zip(weights, biases, strict=True)]
        layers: tuple[Any, ...] = (result.out_proj, *projections)
        for layer, (weight, offset) in zip(layers, pairs, strict=True):
            layer.weight = _copied(weight)
            layer.bias = None if offset is None else _copied(offset)
        return result.train(mod.training)


def _copied(value: Tensor) -> nn.Parameter:
    return nn.Parameter(value.detach().clone(), requires_grad=value.requires_grad)


def _allowed(mask: Any) -> Any:
    return None if mask is None else allowed_positions(mask)


def _together(first: Any, second: Any) -> Any:
    if first is None or second is None:
        return second if first is None else first
    return torch.logical_and(first, second)
