"""Everything that runs .qsdk files: the host's instruction sets through the bindings, ARM targets under QEMU."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qsdk.export.program import DTYPES, Program
from qsdk.runtime import Session, available_isas
from qsdk.runtime.artifacts import EMULATORS, command, is_bare_metal

# Of the Cortex-M targets those that differ in float unit and instruction sets.
TARGETS = ("aarch64", "armv7hf", "cortex-m3", "cortex-m4", "cortex-m55")
EMULATED = [(target, cpu) for target in TARGETS for cpu in EMULATORS[target]]
BACKENDS = [f"host:{isa}" for isa in available_isas()] + [f"{target}:{cpu}" for target, cpu in EMULATED]


@dataclass(frozen=True)
class Job:
    """One file and the samples to run through it, each a list with one array per input."""

    name: str
    program: Program
    data: bytes
    samples: Sequence[Sequence[np.ndarray]]


def fits(backend: str, job: Job) -> bool:
    """Whether a backend has the memory for a file, its arena and its samples."""
    machine = is_bare_metal(backend.partition(":")[0])
    samples = sum(array.nbytes for sample in job.samples for array in sample)
    return not machine or len(job.data) + job.program.arena_size + samples < 3 << 20


def run_jobs(backend: str, jobs: Sequence[Job], folder: Path) -> dict[str, list[list[bytes]]]:
    """For each job and sample, the bytes of every output."""
    kind, _, rest = backend.partition(":")
    if kind == "host":
        results = {}
        for job in jobs:
            session = Session(job.data, isa=rest)
            results[job.name] = [[o.tobytes() for o in session.run(*sample)] for sample in job.samples]
        return results
    return _run_emulated(kind, rest, jobs, folder)


def _run_emulated(target: str, cpu: str, jobs: Sequence[Job], folder: Path) -> dict[str, list[list[bytes]]]:
    """One process for all jobs: a list of files, each input file holding every sample after the other."""
    lines = []
    for number, job in enumerate(jobs):
        stem = folder / f"{number}"
        (stem.with_suffix(".qsdk")).write_bytes(job.data)
        inputs = [f"{stem}.in{i}.bin" for i in range(len(job.program.inputs))]
        outputs = [f"{stem}.out{i}.bin" for i in range(len(job.program.outputs))]
        for i, path in enumerate(inputs):
            Path(path).write_bytes(b"".join(sample[i].tobytes() for sample in job.samples))
        lines.append(f"{stem}.qsdk {','.join(inputs)} {','.join(outputs)}")
    listing = folder / "jobs.txt"
    listing.write_text("\n".join(lines) + "\n")
    result = subprocess.run(
        command(target, cpu, ["--batch", str(listing)]), capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise AssertionError(f"{target} {cpu}: qrt_run failed: {result.stderr or result.stdout}")
    results = {}
    for number, job in enumerate(jobs):
        per_output = []
        for i, index in enumerate(job.program.outputs):
            tensor = job.program.tensors[index]
            size = tensor.elements * DTYPES[tensor.dtype].itemsize
            raw = Path(folder / f"{number}.out{i}.bin").read_bytes()
            if len(raw) != size * len(job.samples):
                raise AssertionError(f"{job.name}: output {i} has {len(raw)} bytes, expected {size * len(job.samples)}")
            per_output.append([raw[k * size : (k + 1) * size] for k in range(len(job.samples))])
        results[job.name] = [list(sample) for sample in zip(*per_output, strict=True)]
    return results
