"""Which float module becomes which: one row per module, and the mappings that prepare and convert read."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import nn

from qsdk.errors import QuantizationError
from qsdk.nn import intrinsic as nni
from qsdk.nn import qat as nnqat
from qsdk.nn import quantizable as nnqz
from qsdk.nn import quantized as nnq
from qsdk.nn.intrinsic import qat as nniqat
from qsdk.nn.intrinsic import quantized as nniq
from qsdk.nn.intrinsic.quantized import dynamic as nniqd
from qsdk.nn.quantized import dynamic as nnqd
from qsdk.nn.quantized import weight_only as nnqw
from qsdk.quantization.fake_quantize import (
    FakeQuantizeBase,
    default_fixed_qparams_range_0to1_fake_quant,
    default_fixed_qparams_range_neg1to1_fake_quant,
)
from qsdk.quantization.observer import (
    default_fixed_qparams_range_0to1_observer,
    default_fixed_qparams_range_neg1to1_observer,
)
from qsdk.quantization.stubs import DeQuantStub, QuantStub

Mapping = dict[type[nn.Module], type[nn.Module]]


class _Row(NamedTuple):
    """What a float module becomes.

    Attributes:
        static: its quantized module; None if activations are never quantized ahead of time
        qat: its module for quantization-aware training, which becomes `static` too
        observed: calibration observes its output; else the output keeps its input's parameters, or is float
        fixed: (observer, fake quantize) of an output whose range is known, in place of the qconfig's
        dynamic: its dynamically quantized module
    """

    static: type[nn.Module] | None
    qat: type[nn.Module] | None = None
    observed: bool = True
    fixed: tuple[Any, Any] | None = None
    dynamic: type[nn.Module] | None = None


_FROM_0_TO_1 = (default_fixed_qparams_range_0to1_observer, default_fixed_qparams_range_0to1_fake_quant)
_FROM_NEG1_TO_1 = (default_fixed_qparams_range_neg1to1_observer, default_fixed_qparams_range_neg1to1_fake_quant)


_ROWS: dict[type[nn.Module], _Row] = {
    QuantStub: _Row(nnq.Quantize),
    DeQuantStub: _Row(nnq.DeQuantize, observed=False),
    nnq.FloatFunctional: _Row(nnq.QFunctional),
    nn.Conv1d: _Row(nnq.Conv1d, nnqat.Conv1d),
    nn.Conv2d: _Row(nnq.Conv2d, nnqat.Conv2d),
    nn.Conv3d: _Row(nnq.Conv3d, nnqat.Conv3d),
    nn.ConvTranspose1d: _Row(nnq.ConvTranspose1d),
    nn.ConvTranspose2d: _Row(nnq.ConvTranspose2d),
    nn.ConvTranspose3d: _Row(nnq.ConvTranspose3d),
    nn.Linear: _Row(nnq.Linear, nnqat.Linear, dynamic=nnqd.Linear),
    nn.Embedding: _Row(nnq.Embedding, nnqat.Embedding, observed=False, dynamic=nnq.Embedding),
    nn.EmbeddingBag: _Row(nnq.EmbeddingBag, nnqat.EmbeddingBag, observed=False, dynamic=nnq.EmbeddingBag),
    nn.BatchNorm1d: _Row(nnq.BatchNorm1d),
    nn.BatchNorm2d: _Row(nnq.BatchNorm2d),
    nn.BatchNorm3d: _Row(nnq.BatchNorm3d),
    nn.LayerNorm: _Row(nnq.LayerNorm),
    nn.GroupNorm: _Row(nnq.GroupNorm),
    nn.InstanceNorm1d: _Row(nnq.InstanceNorm1d),
    nn.InstanceNorm2d: _Row(nnq.InstanceNorm2d),
    nn.InstanceNorm3d: _Row(nnq.InstanceNorm3d),
    nn.ReLU6: _Row(nnq.ReLU6, observed=False),
    nn.Dropout: _Row(nnq.Dropout, observed=False),
    nn.ELU: _Row(nnq.ELU),
    nn.GELU: _Row(nnq.GELU),
    nn.Hardsigmoid: _Row(nnq.Hardsigmoid, fixed=_FROM_0_TO_1),
    nn.Hardswish: _Row(nnq.Hardswish),
    nn.LeakyReLU: _Row(nnq.LeakyReLU),
    nn.Mish: _Row(nnq.Mish),
    nn.PReLU: _Row(nnq.PReLU),
    nn.SiLU: _Row(nnq.SiLU),
    nn.Sigmoid: _Row(nnq.Sigmoid, fixed=_FROM_0_TO_1),
    nn.Softmax: _Row(nnq.Softmax),
    nn.Tanh: _Row(nnq.Tanh, fixed=_FROM_NEG1_TO_1),
    nni.ConvReLU1d: _Row(nniq.ConvReLU1d, nniqat.ConvReLU1d),
    nni.ConvBn1d: _Row(nnq.Conv1d, nniqat.ConvBn1d),
    nni.ConvBnReLU1d: _Row(nniq.ConvReLU1d, nniqat.ConvBnReLU1d),
    nni.ConvReLU2d: _Row(nniq.ConvReLU2d, nniqat.ConvReLU2d),
    nni.ConvBn2d: _Row(nnq.Conv2d, nniqat.ConvBn2d),
    nni.ConvBnReLU2d: _Row(nniq.ConvReLU2d, nniqat.ConvBnReLU2d),
    nni.ConvReLU3d: _Row(nniq.ConvReLU3d, nniqat.ConvReLU3d),
    nni.ConvBn3d: _Row(nnq.Conv3d, nniqat.ConvBn3d),
    nni.ConvBnReLU3d: _Row(nniq.ConvReLU3d, nniqat.ConvBnReLU3d),
    nni.BNReLU2d: _Row(nniq.BNReLU2d),
    nni.BNReLU3d: _Row(nniq.BNReLU3d),
    nni.LinearReLU: _Row(nniq.LinearReLU, nniqat.LinearReLU, dynamic=nniqd.LinearReLU),
    nn.LSTM: _Row(None, observed=False, dynamic=nnqd.LSTM),
    nnqz.LSTM: _Row(nnq.LSTM, observed=False),
    nnqz.GRU: _Row(nnq.GRU, observed=False),
    nn.GRU: _Row(None, observed=False, dynamic=nnqd.GRU),
    nn.RNNCell: _Row(None, observed=False, dynamic=nnqd.RNNCell),
    nn.LSTMCell: _Row(None, observed=False, dynamic=nnqd.LSTMCell),
    nn.GRUCell: _Row(None, observed=False, dynamic=nnqd.GRUCell),
    nni.LinearBn1d: _Row(nnq.Linear, nniqat.LinearBn1d),
    nn.MultiheadAttention: _Row(None, observed=False, dynamic=nnqd.MultiheadAttention),
}


_WEIGHT_ONLY: Mapping = {
    **dict.fromkeys((nn.Linear, nni.LinearReLU), nnqw.Linear),
    **dict.fromkeys((nn.Conv1d, nni.ConvReLU1d), nnqw.Conv1d),
    **dict.fromkeys((nn.Conv2d, nni.ConvReLU2d), nnqw.Conv2d),
}


def get_default_static_quant_module_mappings() -> Mapping:
    """Float module -> quantized module, for static quantization; a copy to extend and pass as `mapping`."""
    mapping = {kind: row.static for kind, row in _ROWS.items() if row.static is not None}
    return mapping | {row.qat: row.static for row in _ROWS.values() if row.qat is not None and row.static is not None}


def get_default_dynamic_quant_module_mappings() -> Mapping:
    """Float module -> dynamically quantized module; a copy to extend and pass as `mapping`.

    Convolutions are not in it, as in PyTorch; add {nn.Conv2d: qsdk.nn.quantized.dynamic.Conv2d} and so on.
    """
    mapping = {kind: row.dynamic for kind, row in _ROWS.items() if row.dynamic is not None}
    return mapping | {row.qat: row.dynamic for row in _ROWS.values() if row.qat is not None and row.dynamic is not None}


def get_default_weight_only_quant_module_mappings() -> Mapping:
    """Float module -> module whose weights alone are quantized; a copy to extend and pass as `mapping`."""
    return get_default_static_quant_module_mappings() | _WEIGHT_ONLY


def get_static_quant_module_class(
    float_module_class: type[nn.Module], additional_static_quant_mapping: Mapping | None = None
) -> type[nn.Module]:
    """The quantized class of a float one.

    Raises:
        QuantizationError: there is none.
    """
    mapping = get_default_static_quant_module_mappings() | (additional_static_quant_mapping or {})
    return _class_of(float_module_class, mapping, "statically")


def get_dynamic_quant_module_class(
    float_module_class: type[nn.Module], additional_dynamic_quant_mapping: Mapping | None = None
) -> type[nn.Module]:
    """The dynamically quantized class of a float one.

    Raises:
        QuantizationError: there is none.
    """
    mapping = get_default_dynamic_quant_module_mappings() | (additional_dynamic_quant_mapping or {})
    return _class_of(float_module_class, mapping, "dynamically")


def _class_of(kind: type[nn.Module], mapping: Mapping, how: str) -> type[nn.Module]:
    if kind not in mapping:
        raise QuantizationError(f"{kind.__name__} has no {how} quantized counterpart")
    return mapping[kind]


def get_embedding_static_quant_module_mappings() -> Mapping:
    """The static mapping, which has embeddings already; a copy to extend and pass as `mapping`."""
    return get_default_static_quant_module_mappings()


def get_default_qat_module_mappings() -> Mapping:
    """Float module -> module with a fake quantized weight; a copy to extend and pass to prepare_qat."""
    mapping = get_embedding_qat_module_mappings()
    return {kind: qat for kind, qat in mapping.items() if kind not in (nn.Embedding, nn.EmbeddingBag)}


def get_embedding_qat_module_mappings() -> Mapping:
    """With embeddings too; these need a qconfig such as default_embedding_qat_qconfig, or None."""
    return {kind: row.qat for kind, row in _ROWS.items() if row.qat is not None}


def get_default_qconfig_propagation_list() -> set[type[nn.Module]]:
    """Module types whose outputs prepare observes."""
    rows = [(kind, row) for kind, row in _ROWS.items() if row.observed]
    return {kind for kind, _ in rows} | {row.qat for _, row in rows if row.qat is not None}


def is_swapped(kind: type[nn.Module]) -> bool:
    """Whether a float module of this class has a quantized counterpart."""
    return kind in _ROWS


def is_observed(kind: type[nn.Module]) -> bool:
    """Whether calibration observes the output of a float module of this class."""
    return kind in _ROWS and _ROWS[kind].observed


def activation_observer(module: nn.Module) -> nn.Module:
    """What watches a module's output: what its qconfig makes, or the fixed one of a function whose range is known."""
    qconfig: Any = module.qconfig
    observer: nn.Module = qconfig.activation()
    row = _ROWS.get(type(module))
    if row is not None and row.fixed is not None and hasattr(observer, "calculate_qparams"):
        observer = row.fixed[isinstance(observer, FakeQuantizeBase)]()
    return observer


__all__ = [
    "get_default_dynamic_quant_module_mappings",
    "get_default_qat_module_mappings",
    "get_default_qconfig_propagation_list",
    "get_default_static_quant_module_mappings",
    "get_default_weight_only_quant_module_mappings",
    "get_dynamic_quant_module_class",
    "get_embedding_qat_module_mappings",
    "get_embedding_static_quant_module_mappings",
    "get_static_quant_module_class",
]
