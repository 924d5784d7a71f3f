"""Quantized modules with a fused ReLU: the lower bound of their output is the zero point."""

from qsdk.nn import quantized as nnq


class ConvReLU2d(nnq.Conv2d):
    """relu(conv(x)); arguments as torch.nn.Conv2d."""

    _relu = True


class LinearReLU(nnq.Linear):
    """relu(linear(x)); arguments as torch.nn.Linear."""

    _relu = True


__all__ = ["ConvReLU2d", "LinearReLU"]
