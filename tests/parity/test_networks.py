"""Whole networks on every backend: equal bytes with the quantized PyTorch model and with qsdk.reference."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

import qsdk.quantization as tq
from parity.backends import BACKENDS, Job, run_jobs
from qsdk.export import to_bytes
from qsdk.reference.interpreter import run

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
import networks  # noqa: E402

SAMPLES = 3


@pytest.fixture(scope="module")
def jobs() -> list[tuple[Job, list[list[bytes]]]]:
    torch.set_num_threads(1)
    prepared_jobs = []
    for name in networks.NETWORKS:
        model, shape = networks.make(name)
        model.fuse()
        model.qconfig = tq.get_default_qconfig("qsdk")
        prepared = tq.prepare(model)
        torch.manual_seed(2)
        for _ in range(4):
            prepared(torch.randn(shape))
        quantized = tq.convert(prepared)
        program, data = to_bytes(quantized, torch.randn(shape))
        samples = [[(torch.randn(shape) * 1.5).numpy()] for _ in range(SAMPLES)]
        expected = [[quantized(torch.from_numpy(s[0])).numpy().tobytes()] for s in samples]
        assert expected == [[o.tobytes() for o in run(program, *s)] for s in samples], name
        assert expected == [[o.tobytes() for o in run(data, *s)] for s in samples], name
        prepared_jobs.append((Job(name, program, data, samples), expected))
    return prepared_jobs


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_networks(backend: str, jobs: list[tuple[Job, list[list[bytes]]]], tmp_path: Path) -> None:
    results = run_jobs(backend, [job for job, _ in jobs], tmp_path)
    assert {job.name: expected for job, expected in jobs} == results
