"""Every network of examples/ and of the benchmarks' zoo on every CPU and machine that has an emulator here: checksum
and test vectors, bit for bit, as `qsdk verify` does. Prints a table; exits 1 if an answer differs.

.venv/bin/python scripts/boards.py --write                     # also into docs/boards.md; takes some minutes
.venv/bin/python scripts/boards.py --only ds_cnn --target cortex-m3 cortex-m55
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "examples"), str(ROOT / "benchmarks")]
import networks  # noqa: E402
import pages  # noqa: E402
import plain_networks  # noqa: E402
import zoo  # noqa: E402

import qsdk  # noqa: E402
import qsdk.quantization as tq  # noqa: E402
from qsdk.export import to_bytes  # noqa: E402
from qsdk.runtime.artifacts import DOES_NOT_FIT, EMULATORS, command  # noqa: E402

FOLDER = ROOT / "build" / "boards"
JOBS = 2
IDENTICAL, SMALL = "identical", "does not fit"


@dataclass(frozen=True)
class Exported:
    """A network's file.

    Attributes:
        name: of its folder and itself
        file: with two test vectors, without packed weights
        activations: bytes of the arena that hold them
    """

    name: str
    file: Path
    activations: int


def models(group: str, name: str) -> tuple[nn.Module, torch.Tensor]:
    """A quantized network and an input: in eager mode those of networks.py, in graph mode the others."""
    if group == "zoo":
        model, x = zoo.make(name)
        if zoo.ZOO[name].dynamic:
            return tq.quantize_dynamic(model, {nn.Linear, nn.LSTM}), x
        return qsdk.quantize(model, [x], progress=False), x
    if name in networks.NETWORKS:
        eager, shape = networks.make(name)
        eager.fuse()
        eager.qconfig = tq.get_default_qconfig("qsdk")
        prepared = tq.prepare(eager)
        prepared(torch.randn(shape))
        return tq.convert(prepared), torch.randn(shape)
    plain, shape = plain_networks.make_plain(name)
    return qsdk.quantize(plain, [torch.randn(shape)], progress=False), torch.randn(shape)


NAMES = [("examples", name) for name in (*networks.NETWORKS, *plain_networks.PLAIN_NETWORKS)]
NAMES += [("zoo", name) for name in zoo.ZOO]


def export(group: str, name: str) -> Exported:
    """Quantizes and writes a network."""
    torch.manual_seed(0)
    model, x = models(group, name)
    program, data = to_bytes(model, x)
    file = FOLDER / f"{group}-{name}.qsdk"
    file.write_bytes(data)
    return Exported(f"{group}: {name}", file, program.arena_size)


def verdict(network: Exported, target: str, cpu: str) -> str:
    """IDENTICAL, SMALL, or what the runner complains about."""
    words = command(target, cpu, [str(network.file.relative_to(ROOT)), "--verify"])
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode == DOES_NOT_FIT:
        return SMALL
    if result.returncode or "verified, 2 test vectors" not in result.stdout:
        return (result.stderr or result.stdout).strip() or f"exit status {result.returncode}"
    return IDENTICAL


def matrix(chosen: list[tuple[str, str]], cpus: list[tuple[str, str]]) -> Iterator[tuple[Exported, list[str]]]:
    """Each network's verdicts, in the order of cpus, under a progress bar."""
    columns = (TextColumn("{task.description:36}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress, ThreadPoolExecutor(JOBS) as pool:
        task = progress.add_task("", total=len(chosen) * len(cpus))
        for group, name in chosen:
            progress.update(task, description=f"{group}: {name}")
            network = export(group, name)
            verdicts = []
            for found in pool.map(lambda cpu, network=network: verdict(network, *cpu), cpus):
                verdicts.append(found)
                progress.advance(task)
            yield network, verdicts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NETWORK", help="networks of these names alone")
    parser.add_argument("--target", nargs="+", choices=list(EMULATORS), default=list(EMULATORS))
    parser.add_argument("--write", action="store_true", help="replace the table in docs/boards.md")
    options = parser.parse_args()
    if options.write and (options.only or options.target != list(EMULATORS)):
        parser.error("--write writes the whole table; leave out --only and --target")
    chosen = [(group, name) for group, name in NAMES if not options.only or name in options.only]
    cpus = [(target, cpu) for target in options.target for cpu in EMULATORS[target]]
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)

    headings = ["network", "file, KiB", "activations, KiB"]
    headings += [f"{target} {cpu}" if cpu == "max" else cpu for target, cpu in cpus]
    table, rows, wrong = Table(*headings, title="qsdk verify"), [], []
    for network, verdicts in matrix(chosen, cpus):
        sizes = [f"{size / 1024:,.0f}" for size in (network.file.stat().st_size, network.activations)]
        cells = {IDENTICAL: "=", SMALL: "-"}
        rows.append([network.name, *sizes, *(cells.get(found, "FAILED") for found in verdicts)])
        table.add_row(*rows[-1])
        for cpu, found in zip(cpus, verdicts, strict=True):
            wrong += [f"{network.name}, {cpu[1]}: {found}"] if found not in cells else []
    Console(width=200).print(table, "= identical   - does not fit", *wrong, sep="\n", markup=False)
    if options.write and not wrong:
        aligned = "lrr" + "c" * len(cpus)
        pages.replace(ROOT / "docs" / "boards.md", "make boards", pages.markdown(headings, rows, aligned))
    return int(bool(wrong) or not rows)


if __name__ == "__main__":
    sys.exit(main())
