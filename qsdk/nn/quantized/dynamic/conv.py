"""Dynamically quantized convolutions and transposed ones; in one dimension they are those in two on [N, C, 1, L]."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from typing_extensions import Self

from qsdk.nn.quantized import functional as qF
from qsdk.nn.quantized.conv import Geometry, TransposedGeometry, float_conv
from qsdk.nn.quantized.dynamic.base import DynamicModule


class _ConvNd(Geometry, DynamicModule):
    def forward(self, input: Tensor) -> Tensor:
        """Float [N, C, ...] to float [N, O, ...]."""
        convolve: Any = qF.conv_transpose_dynamic if self._transposed else qF.conv_dynamic
        lifted = self._axes == 1 and isinstance(input, Tensor) and input.dim() == 3
        input = self.padded(input)
        result: Tensor = convolve(input.unsqueeze(2) if lifted else input, self.weights(), *self._geometry())
        return result.squeeze(2) if lifted else result

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a float or fused convolution that has a qconfig.

        Raises:
            QuantizationError: weights that are not finite, or a qconfig that does not fit; names the layer.
            UnsupportedOperatorError: weights that are not qint8; names the layer.
        """
        conv, weight, bias = float_conv(mod)
        result = cls._of(conv, bias is not None)
        result._take_float(mod, weight, bias)
        return result

    def extra_repr(self) -> str:
        """Geometry."""
        return self.geometry_repr()


class Conv1d(_ConvNd):
    """1D convolution of float [N, C, L] with int8 weights; arguments as torch.nn.Conv1d."""

    _axes = 1


class Conv2d(_ConvNd):
    """2D convolution of float [N, C, H, W] with int8 weights; arguments as torch.nn.Conv2d."""

    _axes = 2


class Conv3d(_ConvNd):
    """3D convolution of float [N, C, D, H, W] with int8 weights; arguments as torch.nn.Conv3d."""

    _axes = 3


class ConvTranspose1d(TransposedGeometry, _ConvNd):
    """1D transposed convolution of float [N, C, L], weights int8 [O, I/groups, K]; as torch.nn.ConvTranspose1d."""

    _axes = 1


class ConvTranspose2d(TransposedGeometry, _ConvNd):
    """2D transposed convolution, weights int8 [O, I/groups, KH, KW]; arguments as torch.nn.ConvTranspose2d."""

    _axes = 2


class ConvTranspose3d(TransposedGeometry, _ConvNd):
    """3D transposed convolution, weights int8 [O, I/groups, KD, KH, KW]; arguments as torch.nn.ConvTranspose3d."""

    _axes = 3
