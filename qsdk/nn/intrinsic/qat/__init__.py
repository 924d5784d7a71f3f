"""Fused modules that fake quantize their weights, for quantization-aware training."""

from __future__ import annotations

from torch import nn

from qsdk.nn import intrinsic as nni
from qsdk.nn import qat as nnqat
from qsdk.nn.intrinsic.qat.folding import BatchNormFolding, ConvBn, LinearBn


class ConvReLU1d(nnqat.Conv1d):
    """relu(conv(x, fake_quant(weight))); arguments as torch.nn.Conv1d, and a qconfig."""

    _FLOAT = nni.ConvReLU1d
    _relu = True


class ConvReLU2d(nnqat.Conv2d):
    """relu(conv(x, fake_quant(weight))); arguments as torch.nn.Conv2d, and a qconfig."""

    _FLOAT = nni.ConvReLU2d
    _relu = True


class ConvReLU3d(nnqat.Conv3d):
    """relu(conv(x, fake_quant(weight))); arguments as torch.nn.Conv3d, and a qconfig."""

    _FLOAT = nni.ConvReLU3d
    _relu = True


class LinearReLU(nnqat.Linear):
    """relu(linear(x, fake_quant(weight))); arguments as torch.nn.Linear, and a qconfig."""

    _FLOAT = nni.LinearReLU
    _relu = True


class ConvBn1d(ConvBn, nn.Conv1d):
    """Conv1d and BatchNorm1d on [N, C, L]; arguments as torch.nn.Conv1d, then eps, momentum, freeze_bn, qconfig."""

    _FLOAT: type[nn.Module] = nni.ConvBn1d
    _FOLDED: type[nn.Module] | None = nn.Conv1d
    _NORM = nn.BatchNorm1d


class ConvBn2d(ConvBn, nn.Conv2d):
    """Conv2d and BatchNorm2d on [N, C, H, W]; arguments as torch.nn.Conv2d, then eps, momentum, freeze_bn, qconfig."""

    _FLOAT: type[nn.Module] = nni.ConvBn2d
    _FOLDED: type[nn.Module] | None = nn.Conv2d
    _NORM = nn.BatchNorm2d


class ConvBn3d(ConvBn, nn.Conv3d):
    """Conv3d and BatchNorm3d on [N, C, D, H, W]; as torch.nn.Conv3d, then eps, momentum, freeze_bn, qconfig."""

    _FLOAT: type[nn.Module] = nni.ConvBn3d
    _FOLDED: type[nn.Module] | None = nn.Conv3d
    _NORM = nn.BatchNorm3d


class ConvBnReLU1d(ConvBn1d):
    """relu of ConvBn1d."""

    _FLOAT = nni.ConvBnReLU1d
    _FOLDED = nni.ConvReLU1d
    _relu = True


class ConvBnReLU2d(ConvBn2d):
    """relu of ConvBn2d."""

    _FLOAT = nni.ConvBnReLU2d
    _FOLDED = nni.ConvReLU2d
    _relu = True


class ConvBnReLU3d(ConvBn3d):
    """relu of ConvBn3d."""

    _FLOAT = nni.ConvBnReLU3d
    _FOLDED = nni.ConvReLU3d
    _relu = True


class LinearBn1d(LinearBn, nn.Linear):
    """Linear and BatchNorm1d on [N, in_features]; as torch.nn.Linear, then eps, momentum, freeze_bn, qconfig."""

    _FLOAT = nni.LinearBn1d
    _FOLDED = nn.Linear


def freeze_bn_stats(mod: nn.Module) -> None:
    """For model.apply: keep the statistics of fused batch norms as they are."""
    if isinstance(mod, BatchNormFolding):
        mod.freeze_bn_stats()


def update_bn_stats(mod: nn.Module) -> None:
    """For model.apply: update the statistics of fused batch norms in training mode."""
    if isinstance(mod, BatchNormFolding):
        mod.update_bn_stats()


__all__ = [
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
    "freeze_bn_stats",
    "update_bn_stats",
]
