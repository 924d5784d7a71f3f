"""The programs of docs/migrating.md: taken from the page, imports changed as its table says, and run.

Those that today's PyTorch still runs are also run as they stand, on PyTorch: they are programs of the old system.
"""

import re
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import qsdk
import qsdk.quantization as tq

PAGE = (Path(__file__).parents[3] / "docs" / "migrating.md").read_text()
PROGRAMS = dict(re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?```python\n(.*?)```", PAGE, re.M | re.S))
SUBSTITUTIONS = {
    "torch.quantization": "qsdk.quantization",
    "torch.backends.quantized": "qsdk.backends.quantized",
}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(torch.relu(self.bn(self.conv(x))).mean((2, 3)))


def train(model):
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(4, 1, 4, 4)).square().mean().backward()
        optimizer.step()


def run(program, qconfig):
    names = {
        "make_model": Model,
        "calibration_data": [torch.randn(4, 1, 4, 4) for _ in range(2)],
        "train": train,
        "my_qconfig": qconfig,
    }
    exec(compile(program, "docs/migrating.md", "exec"), names)
    return names


@pytest.fixture(autouse=True)
def _restore():
    theirs = torch.backends.quantized.engine
    yield
    torch.backends.quantized.engine = theirs
    qsdk.backends.quantized.engine = "reference"


def test_the_page_has_a_program_for_every_way():
    assert list(PROGRAMS) == [
        "Engines", "Dynamic quantization", "Static quantization", "Quantization-aware training", "Graph mode",
        "One layer in float",
    ]  # fmt: skip


@pytest.mark.parametrize("title", PROGRAMS)
def test_with_the_imports_changed(title):
    program = PROGRAMS[title]
    for old, new in SUBSTITUTIONS.items():
        program = program.replace(old, new)
    assert "torch.quantization" not in program
    names = run("import qsdk\n" + program, tq.get_default_qconfig("qnnpack"))
    assert not any(type(v).__module__.startswith("torch.ao") for v in names.values())


# Since the document was written, PyTorch's graph mode has come to need example inputs, and its fusion eval mode.
CHANGED_SINCE = {"Graph mode", "Quantization-aware training"}


@pytest.mark.parametrize("title", [t for t in PROGRAMS if t not in CHANGED_SINCE])
def test_as_they_stand_on_pytorch(title):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = run(PROGRAMS[title], torch.ao.quantization.get_default_qconfig("fbgemm"))
    assert "qsdk" not in names
