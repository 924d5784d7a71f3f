"""torch.nn's Transformer layers without their fast paths: every step is a module that is observed and quantized."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.nn import functional as F
from typing_extensions import Self

from qsdk.errors import QuantizationError
from qsdk.nn.quantizable.attention import MultiheadAttention
from qsdk.nn.quantized.base import place_of
from qsdk.nn.quantized.functional_modules import FloatFunctional

_ACTIVATIONS: dict[Any, Callable[[], nn.Module]] = {F.relu: nn.ReLU, F.gelu: nn.GELU}


def _activation(source: Any) -> nn.Module:
    if isinstance(source.activation, nn.Module):
        return source.activation
    if source.activation not in _ACTIVATIONS:
        raise QuantizationError(
            f"{place_of(source)} has an activation that is no module; use nn.ReLU(), nn.GELU() or a module of your own"
        )
    return _ACTIVATIONS[source.activation]()


class _Layer(nn.Module):
    """What encoder and decoder layers share. Made by from_float, of the float layer's own parts."""

    def __init__(self, source: Any, attentions: int) -> None:
        super().__init__()
        self.self_attn = MultiheadAttention.from_float(source.self_attn)
        self.linear1, self.dropout, self.linear2 = source.linear1, source.dropout, source.linear2
        self.activation, self.norm_first = _activation(source), source.norm_first
        self.norms = nn.ModuleList(getattr(source, f"norm{i + 1}") for i in range(attentions + 1))
        self.dropouts = nn.ModuleList(getattr(source, f"dropout{i + 1}") for i in range(attentions + 1))
        self.sums = nn.ModuleList(FloatFunctional() for _ in range(attentions + 1))
        self.train(source.training)

    def _step(self, position: int, x: Any, part: Callable[[Any], Any]) -> Any:
        """One residual branch: norm(x + part(x)), or x + part(norm(x))."""
        total: Any = self.sums[position]
        y = part(self.norms[position](x) if self.norm_first else x)
        x = total.add(x, self.dropouts[position](y))
        return x if self.norm_first else self.norms[position](x)

    def _feed_forward(self, x: Any) -> Any:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Layer):
    """torch.nn.TransformerEncoderLayer on batches."""

    def forward(self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False) -> Any:
        """As torch.nn.TransformerEncoderLayer; masks as MultiheadAttention takes them."""

        def attend(x: Any) -> Any:
            return self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0]

        return self._step(1, self._step(0, src, attend), self._feed_forward)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a torch.nn.TransformerEncoderLayer."""
        return cls(mod, 1)


class TransformerDecoderLayer(_Layer):
    """torch.nn.TransformerDecoderLayer on batches."""

    def __init__(self, source: Any, attentions: int) -> None:
        super().__init__(source, attentions)
        self.multihead_attn = MultiheadAttention.from_float(source.multihead_attn)

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Any:
        """As torch.nn.TransformerDecoderLayer; masks as MultiheadAttention takes them."""

        def attend(x: Any) -> Any:
            return self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]

        def look(x: Any) -> Any:
            masks = (memory_key_padding_mask, False, memory_mask)
            return self.multihead_attn(x, memory, memory, *masks, is_causal=memory_is_causal)[0]

        return self._step(2, self._step(1, self._step(0, tgt, attend), look), self._feed_forward)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a torch.nn.TransformerDecoderLayer."""
        return cls(mod, 2)


class _Stack(nn.Module):
    """Layers, one after the other, and perhaps a norm."""

    def __init__(self, source: Any, kind: Any) -> None:
        super().__init__()
        self.layers = nn.ModuleList(swapped(layer, kind) for layer in source.layers)
        self.norm = source.norm
        self.train(source.training)

    def _all(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        for layer in self.layers:
            x = layer(x, *args, **kwargs)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """torch.nn.TransformerEncoder on batches."""

    def forward(self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: Any = None) -> Any:
        """As torch.nn.TransformerEncoder; a mask that is given is taken as it is, is_causal or not."""
        causal = bool(is_causal) and mask is None
        return self._all(src, mask, src_key_padding_mask, is_causal=causal)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a torch.nn.TransformerEncoder."""
        return cls(mod, TransformerEncoderLayer)


class TransformerDecoder(_Stack):
    """torch.nn.TransformerDecoder on batches."""

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: Any = None,
        memory_is_causal: bool = False,
    ) -> Any:
        """As torch.nn.TransformerDecoder; a mask that is given is taken as it is."""
        return self._all(
            tgt,
            memory,
            tgt_mask,
            memory_mask,
            tgt_key_padding_mask,
            memory_key_padding_mask,
            bool(tgt_is_causal) and tgt_mask is None,
            memory_is_causal and memory_mask is None,
        )

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a torch.nn.TransformerDecoder."""
        return cls(mod, TransformerDecoderLayer)


def swapped(layer: nn.Module, kind: Any) -> nn.Module:
    """`layer` as a `kind`, with its qconfig where its parts have none; a layer of another class as it is."""
    if type(layer) not in swappable():
        return layer
    made: nn.Module = kind.from_float(layer)
    for module in made.modules():
        if not hasattr(module, "qconfig") and hasattr(layer, "qconfig"):
            module.qconfig = layer.qconfig
    return made


def swappable() -> dict[type[nn.Module], Any]:
    """torch.nn's modules, and what stands for each."""
    return {
        nn.MultiheadAttention: MultiheadAttention,
        nn.TransformerEncoderLayer: TransformerEncoderLayer,
        nn.TransformerDecoderLayer: TransformerDecoderLayer,
        nn.TransformerEncoder: TransformerEncoder,
        nn.TransformerDecoder: TransformerDecoder,
    }
