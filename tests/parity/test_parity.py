"""Every operator and every whole network, on every backend, against qsdk.reference: equal bytes."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from parity.backends import BACKENDS, TARGETS, Job, fits, run_jobs
from parity.build import to_file
from parity.cases import TABLE, cases
from parity.floating_cases import FLOATING_TABLE
from qsdk.export.schema_tables import UNIONS
from qsdk.ops import OPERATORS
from qsdk.reference.interpreter import run
from qsdk.runtime import available_isas


def _jobs() -> list[Job]:
    jobs = []
    for case in cases():
        program, data = to_file(case.program())
        jobs.append(Job(case.name, program, data, case.samples()))
    return jobs


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    return _jobs()


@pytest.fixture(scope="module")
def expected(jobs: list[Job]) -> dict[str, list[list[bytes]]]:
    return {j.name: [[o.tobytes() for o in run(j.program, *sample)] for sample in j.samples] for j in jobs}


def test_nothing_is_missing() -> None:
    isas = available_isas()
    assert "scalar" in isas
    assert {"x86_64": "avx2", "aarch64": "neon"}.get(platform.machine(), "scalar") in isas
    flags = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    if {"avx512_vnni", "avx512bw", "avx512vl"} <= set(flags):
        assert "avx512vnni" in isas
    if "avx_vnni" in flags:
        assert "avxvnni" in isas
    assert {b.split(":")[0] for b in BACKENDS} == {"host", *TARGETS}


def test_every_operator_has_cases() -> None:
    known = set(UNIONS["Operation"]) - {"custom"}
    assert {row[0] for row in TABLE} == known and known <= set(OPERATORS)
    floating = {name for name, row in OPERATORS.items() if row.floating is not None}
    assert floating <= {row[0] for row in FLOATING_TABLE}


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_operators(backend: str, jobs: list[Job], expected: dict[str, list[list[bytes]]], tmp_path: Path) -> None:
    possible = [job for job in jobs if fits(backend, job)]
    assert len(possible) > 0.98 * len(jobs)
    results = run_jobs(backend, possible, tmp_path)
    wrong = [job.name for job in possible if results[job.name] != expected[job.name]]
    assert not wrong, f"{len(wrong)} of {len(possible)} cases differ on {backend}: {wrong[:20]}"


def test_ties_are_exercised(jobs: list[Job]) -> None:
    """The 'ties' regime must really produce results that fall between two integers."""
    import numpy as np
    import torch

    from qsdk.reference.interpreter import arguments

    job = next(j for j in jobs if j.name == "linear-3-ties")
    op = job.program.operators[0]
    values = {i: torch.from_numpy(np.array(t.data)) for i, t in enumerate(job.program.tensors) if t.data is not None}
    values[job.program.inputs[0]] = torch.from_numpy(job.samples[0][0])
    bound = arguments(job.program, op, values, "linear")
    centred = bound["input"].to(torch.int64) - bound["input_zero_point"]
    accumulator = centred @ bound["weight"].to(torch.int64).T + bound["bias"]
    assert (accumulator % 2 == 1).float().mean() > 0.3  # multiplier 0.5: odd accumulators are ties
