"""Golden files: written once by a released version, never regenerated. Every later version must read them alike."""

from __future__ import annotations

from pathlib import Path

import pytest

import qsdk
from qsdk.export.serialize import checksum_ok, deserialize
from qsdk.export.vectors import check_vector
from qsdk.reference.interpreter import run

GOLDEN = sorted((Path(__file__).resolve().parents[1] / "golden").glob("*.qsdk"))


def test_there_are_golden_files() -> None:
    assert [p.name for p in GOLDEN] == ["digits_v1.qsdk"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.stem)
def test_reads_and_answers_as_ever(path: Path) -> None:
    data = path.read_bytes()
    program = deserialize(data)
    assert checksum_ok(data)
    assert program.test_vectors
    for vector in program.test_vectors:
        assert all(check_vector(program, vector, lambda *inputs: run(program, *inputs)))
    for isa in qsdk.runtime.available_isas():
        session = qsdk.Session(data, isa=isa)
        session.checksum()
        assert session.self_test() == len(program.test_vectors)
