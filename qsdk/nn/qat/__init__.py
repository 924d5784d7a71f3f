"""Float modules that fake quantize their weights, for quantization-aware training."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from qsdk.nn.qat.embedding import Embedding, EmbeddingBag
from qsdk.nn.qat.layer import FakeQuantizedLayer


class FakeQuantizedConv(FakeQuantizedLayer):
    """What convolutions share."""

    _ARGUMENTS = (
        "in_channels",
        "out_channels",
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "groups",
        "padding_mode",
    )
    _conv_forward: Any

    def _apply_weight(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        result: Tensor = self._conv_forward(input, weight, bias)
        return result


class Conv1d(FakeQuantizedConv, nn.Conv1d):
    """conv(x, fake_quant(weight)) on [N, C, L]; arguments as torch.nn.Conv1d, and a qconfig."""

    _FLOAT: type[nn.Module] = nn.Conv1d


class Conv2d(FakeQuantizedConv, nn.Conv2d):
    """conv(x, fake_quant(weight)) on [N, C, H, W]; arguments as torch.nn.Conv2d, and a qconfig."""

    _FLOAT: type[nn.Module] = nn.Conv2d


class Conv3d(FakeQuantizedConv, nn.Conv3d):
    """conv(x, fake_quant(weight)) on [N, C, D, H, W]; arguments as torch.nn.Conv3d, and a qconfig."""

    _FLOAT: type[nn.Module] = nn.Conv3d


class FakeQuantizedLinear(FakeQuantizedLayer):
    """What fully connected layers share."""

    _ARGUMENTS = ("in_features", "out_features")

    def _apply_weight(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.linear(input, weight, bias)


class Linear(FakeQuantizedLinear, nn.Linear):
    """linear(x, fake_quant(weight)) on [..., in_features]; arguments as torch.nn.Linear, and a qconfig."""

    _FLOAT: type[nn.Module] = nn.Linear


__all__ = ["Conv1d", "Conv2d", "Conv3d", "Embedding", "EmbeddingBag", "Linear"]
