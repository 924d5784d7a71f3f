"""Quantizing a float model: what the original system calls torch.quantization."""

from qsdk.quantization.fuse import fuse_known_modules, fuse_modules
from qsdk.quantization.observer import (
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    ObserverBase,
    PerChannelMinMaxObserver,
    UniformQuantizationObserverBase,
    default_observer,
    default_per_channel_weight_observer,
    default_weight_observer,
)
from qsdk.quantization.qconfig import (
    QConfig,
    default_per_channel_qconfig,
    default_qconfig,
    get_default_qconfig,
)
from qsdk.quantization.quantize import (
    add_quant_dequant,
    convert,
    get_default_qconfig_propagation_list,
    get_default_static_quant_module_mappings,
    prepare,
    propagate_qconfig_,
    quantize,
    swap_module,
)
from qsdk.quantization.stubs import DeQuantStub, QuantStub, QuantWrapper

__all__ = [
    "DeQuantStub",
    "MinMaxObserver",
    "MovingAverageMinMaxObserver",
    "MovingAveragePerChannelMinMaxObserver",
    "ObserverBase",
    "PerChannelMinMaxObserver",
    "QConfig",
    "QuantStub",
    "QuantWrapper",
    "UniformQuantizationObserverBase",
    "add_quant_dequant",
    "convert",
    "default_observer",
    "default_per_channel_qconfig",
    "default_per_channel_weight_observer",
    "default_qconfig",
    "default_weight_observer",
    "fuse_known_modules",
    "fuse_modules",
    "get_default_qconfig",
    "get_default_qconfig_propagation_list",
    "get_default_static_quant_module_mappings",
    "prepare",
    "propagate_qconfig_",
    "quantize",
    "swap_module",
]
