"""Quantized modules with a fused ReLU: the lower bound of their output is the zero point."""

from qsdk.nn import quantized as nnq


class ConvReLU1d(nnq.Conv1d):
    """relu(conv(x)); arguments as torch.nn.Conv1d."""

    _relu = True


class ConvReLU2d(nnq.Conv2d):
    """relu(conv(x)); arguments as torch.nn.Conv2d."""

    _relu = True


class ConvReLU3d(nnq.Conv3d):
    """relu(conv(x)); arguments as torch.nn.Conv3d."""

    _relu = True


class LinearReLU(nnq.Linear):
    """relu(linear(x)); arguments as torch.nn.Linear."""

    _relu = True


class BNReLU2d(nnq.BatchNorm2d):
    """relu(batch_norm(x)) on [N, C, H, W]; arguments as torch.nn.BatchNorm2d's first."""

    _relu = True


class BNReLU3d(nnq.BatchNorm3d):
    """relu(batch_norm(x)) on [N, C, D, H, W]; arguments as torch.nn.BatchNorm3d's first."""

    _relu = True


__all__ = ["BNReLU2d", "BNReLU3d", "ConvReLU1d", "ConvReLU2d", "ConvReLU3d", "LinearReLU"]
