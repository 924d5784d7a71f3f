"""The command line: exit codes and what a person sees."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import qsdk
from qsdk.runtime.artifacts import EMULATORS, command, runner_path
from qsdk.tools.build import arena_size

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "examples"))


def qsdk_command(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qsdk.tools.cli", *map(str, words)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import networks

    import qsdk.quantization as tq

    model, shape = networks.make("digits")
    model.fuse()
    model.qconfig = tq.get_default_qconfig("qsdk")
    prepared = tq.prepare(model)
    prepared(torch.randn(shape))
    path = tmp_path_factory.mktemp("cli") / "digits.qsdk"
    qsdk.export(tq.convert(prepared), torch.randn(shape), path)
    return path


def test_inspect(file: Path) -> None:
    result = qsdk_command("inspect", file)
    assert result.returncode == 0, result.stderr
    for word in ("conv2d", "arena map", "checksum good", "stem"):
        assert word in result.stdout


def test_run(file: Path, tmp_path: Path) -> None:
    import qsdk

    x = np.random.default_rng(0).normal(size=(1, 1, 8, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    result = qsdk_command("run", file, "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy")
    assert result.returncode == 0, result.stderr
    assert np.load(tmp_path / "y.npy").tobytes() == qsdk.reference.run(file, x)[0].tobytes()


def test_run_refuses_a_wrong_input(file: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, 1, 8, 9), np.float32))
    result = qsdk_command("run", file, "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy")
    assert result.returncode == 1 and "shape" in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "y.npy").exists()


def test_report(file: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(1, 1, 8, 8)).astype(np.float32))
    result = qsdk_command(
        "report", file, "--input", tmp_path / "x.npy", "-o", tmp_path / "page.html", "--isa", "scalar"
    )
    assert result.returncode == 0, result.stderr
    page = (tmp_path / "page.html").read_text()
    for text in (result.stdout, page):
        assert "17 operators, runtime on scalar and reference give the same bytes" in text and "stem" in text
    elsewhere = qsdk_command("report", file, "--input", tmp_path / "x.npy", "-o", tmp_path / "none" / "page.html")
    assert elsewhere.returncode == 1 and "cannot write" in elsewhere.stderr and "Traceback" not in elsewhere.stderr


def test_report_exits_1_if_an_operator_differs(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    from qsdk.debug import operators
    from qsdk.tools import cli

    x = np.zeros((1, 1, 8, 8), np.float32)
    np.save(tmp_path / "x.npy", x)
    rows = operators(file, x)
    wrong = replace(rows, rows=(replace(rows.rows[0], differing=1), *rows.rows[1:]))
    monkeypatch.setattr(cli, "operators", lambda *arguments, **keywords: wrong)
    with pytest.raises(typer.Exit) as raised:
        cli.report(file, [tmp_path / "x.npy"])
    assert raised.value.exit_code == 1


def test_verify_on_every_target(file: Path) -> None:
    result = qsdk_command("verify", file, "--target", "all")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("identical") == sum(map(len, EMULATORS.values()))


@pytest.mark.parametrize("where", ["weight", "vector"])
def test_verify_fails_after_one_flipped_byte(file: Path, tmp_path: Path, where: str) -> None:
    from qsdk.export.serialize import deserialize

    data = bytearray(file.read_bytes())
    if where == "weight":
        data[-100] ^= 1
    else:
        crc = deserialize(bytes(data)).test_vectors[0].output_crc[0].to_bytes(4, "little")
        data[bytes(data).index(crc)] ^= 1
    bad = tmp_path / "bad.qsdk"
    bad.write_bytes(data)
    result = qsdk_command("verify", bad)
    assert result.returncode == 1 and "FAILED" in result.stdout


@pytest.mark.parametrize("command", ["inspect", "run", "report", "verify"])
def test_damaged_file(command: str, file: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.qsdk"
    bad.write_bytes(file.read_bytes()[:1000])
    more = ["--input", bad, "--output", tmp_path / "y.npy"] if command in ("run", "report") else []
    result = qsdk_command(command, bad, *more)
    assert result.returncode == 1 and "Traceback" not in result.stderr


def test_files_with_odd_names(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[3]))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a folder").mkdir()
    for name in ("a folder/my model.qsdk", "-model.qsdk"):
        shutil.copy(file, tmp_path / name)
        for target in ("host", "cortex-m4"):
            result = qsdk_command("verify", "--target", target, "--", name)
            assert result.returncode == 0 and f"{name}: verified" in result.stdout, result.stdout
    sizes = {
        arena_size("cortex-m4", runner_path("cortex-m4"), path, b"")
        for path in (file, tmp_path / "a folder" / "my model.qsdk")
    }
    assert len(sizes) == 1


def test_a_profile_that_cannot_be_written_is_not_measured(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qsdk.tools import cli

    monkeypatch.setattr(cli, "profile", None)
    with pytest.raises(qsdk.QsdkError, match=r"x\.txt: a profile is written as \.json or \.html"):
        cli.bench(file, output=tmp_path / "x.txt")
    with pytest.raises(qsdk.QsdkError, match="--output is for runs on this machine"):
        cli.bench(file, output=tmp_path / "x.json", remote="pi@board")


def test_usage_error_is_2() -> None:
    assert qsdk_command("inspect").returncode == 2
    assert qsdk_command("--help").returncode == 0


def test_traces_of_all_targets_are_equal(file: Path, tmp_path: Path) -> None:
    """--trace prints node, operator, kernel and CRC; without the kernel's name all targets print the same."""

    x = np.random.default_rng(1).normal(size=(1, 1, 8, 8)).astype(np.float32)
    (tmp_path / "x.bin").write_bytes(x.tobytes())
    traces = set()
    for target, cpus in EMULATORS.items():
        for cpu in cpus:
            arguments = [str(file), "--trace", "--input", str(tmp_path / "x.bin"), "--output", str(tmp_path / "y")]
            result = subprocess.run(command(target, cpu, arguments), capture_output=True, text=True, check=True)
            lines = [line.split() for line in (result.stderr + result.stdout).splitlines()]
            lines = [words for words in lines if words and words[0].isdigit()]
            traces.add(tuple((words[0], words[1], words[-1]) for words in lines))
    assert len(traces) == 1
    assert len(traces.pop()) == 17


def test_bench(file: Path, tmp_path: Path) -> None:
    result = qsdk_command("bench", file, "--per-op", "--runs", 2, "-o", tmp_path / "profile.json")
    assert result.returncode == 0, result.stderr
    for word in ("time per operator", "conv2d", "MAC/cycle", "stem"):
        assert word in result.stdout
    assert '"operator": "conv2d"' in (tmp_path / "profile.json").read_text()
    brief = qsdk_command("bench", file, "--runs", 2)
    assert brief.returncode == 0 and "median" in brief.stdout and "conv2d" not in brief.stdout
    refused = qsdk_command("bench", file, "--runs", 2, "--isa", "mmx")
    assert refused.returncode == 1 and "mmx" in refused.stderr and "Traceback" not in refused.stderr
