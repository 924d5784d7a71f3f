"""The networks that are timed: plain PyTorch, random weights, batch 1. Imports torch alone, so that every peer can.

    model, x = zoo.make("resnet18")

MLPerf Tiny's four are at the sizes of that suite. "dynamic" networks have weights in 8 bits and activations in float.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
import plain_networks  # noqa: E402
from plain_networks import Attention, Autoencoder, BasicBlock, ResNet18  # noqa: E402


def average(x: Tensor) -> Tensor:
    """[N, C, H, W] to [N, C], in the spelling that every peer has a fast form of."""
    return torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)


def layer(inputs: int, outputs: int, kernel: int | tuple[int, int] = 3, stride: int = 1, groups: int = 1,
          padding: int | tuple[int, int] | None = None) -> nn.Sequential:  # fmt: skip
    """Convolution, batch norm, ReLU; padding is kernel // 2 unless given."""
    if padding is None:
        assert isinstance(kernel, int)
        padding = kernel // 2
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Depthwise 3x3, then pointwise 1x1."""
    return nn.Sequential(layer(inputs, inputs, 3, stride, inputs), layer(inputs, outputs, 1))


class Classifier(nn.Module):
    """Layers, the average over all positions, and scores."""

    def __init__(self, layers: list[nn.Module], channels: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(average(self.layers(x)))


class MobileNetV2(plain_networks.MobileNetV2):
    """Sandler et al. 2018."""

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(average(self.features(x)))


def resnet8() -> nn.Module:
    """Image classification of MLPerf Tiny."""
    return Classifier([layer(3, 16), BasicBlock(16, 16, 1), BasicBlock(16, 32, 2), BasicBlock(32, 64, 2)], 64, 10)


def ds_cnn() -> nn.Module:
    """Keyword spotting of MLPerf Tiny."""
    return Classifier([layer(1, 64, (10, 4), 2, padding=(4, 1)), *(separable(64, 64) for _ in range(4))], 64, 12)


def mobilenet_v1_025() -> nn.Module:
    """Visual wake words of MLPerf Tiny: MobileNet V1 at a quarter of its width."""
    widths = [8, 16, 32, 32, 64, 64, *[128] * 6, 256, 256]
    halved = {1, 3, 5, 11}
    blocks = [separable(widths[i], widths[i + 1], 2 if i in halved else 1) for i in range(13)]
    return Classifier([layer(3, 8, 3, 2), *blocks], 256, 2)


def transformer() -> nn.Module:
    """An encoder of six layers, as in small sentence encoders."""
    return nn.Sequential(*(Attention(384, 12) for _ in range(6)))


class LSTMTagger(nn.Module):
    """A label for each step, from two recurrent layers."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(128, 256, 2, batch_first=True)
        self.fc = nn.Linear(256, 32)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.lstm(x)[0])


@dataclass(frozen=True)
class Network:
    """What a row of the benchmark is about.

    Attributes:
        title: for people
        make: the float model
        shape: of its only input, float32
        dynamic: quantized without calibration, its activations float; else statically, int8 throughout
    """

    title: str
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    dynamic: bool = False


ZOO = {
    "mobilenet_v2": Network("MobileNetV2, 224x224", MobileNetV2, (1, 3, 224, 224)),
    "resnet18": Network("ResNet-18, 224x224", ResNet18, (1, 3, 224, 224)),
    "resnet8": Network("ResNet-8, 32x32", resnet8, (1, 3, 32, 32)),
    "ds_cnn": Network("DS-CNN, 49x10", ds_cnn, (1, 1, 49, 10)),
    "mobilenet_v1_025": Network("MobileNetV1-0.25, 96x96", mobilenet_v1_025, (1, 3, 96, 96)),
    "fc_ae": Network("FC autoencoder, 640", Autoencoder, (1, 640)),
    "transformer": Network("Transformer 6x384, T=64", transformer, (1, 64, 384), dynamic=True),
    "lstm": Network("LSTM 2x256, T=50", LSTMTagger, (1, 50, 128), dynamic=True),
}


def make(name: str) -> tuple[nn.Module, Tensor]:
    """A network in eval mode, with random weights and plausible statistics of batch norm; and an input."""
    network = ZOO[name]
    torch.manual_seed(0)
    model = network.make()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    torch.manual_seed(1)
    return model.eval(), torch.randn(network.shape)
