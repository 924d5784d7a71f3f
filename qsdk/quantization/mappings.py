"""Which float module becomes which: one row per module, and the mappings that prepare and convert read."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from qsdk.nn import intrinsic as nni
from qsdk.nn import qat as nnqat
from qsdk.nn import quantized as nnq
from qsdk.nn.intrinsic import qat as nniqat
from qsdk.nn.intrinsic import quantized as nniq
from qsdk.quantization.stubs import DeQuantStub, QuantStub

Mapping = dict[type[nn.Module], type[nn.Module]]


class _Row(NamedTuple):
    """What a float module becomes.

    Attributes:
        static: its quantized module
        qat: its module for quantization-aware training, which becomes `static` too
        observed: calibration observes its output; else the output keeps its input's parameters, or is float
    """

    static: type[nn.Module]
    qat: type[nn.Module] | None = None
    observed: bool = True


_ROWS: dict[type[nn.Module], _Row] = {
    QuantStub: _Row(nnq.Quantize),
    DeQuantStub: _Row(nnq.DeQuantize, observed=False),
    nnq.FloatFunctional: _Row(nnq.QFunctional),
    nn.Conv2d: _Row(nnq.Conv2d, nnqat.Conv2d),
    nn.Linear: _Row(nnq.Linear, nnqat.Linear),
    nn.ReLU6: _Row(nnq.ReLU6, observed=False),
    nni.ConvReLU2d: _Row(nniq.ConvReLU2d, nniqat.ConvReLU2d),
    nni.ConvBn2d: _Row(nnq.Conv2d, nniqat.ConvBn2d),
    nni.ConvBnReLU2d: _Row(nniq.ConvReLU2d, nniqat.ConvBnReLU2d),
    nni.LinearReLU: _Row(nniq.LinearReLU, nniqat.LinearReLU),
    nni.LinearBn1d: _Row(nnq.Linear, nniqat.LinearBn1d),
}


def get_default_static_quant_module_mappings() -> Mapping:
    """Float module -> quantized module, for static quantization; a copy to extend and pass as `mapping`."""
    mapping = {kind: row.static for kind, row in _ROWS.items()}
    return mapping | {row.qat: row.static for row in _ROWS.values() if row.qat is not None}


def get_default_qat_module_mappings() -> Mapping:
    """Float module -> module with a fake quantized weight; a copy to extend and pass to prepare_qat."""
    return {kind: row.qat for kind, row in _ROWS.items() if row.qat is not None}


def get_default_qconfig_propagation_list() -> set[type[nn.Module]]:
    """Module types whose outputs prepare observes."""
    rows = [(kind, row) for kind, row in _ROWS.items() if row.observed]
    return {kind for kind, _ in rows} | {row.qat for _, row in rows if row.qat is not None}


__all__ = [
    "get_default_qat_module_mappings",
    "get_default_qconfig_propagation_list",
    "get_default_static_quant_module_mappings",
]
