"""The budgets of scripts/budgets.py, and what the core of a small machine may need from outside."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import budgets  # noqa: E402
import size  # noqa: E402


@pytest.mark.slow
@pytest.mark.parametrize("target", ["cortex_m3", "cortex_m4", "aarch64"])
def test_budgets(target: str, tmp_path: Path) -> None:
    rows = getattr(budgets, target)(tmp_path)
    assert rows
    for row in rows:
        assert 0 < row.measured <= row.allowed, row
    # Where the instruction set is known, scalar kernels beside its own are not linked.
    objects = (
        {name for name, _, _ in budgets.linked(found)} if (found := next(tmp_path.rglob("*.map"), None)) else set()
    )
    assert ("gemm_qs8__scalar_1x1" in objects) == (target == "cortex_m3")
    assert ("gemm_qs8__dsp_2x2" in objects) == (target == "cortex_m4")


@pytest.mark.parametrize("target", size.TOOLS)
def test_the_core_needs_nothing_but_memory_functions(target: str) -> None:
    assert size.objects(target)
    assert size.foreign_symbols(target) == []
