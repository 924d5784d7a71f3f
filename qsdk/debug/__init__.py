"""Where a quantized model loses accuracy or time, and what to do about it."""

from qsdk.debug.compare import Comparison, Histogram, LayerRow, compare
from qsdk.debug.operators import OperatorReport, OperatorRow, operators
from qsdk.debug.profile import Profile, ProfileRow, profile
from qsdk.debug.sensitivity import Sensitivity, SensitivityRow, Suggestion, sensitivity, suggest

__all__ = [
    "Comparison",
    "Histogram",
    "LayerRow",
    "OperatorReport",
    "OperatorRow",
    "Profile",
    "ProfileRow",
    "Sensitivity",
    "SensitivityRow",
    "Suggestion",
    "compare",
    "operators",
    "profile",
    "sensitivity",
    "suggest",
]
