"""Small convolutional networks, written for eager-mode quantization: stubs, FloatFunctional, and what to fuse.

model = networks.DigitsCNN().eval()
model.fuse()                                    # folds batch norm, joins ReLU
model.qconfig = tq.get_default_qconfig("qsdk")
prepared = tq.prepare(model); prepared(images); quantized = tq.convert(prepared)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from qsdk import quantization as tq
from qsdk.nn.quantized import FloatFunctional


def conv_bn(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1, relu: bool = True
) -> nn.Sequential:
    """Convolution with padding kernel // 2, batch norm and, if asked, ReLU."""
    parts: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*parts, nn.ReLU()) if relu else nn.Sequential(*parts)


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Depthwise 3x3, then pointwise 1x1."""
    return nn.Sequential(conv_bn(inputs, inputs, 3, stride, groups=inputs), conv_bn(inputs, outputs, 1))


class Network(nn.Module):
    """A network between a QuantStub and a DeQuantStub that knows what can be fused."""

    quant: tq.QuantStub
    dequant: tq.DeQuantStub

    def __init__(self) -> None:
        super().__init__()
        self.quant = tq.QuantStub()
        self.dequant = tq.DeQuantStub()

    def fusions(self) -> Iterator[list[str]]:
        """Paths of the groups to fuse: each conv-norm(-ReLU) chain."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Sequential) and len(module) > 1 and isinstance(module[0], nn.Conv2d):
                yield [f"{name}.{index}" for index in range(len(module))]

    def fuse(self) -> Network:
        """Fuse in place; returns self. In eval mode batch norm is folded."""
        tq.fuse_modules(self, list(self.fusions()), inplace=True)
        return self


class DigitsCNN(Network):
    """8x8 handwritten digits; two depthwise-separable blocks, one with a residual, 11 layers, 19 thousand weights."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.stem = conv_bn(1, 16)
        self.block = separable(16, 16)
        self.add = FloatFunctional()
        self.wide = conv_bn(16, 32, 3)
        self.pool = nn.MaxPool2d(2)
        self.deep = separable(32, 64)
        self.mix = conv_bn(64, 64, 1)
        self.average = nn.AdaptiveAvgPool2d(2)
        self.hidden = nn.Sequential(nn.Linear(256, 32), nn.ReLU())
        self.classify = nn.Linear(32, classes)

    def fusions(self) -> Iterator[list[str]]:
        """The convolutions', and hidden with its ReLU."""
        yield from super().fusions()
        yield ["hidden.0", "hidden.1"]

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, 8, 8] to class scores [N, 10]."""
        x = self.stem(self.quant(images))
        x = self.add.add(x, self.block(x))
        x = self.pool(self.wide(x))
        x = self.average(self.mix(self.deep(x)))
        return self.dequant(self.classify(self.hidden(torch.flatten(x, 1))))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = conv_bn(inputs, outputs, 3, stride)
        self.second = conv_bn(outputs, outputs, 3, relu=False)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else conv_bn(inputs, outputs, 1, stride, relu=False)
        self.add = FloatFunctional()

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, O, H / stride, W / stride]."""
        return self.add.add_relu(self.second(self.first(x)), self.shortcut(x))


class ResNet8(Network):
    """Image classification of MLPerf Tiny, 32x32 colour images."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.stem = conv_bn(3, 16)
        self.blocks = nn.Sequential(ResidualBlock(16, 16), ResidualBlock(16, 32, 2), ResidualBlock(32, 64, 2))
        self.average = nn.AdaptiveAvgPool2d(1)
        self.classify = nn.Linear(64, classes)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 3, 32, 32] to class scores."""
        x = self.average(self.blocks(self.stem(self.quant(images))))
        return self.dequant(self.classify(torch.flatten(x, 1)))


class DSCNN(Network):
    """Keyword spotting of MLPerf Tiny, 49 frames of 10 cepstral coefficients."""

    def __init__(self, classes: int = 12) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 64, (10, 4), 2, (4, 1), bias=False), nn.BatchNorm2d(64), nn.ReLU())
        self.blocks = nn.Sequential(*[separable(64, 64) for _ in range(4)])
        self.average = nn.AdaptiveAvgPool2d(1)
        self.classify = nn.Linear(64, classes)

    def forward(self, features: Tensor) -> Tensor:
        """[N, 1, 49, 10] to class scores."""
        x = self.average(self.blocks(self.stem(self.quant(features))))
        return self.dequant(self.classify(torch.flatten(x, 1)))


class MobileNetV1Quarter(Network):
    """Visual wake words of MLPerf Tiny, 96x96 colour images: MobileNet V1 at width 0.25."""

    _BLOCKS = (
        (16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (128, 1), (128, 1), (128, 1), (128, 1),
        (256, 2), (256, 1),
    )  # fmt: skip

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        parts = [conv_bn(3, 8, 3, 2)]
        width = 8
        for outputs, stride in self._BLOCKS:
            parts.append(separable(width, outputs, stride))
            width = outputs
        self.features = nn.Sequential(*parts)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.classify = nn.Linear(256, classes)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 3, 96, 96] to class scores."""
        x = self.average(self.features(self.quant(images)))
        return self.dequant(self.classify(torch.flatten(x, 1)))


# name: (constructor, input shape)
NETWORKS: dict[str, tuple[Callable[[], Network], tuple[int, ...]]] = {
    "digits": (DigitsCNN, (1, 1, 8, 8)),
    "resnet8": (ResNet8, (1, 3, 32, 32)),
    "ds_cnn": (DSCNN, (1, 1, 49, 10)),
    "mobilenet_v1_025": (MobileNetV1Quarter, (1, 3, 96, 96)),
}


def make(name: str, seed: int = 0) -> tuple[Network, tuple[int, ...]]:
    """A network in eval mode with random weights and plausible batch-norm statistics, and its input shape."""
    constructor, shape = NETWORKS[name]
    torch.manual_seed(seed)
    model = constructor()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    model.eval()
    return model, shape
