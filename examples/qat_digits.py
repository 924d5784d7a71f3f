"""Quantization-aware training on handwritten digits with 4-bit weights.

Trains the digits network in float, quantizes it after training (PTQ), and trains it on with fake quantization (QAT).
Prints the accuracy of each on held-out images. Weights are per tensor, in -8..7; activations have 8 bits.

    python examples/qat_digits.py [--seed N] [--epochs N] [--quiet]
"""

from __future__ import annotations

import argparse
import copy

import torch
from digits import data
from networks import DigitsCNN
from torch import Tensor, nn
from tqdm import tqdm

import qsdk.nn.intrinsic.qat as nniqat
import qsdk.quantization as tq

FOUR_BITS = {"quant_min": -8, "quant_max": 7}


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of right classes."""
    with torch.no_grad():
        return float((model(images).argmax(1) == labels).double().mean())


def train(model: nn.Module, images: Tensor, labels: Tensor, epochs: tqdm[int], rate: float) -> None:
    """One-cycle training in batches of 64."""
    optimizer = torch.optim.Adam(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(epochs))
    model.train()
    for epoch in epochs:
        if epoch == len(epochs) - 2:  # near the end, ranges and statistics stay as they are
            model.apply(tq.disable_observer)
            model.apply(nniqat.freeze_bn_stats)
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
        schedule.step()
    model.eval()


def after_training(model: DigitsCNN, images: Tensor) -> nn.Module:
    """PTQ: calibrate and convert the float model."""
    model = copy.deepcopy(model)
    model.fuse()
    activation = tq.get_default_qconfig("qsdk").activation
    model.qconfig = tq.QConfig(activation, tq.default_weight_observer.with_args(**FOUR_BITS))
    prepared = tq.prepare(model)
    with torch.no_grad():
        prepared(images)
    return tq.convert(prepared)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=8, help="each of float and of quantization-aware training")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    images, test_images, labels, test_labels = data(options.seed)

    def epochs(what: str) -> tqdm[int]:
        return tqdm(range(options.epochs), desc=what, unit="epoch", leave=False, disable=options.quiet)

    model = DigitsCNN()
    train(model, images, labels, epochs("float"), 3e-3)
    quantized = after_training(model, images)

    aware = copy.deepcopy(model).train()
    assert isinstance(aware, DigitsCNN)
    aware.fuse()
    activation = tq.get_default_qat_qconfig("qsdk").activation
    aware.qconfig = tq.QConfig(activation, tq.default_fused_wt_fake_quant.with_args(**FOUR_BITS))
    prepared = tq.prepare_qat(aware)
    train(prepared, images, labels, epochs("QAT"), 2e-3)
    converted = tq.convert(prepared)

    rows = {
        "float": accuracy(model, test_images, test_labels),
        "PTQ, 4-bit weights": accuracy(quantized, test_images, test_labels),
        "QAT, 4-bit weights, fake quantized": accuracy(prepared, test_images, test_labels),
        "QAT, 4-bit weights, converted": accuracy(converted, test_images, test_labels),
    }
    for name, value in rows.items():
        print(f"{name:36}{value:8.2%}")


if __name__ == "__main__":
    main()
