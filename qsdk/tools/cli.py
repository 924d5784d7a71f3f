"""The `qsdk` command: inspect, run, bench, report, verify, emit-c, build.

Exit codes: 0 success; 1 the file is bad, an input does not fit, or an answer differs; 2 the command was misspelt.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

import qsdk
from qsdk.debug import operators, profile
from qsdk.debug.profile import check_suffix
from qsdk.export.program import Program, last_uses
from qsdk.export.serialize import checksum_ok, deserialize, load
from qsdk.runtime import Session, available_isas
from qsdk.runtime.artifacts import DOES_NOT_FIT, EMULATORS, command, plain_path, runner_path
from qsdk.runtime.remote import run_remote
from qsdk.tools import build as build_module

app = typer.Typer(
    help="Inspect, run and verify .qsdk files. Exit codes: 0 success, 1 failure, 2 wrong usage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
console = Console(width=None if sys.stdout.isatty() else 180)
errors = Console(stderr=True)

File = Annotated[Path, typer.Argument(help="a .qsdk file")]
Inputs = Annotated[list[Path], typer.Option(help="a .npy file per input, in order")]
Remote = Annotated[str | None, typer.Option(help="user@address: there, over ssh, in its qrt_run")]


def _isa(isa: str | None) -> list[str]:
    """The words that limit qrt_run to an instruction set."""
    return ["--isa", isa] if isa else []


def _print_remote(result: subprocess.CompletedProcess[str]) -> None:
    """What qrt_run printed elsewhere; exit 1 if it failed."""
    good = result.returncode == 0
    console.print((result.stdout if good else result.stderr or result.stdout).strip(), markup=False, highlight=False)
    if not good:
        raise typer.Exit(1)


@app.command()
def inspect(file: File, width: Annotated[int, typer.Option(help="columns of the arena map", min=1)] = 64) -> None:
    """Tensors, operators, sizes and the arena map. Exit 1 when the file is damaged."""
    data = load(file)
    program = deserialize(data)
    weights = sum(t.size for t in program.tensors if t.is_constant)
    ratio = program.arena_size / max(1, program.peak_live)
    console.print(f"[bold]{file}[/bold]", soft_wrap=True)
    console.print(f"{len(data):,} bytes, checksum {'good' if checksum_ok(data) else '[red]BAD[/red]'}")
    console.print(
        f"weights {weights:,}   arena {program.arena_size:,} ({ratio:.3f} x peak live)   "
        f"operators {len(program.operators)}   test vectors {len(program.test_vectors)}"
    )
    for isa in available_isas():
        session = Session(data, isa=isa)
        console.print(f"session on {isa}: {session.arena_size:,} bytes, of which scratch {session.scratch_size:,}")
    console.print(_io_table(program))
    console.print(_operator_table(program, Session(data).kernels()))
    console.print(_arena_map(program, width))


def _io_table(program: Program) -> Table:
    table = Table("", "name", "dtype", "shape", "scale", "zero point", title="inputs and outputs")
    for label, indices in (("input", program.inputs), ("output", program.outputs)):
        for index in indices:
            t = program.tensors[index]
            table.add_row(
                label, t.name, t.dtype, str(list(t.shape)), *(str(v[0]) if v else "" for v in (t.scale, t.zero_point))
            )
    return table


def _operator_table(program: Program, kernels: list[str]) -> Table:
    table = Table("#", "operator", "layer", "output", "qparams", "bytes", "kernel", title="operators")
    for position, op in enumerate(program.operators):
        outputs = [program.tensors[i] for i in op.outputs]
        out = outputs[0]
        qparams = f"{out.scale[0]:.6g}, {out.zero_point[0]}" if out.scale else ""
        table.add_row(
            str(position),
            op.kind,
            op.name,
            ", ".join(f"{t.dtype}{list(t.shape)}" for t in outputs),
            qparams,
            f"{sum(t.size for t in outputs):,}",
            kernels[position],
        )
    return table


def _arena_map(program: Program, width: int) -> str:
    """One line per operator; a column is arena_size / width bytes: '#' its output, '=' live, '.' free."""
    lines = [f"arena map: one line per operator, {max(1, program.arena_size // width):,} bytes per column"]
    last = last_uses(program)
    begin = dict.fromkeys(program.inputs, -1) | {i: p for p, op in enumerate(program.operators) for i in op.outputs}
    for position, op in enumerate(program.operators):
        row = ["."] * width
        for index, start in begin.items():
            if start <= position <= last[index]:
                t = program.tensors[index]
                first = t.offset * width // max(1, program.arena_size)
                end = -(-(t.offset + t.size) * width // max(1, program.arena_size))
                row[first:end] = ("#" if index in op.outputs else "=") * (end - first)
        lines.append(f"{position:4d} {''.join(row[:width])} {op.kind}")
    return "\n".join(lines)


def _arrays(paths: list[Path]) -> list[np.ndarray]:
    """The .npy files' contents."""
    arrays = []
    for path in paths:
        try:
            arrays.append(np.load(path, allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise qsdk.QsdkError(f"cannot read {path} as .npy: {error}") from error
    return arrays


@app.command()
def run(
    file: File,
    input: Inputs,
    output: Annotated[list[Path], typer.Option(help="where to write each output, .npy")],
    isa: Annotated[str | None, typer.Option(help="use nothing above this instruction set")] = None,
    remote: Remote = None,
) -> None:
    """Run the file once on .npy inputs."""
    if remote is not None:
        _print_remote(run_remote(remote, file, _isa(isa), input, output))
        return
    session = Session(file, isa=isa)
    if len(output) != len(session.outputs):
        raise qsdk.QsdkError(f"the model has {len(session.outputs)} outputs, --output was given {len(output)} times")
    for path, array in zip(output, session.run(*_arrays(input)), strict=True):
        np.save(path, array)
        console.print(f"{path}: {array.dtype}{list(array.shape)}")


@app.command()
def bench(
    file: File,
    input: Annotated[list[Path] | None, typer.Option(help="a .npy file per input, in order; none: random")] = None,
    per_op: Annotated[bool, typer.Option("--per-op", help="a row for each operator")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="write all of it as .json or .html")] = None,
    isa: Annotated[str | None, typer.Option(help="use nothing above this instruction set")] = None,
    threads: Annotated[int, typer.Option(help="threads of the session")] = 1,
    runs: Annotated[int, typer.Option(help="how often")] = 200,
    remote: Remote = None,
) -> None:
    """Time of a run and of each operator, and its products per cycle of this CPU's clock.

    On another machine: percentiles of the time of a run, and each operator's share.
    """
    if remote is not None:
        if output is not None:
            raise qsdk.QsdkError("--output is for runs on this machine; what --remote prints is text")
        more = ["--repeat", str(runs), "--threads", str(threads), *(["--profile"] if per_op else []), *_isa(isa)]
        _print_remote(run_remote(remote, file, more, input or []))
        return
    if output is not None:
        check_suffix(output)
    found = profile(file, *_arrays(input or []), isa=isa, threads=threads, runs=runs)
    if per_op:
        console.print(found)
    else:
        console.print(found.summary, highlight=False)
    if output is not None:
        found.write(output)
        console.print(f"written to {output}", soft_wrap=True)


@app.command()
def report(
    file: File,
    input: Inputs,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="write the table as a page, .html")] = None,
    isa: Annotated[str | None, typer.Option(help="use nothing above this instruction set")] = None,
) -> None:
    """Each operator's shapes, kernel, qparams and bytes, and whether the runtime gives what the definition says.

    Exit 1 if an operator differs; the first one that does is at fault.
    """
    found = operators(file, *_arrays(input), isa=isa)
    console.print(found)
    if output is not None:
        try:
            found.write_html(output)
        except OSError as error:
            raise qsdk.QsdkError(f"cannot write {output}: {error.strerror}") from error
        console.print(f"written to {output}", soft_wrap=True)
    if not found.equal:
        raise typer.Exit(1)


