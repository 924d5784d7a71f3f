"""The emulators that the package knows are the test runners of the toolchains."""

from __future__ import annotations

import ast
from pathlib import Path

from qsdk.runtime.artifacts import EMULATORS

TOOLCHAINS = Path(__file__).resolve().parents[3] / "toolchains"


def test_runners_agree_with_the_toolchains() -> None:
    for target, cpus in EMULATORS.items():
        tree = ast.parse((TOOLCHAINS / f"{target}.py").read_text())
        runners = next(
            ast.literal_eval(k.value) for k in ast.walk(tree) if isinstance(k, ast.keyword) and k.arg == "TEST_RUNNER"
        )
        if target == "host":
            assert list(cpus.values()) == [[]]
        else:
            assert {cpu: " ".join(words) for cpu, words in cpus.items()} == runners
