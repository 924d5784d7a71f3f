"""Whole networks on every backend: equal bytes with the quantized PyTorch model and with qsdk.reference."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

import qsdk
import qsdk.quantization as tq
from parity.backends import BACKENDS, Job, fits, run_jobs
from qsdk.export import to_bytes
from qsdk.reference.interpreter import run

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
import networks  # noqa: E402
import plain_networks  # noqa: E402

SAMPLES = 3


def _quantized() -> Iterator[tuple[str, nn.Module, tuple[int, ...]]]:
    """Name, quantized model and input shape: in eager mode those of networks, in graph mode the others."""
    for name in networks.NETWORKS:
        model, shape = networks.make(name)
        model.fuse()
        model.qconfig = tq.get_default_qconfig("qsdk")
        prepared = tq.prepare(model)
        torch.manual_seed(2)
        for _ in range(4):
            prepared(torch.randn(shape))
        yield name, tq.convert(prepared), shape
    for name in plain_networks.PLAIN_NETWORKS:
        plain, shape = plain_networks.make_plain(name)
        torch.manual_seed(2)
        yield name, qsdk.quantize(plain, [torch.randn(shape) for _ in range(4)], progress=False), shape


@pytest.fixture(scope="module")
def jobs() -> list[tuple[Job, list[list[bytes]]]]:
    torch.set_num_threads(1)
    prepared_jobs = []
    for name, quantized, shape in _quantized():
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
    possible = [(job, expected) for job, expected in jobs if fits(backend, job)]
    assert len(possible) > 3
    results = run_jobs(backend, [job for job, _ in possible], tmp_path)
    assert {job.name: expected for job, expected in possible} == results
