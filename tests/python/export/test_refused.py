"""Packed weights that a file has and the runtime may not use are not called used. ARM's kernels have such flags."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qsdk.export import serialize
from qsdk.export.program import PackedWeights, Program
from qsdk.runtime.artifacts import command

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "c"))
from fixture import every_operator  # noqa: E402


def packed(program: Program, isa: str, path: Path) -> list[tuple[PackedWeights, bool]]:
    """What a session on ARM uses, and whether it is the file's."""
    path.write_bytes(serialize.serialize(program))
    words = command("aarch64", "max", [str(path), isa], program="packed")
    result = subprocess.run(words, capture_output=True, text=True, check=True)
    found = []
    for operator, tensor, pack_id, layout, in_file, data in (line.split(" ") for line in result.stdout.splitlines()):
        content = np.frombuffer(bytes.fromhex(data), np.uint8)
        found.append((PackedWeights(int(operator), int(tensor), pack_id, int(layout), content), in_file == "1"))
    return found


@pytest.mark.parametrize("isa", ["neon", "neondot", "i8mm"])
def test_a_refused_section_is_not_used(isa: str, tmp_path: Path) -> None:
    program = every_operator()
    fresh = packed(program, isa, tmp_path / "plain.qsdk")
    assert fresh and not any(in_file for _, in_file in fresh)
    good = replace(program, packed=tuple(p for p, _ in fresh))
    assert all(in_file for _, in_file in packed(good, isa, tmp_path / "good.qsdk"))
    damaged = replace(program, packed=tuple(replace(p, data=np.full_like(p.data, 127)) for p, _ in fresh))
    for (used, in_file), (own, _) in zip(packed(damaged, isa, tmp_path / "damaged.qsdk"), fresh, strict=True):
        assert not in_file
        assert np.array_equal(used.data, own.data)
