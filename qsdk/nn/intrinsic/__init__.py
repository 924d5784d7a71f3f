"""Float modules fused into one, so that calibration sees and convert quantizes them as one."""

from __future__ import annotations

from torch import nn

from qsdk.errors import QuantizationError


class _FusedModule(nn.Sequential):
    """Modules that run one after another and are quantized as one."""

    _PARTS: tuple[type[nn.Module], ...] = ()

    def __init__(self, *parts: nn.Module) -> None:
        given = tuple(type(part) for part in parts)
        if len(parts) != len(self._PARTS) or not all(map(isinstance, parts, self._PARTS)):
            wanted = ", ".join(part.__name__ for part in self._PARTS)
            raise QuantizationError(
                f"{type(self).__name__} is made of ({wanted}), not ({', '.join(part.__name__ for part in given)})"
            )
        super().__init__(*parts)


class ConvReLU1d(_FusedModule):
    """Conv1d, ReLU."""

    _PARTS = (nn.Conv1d, nn.ReLU)


class ConvReLU2d(_FusedModule):
    """Conv2d, ReLU."""

    _PARTS = (nn.Conv2d, nn.ReLU)


class ConvReLU3d(_FusedModule):
    """Conv3d, ReLU."""

    _PARTS = (nn.Conv3d, nn.ReLU)


class ConvBn1d(_FusedModule):
    """Conv1d, BatchNorm1d."""

    _PARTS = (nn.Conv1d, nn.BatchNorm1d)


class ConvBn2d(_FusedModule):
    """Conv2d, BatchNorm2d."""

    _PARTS = (nn.Conv2d, nn.BatchNorm2d)


class ConvBn3d(_FusedModule):
    """Conv3d, BatchNorm3d."""

    _PARTS = (nn.Conv3d, nn.BatchNorm3d)


class ConvBnReLU1d(_FusedModule):
    """Conv1d, BatchNorm1d, ReLU."""

    _PARTS = (nn.Conv1d, nn.BatchNorm1d, nn.ReLU)


class ConvBnReLU2d(_FusedModule):
    """Conv2d, BatchNorm2d, ReLU."""

    _PARTS = (nn.Conv2d, nn.BatchNorm2d, nn.ReLU)


class ConvBnReLU3d(_FusedModule):
    """Conv3d, BatchNorm3d, ReLU."""

    _PARTS = (nn.Conv3d, nn.BatchNorm3d, nn.ReLU)


class BNReLU2d(_FusedModule):
    """BatchNorm2d, ReLU."""

    _PARTS = (nn.BatchNorm2d, nn.ReLU)


class BNReLU3d(_FusedModule):
    """BatchNorm3d, ReLU."""

    _PARTS = (nn.BatchNorm3d, nn.ReLU)


class LinearReLU(_FusedModule):
    """Linear, ReLU."""

    _PARTS = (nn.Linear, nn.ReLU)


class LinearBn1d(_FusedModule):
    """Linear, BatchNorm1d."""

    _PARTS = (nn.Linear, nn.BatchNorm1d)


__all__ = [
    "BNReLU2d",
    "BNReLU3d",
    "ConvBn1d",
    "ConvBn2d",
    "ConvBn3d",
    "ConvBnReLU1d",
    "ConvBnReLU2d",
    "ConvBnReLU3d",
    "ConvReLU1d",
    "ConvReLU2d",
    "ConvReLU3d",
    "LinearBn1d",
    "LinearReLU",
]
