"""Prints what the runtime weighs: text and read-only data of each core object, the symbols it needs from outside, and
the arena of each example network beside the least possible. Exits 1 when the core needs a forbidden symbol
or is over a budget. --write: the table of budgets into docs/boards.md, too."""

import subprocess
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
import networks  # noqa: E402
import pages  # noqa: E402
from budgets import budgets  # noqa: E402

import qsdk.quantization as tq  # noqa: E402
from qsdk.export import to_bytes  # noqa: E402
from qsdk.runtime import Session, available_isas  # noqa: E402

TOOLS = {"host": "", "aarch64": "aarch64-linux-gnu-", "armv7hf": "arm-linux-gnueabihf-", "cortex-m3": "arm-none-eabi-"}
# What the core may take from outside. hosted.o (environment, trace) and workers.o (threads) are not part of the core.
ALLOWED = {"memcpy", "memset", "memcmp", "memmove", "strlen", "_GLOBAL_OFFSET_TABLE_", "getauxval", "__getauxval"}
ALLOWED_PREFIXES = ("qrt_", "__aeabi_", "__aarch64_", "__cpu_", "__stack_chk")
HOSTED = {"hosted.o", "workers.o"}


def objects(target: str) -> list[Path]:
    return sorted(
        p for p in (Path("build") / target).rglob("*.o") if "runtime_c/src" in p.as_posix() or "src" in p.parts
    )


def sizes(target: str) -> Table:
    table = Table(title=f"core objects, {target} (bytes)")
    for heading in ("object", "text", "rodata + data"):
        table.add_column(heading, justify="left" if heading == "object" else "right")
    total = [0, 0]
    for path in objects(target):
        lines = subprocess.run(
            [TOOLS[target] + "size", "-A", str(path)], capture_output=True, text=True, check=True
        ).stdout
        text = data = 0
        for line in lines.splitlines():
            words = line.split()
            if len(words) >= 2 and words[1].isdigit():
                text += int(words[1]) if words[0].startswith(".text") else 0
                data += int(words[1]) if words[0].startswith((".rodata", ".data")) else 0
        table.add_row(path.name, f"{text:,}", f"{data:,}")
        total = [total[0] + text, total[1] + data]
    table.add_row("all", f"{total[0]:,}", f"{total[1]:,}")
    return table


def foreign_symbols(target: str) -> list[str]:
    wrong = []
    for path in objects(target):
        if path.name in HOSTED:
            continue
        lines = subprocess.run(
            [TOOLS[target] + "nm", "-u", str(path)], capture_output=True, text=True, check=True
        ).stdout
        for symbol in (line.split()[-1] for line in lines.splitlines() if line.strip()):
            if symbol not in ALLOWED and not symbol.startswith(ALLOWED_PREFIXES):
                wrong.append(f"{path.name}: {symbol}")
    return wrong


def arenas() -> Table:
    isas = available_isas()
    table = Table(title="arena (bytes)")
    for heading in ("network", "activations", "peak live", "ratio", *(f"session, {i}" for i in isas), "scratch"):
        table.add_column(heading, justify="left" if heading == "network" else "right")
    for name in networks.NETWORKS:
        model, shape = networks.make(name)
        model.fuse()
        model.qconfig = tq.get_default_qconfig("qsdk")
        prepared = tq.prepare(model)
        prepared(torch.randn(shape))
        program, data = to_bytes(tq.convert(prepared), torch.randn(shape), test_vectors=None)
        sessions = [Session(data, isa=isa) for isa in isas]
        table.add_row(
            name,
            f"{program.arena_size:,}",
            f"{program.peak_live:,}",
            f"{program.arena_size / program.peak_live:.3f}",
            *(f"{s.arena_size:,}" for s in sessions),
            f"{sessions[0].scratch_size:,}",
        )
    return table


def budget_table(write: bool) -> tuple[Table, list[str]]:
    """The table of scripts/budgets.py, and a line for each row that is over. write: into docs/boards.md, too."""
    table = Table(title="budgets (bytes); the method is in scripts/budgets.py")
    for heading in ("what", "measured", "allowed"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    rows = budgets()
    cells = [(row.name, f"{row.measured:,}", f"{row.allowed:,}") for row in rows]
    for cell in cells:
        table.add_row(*cell)
    if write:
        page = Path(__file__).resolve().parents[1] / "docs" / "boards.md"
        pages.replace(page, "make size", pages.markdown(("bytes", "measured", "allowed"), cells, "lrr"))
    return table, [f"{row.name}: {row.measured:,} bytes" for row in rows if row.measured > row.allowed]


def main() -> int:
    console = Console(width=120)
    wrong = []
    for target in TOOLS:
        if not objects(target):
            wrong.append(f"{target}: no objects; is it built?")
            continue
        console.print(sizes(target))
        foreign = foreign_symbols(target)
        wrong += [f"{target} {line}" for line in foreign]
        console.print(f"{target}: symbols from outside the core: {', '.join(foreign) or 'only memcpy and its like'}\n")
    console.print(arenas())
    table, over = budget_table("--write" in sys.argv[1:])
    console.print(table)
    if wrong:
        console.print("[red]FAILED[/red]: the core may not need\n" + "\n".join(wrong))
    if over:
        console.print("[red]FAILED[/red]: over budget\n" + "\n".join(over))
    wrong += over
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
