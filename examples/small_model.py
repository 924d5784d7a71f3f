"""Writes a small .qsdk file for the boards' examples: the digits CNN, calibrated on random images, not trained.

    python examples/small_model.py digits.qsdk

Put your own quantized model in its place.
"""

from __future__ import annotations

import sys

import networks
import torch

import qsdk
import qsdk.quantization as tq


def main(path: str) -> None:
    """Exports with test vectors, which the boards check."""
    model, shape = networks.make("digits")
    model.fuse()
    model.qconfig = tq.get_default_qconfig("qsdk")
    prepared = tq.prepare(model)
    for _ in range(4):
        prepared(torch.rand(shape))
    print(qsdk.export(tq.convert(prepared), torch.rand(shape), path))


if __name__ == "__main__":
    main(sys.argv[1])