@app.command("emit-c")
def emit_c(
    file: File,
    output: Annotated[Path, typer.Option("--output", "-o", help="the folder for the two files")] = Path(),
    name: Annotated[str | None, typer.Option(help="of the array; that of the file if not given")] = None,
    target: Annotated[str, typer.Option(help="whose qrt_run is asked for the arena's size")] = "host",
) -> None:
    """The file as C source: an aligned constant, used where it lies, and a header with its size and the arena's."""
    data = load(file)
    words = build_module.identifier(name or file.stem)
    size = build_module.arena_size(target, runner_path(target), file.resolve(), data)
    for path in build_module.emit_c(data, words, output, size):
        console.print(str(path), soft_wrap=True)


@app.command()
def build(
    target: Annotated[str, typer.Option(help="a toolchain of the source tree, such as aarch64 or cortex-m4")] = "host",
    model: Annotated[Path | None, typer.Option(help="a .qsdk file: only its operators, and a program with it")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="the folder to install to")] = Path("qrt"),
    toolchain: Annotated[str | None, typer.Option(help="zig: the compiler of the PyPI package ziglang")] = None,
    messages: Annotated[bool, typer.Option(help="errors with sentences, not only a status")] = True,
) -> None:
    """The runtime for a target: library, header, runner, files for pkg-config and CMake. Needs SCons and a compiler."""
    for path in build_module.build(target.replace("cortex_m", "cortex-m"), output, model, toolchain, messages):
        console.print(f"{path}  {path.stat().st_size:,} bytes", soft_wrap=True, highlight=False)


@app.command()
def verify(
    file: File,
    target: Annotated[str, typer.Option(help=f"one of {', '.join(EMULATORS)}, or 'all'")] = "host",
    isa: Annotated[str | None, typer.Option(help="use nothing above this instruction set")] = None,
    remote: Remote = None,
) -> None:
    """Structure, checksum, then the embedded test vectors bit for bit, in a C process. Exit 1 on any difference.

    With --remote the machine says what it is; --target says it instead.
    """
    if remote is not None:
        there = None if target == "host" else target.replace("cortex_m", "cortex-m")
        _print_remote(run_remote(remote, file, ["--verify", *_isa(isa)], target=there))
        return
    failed = False
    with plain_path(file) as path:
        for name in EMULATORS if target == "all" else [target.replace("cortex_m", "cortex-m")]:
            for cpu in EMULATORS.get(name, {name: []}):
                words = command(name, cpu, [str(path), "--verify", *_isa(isa)])
                result = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
                where = name if name == cpu else f"{name} ({cpu})"
                good = result.returncode == 0
                small = result.returncode == DOES_NOT_FIT
                failed |= not good and not (small and target == "all")
                verdict = "[green]identical[/green]" if good else "does not fit" if small else "[red]FAILED[/red]"
                console.print(f"{where}: {verdict}", highlight=False)
                text = (result.stdout if good else result.stderr or result.stdout).strip()
                console.print(text.replace(str(path), str(file)), markup=False, highlight=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def main() -> None:
    """Entry point: a QsdkError becomes one line on stderr and exit code 1."""
    try:
        app()
    except qsdk.QsdkError as error:
        errors.print(f"qsdk: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
