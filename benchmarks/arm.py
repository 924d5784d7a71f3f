"""Instructions per inference on ARM, counted under QEMU, beside those of other runtimes; writes docs/arm.md.

.venv/bin/python benchmarks/arm.py                                        # the table
.venv/bin/python benchmarks/arm.py --boards                               # the table of docs/boards.md: Cortex-M
.venv/bin/python benchmarks/arm.py --functions resnet8 aarch64 cortex-a53   # where one network's instructions go

A count is (count(N runs) - count(1 run)) / (N - 1): start, loading and packing drop out. It is the same on every
machine and in every repetition.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
import networks  # noqa: E402
import plain_networks  # noqa: E402

import qsdk  # noqa: E402
import qsdk.quantization as tq  # noqa: E402
from qsdk.debug.profile import macs  # noqa: E402
from qsdk.export import to_bytes  # noqa: E402
from qsdk.runtime.artifacts import command  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "benchmarks"
CPUS = [("aarch64", "cortex-a53"), ("aarch64", "cortex-a76"), ("aarch64", "max"), ("armv7hf", "cortex-a7")]
BOARDS = [
    ("M3", "mps2-an385", "scalar"),
    ("M4", "mps2-an386", "scalar"),
    ("M4", "mps2-an386", "dsp"),
    ("M7", "mps2-an500", "dsp"),
    ("M33", "mps2-an505", "dsp"),
    ("M55", "mps3-an547", "dsp"),
    ("M55", "mps3-an547", "mve"),
]
RUNS = {"mobilenet_v2": 3, "resnet8": 11, "ds_cnn": 21, "mobilenet_v1_025": 11, "autoencoder": 51}
TITLES = {
    "mobilenet_v2": "MobileNetV2 224",
    "resnet8": "ResNet-8",
    "ds_cnn": "DS-CNN",
    "mobilenet_v1_025": "MobileNetV1-0.25",
    "autoencoder": "FC autoencoder",
}

# Others' aarch64 wheels, counted in the same way: ai-edge-litert 2.3.0 and onnxruntime 1.32.0, one thread, QEMU 7.2, in
# November 2026: millions of instructions per inference of the same networks, in the order of TITLES.
PEERS = {
    "cortex-a53": {
        "LiteRT 2.3.0": [132.6, 5.03, 1.257, 4.16, 0.145],
        "ONNX Runtime 1.32.0": [119.8, 5.31, 1.333, 5.04, 0.352],
    },
    "cortex-a76": {
        "LiteRT 2.3.0": [50.5, 1.54, 0.692, 2.09, 0.047],
        "ONNX Runtime 1.32.0": [64.1, 3.09, 0.914, 3.56, 0.312],
    },
}


@dataclass(frozen=True)
class Count:
    """What one inference executes: instructions, and 128-bit registers filled by loads."""

    instructions: float
    wide: float

    @property
    def weighted(self) -> float:
        """Instructions, with loads of 128 bits counted twice."""
        return self.instructions + self.wide


def quantized(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """A network with random weights in int8, and its input's shape."""
    if name in networks.NETWORKS:
        eager, shape = networks.make(name)
        eager.fuse()
        eager.qconfig = tq.get_default_qconfig("qsdk")
        prepared = tq.prepare(eager)
        torch.manual_seed(2)
        prepared(torch.randn(shape))
        return tq.convert(prepared), shape
    model, shape = plain_networks.make_plain(name)
    shape = (1, 3, 224, 224) if name == "mobilenet_v2" else shape
    torch.manual_seed(2)
    return qsdk.quantize(model, [torch.randn(shape)], progress=False), shape


def export(name: str) -> tuple[Path, int]:
    """The network's file, and its multiply-adds."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    model, shape = quantized(name)
    program, data = to_bytes(model, torch.randn(shape), test_vectors=None)
    path = FOLDER / f"{name}.qsdk"
    path.write_bytes(data)
    return path, sum(macs(program, op) for op in program.operators)


def plugin() -> Path:
    """The counting plugin, compiled by the host's compiler."""
    path = FOLDER / "count_instructions.so"
    source = ROOT / "benchmarks" / "count_instructions.c"
    FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", str(source), "-o", str(path)], check=True)
    return path


def measure(
    counter: Path, target: str, cpu: str, file: Path, runs: int, options: Sequence[str] = ()
) -> dict[str, Count]:
    """What `runs` runs execute, in all ("") and by function. options: further arguments of qrt_run."""
    emulator, *rest = command(target, cpu, [str(file), "--repeat", str(runs), *options])
    words = [emulator, "-plugin", f"{counter},functions=on", *rest]
    output = subprocess.run(words, capture_output=True, text=True, check=True).stderr
    numbers = re.search(r"instructions (\d+)\nwide (\d+)", output)
    assert numbers, output
    counts = {"": Count(int(numbers[1]), int(numbers[2]))}
    for instructions, wide, name in re.findall(r"function (\d+) (\d+) (.*)", output):
        counts[name] = Count(int(instructions), int(wide))
    return counts


