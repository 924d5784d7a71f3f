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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixture's files."""
    path = tmp_path_factory.mktemp("files")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}  # this tree's qsdk, whatever is installed
    subprocess.run([sys.executable, str(FIXTURE), str(path)], check=True, env=environment)
    return path


@pytest.mark.slow
def test_without_threads(folder: Path) -> None:
    """The build for machines that have none: everything else works, and asking for threads is an error."""
    subprocess.run([sys.executable, "-m", "SCons", "-Q", "target=host", "threads=0"], cwd=ROOT, check=True)
    for name in ("test_core", "test_threads"):
        program = ROOT / "build" / "host-nothreads" / name
        result = subprocess.run([program, str(folder)], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
    symbols = subprocess.run(["nm", "-u", program], capture_output=True, text=True, check=True).stdout
    assert "pthread" not in symbols


@pytest.mark.parametrize(
    "name",
    [
        "test_core",
        "test_damage",
        "test_operators",
        "test_dynamic",
        "test_embedding",
        "test_recurrent",
        "test_weight_only",
        "test_lstm",
        "test_gru",
        "test_threads",
        "test_float",
    ],
)
@pytest.mark.parametrize(("target", "cpu"), [(target, cpu) for target in EMULATORS for cpu in EMULATORS[target]])
def test_program(name: str, target: str, cpu: str, folder: Path) -> None:
    words = command(target, cpu, [str(folder)], program=name)
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1].endswith("passed, 0 failed")
