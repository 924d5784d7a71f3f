"""Dynamically quantized modules with a fused ReLU."""

from qsdk.nn.quantized import dynamic as nnqd


class LinearReLU(nnqd.Linear):
    """relu(linear(x)), float in and out; arguments as qsdk.nn.quantized.dynamic.Linear."""

    _relu = True


__all__ = ["LinearReLU"]