def per_inference(counter: Path, target: str, cpu: str, name: str, options: Sequence[str] = ()) -> dict[str, Count]:
    """What one inference executes, in all ("") and by function."""
    runs = RUNS[name]
    file = FOLDER / f"{name}.qsdk"
    one, many = (measure(counter, target, cpu, file, n, options) for n in (1, runs))
    nothing = Count(0, 0)
    return {
        key: Count(
            (many[key].instructions - one.get(key, nothing).instructions) / (runs - 1),
            (many[key].wide - one.get(key, nothing).wide) / (runs - 1),
        )
        for key in many
    }


def print_functions(name: str, target: str, cpu: str) -> None:
    """The functions that make up 99 % of an inference."""
    _, macs = export(name)
    counts = per_inference(plugin(), target, cpu, name)
    total, seen = counts.pop(""), 0.0
    print(f"{name}, {macs:,} multiply-adds: {total.instructions:,.0f} instructions, {total.weighted:,.0f} weighted")
    for function, count in Counter({k: c.instructions for k, c in counts.items()}).most_common():
        print(
            f"{count:14,.0f} {100 * count / total.instructions:5.1f} %  {counts[function].wide:12,.0f} wide  {function}"
        )
        seen += count
        if seen > 0.99 * total.instructions:
            break


def millions(count: float) -> str:
    return f"{count / 1e6:.3f}" if count < 9.9995e6 else f"{count / 1e6:.1f}"


def print_boards() -> None:
    """The table of docs/boards.md: millions of instructions per inference on each board."""
    names = [name for name in TITLES if name != "mobilenet_v2"]  # which needs more memory than boards have
    macs = {name: export(name)[1] for name in names}
    counter = plugin()
    print(f"| core, kernels | {' | '.join(f'{TITLES[name]}, {millions(macs[name])} M' for name in names)} |")
    print("|---" + "|--:" * len(names) + "|")
    for core, board, isa in BOARDS:
        options = ["--isa", isa]
        counts = [per_inference(counter, f"cortex-{core.lower()}", board, name, options)[""] for name in names]
        print(f"| {core}, {isa} | {' | '.join(millions(count.instructions) for count in counts)} |", flush=True)


def table(counter: Path, target: str, cpu: str, macs: dict[str, int]) -> list[str]:
    """Lines of Markdown for one CPU."""
    peers = PEERS.get(cpu, {})
    headings = [
        "network",
        "multiply-adds, M",
        "instructions, M",
        "weighted, M",
        "instructions per multiply-add",
        *peers,
    ]
    lines = [f"## {target}, {cpu}", "", f"| {' | '.join(headings)} |", "|---" + "|--:" * (len(headings) - 1) + "|"]
    for position, (name, title) in enumerate(TITLES.items()):
        count = per_inference(counter, target, cpu, name)[""]
        cells = [title, millions(macs[name]), millions(count.instructions), millions(count.weighted)]
        cells.append(f"{count.instructions / macs[name]:.3f}")
        others = [numbers[position] for numbers in peers.values()]
        cells += [f"{other} ({other * 1e6 / count.instructions:.2f}x)" for other in others]
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return [*lines, ""]


INTRODUCTION = """# ARM: instructions per inference

`make bench-arm` writes this page. `qrt_run` runs under QEMU's user mode on a model of each CPU, with a plugin that
counts (`benchmarks/count_instructions.c`); a count is (count(N runs) - count(1 run)) / (N - 1), batch 1, one thread. It
includes everything that a run does, quantization of the input too. "Weighted" counts each 128-bit register that a load
fills once more: what it costs a Cortex-A53. In brackets: how many times as many instructions as qsdk.

Figures of other runtimes were counted in the same way, in November 2026, on their aarch64 wheels from PyPI. An
instruction count is not a time; it says how much work there is, exactly, without a board.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", nargs=3, metavar=("NETWORK", "TARGET", "CPU"))
    parser.add_argument("--boards", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.functions:
        print_functions(*arguments.functions)
        return
    if arguments.boards:
        print_boards()
        return
    macs = {name: export(name)[1] for name in TITLES}
    counter = plugin()
    lines = [line for target, cpu in CPUS for line in table(counter, target, cpu, macs)]
    (ROOT / "docs" / "arm.md").write_text("\n".join([INTRODUCTION, *lines]))


if __name__ == "__main__":
    main()
