"""Which kernels an ARM CPU gets: what it has, nothing more, and less if asked."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from qsdk.runtime.artifacts import command

FILE = str(Path(__file__).resolve().parents[1] / "golden" / "digits_v1.qsdk")

# Best first, as qrt_run prints them.
ISAS = {
    ("aarch64", "cortex-a53"): ["neon", "scalar"],
    ("aarch64", "cortex-a76"): ["neondot", "neon", "scalar"],
    ("aarch64", "max"): ["i8mm", "neondot", "neon", "scalar"],
    ("armv7hf", "cortex-a7"): ["neon", "scalar"],
    ("armv7hf", "max"): ["neon", "scalar"],
}


def _info(target: str, cpu: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    words = [*command(target, cpu), FILE, "--info", *options]
    return subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def _isas_of_kernels(output: str) -> set[str]:
    return set(re.findall(r"^operator \d+: \w+?__([a-z0-9]+)_", output, re.MULTILINE))


@pytest.mark.parametrize(("target", "cpu"), ISAS)
def test_a_cpu_gets_what_it_has(target: str, cpu: str) -> None:
    isas = ISAS[target, cpu]
    result = _info(target, cpu)
    assert result.returncode == 0, result.stderr
    assert f"instruction sets: {' '.join(isas)}\n" in result.stdout
    used = _isas_of_kernels(result.stdout)
    assert isas[0] in used and used <= set(isas)


@pytest.mark.parametrize(("target", "cpu"), ISAS)
def test_a_mask_leaves_the_sets_below(target: str, cpu: str) -> None:
    isas = ISAS[target, cpu]
    for position, isa in enumerate(isas):
        for result in (_info(target, cpu, "--isa", isa), _info(target, cpu, QRT_ISA=isa)):
            assert result.returncode == 0, result.stderr
            used = _isas_of_kernels(result.stdout)
            assert isa in used and used <= set(isas[position:])


@pytest.mark.parametrize(("target", "cpu"), ISAS)
def test_what_a_cpu_lacks_is_refused(target: str, cpu: str) -> None:
    for isa in {"i8mm", "neondot", "neon"} - set(ISAS[target, cpu]):
        result = _info(target, cpu, "--isa", isa)
        assert result.returncode == 1 and isa in result.stderr
