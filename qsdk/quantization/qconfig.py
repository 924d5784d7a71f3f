"""QConfig: which observers, or fake quantize modules, watch a layer's output and its weight."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import torch
from torch import nn
from typing_extensions import Self

from qsdk.errors import QuantizationError
from qsdk.qtensor import qint8, quint8
from qsdk.quantization.fake_quantize import (
    FakeQuantize,
    FusedMovingAvgObsFakeQuantize,
    default_embedding_fake_quant,
    default_embedding_fake_quant_4bit,
    default_fake_quant,
    default_fused_act_fake_quant,
    default_fused_per_channel_wt_fake_quant,
    default_fused_wt_fake_quant,
    default_per_channel_weight_fake_quant,
    default_weight_fake_quant,
    fused_per_channel_wt_fake_quant_range_neg_127_to_127,
    fused_wt_fake_quant_range_neg_127_to_127,
)
from qsdk.quantization.observer import (
    HistogramObserver,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    NoopObserver,
    PartialObserver,
    PerGroupMinMaxObserver,
    PlaceholderObserver,
    default_debug_observer,
    default_dynamic_quant_observer,
    default_float_qparams_observer,
    default_float_qparams_observer_4bit,
    default_observer,
    default_per_channel_weight_observer,
    default_placeholder_observer,
    default_reuse_input_observer,
    default_weight_observer,
    per_channel_weight_observer_range_neg_127_to_127,
    weight_observer_range_neg_127_to_127,
)


class _QConfigFields(NamedTuple):
    activation: Any
    weight: Any


class QConfig(_QConfigFields):
    """Constructors of the observers for a layer's output and its weight.

    Args:
        activation, weight: observer or fake quantize classes, or with_args of them; not instances, because each layer
            gets its own
    """

    __slots__ = ()

    def __new__(cls, activation: Any, weight: Any) -> Self:
        if isinstance(activation, nn.Module) or isinstance(weight, nn.Module):
            raise QuantizationError(
                f"{cls.__name__} takes observer classes, not instances; pass MyObserver.with_args(...)"
            )
        return super().__new__(cls, activation, weight)


class QConfigDynamic(QConfig):
    """QConfig for dynamic quantization, which observes weights only. QConfig itself does as well."""

    __slots__ = ()

    def __new__(cls, activation: Any = nn.Identity, weight: Any = nn.Identity) -> Self:
        return super().__new__(cls, activation, weight)


QConfigAny = QConfig | None  # what a layer's qconfig may be; None leaves it in float


def qconfig_equals(q1: QConfigAny, q2: QConfigAny) -> bool:
    """Whether two qconfigs make the same observers with the same arguments."""
    if q1 is None or q2 is None:
        return q1 is q2
    return all(_recipe(a) == _recipe(b) for a, b in zip(q1, q2, strict=True))


def _recipe(constructor: Any) -> Any:
    """The class and the arguments of an observer's constructor."""
    if isinstance(constructor, PartialObserver):
        return _recipe(constructor.p), constructor.callable_args
    if isinstance(constructor, functools.partial):
        keywords = {name: _recipe(value) for name, value in constructor.keywords.items()}
        return _recipe(constructor.func), constructor.args, keywords
    return constructor


def is_static(qconfig: QConfig) -> bool:
    """Whether a qconfig's activations are observed; else they stay float, or are quantized as the model runs."""
    observer = qconfig.activation()
    passive = (nn.Identity, NoopObserver, PlaceholderObserver)
    return not isinstance(observer, passive) and not getattr(observer, "is_dynamic", False)


def is_dynamic(qconfig: QConfig) -> bool:
    """Whether a qconfig's activations are quantized as the model runs."""
    return isinstance(qconfig, QConfigDynamic) or bool(getattr(qconfig.activation(), "is_dynamic", False))


def is_weight_only(qconfig: QConfig) -> bool:
    """Whether a qconfig has qint8 weights and activations that stay float."""
    activation = qconfig.activation()
    stays_float = isinstance(activation, nn.Identity) or (
        isinstance(activation, PlaceholderObserver) and activation.dtype is torch.float32
    )
    if not stays_float or is_dynamic(qconfig):
        return False
    weight = qconfig.weight()
    return hasattr(weight, "calculate_qparams") and getattr(weight, "dtype", None) is qint8


