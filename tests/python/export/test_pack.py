"""Weights packed at export: used where they lie, equal bytes, and what happens to those that are wrong."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import qsdk
from qsdk.export import pack, serialize
from qsdk.export.program import PackedWeights, Program
from qsdk.runtime import Session, available_isas, runner_path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "c"))
from fixture import every_operator  # noqa: E402
from fixture_dynamic import (  # noqa: E402
    every_dynamic_operator,
    every_recurrent_operator,
    every_weight_only_operator,
    quantized_gru,
    quantized_lstm,
)

PROGRAMS = [
    every_operator,
    every_dynamic_operator,
    every_recurrent_operator,
    every_weight_only_operator,
    quantized_gru,
    quantized_lstm,
]
PACKING = [isa for isa in available_isas() if isa != "scalar"]


def inputs(program: Program) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [
        random.normal(0, 30, t.shape).clip(-128, 127).astype(t.dtype)
        if t.dtype == "int8"
        else random.normal(0, 1, t.shape).astype(np.float32)
        for t in (program.tensors[i] for i in program.inputs)
    ]


def outputs(data: bytes, program: Program, isa: str) -> list[bytes]:
    return [o.tobytes() for o in Session(data, isa=isa).run(*inputs(program))]


@pytest.fixture(scope="module")
def plain() -> tuple[Program, bytes]:
    program = every_operator()
    return program, serialize.serialize(program)


@pytest.mark.parametrize("make", PROGRAMS)
def test_equal_bytes_in_place(make: type) -> None:
    program = make()
    data = serialize.serialize(program)
    packed = pack(program, data, PACKING)
    file = serialize.serialize(packed)
    for isa in available_isas():
        assert outputs(file, program, isa) == outputs(data, program, isa)
    for isa in PACKING:
        session, before = Session(file, isa=isa), Session(data, isa=isa)
        assert [p.in_file for p in session.packed()] == [True] * len(before.packed())
        assert [p.data.tobytes() for p in session.packed()] == [p.data.tobytes() for p in before.packed()]
        assert before.packed() and not any(p.in_file for p in before.packed())
        saved = sum(p.data.size for p in session.packed())
        assert session.arena_size <= before.arena_size - saved
    assert Session(file, isa="scalar").packed() == []


@pytest.mark.parametrize("isa", PACKING)
def test_a_session_ignores_the_sections_of_others(plain: tuple[Program, bytes], isa: str) -> None:
    program, data = plain
    file = serialize.serialize(pack(program, data, [isa]))
    for other in available_isas():
        own = {(p.operator, p.pack_id) for p in Session(data, isa=isa).packed()}
        for p in Session(file, isa=other).packed():
            assert p.in_file == ((p.operator, p.pack_id) in own)
        assert outputs(file, program, other) == outputs(data, program, other)


def test_round_trip(plain: tuple[Program, bytes]) -> None:
    packed = pack(*plain, PACKING)
    again = serialize.deserialize(serialize.serialize(packed))
    assert again.packed == packed.packed
    assert all(np.array_equal(a.data, b.data) for a, b in zip(again.packed, packed.packed, strict=True))


@pytest.mark.parametrize("isa", PACKING)
@pytest.mark.parametrize("change", ["id", "version", "size", "tensor", "missing"])
def test_what_does_not_fit_is_packed_anew(plain: tuple[Program, bytes], isa: str, change: str) -> None:
    program, data = plain
    packed = pack(program, data, [isa]).packed

    def changed(p: PackedWeights) -> PackedWeights:
        if change == "id":
            return replace(p, pack_id=p.pack_id + "0")
        if change == "version":
            return replace(p, layout_version=p.layout_version + 1)
        if change == "size":
            return replace(p, data=np.append(p.data, np.zeros(64, np.uint8)))
        return replace(p, tensor=0) if change == "tensor" else p

    wrong = [changed(p) for p in packed]
    if change == "missing":
        wrong = [p for p in packed if p.operator % 2]
    file = serialize.serialize(replace(program, packed=tuple(wrong)))
    assert outputs(file, program, isa) == outputs(data, program, isa)
    in_file = [p.in_file for p in Session(file, isa=isa).packed()]
    assert in_file == [change == "missing" and bool(p.operator % 2) for p in packed]


def verify(data: bytes, folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "model.qsdk"
    path.write_bytes(data)
    return subprocess.run([runner_path(), path, "--verify"], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("isa", PACKING)
def test_wrong_content_is_found(
    digits: tuple[torch.nn.Module, torch.Tensor], isa: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A section that does not hold the weights packed: a run cannot crash, and verification says which operator."""
    monkeypatch.setenv("QRT_ISA", "scalar")  # test vectors run on the weights themselves, and pass
    report = qsdk.export(*digits, tmp_path / "good.qsdk", pack_for=[isa])
    good = verify((tmp_path / "good.qsdk").read_bytes(), tmp_path)
    assert good.returncode == 0 and f"packed for {isa}" in good.stdout
    random = np.random.default_rng(1)
    packed = report.program.packed
    for position, p in enumerate(packed):
        noise = random.integers(0, 256, p.data.size).astype(np.uint8)
        for content in (noise, np.full_like(noise, 0xFF), np.append(p.data[:-1], p.data[-1:] ^ 1)):
            wrong = (*packed[:position], replace(p, data=content), *packed[position + 1 :])
            data = serialize.serialize(replace(report.program, packed=wrong))
            Session(data, isa=isa).run(digits[1])
        bad = verify(data, tmp_path)
        assert bad.returncode == 1 and f"operators[{p.operator}]" in bad.stderr, bad.stdout + bad.stderr


def test_export_packs(digits: tuple[torch.nn.Module, torch.Tensor], tmp_path: Path) -> None:
    plain = qsdk.export(*digits, tmp_path / "plain.qsdk")
    packed = qsdk.export(*digits, tmp_path / "packed.qsdk", pack_for=available_isas())
    assert packed.file_size > plain.file_size or not PACKING
    for isa in PACKING:
        assert packed.session_size[isa] < plain.session_size[isa]
    if PACKING:
        one = qsdk.export(*digits, tmp_path / "one.qsdk", pack_for=PACKING[0])  # a word is a set, not letters
        assert plain.file_size < one.file_size <= packed.file_size
    assert packed.session_size["scalar"] == plain.session_size["scalar"]
    with pytest.raises(qsdk.QsdkError, match="pack_for: 'mmx'.*scalar"):
        qsdk.export(*digits, tmp_path / "other.qsdk", pack_for=["mmx"])
    assert not (tmp_path / "other.qsdk").exists()
