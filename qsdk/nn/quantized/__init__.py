"""Quantized modules: they compute on QTensors with the exact integer semantics of qsdk.reference."""

from qsdk.nn.quantized import functional
from qsdk.nn.quantized.activation import ReLU6
from qsdk.nn.quantized.boundary import DeQuantize, Quantize
from qsdk.nn.quantized.conv import Conv2d
from qsdk.nn.quantized.functional_modules import FloatFunctional, QFunctional
from qsdk.nn.quantized.linear import Linear

__all__ = [
    "Conv2d",
    "DeQuantize",
    "FloatFunctional",
    "Linear",
    "QFunctional",
    "Quantize",
    "ReLU6",
    "functional",
]
