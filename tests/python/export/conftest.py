"""A small converted model and its file, made once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "examples"))


def convert(name: str) -> tuple[torch.nn.Module, torch.Tensor]:
    import networks

    import qsdk.quantization as tq

    model, shape = networks.make(name)
    model.fuse()
    model.qconfig = tq.get_default_qconfig("qsdk")
    prepared = tq.prepare(model)
    torch.manual_seed(1)
    for _ in range(3):
        prepared(torch.randn(shape))
    return tq.convert(prepared), torch.randn(shape)


@pytest.fixture(scope="session")
def digits() -> tuple[torch.nn.Module, torch.Tensor]:
    return convert("digits")
