"""QConfig: which observers watch a layer's output and its weight."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

from torch import nn
from typing_extensions import Self

from qsdk.errors import QuantizationError
from qsdk.qtensor import qint8
from qsdk.quantization.observer import (
    MinMaxObserver,
    default_observer,
    default_per_channel_weight_observer,
    default_weight_observer,
)


class _QConfigFields(NamedTuple):
    activation: Any
    weight: Any


Q = TypeVar("Q", bound="QConfig")


class QConfig(_QConfigFields):
    """Constructors of the observers for a layer's output and its weight.

    Args:
        activation, weight: observer classes, or with_args of them; not instances, because each layer gets its own
    """

    __slots__ = ()

    def __new__(cls, activation: Any, weight: Any) -> Self:
        if isinstance(activation, nn.Module) or isinstance(weight, nn.Module):
            raise QuantizationError("QConfig takes observer classes, not instances; pass MyObserver.with_args(...)")
        return super().__new__(cls, activation, weight)


default_qconfig = QConfig(default_observer, default_weight_observer)
default_per_channel_qconfig = QConfig(default_observer, default_per_channel_weight_observer)

# torch.ao's settings for these backends, with MinMaxObserver in place of its HistogramObserver.
_DEFAULTS = {
    "fbgemm": QConfig(MinMaxObserver.with_args(reduce_range=True), default_per_channel_weight_observer),
    "x86": QConfig(MinMaxObserver.with_args(reduce_range=True), default_per_channel_weight_observer),
    "qnnpack": QConfig(MinMaxObserver.with_args(reduce_range=False), default_weight_observer),
    "qsdk": QConfig(MinMaxObserver.with_args(dtype=qint8), default_per_channel_weight_observer),
}


def get_default_qconfig(backend: str = "qsdk") -> QConfig:
    """The recommended settings of a backend.

    'qsdk' uses all 8 bits of activations and per-channel weights; take it unless results have to match another library.
    'fbgemm' and 'x86' leave one bit of activations unused, 'qnnpack' has per-tensor weights.

    Raises:
        QuantizationError: no such backend.
    """
    if backend not in _DEFAULTS:
        raise QuantizationError(f"no default qconfig for backend '{backend}'; use one of {', '.join(_DEFAULTS)}")
    return _DEFAULTS[backend]
