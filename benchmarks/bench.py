"""Times every network of the zoo on qsdk and on each installed peer, interleaved in one run.

One process per engine holds its networks; only one of them runs at a time, on the cores it is pinned to. A round lets
each engine run a network for some milliseconds, and the rounds take turns, so that a change of the machine meets all.
Medians and minima are over all runs of all rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import engines
import report
import torch
import zoo
from classes import where
from engines import MODELS, PEERS, QSDK, Engine
from overhead import overhead
from rich.console import Console
from rich.progress import Progress

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from qsdk.runtime import available_isas, cycles_per_nanosecond, peak_macs_per_cycle  # noqa: E402


class Worker:
    """An engine's process."""

    def __init__(self, engine: Engine, threads: int, cores: Sequence[int]) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), **engine.environment}
        self.log = open(MODELS / f"{engine.name}.serve.log", "w")  # noqa: SIM115  closed in stop()
        self.process = subprocess.Popen(
            engine.command("serve", threads, ",".join(map(str, cores))),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment,
        )  # fmt: skip
        self.engine = engine

    def run(self, network: str, iterations: int) -> dict[str, Any]:
        """Lists 'wall' and 'cpu' in nanoseconds; or 'error'."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps({"network": network, "iterations": iterations}) + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": f"its process ended; see {self.log.name}"}

    def stop(self) -> None:
        """Ends the process."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.log.close()


@dataclass(frozen=True)
class Settings:
    """How long to measure: rounds of `milliseconds` for each engine."""

    rounds: int
    milliseconds: float


def measure(workers: Sequence[Worker], network: str, settings: Settings) -> tuple[dict[str, Any], float]:
    """A result for each engine, and the frequency of the CPU in GHz while they ran."""
    results: dict[str, dict[str, Any]] = {}
    iterations: dict[str, int] = {}
    for worker in workers:
        first = worker.run(network, 3)
        if "error" not in first:
            # Long enough to be past the effects of having been elsewhere; the first iterations of a round do not count.
            again = worker.run(network, max(3, min(200, int(20e6 / min(first["wall"])))))
            iterations[worker.engine.name] = max(3, min(5000, int(settings.milliseconds * 1e6 / min(again["wall"]))))
            first = {**first, "wall": [], "cpu": []}
        results[worker.engine.name] = first
    frequencies = []
    for position in range(settings.rounds):
        frequencies.append(cycles_per_nanosecond())
        turn = position % len(workers)
        for worker in [*workers[turn:], *workers[:turn]]:
            result = results[worker.engine.name]
            if "error" in result:
                continue
            count = iterations[worker.engine.name]
            warm = max(1, count // 10)
            answer = worker.run(network, count + warm)
            if "error" in answer:
                results[worker.engine.name] = answer
                continue
            result["wall"] += answer["wall"][warm:]
            result["cpu"] += answer["cpu"][warm:]
            time.sleep(0.002)  # threads of a pool may still spin
    return {name: summarize(result) for name, result in results.items()}, statistics.median(frequencies)


def summarize(result: dict[str, Any]) -> dict[str, Any]:
    """Medians and minima of wall and cpu, in nanoseconds."""
    if "error" in result:
        return result
    summary = {"similarity": result["similarity"], "load": result["load"], "runs": len(result["wall"])}
    for clock in ("wall", "cpu"):
        summary[clock] = statistics.median(result[clock])
        summary[f"least_{clock}"] = min(result[clock])
    return summary


def machine(cores: int) -> dict[str, Any]:
    """What a reader has to know of where the figures come from; `cores` are those that we may use."""
    words = {}
    for line in subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout.splitlines():
        key, _, value = line.partition(":")
        words[key.strip()] = value.strip()
    isas = [isa for isa in available_isas() if isa != "scalar"]
    return {
        "cpu": words.get("Model name", "unknown"),
        "family": f"family {words.get('CPU family', '?')}, model {words.get('Model', '?')}",
        "cores": cores,
        "caches": ", ".join(f"{k[:-6]} {v}" for k, v in words.items() if k.endswith("cache")),
        "kernel": f"{os.uname().sysname} {os.uname().release}",
        "isas": available_isas(),
        "peaks": {isa: peak_macs_per_cycle(isa) for isa in isas},
        "frequency": cycles_per_nanosecond(),
    }


def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Everything that was measured, as it goes into JSON."""
    load = os.getloadavg()[0]
    networks = options.networks or list(zoo.ZOO)
    cores = sorted(os.sched_getaffinity(0))[::-1]
    os.sched_setaffinity(0, {cores[0]})
    isas = available_isas()
    held = [engines.held_to("avx2")] * ("avx2" in isas[1:])
    there = [engine for engine in PEERS if not engine.missing]
    with console.status("exporting the zoo") as status:
        engines.store_inputs()
        engines.convert(QSDK, networks, anew=True)
        for engine in there:
            status.update(f"converting the zoo for {engine.title}")
            engines.convert(engine, networks)
    with console.status("timing operators"):
        files = {n: MODELS / f"{n}-qsdk.qsdk" for n in networks}
        classes = {n: where(file) if file.exists() else [] for n, file in files.items()}
    host = {**machine(len(cores)), "load": load}
    result: dict[str, Any] = {
        "machine": host,
        "versions": {e.name: e.version for e in (QSDK, *there)} | {"torch": torch.__version__},
        "titles": {e.name: e.title for e in (QSDK, *held, *PEERS)},
        "missing": {e.name: e.missing for e in PEERS if e.missing},
        "overhead": {kind: overhead(kind) for kind in ("reshape", "clamp")},
        "command": "make bench",
        "settings": {"rounds": options.rounds, "milliseconds": options.milliseconds},
        "networks": {
            n: {"title": zoo.ZOO[n].title, **engines.facts(n), "classes": classes[n], "threads": {}} for n in networks
        },
    }
    settings = Settings(options.rounds, options.milliseconds)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=len(networks) * len(options.threads))
        for threads in options.threads:
            if threads > len(cores):
                result["missing"][f"{threads} threads"] = f"this machine lets us use {len(cores)} cores"
                continue
            progress.update(task, description=f"{threads} threads: starting engines")
            workers = [Worker(engine, threads, cores[:threads]) for engine in (QSDK, *held * (threads == 1), *there)]
            try:
                for network in networks:
                    progress.update(task, description=f"{threads} threads: {network}")
                    values, frequency = measure(workers, network, settings)
                    result["networks"][network]["threads"][str(threads)] = {"frequency": frequency, "engines": values}
                    progress.advance(task)
            finally:
                for worker in workers:
                    worker.stop()
    return result


def positive(text: str) -> int:
    """A number of the command line that is at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def new_file(text: str) -> Path:
    """A file of the command line that can be written; found out before anything is measured."""
    path = Path(text)
    if not path.parent.is_dir() or path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} cannot be written")
    return path


