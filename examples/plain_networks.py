"""Networks as people write them, with nothing in them that knows of quantization. Random weights.

qsdk.quantize takes each as it stands; the tests run each on every backend.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Expansion, channels, repetitions, stride of each stage, and the layer counts of the paper (Sandler et al. 2018).
STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU6."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU6())


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; added to its input where the shapes allow."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = [block(inputs, hidden, 1)] if expansion != 1 else []
        layers += [block(hidden, hidden, 3, stride, hidden), nn.Conv2d(hidden, outputs, 1, bias=False)]
        self.conv = nn.Sequential(*layers, nn.BatchNorm2d(outputs))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """With the names that torchvision's weights have."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        layers: list[nn.Module] = [block(3, 32, 3, 2)]
        channels = 32
        for expansion, outputs, repetitions, stride in STAGES:
            for position in range(repetitions):
                layers.append(InvertedResidual(channels, outputs, stride if position == 0 else 1, expansion))
                channels = outputs
        self.features = nn.Sequential(*layers, block(channels, 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        same = stride == 1 and inputs == outputs
        projection = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut = nn.Identity() if same else projection

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet18(nn.Module):
    """He et al. 2016."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, 1)
        widths = [64, 64, 64, 128, 128, 256, 256, 512, 512]
        pairs = zip(widths, widths[1:], strict=False)
        self.blocks = nn.Sequential(*[BasicBlock(i, o, 1 if i == o else 2) for i, o in pairs])
        self.fc = nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.pool(self.stem(x)))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class Autoencoder(nn.Module):
    """Anomaly detection of MLPerf Tiny: 640 numbers through a bottleneck of 8."""

    def __init__(self) -> None:
        super().__init__()
        widths = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128]
        hidden = [layer for i, o in zip(widths, widths[1:], strict=False) for layer in (nn.Linear(i, o), nn.ReLU())]
        self.layers = nn.Sequential(*hidden, nn.Linear(128, 640))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class UNet(nn.Module):
    """Segmentation: down by convolutions with stride, up by transposed ones, joined with what was on the way down."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.enter = block(3, 16)
        self.down = nn.ModuleList([block(16, 32, 3, 2), block(32, 48, 3, 2)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(48, 32, 2, 2), nn.ConvTranspose2d(32, 16, 3, 2, 1, 1)])
        self.join = nn.ModuleList([block(64, 32), block(32, 16)])
        self.leave = nn.Conv2d(16, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = [self.enter(x)]
        for down in self.down:
            kept.append(down(kept[-1]))
        x = kept.pop()
        for up, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat([up(x), kept.pop()], 1))
        return self.leave(x)


class VideoCNN(nn.Module):
    """A small network on clips of [3, 8, 24, 24]: 3D convolutions, batch norm alone, a sum over all positions."""

    def __init__(self, classes: int = 6) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(3, 12, 3, (1, 2, 2), 1, bias=False), nn.BatchNorm3d(12), nn.ReLU(),
            nn.Conv3d(12, 24, (3, 3, 3), 2, 1, groups=2), nn.BatchNorm3d(24), nn.Hardswish(),
            nn.Conv3d(24, 24, 1), nn.ReLU(),
        )  # fmt: skip
        self.fc = nn.Linear(24, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.layers(x).mean((2, 3, 4)))


class WaveNet(nn.Module):
    """Dilated causal convolutions with gates, residuals and skip connections, on [1, samples]."""

    def __init__(self, width: int = 16, dilations: tuple[int, ...] = (1, 2, 4, 8)) -> None:
        super().__init__()
        self.enter = nn.Conv1d(1, width, 1)
        self.filters = nn.ModuleList([nn.Conv1d(width, width, 3, padding=d, dilation=d) for d in dilations])
        self.gates = nn.ModuleList([nn.Conv1d(width, width, 3, padding=d, dilation=d) for d in dilations])
        self.mix = nn.ModuleList([nn.Conv1d(width, width, 1) for _ in dilations])
        self.leave = nn.Sequential(nn.ReLU(), nn.Conv1d(width, 8, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        skips = 0
        for filter, gate, mix in zip(self.filters, self.gates, self.mix, strict=True):
            y = mix(torch.tanh(filter(x)) * torch.sigmoid(gate(x)))
            x = x + y
            skips = skips + y
        return self.leave(skips)


class Attention(nn.Module):
    """One encoder layer written out: queries, keys and values, softmax, norms, gelu; on [tokens, 32]."""

    def __init__(self, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.query, self.key, self.value, self.project = (nn.Linear(width, width) for _ in range(4))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.heads = heads

    def _split(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self._split(self.query(x)), self._split(self.key(x)), self._split(self.value(x))
        scores = torch.softmax(q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5, -1)
        x = self.norm1(x + self.project((scores @ v).transpose(1, 2).flatten(2)))
        return self.norm2(x + self.narrow(F.gelu(self.wide(x))))


class Encoder(nn.Module):
    """PyTorch's own Transformer encoder, causal, with a code of positions; classes from the last of [tokens, 32]."""

    def __init__(self, width: int = 32, tokens: int = 12, classes: int = 5) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, activation="gelu", batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, classes)
        steps = torch.arange(tokens)[:, None] * torch.exp(torch.arange(width) * -0.2)
        self.register_buffer("position", torch.sin(steps))
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(tokens))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x + self.position, self.mask)[:, -1])


# name: (constructor, input shape)
PLAIN_NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mobilenet_v2": (MobileNetV2, (1, 3, 96, 96)),
    "resnet18": (ResNet18, (1, 3, 64, 64)),
    "autoencoder": (Autoencoder, (1, 640)),
    "unet": (UNet, (1, 3, 32, 32)),
    "video_cnn": (VideoCNN, (1, 3, 8, 24, 24)),
    "wavenet": (WaveNet, (1, 1, 100)),
    "attention": (Attention, (1, 10, 32)),
    "encoder": (Encoder, (2, 12, 32)),
}


def make_plain(name: str, seed: int = 0) -> tuple[nn.Module, tuple[int, ...]]:
    """A network in eval mode with random weights and plausible batch-norm statistics, and its input shape."""
    constructor, shape = PLAIN_NETWORKS[name]
    torch.manual_seed(seed)
    model = constructor()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    return model.eval(), shape
