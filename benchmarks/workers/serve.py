"""What every worker shares: a process that holds one engine, and runs networks when it is told to.

    run_<engine>.py convert FOLDER [options] NETWORK...   writes the engine's files; a failure, a .failed file
    run_<engine>.py serve FOLDER THREADS CORES [options]   answers one line of JSON on stdout for each on stdin:

      {"network": "resnet8", "iterations": 100}  ->  {"wall": [ns...], "cpu": [ns...], "load": ns, "similarity": 0.999}
                                                 or  {"error": "why it cannot run"}

Inputs are set before each iteration and lie outside the times; what the engine calls to run lies inside. "cpu" is the
time of this process on all its threads: on one thread it leaves out what other processes took. "load" is what
it took to load the network from its file, for the second time. "similarity" is the cosine between the engine's output
and the float model's.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Loaded:
    """A network ready to run. `output` gives the result of the last run, as an array."""

    set_input: Callable[[], Any]
    invoke: Callable[[], Any]
    output: Callable[[], np.ndarray]


Convert = Callable[[str, Path], None]  # network, file without suffix
Load = Callable[[str, Path, int], Loaded]  # network, file without suffix, threads


def _costs() -> tuple[int, int]:
    """Least nanoseconds that reading the clocks adds to wall and cpu."""
    walls, cpus = [], []
    for _ in range(2000):
        cpu = time.process_time_ns()
        wall = time.perf_counter_ns()
        walls.append(time.perf_counter_ns() - wall)
        cpus.append(time.process_time_ns() - cpu)
    return min(walls), min(cpus)


def _measure(loaded: Loaded, iterations: int, costs: tuple[int, int]) -> dict[str, list[int]]:
    set_input, invoke = loaded.set_input, loaded.invoke
    walls, cpus = [0] * iterations, [0] * iterations
    gc.disable()
    for i in range(iterations):
        set_input()
        cpu = time.process_time_ns()
        wall = time.perf_counter_ns()
        invoke()
        walls[i] = time.perf_counter_ns() - wall
        cpus[i] = time.process_time_ns() - cpu
    gc.enable()
    return {"wall": [max(1, w - costs[0]) for w in walls], "cpu": [max(1, c - costs[1]) for c in cpus]}


def _similarity(folder: Path, network: str, loaded: Loaded) -> float:
    loaded.set_input()
    loaded.invoke()
    ours = np.asarray(loaded.output(), np.float64).ravel()
    expected = np.load(folder / f"{network}.output.npy").astype(np.float64).ravel()
    norms = float(np.linalg.norm(ours) * np.linalg.norm(expected))
    return float(ours @ expected) / norms if ours.shape == expected.shape and norms else 0.0


def _serve(folder: Path, engine: str, load: Load, threads: int) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries may print
    costs = _costs()
    ready: dict[str, tuple[Loaded, dict[str, float]]] = {}
    for line in sys.stdin:
        request = json.loads(line)
        network = request["network"]
        failed = folder / f"{network}-{engine}.failed"
        try:
            if network not in ready:
                if failed.exists():
                    raise RuntimeError(failed.read_text())
                load(network, folder / f"{network}-{engine}", threads)
                begin = time.perf_counter_ns()
                loaded = load(network, folder / f"{network}-{engine}", threads)
                spent = time.perf_counter_ns() - begin
                ready[network] = loaded, {"load": spent, "similarity": _similarity(folder, network, loaded)}
            loaded, facts = ready[network]
            answer = {**_measure(loaded, request["iterations"], costs), **facts}
        except Exception as error:  # whatever a peer raises is its row in the table
            traceback.print_exc()
            answer = {"error": short(error)}
        print(json.dumps(answer), file=answers, flush=True)


def short(error: BaseException) -> str:
    """The first line of an error, for a cell of a table."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."


def _convert(folder: Path, engine: str, convert: Convert, networks: list[str]) -> None:
    for network in networks:
        failed = folder / f"{network}-{engine}.failed"
        failed.unlink(missing_ok=True)
        try:
            convert(network, folder / f"{network}-{engine}")
        except Exception as error:
            traceback.print_exc()
            failed.write_text(f"not converted: {short(error)}")


def main(engine: str, convert: Callable[..., None], load: Callable[..., Loaded]) -> None:
    """The command line of a worker. Options, name=value, are passed on by name and are part of the engine's name."""
    mode, folder, *rest = sys.argv[1:]
    options = dict(word.split("=", 1) for word in rest if "=" in word)
    words = [word for word in rest if "=" not in word]
    name = "-".join([engine, *options.values()])
    if mode == "convert":
        _convert(Path(folder), name, lambda *a: convert(*a, **options), words)
    else:
        os.sched_setaffinity(0, {int(core) for core in words[1].split(",")})
        _serve(Path(folder), name, lambda *a: load(*a, **options), int(words[0]))


def fresh(file: Path) -> bool:
    """Whether a file has been converted already."""
    return file.exists() and file.stat().st_size > 0


@functools.cache  # so that loading a network again takes what the engine takes
def stored_input(network: str, file: Path) -> np.ndarray:
    """The network's input, as the driver stored it beside the files."""
    return np.load(file.parent / f"{network}.input.npy")
