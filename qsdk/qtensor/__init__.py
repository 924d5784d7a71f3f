"""Quantized tensors: the wrapper that eager models pass between modules, and the functions that it answers.

What is computed by an operator stands in the operator table, qsdk/ops.py; what only moves or orders integers, here.
"""

from qsdk.qparams import (
    QDType,
    QParams,
    QScheme,
    check_pair,
    per_channel_affine,
    per_channel_affine_float_qparams,
    per_channel_symmetric,
    per_tensor_affine,
    per_tensor_symmetric,
    qint8,
    qint32,
    quint4x2,
    quint8,
    to_qdtype,
    to_qscheme,
)
from qsdk.qtensor import comparison as _comparison  # noqa: F401  (these fill the table of functions)
from qsdk.qtensor import moving as _moving  # noqa: F401
from qsdk.qtensor import parts as _parts  # noqa: F401
from qsdk.qtensor.conversion import dequantize, quantize, quantize_per_channel, quantize_per_tensor
from qsdk.qtensor.moving import slice_positions
from qsdk.qtensor.table import calling_module, implementation_of, passes_qparams, register_implementation
from qsdk.qtensor.tensor import QTensor

__all__ = [
    "QDType",
    "QParams",
    "QScheme",
    "QTensor",
    "calling_module",
    "check_pair",
    "dequantize",
    "implementation_of",
    "passes_qparams",
    "per_channel_affine",
    "per_channel_affine_float_qparams",
    "per_channel_symmetric",
    "per_tensor_affine",
    "per_tensor_symmetric",
    "qint32",
    "qint8",
    "quantize",
    "quantize_per_channel",
    "quantize_per_tensor",
    "quint4x2",
    "quint8",
    "register_implementation",
    "slice_positions",
    "to_qdtype",
    "to_qscheme",
]
