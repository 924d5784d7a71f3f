"""Where the time of a network goes, by classes of operators: convolutions apart by window, depth and columns."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from qsdk.debug import profile  # noqa: E402
from qsdk.export.program import Operation, Program  # noqa: E402
from qsdk.export.serialize import deserialize, load  # noqa: E402


def class_of(program: Program, op: Operation) -> str:
    """An operator's kind; of a convolution what decides how fast it can be."""
    weights = [t for t in (program.tensors[i] for i in op.inputs) if t.is_constant and len(t.shape) == 4]
    if op.kind != "conv2d" or not weights:
        return op.kind
    outputs, height, width, depth = weights[0].shape
    if depth == 1 and program.tensors[op.inputs[0]].shape[-1] > 1:
        return f"depthwise {height}x{width}"
    if (height, width) != (1, 1):
        return f"conv {height}x{width}" + (" from 1 to 4 channels" if depth <= 4 else "")
    return "conv 1x1" + (", depth up to 32" if depth <= 32 else ", up to 32 columns" if outputs <= 32 else "")


def where(file: Path) -> list[dict[str, Any]]:
    """For each class: how many operators, their nanoseconds (the least of each) and products; slowest first."""
    program = deserialize(load(file))
    found: dict[str, dict[str, Any]] = {}
    for op, row in zip(program.operators, profile(file, runs=100).rows, strict=True):
        name = class_of(program, op)
        entry = found.setdefault(name, {"class": name, "operators": 0, "nanoseconds": 0.0, "macs": 0})
        entry["operators"] += 1
        entry["nanoseconds"] += row.least
        entry["macs"] += row.macs
    return sorted(found.values(), key=lambda entry: -entry["nanoseconds"])