# Static quantization
default_qconfig = QConfig(default_observer, default_weight_observer)
default_per_channel_qconfig = QConfig(default_observer, default_per_channel_weight_observer)
default_debug_qconfig = QConfig(default_debug_observer, default_weight_observer)
default_reuse_input_qconfig = QConfig(default_reuse_input_observer, NoopObserver)
default_quint8_weight_qconfig = QConfig(HistogramObserver, MinMaxObserver)
_SYMMETRIC_QNNPACK_ACTIVATION = HistogramObserver.with_args(dtype=qint8, reduce_range=False, eps=2**-12)
default_symmetric_qnnpack_qconfig = QConfig(_SYMMETRIC_QNNPACK_ACTIVATION, weight_observer_range_neg_127_to_127)
default_per_channel_symmetric_qnnpack_qconfig = QConfig(
    _SYMMETRIC_QNNPACK_ACTIVATION, per_channel_weight_observer_range_neg_127_to_127
)

# Dynamic and weight-only quantization
default_dynamic_qconfig = QConfig(default_dynamic_quant_observer, default_weight_observer)
per_channel_dynamic_qconfig = QConfig(default_dynamic_quant_observer, default_per_channel_weight_observer)
float16_dynamic_qconfig = QConfig(
    PlaceholderObserver.with_args(dtype=torch.float16, is_dynamic=True),
    PlaceholderObserver.with_args(dtype=torch.float16),
)
float16_static_qconfig = QConfig(
    PlaceholderObserver.with_args(dtype=torch.float16), PlaceholderObserver.with_args(dtype=torch.float16)
)
float_qparams_weight_only_qconfig = QConfig(default_placeholder_observer, default_float_qparams_observer)
float_qparams_weight_only_qconfig_4bit = QConfig(default_placeholder_observer, default_float_qparams_observer_4bit)
default_weight_only_qconfig = QConfig(nn.Identity, default_weight_fake_quant)

# Quantization-aware training
default_qat_qconfig = QConfig(default_fake_quant, default_weight_fake_quant)
default_qat_qconfig_v2 = QConfig(default_fused_act_fake_quant, default_fused_wt_fake_quant)
default_embedding_qat_qconfig = QConfig(NoopObserver.with_args(dtype=torch.float32), default_embedding_fake_quant)
default_embedding_qat_qconfig_4bit = QConfig(
    NoopObserver.with_args(dtype=torch.float32), default_embedding_fake_quant_4bit
)
default_activation_only_qconfig = QConfig(default_fake_quant, nn.Identity)
_SYMMETRIC_QNNPACK_FAKE_QUANT = FusedMovingAvgObsFakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver, quant_min=-128, quant_max=127, dtype=qint8, eps=2**-12
)
default_symmetric_qnnpack_qat_qconfig = QConfig(_SYMMETRIC_QNNPACK_FAKE_QUANT, fused_wt_fake_quant_range_neg_127_to_127)
default_per_channel_symmetric_qnnpack_qat_qconfig = QConfig(
    _SYMMETRIC_QNNPACK_FAKE_QUANT, fused_per_channel_wt_fake_quant_range_neg_127_to_127
)

_REDUCED = HistogramObserver.with_args(reduce_range=True)
_FULL = HistogramObserver.with_args(reduce_range=False)
_DEFAULTS = {
    "qsdk": QConfig(HistogramObserver.with_args(dtype=qint8), default_per_channel_weight_observer),
    "fbgemm": QConfig(_REDUCED, default_per_channel_weight_observer),
    "x86": QConfig(_REDUCED, default_per_channel_weight_observer),
    "onednn": QConfig(_FULL, default_per_channel_weight_observer),
    "qnnpack": QConfig(_FULL, default_weight_observer),
}


