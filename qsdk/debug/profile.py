"""profile(file): what each operator of a file takes, and how that compares with what the CPU can do."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from qsdk.debug import page
from qsdk.errors import QsdkError
from qsdk.export.blocks import expanded_extents
from qsdk.export.program import Operation, Program, TensorInfo
from qsdk.export.serialize import deserialize, load
from qsdk.runtime import Session, available_isas, cycles_per_nanosecond, peak_macs_per_cycle


def macs(program: Program, op: Operation) -> int:
    """Products of inputs and weights, or of two inputs, in an operator's definition; 0 for an operator without.

    Those with padding count, and those of floats as well.
    """
    operands = [program.tensors[i] for i in op.inputs]
    output = program.tensors[op.outputs[0]]
    if op.kind.startswith("matmul"):
        return output.elements * operands[0].shape[-1]
    if op.kind.endswith("weight_only"):  # may be stored in 4 bits
        window: Any = op.options.get("kernel_size", ())
        groups: Any = op.options.get("groups", 1)
        return output.elements * operands[0].shape[-1] * math.prod(window) // groups
    if op.kind == "inverted_residual":
        pixels = output.elements // output.shape[-1]
        products = pixels * (operands[1].elements + operands[4].elements)
        if len(operands) > 7:
            height, width = expanded_extents(op, operands[0].shape, operands[7].shape)
            products += output.shape[0] * height * width * operands[7].elements
        return products
    if op.kind.startswith(("conv", "linear")):
        weights = operands[1].elements
    else:  # those of recurrent layers; tables of embeddings are uint8, initial states float
        weights = sum(t.elements for t in operands if t.is_constant and t.dtype == "int8" and len(t.shape) > 1)
    source = output if op.kind.startswith("conv") and not op.kind.startswith("conv_transpose") else operands[0]
    return weights * source.elements // source.shape[-1] if source.elements else 0


def check_suffix(path: Path) -> None:
    """Refuse a file in which a profile cannot be written.

    Raises:
        QsdkError: its name ends in neither .json nor .html.
    """
    if path.suffix not in (".json", ".html"):
        raise QsdkError(f"{path}: a profile is written as .json or .html")


@dataclass(frozen=True)
class ProfileRow:
    """One operator of a file.

    Attributes:
        operator, layer: what it is, and the layer that it comes from
        output: dtype and shape
        kernel: that the runtime chose; '' for one that only moves bytes
        nanoseconds, least: median and least over all runs
        macs: products in its definition
        macs_per_cycle: of the median
    """

    operator: str
    layer: str
    output: str
    kernel: str
    nanoseconds: float
    least: float
    macs: int
    macs_per_cycle: float


_COLUMNS = ("#", "operator", "layer", "output", "kernel", "µs", "least µs", "share", "MAC", "MAC/cycle", "of peak")


@dataclass(frozen=True)
class Profile:
    """All operators of a file, in the order in which they run.

    Attributes:
        name: of the model
        isa: the best instruction set that the runtime could use
        threads: that the session ran on
        runs: how many the medians are over
        nanoseconds, least: of whole runs without a clock between operators, median and least
        cycles_per_nanosecond: frequency of the CPU
        peak: the most products in a cycle that this instruction set can do here; None: not known
        rows: one per operator
    """

    name: str
    isa: str
    threads: int
    runs: int
    nanoseconds: float
    least: float
    cycles_per_nanosecond: float
    peak: float | None
    rows: tuple[ProfileRow, ...]

    @property
    def macs(self) -> int:
        """Products of a whole run."""
        return sum(row.macs for row in self.rows)

    @property
    def macs_per_cycle(self) -> float:
        """Of whole runs."""
        return self.macs / (self.nanoseconds * self.cycles_per_nanosecond)

    @property
    def summary(self) -> str:
        """One line."""
        share = f" ({self.macs_per_cycle / self.peak:.0%} of {self.peak:.0f})" if self.peak else ""
        threads = f", {self.threads} threads" if self.threads > 1 else ""
        return (
            f"{self.isa}{threads}: median {self.nanoseconds / 1000:,.1f} µs, least {self.least / 1000:,.1f} µs of "
            f"{self.runs} runs; {self.macs:,} MAC, {self.macs_per_cycle:.1f} per cycle{share} "
            f"at {self.cycles_per_nanosecond:.2f} GHz"
        )

    def cells(self) -> list[tuple[str, ...]]:
        """The table as text."""
        total = sum(row.nanoseconds for row in self.rows) or 1
        return [
            (
                str(position),
                row.operator,
                row.layer,
                row.output,
                row.kernel,
                f"{row.nanoseconds / 1000:,.2f}",
                f"{row.least / 1000:,.2f}",
                f"{row.nanoseconds / total:.1%}",
                f"{row.macs:,}" if row.macs else "",
                f"{row.macs_per_cycle:.1f}" if row.macs else "",
                f"{row.macs_per_cycle / self.peak:.0%}" if row.macs and self.peak else "",
            )
            for position, row in enumerate(self.rows)
        ]

    def __rich__(self) -> Table:
        table = Table(title="time per operator", caption=self.summary)
        for heading in _COLUMNS:
            text = heading in ("operator", "layer", "output", "kernel")
            table.add_column(heading, justify="left" if text else "right")
        for cells in self.cells():
            table.add_row(*cells)
        return table

    def to_json(self) -> str:
        """All fields; times in nanoseconds."""
        fields = {**asdict(self), "macs": self.macs, "macs_per_cycle": self.macs_per_cycle}
        return json.dumps(fields, indent=1) + "\n"

    def to_html(self) -> str:
        """A page that needs nothing else: the table, with a bar for each operator's time."""
        most = max((row.nanoseconds for row in self.rows), default=1) or 1
        rows = [
            (*cells, page.bar(row.nanoseconds / most, page.QUANTIZED_COLOR))
            for row, cells in zip(self.rows, self.cells(), strict=True)
        ]
        content = page.table((*_COLUMNS, "time"), rows, [""] * len(rows))
        return page.page(f"qsdk bench: {self.name}", page.section("Time per operator", self.summary, content))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write to_json() or to_html() to a file, as its name ends.

        Raises:
            QsdkError: it ends in neither .json nor .html, or it cannot be written.
        """
        path = Path(path)
        forms = {".json": self.to_json, ".html": self.to_html}
        check_suffix(path)
        try:
            path.write_text(forms[path.suffix](), encoding="utf-8")
        except OSError as error:
            raise QsdkError(f"cannot write {path}: {error.strerror}") from error


def _example(tensor: TensorInfo, generator: np.random.Generator) -> np.ndarray:
    """Something to run on: normal floats, integers within their scale, and 0 for indices, which every table has."""
    if tensor.dtype == "float32":
        return generator.normal(size=tensor.shape).astype(np.float32)
    if tensor.dtype in ("int8", "uint8"):
        return generator.integers(*((-128, 128) if tensor.dtype == "int8" else (0, 256)), tensor.shape, tensor.dtype)
    return np.zeros(tensor.shape, tensor.dtype)


def _runs(session: Session, inputs: Sequence[Any], runs: int) -> list[int]:
    """Nanoseconds of each run, inputs set before it."""
    taken = []
    for _ in range(runs):
        for index, value in enumerate(inputs):
            session.set_input(index, value)
        begin = time.perf_counter_ns()
        session.invoke()
        taken.append(time.perf_counter_ns() - begin)
    return taken


def profile(
    source: str | os.PathLike[str] | bytes,
    *inputs: Any,
    isa: str | None = None,
    threads: int = 1,
    runs: int = 200,
) -> Profile:
    """Run a .qsdk file many times, and time each operator.

    Args:
        source: a path, or the file's bytes
        inputs: one array or tensor per input; none: random ones
        isa: use nothing above this instruction set
        threads: of the session
        runs: how often; a tenth as many warm up

    Raises:
        QsdkError: the file is damaged, or an input does not fit.
    """
    if runs < 1:
        raise QsdkError(f"runs is {runs}, and has to be at least 1")
    data = bytes(load(source))
    program = deserialize(data)
    generator = np.random.default_rng(0)
    inputs = inputs or tuple(_example(program.tensors[i], generator) for i in program.inputs)
    if len(inputs) != len(program.inputs):
        raise QsdkError(f"the model takes {len(program.inputs)} inputs, {len(inputs)} were given")
    times: list[np.ndarray] = []
    plain = Session(data, threads, isa)
    timed = Session(data, threads, isa, times=times)
    _runs(plain, inputs, runs // 10 + 1)
    whole = _runs(plain, inputs, runs)
    _runs(timed, inputs, runs // 10 + 1)
    times.clear()
    _runs(timed, inputs, runs)
    frequency = cycles_per_nanosecond()
    best = isa or os.environ.get("QRT_ISA") or available_isas()[0]
    medians, least = np.median(times, 0), np.min(times, 0)
    rows = []
    for position, (op, kernel) in enumerate(zip(program.operators, plain.kernels(), strict=True)):
        output = program.tensors[op.outputs[0]]
        products = macs(program, op)
        rows.append(
            ProfileRow(
                operator=op.kind,
                layer=op.name,
                output=f"{output.dtype}{list(output.shape)}",
                kernel=kernel,
                nanoseconds=float(medians[position]),
                least=float(least[position]),
                macs=products,
                macs_per_cycle=products / (max(float(medians[position]), 1.0) * frequency),
            )
        )
    return Profile(
        program.name, best, threads, runs, float(np.median(whole)), float(np.min(whole)), frequency,
        peak_macs_per_cycle(best), tuple(rows),
    )  # fmt: skip
