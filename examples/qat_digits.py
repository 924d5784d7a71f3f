"""Quantization-aware training on handwritten digits with 4-bit weights.

Trains the digits network in float, quantizes it after training (PTQ), and trains it on with fake quantization (QAT).
Prints the accuracy of each on held-out images. Weights are per tensor, in -8..7; activations have 8 bits.

    python examples/qat_digits.py [--seed N] [--epochs N] [--quiet]
"""

from __future__ import annotations

import argparse
import copy
from functools import partial

import torch
from digits import data
from networks import DigitsCNN
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import qsdk.quantization as tq

FOUR_BITS = {"quant_min": -8, "quant_max": 7}


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of right classes."""
    with torch.no_grad():
        return float((model(images).argmax(1) == labels).double().mean())


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

    def train(model: nn.Module, rate: float, frozen: int) -> None:
        tq.default_train_fn(
            model,
            DataLoader(TensorDataset(images, labels), batch_size=64, shuffle=True),
            nn.functional.cross_entropy,
            partial(torch.optim.Adam, lr=rate),
            options.epochs,
            progress=not options.quiet,
            scheduler=partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=options.epochs),
            frozen_observer_epochs=frozen,
            frozen_batch_norm_epochs=frozen,
        )
        model.eval()

    model = DigitsCNN()
    train(model, 3e-3, frozen=0)
    quantized = after_training(model, images)

    aware = copy.deepcopy(model).train()
    assert isinstance(aware, DigitsCNN)
    aware.fuse()
    activation = tq.get_default_qat_qconfig("qsdk").activation
    aware.qconfig = tq.QConfig(activation, tq.default_fused_wt_fake_quant.with_args(**FOUR_BITS))
    prepared = tq.prepare_qat(aware)
    train(prepared, 2e-3, frozen=options.epochs // 4)  # near the end, ranges and statistics stay as they are
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
