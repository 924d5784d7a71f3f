"""Observers: they watch tensors during calibration and choose scale and zero point.

Scale and zero point are those that torch.ao.quantization's observers of the same names choose on the same data.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from qsdk.errors import QuantizationError
from qsdk.qtensor import QScheme, qint8, quint4x2, quint8
from qsdk.quantization.observer_base import ObserverBase, PartialObserver, UniformQuantizationObserverBase
from qsdk.quantization.observer_histogram import HistogramObserver
from qsdk.quantization.observer_min_max import (
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    PerChannelMinMaxObserver,
    PerGroupMinMaxObserver,
)
from qsdk.quantization.observer_passive import (
    FixedQParamsObserver,
    NoopObserver,
    PlaceholderObserver,
    RecordingObserver,
    ReuseInputObserver,
)

default_observer = MinMaxObserver.with_args(quant_min=0, quant_max=127)
default_histogram_observer = HistogramObserver.with_args(quant_min=0, quant_max=127)
default_placeholder_observer = PlaceholderObserver
default_debug_observer = RecordingObserver
default_reuse_input_observer = ReuseInputObserver
default_weight_observer = MinMaxObserver.with_args(dtype=qint8, qscheme=QScheme.per_tensor_symmetric)
default_per_channel_weight_observer = PerChannelMinMaxObserver.with_args(
    dtype=qint8, qscheme=QScheme.per_channel_symmetric
)
# Without -128 and with a larger lowest scale, for libraries whose kernels need that.
weight_observer_range_neg_127_to_127 = default_weight_observer.with_args(quant_min=-127, quant_max=127, eps=2**-12)
per_channel_weight_observer_range_neg_127_to_127 = default_per_channel_weight_observer.with_args(
    quant_min=-127, quant_max=127, eps=2**-12
)
default_dynamic_quant_observer = PlaceholderObserver.with_args(
    dtype=quint8, quant_min=0, quant_max=255, is_dynamic=True
)
default_float_qparams_observer = PerChannelMinMaxObserver.with_args(
    dtype=quint8, qscheme=QScheme.per_channel_affine_float_qparams, ch_axis=0
)
default_float_qparams_observer_4bit = default_float_qparams_observer.with_args(dtype=quint4x2)
default_fixed_qparams_range_neg1to1_observer = FixedQParamsObserver.with_args(scale=2.0 / 256.0, zero_point=128)
default_fixed_qparams_range_0to1_observer = FixedQParamsObserver.with_args(scale=1.0 / 256.0, zero_point=0)
default_symmetric_fixed_qparams_observer = default_fixed_qparams_range_neg1to1_observer
default_affine_fixed_qparams_observer = default_fixed_qparams_range_0to1_observer


def get_observer_state_dict(mod: nn.Module) -> dict[str, Any]:
    """The entries of a prepared model's state_dict that belong to observers and fake quantize modules.

    For load_observer_state_dict on the same model, prepared in the same way, so that calibration need not run again.
    """
    names = {
        name for name, module in mod.named_modules() if isinstance(module, ObserverBase) or _fake_quantizes(module)
    }
    return {key: value for key, value in mod.state_dict().items() if key.rpartition(".")[0] in names}


def load_observer_state_dict(mod: nn.Module, obs_dict: dict[str, Any]) -> None:
    """Give a prepared model what get_observer_state_dict returned.

    Raises:
        QuantizationError: an entry is missing, or belongs to no observer of the model; names it.
    """
    wanted = get_observer_state_dict(mod).keys()
    different = sorted(wanted ^ obs_dict.keys())
    if different:
        where = "is missing" if different[0] in wanted else "belongs to no observer of the model"
        raise QuantizationError(f"load_observer_state_dict: entry '{different[0]}' {where}; prepare the same model")
    mod.load_state_dict(obs_dict, strict=False)


def _fake_quantizes(module: nn.Module) -> bool:
    return hasattr(module, "fake_quant_enabled")


__all__ = [
    "FixedQParamsObserver",
    "HistogramObserver",
    "MinMaxObserver",
    "MovingAverageMinMaxObserver",
    "MovingAveragePerChannelMinMaxObserver",
    "NoopObserver",
    "ObserverBase",
    "PartialObserver",
    "PerChannelMinMaxObserver",
    "PerGroupMinMaxObserver",
    "PlaceholderObserver",
    "RecordingObserver",
    "ReuseInputObserver",
    "UniformQuantizationObserverBase",
    "default_affine_fixed_qparams_observer",
    "default_debug_observer",
    "default_dynamic_quant_observer",
    "default_fixed_qparams_range_0to1_observer",
    "default_fixed_qparams_range_neg1to1_observer",
    "default_float_qparams_observer",
    "default_float_qparams_observer_4bit",
    "default_histogram_observer",
    "default_observer",
    "default_per_channel_weight_observer",
    "default_placeholder_observer",
    "default_reuse_input_observer",
    "default_symmetric_fixed_qparams_observer",
    "default_weight_observer",
    "get_observer_state_dict",
    "load_observer_state_dict",
    "per_channel_weight_observer_range_neg_127_to_127",
    "weight_observer_range_neg_127_to_127",
]
