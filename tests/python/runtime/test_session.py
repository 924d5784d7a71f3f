"""Session: inputs, errors, views, and every way in which a file or an argument can be wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import qsdk
from qsdk.export import to_bytes
from qsdk.runtime import available_isas


@pytest.fixture(scope="module")
def file(digits: tuple[torch.nn.Module, torch.Tensor]) -> bytes:
    return to_bytes(*digits)[1]


def test_views_and_copies(file: bytes, digits: tuple[torch.nn.Module, torch.Tensor]) -> None:
    session = qsdk.Session(file)
    session.set_input(0, digits[1])
    session.invoke()
    view = session.output(0)
    first = view.copy()
    assert not view.flags.writeable
    session.run(torch.randn(1, 1, 8, 8))
    assert view.tobytes() != first.tobytes()  # the view shows the newest run
    assert session.run(digits[1])[0].tobytes() == first.tobytes()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((1, 1, 8, 7), np.float32), "shape"),
        (np.zeros((1, 1, 8, 8), np.float64), "dtype"),
        (np.zeros((1, 1, 8, 8), np.int8), "dtype"),
    ],
)
def test_wrong_inputs(file: bytes, value: np.ndarray, message: str) -> None:
    with pytest.raises(qsdk.QsdkError, match=message):
        qsdk.Session(file).run(value)
    with pytest.raises(qsdk.QsdkError, match=message):
        qsdk.reference.run(file, value)


def test_wrong_counts_and_indices(file: bytes) -> None:
    session = qsdk.Session(file)
    with pytest.raises(qsdk.QsdkError, match="1 inputs"):
        session.run()
    with pytest.raises(qsdk.QsdkError):
        session.set_input(1, np.zeros(1, np.float32))
    with pytest.raises(qsdk.QsdkError):
        session.output(-1)


def test_unknown_isa(file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(qsdk.RuntimeStatusError, match="ISA.*scalar.*sse9"):
        qsdk.Session(file, isa="sse9")
    monkeypatch.setenv("QRT_ISA", "sse9")
    with pytest.raises(qsdk.RuntimeStatusError, match="ISA.*scalar.*sse9"):
        qsdk.Session(file)
    monkeypatch.setenv("QRT_ISA", "scalar")
    assert all("scalar" in k for k in qsdk.Session(file).kernels() if k)


def test_kernels_follow_the_isa(file: bytes) -> None:
    for isa in available_isas():
        assert any(isa in k for k in qsdk.Session(file, isa=isa).kernels())


@pytest.mark.parametrize("data", [b"", b"QSDK", bytes(64), b"\x10\0\0\0QSDK" + bytes(100)])
def test_not_a_file(data: bytes) -> None:
    with pytest.raises(qsdk.FileFormatError):
        qsdk.Session(data)


def test_missing_file() -> None:
    with pytest.raises(qsdk.FileFormatError, match=r"nowhere\.qsdk"):
        qsdk.Session("nowhere.qsdk")


def test_checksum_finds_a_flipped_weight(file: bytes) -> None:
    qsdk.Session(file).checksum()
    changed = bytearray(file)
    changed[-100] ^= 4
    with pytest.raises(qsdk.FileFormatError, match="CHECKSUM"):
        qsdk.Session(bytes(changed)).checksum()


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_threads(file: bytes, digits: tuple[torch.nn.Module, torch.Tensor], threads: int) -> None:
    one, many = qsdk.Session(file), qsdk.Session(file, threads=threads)
    assert many.scratch_size == threads * (-(-one.scratch_size // 64) * 64)
    assert many.arena_size >= one.arena_size
    for _ in range(3):
        assert many.run(digits[1])[0].tobytes() == one.run(digits[1])[0].tobytes()
    taps: list[np.ndarray] = []
    qsdk.Session(file, threads=threads, taps=taps).run(digits[1])
    assert len(taps) == len(one.kernels())


@pytest.mark.parametrize("threads", [65, -1, 1.5, "2"])
def test_wrong_numbers_of_threads(file: bytes, threads: Any) -> None:
    with pytest.raises(qsdk.QsdkError, match=f"threads is {threads!r}; give a number from 1 to 64"):
        qsdk.Session(file, threads=threads)