def get_default_qconfig(backend: str = "qsdk", version: int = 0) -> QConfig:
    """The recommended settings of a backend, for static quantization.

    'qsdk' uses all 8 bits of activations and per-channel weights; take it unless results have to match another library.
    'fbgemm' and 'x86' leave one bit of activations unused (which no kernel of qsdk needs), 'qnnpack' has per-tensor
    weights.

    Raises:
        QuantizationError: no such backend or version.
    """
    _check_backend(backend)
    if version != 0:
        raise QuantizationError(f"get_default_qconfig has version 0, not {version}")
    return _DEFAULTS[backend]


def get_default_qat_qconfig(backend: str = "qsdk", version: int | None = 1) -> QConfig:
    """The recommended settings of a backend, for quantization-aware training.

    Ranges as get_default_qconfig's; activations by moving averages, since a histogram takes too long in training.

    Args:
        backend: 'qsdk', 'fbgemm', 'x86', 'onednn' or 'qnnpack'
        version: 1 uses FusedMovingAvgObsFakeQuantize, 0 and None FakeQuantize

    Raises:
        QuantizationError: no such backend or version.
    """
    _check_backend(backend)
    if version not in (None, 0, 1):
        raise QuantizationError(f"get_default_qat_qconfig has versions 0 and 1, not {version}")
    signed = backend == "qsdk"
    kind = FusedMovingAvgObsFakeQuantize if version == 1 else FakeQuantize
    activation = kind.with_args(
        observer=MovingAverageMinMaxObserver,
        quant_min=-128 if signed else 0,
        quant_max=127 if signed else 255,
        dtype=qint8 if signed else quint8,
        reduce_range=backend in ("fbgemm", "x86"),
    )
    per_channel = backend != "qnnpack"
    if version == 1:
        return QConfig(
            activation, default_fused_per_channel_wt_fake_quant if per_channel else default_fused_wt_fake_quant
        )
    return QConfig(activation, default_per_channel_weight_fake_quant if per_channel else default_weight_fake_quant)


def weight_only_qconfig(bits: int = 8, group_size: int | None = None) -> QConfig:
    """Linear layers and convolutions whose weights alone are quantized; activations stay float.

    Args:
        bits: 8 or 4
        group_size: values that share a scale, a multiple of 32 such as 32, 64 or 128; 0: those of an output channel.
            None: 0 for 8 bits, 32 for 4

    Raises:
        QuantizationError: other bits, or a group size that is no multiple of 32.
    """
    if bits not in (8, 4):
        raise QuantizationError(f"weight_only_qconfig has 8 or 4 bits, not {bits}")
    group_size = (32 if bits == 4 else 0) if group_size is None else group_size
    limits = {"quant_min": -(2 ** (bits - 1)), "quant_max": 2 ** (bits - 1) - 1}
    if group_size == 0:
        return QConfig(default_placeholder_observer, default_per_channel_weight_observer.with_args(**limits))
    PerGroupMinMaxObserver(group_size)
    return QConfig(default_placeholder_observer, PerGroupMinMaxObserver.with_args(group_size=group_size, **limits))


def _check_backend(backend: str) -> None:
    if backend not in _DEFAULTS:
        raise QuantizationError(f"no default qconfig for backend '{backend}'; use one of {', '.join(_DEFAULTS)}")


__all__ = [
    "QConfig",
    "QConfigAny",
    "QConfigDynamic",
    "default_activation_only_qconfig",
    "default_debug_qconfig",
    "default_dynamic_qconfig",
    "default_embedding_qat_qconfig",
    "default_embedding_qat_qconfig_4bit",
    "default_per_channel_qconfig",
    "default_per_channel_symmetric_qnnpack_qat_qconfig",
    "default_per_channel_symmetric_qnnpack_qconfig",
    "default_qat_qconfig",
    "default_qat_qconfig_v2",
    "default_qconfig",
    "default_quint8_weight_qconfig",
    "default_reuse_input_qconfig",
    "default_symmetric_qnnpack_qat_qconfig",
    "default_symmetric_qnnpack_qconfig",
    "default_weight_only_qconfig",
    "float16_dynamic_qconfig",
    "float16_static_qconfig",
    "float_qparams_weight_only_qconfig",
    "float_qparams_weight_only_qconfig_4bit",
    "get_default_qat_qconfig",
    "get_default_qconfig",
    "per_channel_dynamic_qconfig",
    "qconfig_equals",
    "weight_only_qconfig",
]
