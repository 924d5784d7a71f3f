"""qsdk: from a PyTorch model to a small board. Quantize, export one file, run it anywhere with the same bytes."""

from qsdk import backends, quantization, reference
from qsdk.errors import (
    ArenaError,
    CaptureError,
    FileFormatError,
    QsdkError,
    QuantizationError,
    RuntimeStatusError,
    UnsupportedOperatorError,
)
from qsdk.export import ExportReport, export
from qsdk.qtensor import QParams, QTensor, qint8, qint32, quint8
from qsdk.runtime import Session
from qsdk.version import __version__

__all__ = [
    "ArenaError",
    "CaptureError",
    "ExportReport",
    "FileFormatError",
    "QParams",
    "QTensor",
    "QsdkError",
    "QuantizationError",
    "RuntimeStatusError",
    "Session",
    "UnsupportedOperatorError",
    "__version__",
    "backends",
    "export",
    "qint8",
    "qint32",
    "quantization",
    "quint8",
    "reference",
]
