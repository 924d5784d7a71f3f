"""Where engines are selected: qsdk.backends.quantized.engine, as torch.backends.quantized.engine."""

import sys

from qsdk.backends import quantized

quantization = quantized
sys.modules[f"{__name__}.quantization"] = quantized

__all__ = ["quantization", "quantized"]
