"""qrt_run's command line: what cannot be done is refused, and the exit status says so, on Linux as on a board."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

import qsdk
from qsdk.runtime.artifacts import command

FILE = str(Path(__file__).resolve().parents[2] / "golden" / "digits_v1.qsdk")
PLACES = [("host", "host"), ("cortex-m3", "mps2-an385")]


def qrt_run(*arguments: str, place: tuple[str, str] = PLACES[0], **options: object) -> subprocess.CompletedProcess[str]:
    words = command(*place, arguments)
    return subprocess.run(words, text=True, check=False, timeout=60, **({"capture_output": True} | options))  # type: ignore[call-overload]


REFUSED = {
    "FILE: missing": [],
    "nowhere: cannot be opened": ["nowhere"],
    "--input: needs a value": [FILE, "--input"],
    "--nonsense: not understood": [FILE, "--nonsense"],
    "not understood": [FILE, FILE],
    "--repeat: needs a number from 1": [FILE, "--repeat", "0"],
    "--repeat: needs a number": [FILE, "--repeat", "99999999999999999999999"],
    "--repeat: needs": [FILE, "--repeat", "-1"],
    "--threads: needs a number from 1 to 64": [FILE, "--threads", "65"],
    "--profile: needs --repeat": [FILE, "--profile"],
    "--info: runs nothing": [FILE, "--info", "--self-test"],
    "--info: runs": [FILE, "--info", "--repeat", "2"],
    "--batch: takes tensors from the list": ["--batch", "list", "--verify"],
    "either FILE or --batch": [FILE, "--batch", "list"],
    "list: cannot be opened": ["--batch", "list"],
    "there is no instruction set 'nope'": [FILE, "--isa", "nope"],
    "the file does not begin like a .qsdk file": [__file__],
    "bytes, not a multiple of the input's 256": [FILE, "--input", "/dev/null"],
    "cannot be written": [FILE, "--output", "/nowhere/y.npy"],
}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place[0])
@pytest.mark.parametrize("why", REFUSED)
def test_refused(why: str, place: tuple[str, str]) -> None:
    result = qrt_run(*REFUSED[why], place=place)
    assert result.returncode in (1, 2) and why in result.stderr
    assert (result.returncode == 2) == ("--batch LIST" in result.stderr)  # wrong usage: says what is right


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    for words in ([str(tmp_path)], ["--batch", str(tmp_path)]):
        result = qrt_run(*words)
        assert result.returncode == 1 and str(tmp_path) in result.stderr


def test_what_cannot_be_printed_is_a_failure() -> None:
    with open("/dev/full", "w") as full:
        result = qrt_run(FILE, "--verify", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 1 and "standard output" in result.stderr


def test_a_board_takes_a_long_command_line_or_says_that_it_does_not() -> None:
    place = PLACES[1]
    assert qrt_run(FILE, *["--self-test"] * 253, place=place).returncode == 0
    for words in ([FILE, *["--self-test"] * 254], [FILE, *["--self-test"] * 400]):
        result = qrt_run(*words, place=place)
        assert result.returncode == 2 and "too long" in result.stdout + result.stderr


def test_memory_for_the_times_of_runs_may_not_suffice() -> None:
    result = qrt_run(FILE, "--repeat", "100000000", place=PLACES[1])
    assert result.returncode == 3 and "the times of so many runs" in result.stderr


def test_profile() -> None:
    result = qrt_run(FILE, "--self-test", "--repeat", "5", "--profile")
    lines = result.stdout.splitlines()
    assert result.returncode == 0 and lines[0].endswith("verified, 2 test vectors")
    words = lines[1].split()
    assert words[:2] == ["runs", "5"] and words[2::2] == ["min", "median", "p90", "p99", "max", "us"]
    times = [float(word) for word in words[3::2]]
    assert times == sorted(times)
    shares = [float(line.split()[4].rstrip("%")) for line in lines[2:]]
    assert len(shares) == 17 and abs(sum(shares) - 100) < 1


def npy(shape: str, data: bytes, descr: str = "'<f4'") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}".encode()
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + data


ONE = np.zeros(64, np.float32).tobytes()
NPY = {
    "its shape is not the tensor's": npy("(1, 1, 8, 9), }", ONE),
    "its shape is not": npy("(), }", ONE),
    "its shape has more axes": npy("(1, 1, 8, 8, 2), }", ONE * 2),
    "its shape has more": npy("(1, 1, 8, 8", ONE),
    "shorter or longer than its shape says": npy("(1, 1, 8, 8), }", ONE * 2),
    "shorter or longer": npy("(2, 1, 8, 8), }", ONE),
    "shorter": npy("(1, 1, 8, 8), }", ONE[:-1]),
    "of another type": npy("(1, 1, 8, 8), }", ONE, "'<i4'"),
    "not a .npy file": b"\x93NUMPY\1\0\xff\xff" + ONE,
}


@pytest.mark.parametrize("why", NPY)
def test_npy_files_of_strangers(why: str, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(NPY[why])
    result = qrt_run(FILE, "--input", str(path))
    assert result.returncode == 1 and why in result.stderr


def test_npy_files_may_hold_several_samples(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((3, 1, 8, 8), np.float32)
    np.save(tmp_path / "x.npy", x)
    result = qrt_run(FILE, "--input", str(tmp_path / "x.npy"), "--output", str(tmp_path / "y.npy"))
    assert result.returncode == 0, result.stderr
    expected = [qsdk.reference.run(FILE, x[i : i + 1])[0] for i in range(3)]
    assert np.load(tmp_path / "y.npy").tobytes() == np.concatenate(expected).tobytes()
