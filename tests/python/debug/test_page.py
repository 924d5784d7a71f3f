"""The programs of docs/debugging.md run as they stand, one after the other."""

import re
from pathlib import Path

import torch
from torch import nn

PAGE = Path(__file__).resolve().parents[3] / "docs" / "debugging.md"


def test_programs_of_the_page(tmp_path, monkeypatch, capsys):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()
    batches = [torch.randn(8, 1, 8, 8) for _ in range(2)]
    expected = model(batches[0]).argmax(1)
    names = {
        "model": model,
        "batches": batches,
        "accuracy": lambda candidate: float((candidate(batches[0]).argmax(1) == expected).double().mean()),
    }
    monkeypatch.chdir(tmp_path)
    programs = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    assert len(programs) == 3
    for program in programs:
        exec(compile(program, str(PAGE), "exec"), names)
    shown = capsys.readouterr().out
    assert "SQNR dB" in shown and "one layer quantized at a time" in shown and Path("comparison.html").is_file()
    assert names["found"].score >= 0.99 and names["quantized"](batches[0]).shape == (8, 3)
