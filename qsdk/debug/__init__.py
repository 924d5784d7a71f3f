"""Where a quantized model loses accuracy, and what to do about it."""

from qsdk.debug.compare import Comparison, Histogram, LayerRow, compare
from qsdk.debug.operators import OperatorReport, OperatorRow, operators

__all__ = [
    "Comparison",
    "Histogram",
    "LayerRow",
    "OperatorReport",
    "OperatorRow",
    "compare",
    "operators",
]
