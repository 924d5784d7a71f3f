"""Attention whose projections are quantized as the model runs."""

from __future__ import annotations

from torch import nn
from typing_extensions import Self

from qsdk.nn.quantizable.attention import MultiheadAttention as _Attention
from qsdk.nn.quantized.dynamic.linear import Linear


class MultiheadAttention(_Attention):
    """torch.nn.MultiheadAttention on batches, with dynamically quantized linear layers; all else stays in float."""

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a torch.nn.MultiheadAttention with a dynamic qconfig.

        Raises:
            QuantizationError: it has bias_k, bias_v or add_zero_attn; names the layer.
        """
        result = super().from_float(mod)
        for name in ("linear_Q", "linear_K", "linear_V", "out_proj"):
            layer = getattr(result, name)
            layer.qconfig = mod.qconfig
            setattr(result, name, Linear.from_float(layer))
        return result
