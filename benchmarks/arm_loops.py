"""Cycles of the inner loops of the ARM kernels as llvm-mca (Debian: llvm) models them; writes docs/arm_loops.md.

.venv/bin/python benchmarks/arm_loops.py      # after scons target=aarch64

llvm-mca takes a loop as if all its data were in the first cache: what it says is the bound that ports and latencies
set, not a time.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KERNELS = ROOT / "build" / "aarch64" / "o" / "runtime_c" / "src" / "kernels"
ITERATIONS = 200


@dataclass(frozen=True)
class Loop:
    """The loop of a function that multiplies most, and the multiply-adds of one round."""

    kernel: str
    function: str
    multiply: str
    products: int
    models: tuple[str, ...]


BOTH = ("cortex-a57", "neoverse-n1")
LOOPS = [
    Loop("gemm/gemm_qs8__neon_4x8", "tiles_4", "sm[ul]", 4 * 8 * 16, BOTH),
    Loop("gemm/gemm_qs8__neon_4x8", "one_row", "sm[ul]", 1 * 8 * 32, BOTH),
    Loop("gemm/gemm_qs8__neondot_5x16", "tile_5", "sdot", 5 * 16 * 32, ("neoverse-n1",)),
    Loop("gemm/gemm_qs8__neondot_5x16", "tiles_8x8", "sdot", 8 * 8 * 16, ("neoverse-n1",)),
    Loop("gemm/gemm_qs8__neondot_5x16", "run_panels", "sdot", 1 * 16 * 64, ("neoverse-n1",)),
    Loop("gemm/gemm_qs8__i8mm_4x16", "tiles_4x16", "smmla", 4 * 16 * 16, ("neoverse-v1",)),
    Loop("dwconv/dwconv_qs8__neon_c16", "slide_16_1_RELU", "sm[ul]", 3 * 9 * 16, BOTH),
    Loop("dwconv/dwconv_qs8__neondot_c16", "slide_relu", "sdot", 3 * 9 * 16, ("neoverse-n1",)),
]


def disassemble(kernel: str, function: str) -> list[tuple[int, str]]:
    """Address and text of each instruction. gcc may have added to the function's name, as in `one_row.constprop.0`."""
    path = KERNELS / f"{kernel}.o"
    words = ["aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", str(path)]
    output = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    part = re.search(rf"<{function}(?:\.\w+)*>:\n((?:.+\n)*)", output)
    assert part, (kernel, function)
    lines = re.findall(r"^\s+([0-9a-f]+):\t(.*)$", part[1], re.MULTILINE)
    return [(int(address, 16), re.sub(r"\s*//.*", "", text)) for address, text in lines]


def inner_loop(code: list[tuple[int, str]], multiply: str) -> list[str]:
    """Among loops that no jump back interrupts, the one with most instructions that match `multiply`."""
    best: list[str] = []
    jumps = []
    for address, text in code:
        target = re.match(r"(?:b|b\.\w+|cbn?z\s+\w+,|tbn?z\s+\w+, #\d+,)\s+([0-9a-f]+) <", text)
        if target and int(target[1], 16) < address:
            jumps.append((int(target[1], 16), address))
    for begin, end in jumps:
        if any(begin <= last < end for _, last in jumps):
            continue
        body = [text for address, text in code if begin <= address <= end]
        score = sum(bool(re.match(multiply, text)) for text in body)
        if score > sum(bool(re.match(multiply, text)) for text in best):
            best = body
    assert best, multiply
    return best


def cycles(body: list[str], model: str) -> float:
    """Of one round, on average. Jumps forward, to what is rare, are taken to be never taken. An address that a load
    moves is ready at once; llvm-mca would have the next load wait for the data of this one, so it sees none move."""
    text = "\n".join(re.sub(r"[0-9a-f]+ <.*>", "0", re.sub(r"\], #\d+$", "]", line)) for line in body)
    words = [
        "llvm-mca",
        "-mtriple=aarch64",
        f"-mcpu={model}",
        "-mattr=+fullfp16,+dotprod,+i8mm",
        f"-iterations={ITERATIONS}",
    ]
    output = subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout
    total = re.search(r"Total Cycles:\s+(\d+)", output)
    assert total, output
    return int(total[1]) / ITERATIONS


INTRODUCTION = """# ARM: cycles of inner loops

`benchmarks/arm_loops.py` writes this page: llvm-mca on the loops that gcc made of the ARM kernels. The models are those
of Cortex-A57 (much like the A72 of a Raspberry Pi 4), Neoverse N1 (a Cortex-A76) and Neoverse V1 (for smmla). They
take all data to be in the first cache. llvm-mca has no fair model of a Cortex-A53; [arm.md](arm.md) counts for it.

| kernel | function | model | instructions | cycles | multiply-adds | per cycle |
|---|---|---|--:|--:|--:|--:|
"""


def main() -> None:
    rows = []
    for loop in LOOPS:
        body = inner_loop(disassemble(loop.kernel, loop.function), loop.multiply)
        for model in loop.models:
            taken = cycles(body, model)
            cells = [loop.kernel.partition("/")[2], loop.function, model, str(len(body)), f"{taken:.1f}"]
            rows.append(f"| {' | '.join([*cells, str(loop.products), f'{loop.products / taken:.1f}'])} |")
            print(rows[-1])
    (ROOT / "docs" / "arm_loops.md").write_text(INTRODUCTION + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
