"""The emulators that the package knows are the test runners of the toolchains."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import qsdk
from qsdk.runtime.artifacts import EMULATORS, command, emulate, is_bare_metal, runner_path

TOOLCHAINS = Path(__file__).resolve().parents[3] / "toolchains"


def _runners(target: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """TEST_RUNNER as the toolchain's file has it, or as it asks the shared file to set it."""
    monkeypatch.syspath_prepend(str(TOOLCHAINS))
    tree = ast.parse((TOOLCHAINS / f"{target}.py").read_text())
    value = next(k.value for k in ast.walk(tree) if isinstance(k, ast.keyword) and k.arg in ("TEST_RUNNER", "runner"))
    names = {"QEMU": __import__("cortex_m").QEMU} if is_bare_metal(target) else {}
    return eval(compile(ast.Expression(value), target, "eval"), names)


@pytest.mark.parametrize("target", EMULATORS)
def test_runners_agree_with_the_toolchains(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cpus = EMULATORS[target]
    if target == "host":
        assert list(cpus.values()) == [[]]
    else:
        assert {cpu: " ".join(words) for cpu, words in cpus.items()} == _runners(target, monkeypatch)
    sys.modules.pop("cortex_m", None)


def test_a_machine_gets_its_arguments_as_one_line() -> None:
    words = emulate(["qemu"], Path("program"), ["a", "--b"], machine=True)
    assert words == ["qemu", "-kernel", "program", "-append", "a --b"]
    with pytest.raises(qsdk.QsdkError, match="blank"):
        emulate(["qemu"], Path("program"), ["a file"], machine=True)
    assert emulate(["qemu"], Path("program"), ["a file"], machine=False) == ["qemu", "program", "a file"]


def test_unknown_targets_are_refused() -> None:
    with pytest.raises(qsdk.QsdkError, match="known: host, aarch64"):
        command("cortex-m1", "x")
    with pytest.raises(qsdk.QsdkError, match="mps2-an386"):
        command("cortex-m4", "x")


@pytest.mark.parametrize("place", ["toaster/qrt_run", "toaster-zig/qrt_run", "toaster/bin/qrt_run"])
def test_where_programs_are_looked_for(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QSDK_BUILD", str(tmp_path))
    with pytest.raises(qsdk.QsdkError, match="qsdk build --target toaster -o build/toaster"):
        runner_path("toaster")
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).touch()
    assert runner_path("toaster") == tmp_path / place