def failures(result: dict[str, Any]) -> list[str]:
    """Networks that qsdk could not run on one thread, and why."""
    answers = {
        n: each["threads"].get("1", {}).get("engines", {}).get("qsdk", {}) for n, each in result["networks"].items()
    }
    return [f"{network}: {answer['error']}" for network, answer in answers.items() if "error" in answer]


def main() -> int:
    """The command line; exit code 1 if qsdk itself could not run a network on one thread."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(zoo.ZOO)}; none: all")
    parser.add_argument("--threads", type=positive, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=positive, default=20)
    parser.add_argument("--milliseconds", type=float, default=40, help="of each engine in each round")
    parser.add_argument("--json", type=new_file, help="write everything that was measured")
    parser.add_argument("--plot", type=new_file, help="write a page with bars, .html")
    parser.add_argument("--write", action="store_true", help="replace the generated part of docs/benchmarks.md")
    options = parser.parse_args()
    unknown = sorted(set(options.networks) - set(zoo.ZOO))
    if unknown:
        parser.error(f"no such network: {', '.join(unknown)}; there are {', '.join(zoo.ZOO)}")
    console = Console(width=None if sys.stdout.isatty() else 190)
    torch.set_num_threads(1)
    result = run(options, console)
    for table in report.tables(result):
        console.print(table)
    for line in report.remarks(result):
        console.print(line, markup=False, highlight=False)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.plot:
        options.plot.write_text(report.page_of(result), encoding="utf-8")
    if options.write:
        report.write_docs(result, ROOT / "docs" / "benchmarks.md")
    for failure in failures(result):
        print(failure, file=sys.stderr)
    return int(bool(failures(result)))


if __name__ == "__main__":
    sys.exit(main())
