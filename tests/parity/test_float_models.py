"""Whole networks in float, and one that is quantized in part, on every backend: equal bytes with qsdk.reference, and
PyTorch's results up to the rounding of its sums."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import qsdk
import qsdk.quantization as tq
from parity.backends import BACKENDS, Job, fits, run_jobs
from qsdk.export import to_bytes
from qsdk.reference.interpreter import run

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
import networks  # noqa: E402
import plain_networks  # noqa: E402

Made = tuple[nn.Module, tuple[int, ...], float]


class Tagger(nn.Module):
    """A long short-term memory of two layers, a label for each step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(12, 20, 2, batch_first=True), nn.Linear(20, 5)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(features)[0])


def _encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(32, 4, 64, activation="gelu", batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


def _float_stem_and_head() -> Made:
    """Graph mode; the first and the last layer have no qconfig."""
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 10),
    ).eval()  # fmt: skip
    mapping = tq.get_default_qconfig_mapping("qsdk").set_module_name("0", None).set_module_name("8", None)
    images = [torch.randn(2, 3, 12, 12) for _ in range(4)]
    return qsdk.quantize(model, images, mapping, progress=False), (2, 3, 12, 12), 0.05


MODELS: dict[str, Callable[[], Made]] = {
    "digits": lambda: (*networks.make("digits"), 1e-4),
    "ds_cnn": lambda: (*networks.make("ds_cnn"), 1e-4),
    "autoencoder": lambda: (*plain_networks.make_plain("autoencoder"), 1e-4),
    "transformer encoder": lambda: (_encoder(), (2, 9, 32), 1e-4),
    "lstm": lambda: (Tagger(), (2, 7, 12), 1e-4),
    "float stem and head": _float_stem_and_head,
}


@pytest.fixture(scope="module")
def jobs() -> list[tuple[Job, list[list[bytes]]]]:
    torch.set_num_threads(1)
    made = []
    for name, make in MODELS.items():
        torch.manual_seed(0)
        model, shape, close = make()
        x = torch.randn(shape)
        program, data = to_bytes(model.eval(), x)
        kinds = {operator.kind for operator in program.operators}
        assert ("quantize_per_tensor" in kinds) == (name == "float stem and head")
        expected = run(data, x.numpy())
        with torch.no_grad():  # PyTorch sums in other orders; the bytes of the backends are compared below
            torch.testing.assert_close(torch.from_numpy(np.array(expected[0])), model(x), rtol=close, atol=close)
        made.append((Job(name, program, data, [[x.numpy()]]), [[o.tobytes() for o in expected]]))
    return made


@pytest.mark.parametrize(
    "backend", [b if b.startswith("host") else pytest.param(b, marks=pytest.mark.slow) for b in BACKENDS]
)
def test_models(backend: str, jobs: list[tuple[Job, list[list[bytes]]]], tmp_path: Path) -> None:
    possible = [(job, expected) for job, expected in jobs if fits(backend, job)]
    assert len(possible) > 3
    results = run_jobs(backend, [job for job, _ in possible], tmp_path)
    assert {job.name: expected for job, expected in possible} == results
