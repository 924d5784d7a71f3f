"""Writes docs/operators.md: which operators there are, in which modes of quantization and on which targets.

    python scripts/operators.py            writes the page
    python scripts/operators.py --check    writes nothing; exit status 1 if the page is stale

A mode is what the operator's parity cases are: tests/parity runs each of them on every target, against the reference.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from torch import nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from parity.backends import BACKENDS  # noqa: E402
from parity.cases import cases  # noqa: E402

from qsdk.export.program import Program  # noqa: E402
from qsdk.nn import quantized as nnq  # noqa: E402
from qsdk.nn.quantizable import swappable  # noqa: E402
from qsdk.nn.quantized import dynamic as nnqd  # noqa: E402
from qsdk.ops import OPERATORS, OperatorRow  # noqa: E402
from qsdk.quantization.mappings import (  # noqa: E402
    get_default_dynamic_quant_module_mappings,
    get_default_static_quant_module_mappings,
)

PAGE = ROOT / "docs" / "operators.md"
MODES = ("static", "dynamic", "weight-only", "float")
SUFFIXES = {"_dynamic": "dynamic", "_weight_only": "weight-only", "_float": "float"}
TARGETS = {"host": "x86", "aarch64": "aarch64", "armv7hf": "armv7"}

# The rows of the table in PyTorch's document of quantization.
CLASSIC: list[tuple[type[nn.Module], ...]] = [
    (nn.Linear,), (nn.Conv1d, nn.Conv2d, nn.Conv3d), (nn.LSTM, nn.GRU), (nn.RNNCell, nn.GRUCell, nn.LSTMCell),
    (nn.EmbeddingBag,), (nn.Embedding,), (nn.MultiheadAttention,),
    (nn.ReLU6, nn.Hardswish, nn.ELU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.GELU, nn.Softmax),
]  # fmt: skip

HEAD = """# Operators

What the file format and the C runtime compute. A cell names the targets on which the parity tests run the operator in
that mode; results are those of [numerics.md](numerics.md), byte for byte, on all of them.

Static: int8 activations. Dynamic: float activations, quantized as the model runs. Weight-only: float activations and
integer weights. Float: what is left in float, integers and truth values.

Made by `scripts/operators.py` of the operator table and the parity cases; edit those.

| operator | stands for | static | dynamic | weight-only | float |
|---|---|---|---|---|---|
"""

CLASSIC_HEAD = """
## PyTorch's own table

The operators that PyTorch's document of quantization lists, here. Activations are those of the statically quantized
modules; beside dynamically quantized layers they stay in float, as there.

| operator | static | dynamic |
|---|---|---|
"""


def family(kind: str) -> tuple[str, str | None]:
    """The operator that a kind is a form of, and the mode that its name says."""
    for suffix, mode in SUFFIXES.items():
        if kind.endswith(suffix):
            return kind.removesuffix(suffix), mode
    return kind, None


def mode_of(program: Program) -> tuple[str, str]:
    """Operator and mode of a program of one operator."""
    op = program.operators[0]
    name, mode = family(op.kind)
    activations = [program.tensors[i] for i in (*program.inputs, *op.outputs)]
    if mode is None:
        mode = "static" if any(t.dtype == "int8" for t in activations) else "float"
        if mode == "float" and any(t.dtype == "uint8" for t in program.tensors):
            mode = "weight-only"  # tables
    return name, mode


def support() -> dict[str, dict[str, set[str]]]:
    """Operator -> mode -> targets on which a parity case runs it."""
    targets = {
        TARGETS[b.replace(":", "-").split("-")[0]] for b in BACKENDS if b.replace(":", "-").split("-")[0] in TARGETS
    }
    found: dict[str, dict[str, set[str]]] = {}
    for case in cases():
        name, mode = mode_of(case.program())
        found.setdefault(name, {})[mode] = targets
    return found


def stands_for(rows: list[OperatorRow]) -> str:
    """Modules and functions of PyTorch's, by name."""
    spellings: list[Any] = []
    for row in rows:
        spellings += [*row.modules, *row.functions, *row.forms, *row.functional, *row.aten]
    names = set()
    for spelling in spellings:
        name = spelling if isinstance(spelling, str) else getattr(spelling, "__name__", str(spelling))
        name = name.split(".")[0].strip("_")
        module = getattr(spelling, "__module__", "") or ""
        if not module.startswith("qsdk"):
            names.add(name)
    return ", ".join(f"`{name}`" for name in sorted(names, key=lambda n: (n[0].islower(), n)))


def page() -> str:
    """The whole page."""
    found, lines = support(), []
    for name in sorted(found):
        rows = [row for kind, row in OPERATORS.items() if family(kind)[0] == name]
        cells = [", ".join(t for t in TARGETS.values() if t in found[name].get(mode, ())) for mode in MODES]
        lines.append(f"| {name} | {stands_for(rows)} | {' | '.join(cells)} |\n")
    classic = []
    for kinds in CLASSIC:
        names = ", ".join(f"`nn.{kind.__name__}`" for kind in kinds)
        cells = ["yes" if all(has(kind) for kind in kinds) else "no" for has in (is_static, is_dynamic)]
        if kinds[0] is nn.ReLU6:
            cells[1] = "in float"
        classic.append(f"| {names} | {' | '.join(cells)} |\n")
    return HEAD + "".join(lines) + CLASSIC_HEAD + "".join(classic)


def is_static(kind: type[nn.Module]) -> bool:
    """Whether a float module has a statically quantized counterpart."""
    return kind in get_default_static_quant_module_mappings() or kind in swappable() or hasattr(nnq, kind.__name__)


def is_dynamic(kind: type[nn.Module]) -> bool:
    """Whether a float module has a dynamically quantized counterpart."""
    return kind in get_default_dynamic_quant_module_mappings() or hasattr(nnqd, kind.__name__)


def main() -> int:
    text = page()
    if "--check" in sys.argv[1:]:
        if PAGE.read_text() != text:
            print("docs/operators.md is stale: run scripts/operators.py")
            return 1
        return 0
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
