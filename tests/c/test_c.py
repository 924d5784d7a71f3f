"""Runs the C core's own tests on this host and under QEMU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qsdk.runtime.artifacts import EMULATORS, command

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = Path(__file__).parent / "fixture.py"


@pytest.mark.parametrize(
    "name", ["test_core", "test_damage", "test_operators", "test_dynamic", "test_embedding", "test_recurrent"]
)
@pytest.mark.parametrize(("target", "cpu"), [(target, cpu) for target in EMULATORS for cpu in EMULATORS[target]])
def test_program(name: str, target: str, cpu: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}  # this tree's qsdk, whatever is installed
    subprocess.run([sys.executable, str(FIXTURE), str(tmp_path)], check=True, env=environment)
    *emulator, _ = command(target, cpu)
    program = ROOT / "build" / target / name
    result = subprocess.run([*emulator, str(program), str(tmp_path)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1].endswith("passed, 0 failed")
