"""qsdk: from a PyTorch model to a small board. Quantize, export one file, run it anywhere with the same bytes."""

from qsdk import backends, debug, quantization, reference
from qsdk.errors import (
    ArenaError,
    CaptureError,
    FileFormatError,
    IndexRangeError,
    QsdkError,
    QuantizationError,
    RuntimeStatusError,
    UnsupportedOperatorError,
)
from qsdk.export import ExportReport, export
from qsdk.qtensor import (
    QParams,
    QTensor,
    dequantize,
    per_channel_affine,
    per_channel_affine_float_qparams,
    per_channel_symmetric,
    per_tensor_affine,
    per_tensor_symmetric,
    qint8,
    qint32,
    quantize_per_channel,
    quantize_per_tensor,
    quint4x2,
    quint8,
)
from qsdk.quantization.one_call import quantize
from qsdk.runtime import Session
from qsdk.version import __version__

__all__ = [
    "ArenaError",
    "CaptureError",
    "ExportReport",
    "FileFormatError",
    "IndexRangeError",
    "QParams",
    "QTensor",
    "QsdkError",
    "QuantizationError",
    "RuntimeStatusError",
    "Session",
    "UnsupportedOperatorError",
    "__version__",
    "backends",
    "debug",
    "dequantize",
    "export",
    "per_channel_affine",
    "per_channel_affine_float_qparams",
    "per_channel_symmetric",
    "per_tensor_affine",
    "per_tensor_symmetric",
    "qint8",
    "qint32",
    "quantization",
    "quantize",
    "quantize_per_channel",
    "quantize_per_tensor",
    "quint4x2",
    "quint8",
    "reference",
]
