"""operators(file, *inputs): each operator of a file, by the C runtime and by definition, compared bit by bit."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from qsdk.debug import page
from qsdk.export.program import Program
from qsdk.export.serialize import deserialize, load
from qsdk.reference.interpreter import run
from qsdk.runtime import Session


@dataclass(frozen=True)
class OperatorRow:
    """One operator of a file.

    Attributes:
        operator, layer: what it is, and the layer that it comes from
        inputs: shapes of its activations
        output: dtype and shape
        scale, zero_point: of its output; None where that is not quantized
        size: bytes of its output
        constants: bytes of its weights, biases and tables
        kernel: that the runtime chose; '' for one that only moves bytes
        differing: how many elements of its output differ between runtime and reference
    """

    operator: str
    layer: str
    inputs: tuple[tuple[int, ...], ...]
    output: str
    scale: float | None
    zero_point: int | None
    size: int
    constants: int
    kernel: str
    differing: int

    @property
    def equal(self) -> bool:
        """Whether runtime and reference give the same bytes."""
        return self.differing == 0


_COLUMNS = ("#", "operator", "layer", "inputs", "output", "scale, zero point", "bytes", "constants", "kernel", "equal")


@dataclass(frozen=True)
class OperatorReport:
    """All operators of a file, in the order in which they run. The first that differs is at fault.

    Attributes:
        name: of the model
        isa: instruction set that the runtime was held to; None: the best of this CPU
        rows: one per operator
    """

    name: str
    isa: str | None
    rows: tuple[OperatorRow, ...]

    @property
    def equal(self) -> bool:
        """Whether every operator gives the same bytes."""
        return all(row.equal for row in self.rows)

    def cells(self) -> list[tuple[str, ...]]:
        """The table as text."""
        return [
            (
                str(position),
                row.operator,
                row.layer,
                " ".join(str(list(shape)) for shape in row.inputs),
                row.output,
                "" if row.scale is None else f"{row.scale:.6g}, {row.zero_point}",
                f"{row.size:,}",
                f"{row.constants:,}" if row.constants else "",
                row.kernel,
                "yes" if row.equal else f"{row.differing} differ",
            )
            for position, row in enumerate(self.rows)
        ]

    @property
    def summary(self) -> str:
        """One line."""
        wrong = [position for position, row in enumerate(self.rows) if not row.equal]
        which = f" on {self.isa}" if self.isa else ""
        if not wrong:
            return f"{len(self.rows)} operators, runtime{which} and reference give the same bytes"
        first = self.rows[wrong[0]]
        return (
            f"{len(wrong)} of {len(self.rows)} operators differ between runtime{which} and reference; the first is "
            f"{wrong[0]} ({first.operator}, layer '{first.layer}')"
        )

    def __rich__(self) -> Table:
        table = Table(*_COLUMNS, title="operators", caption=self.summary)
        for row, cells in zip(self.rows, self.cells(), strict=True):
            table.add_row(*cells, style=None if row.equal else "red")
        return table

    def html_section(self) -> str:
        """The part of a page that shows the table."""
        classes = ["" if row.equal else "bad" for row in self.rows]
        return page.section("Operators", self.summary, page.table(_COLUMNS, self.cells(), classes))

    def to_html(self) -> str:
        """A page that needs nothing else."""
        return page.page(f"qsdk report: {self.name}", self.html_section())

    def write_html(self, path: str | os.PathLike[str]) -> None:
        """Write to_html() to a file."""
        Path(path).write_text(self.to_html(), encoding="utf-8")


def operators(source: str | os.PathLike[str] | bytes, *inputs: Any, isa: str | None = None) -> OperatorReport:
    """Run a .qsdk file on the reference and on the C runtime, and compare each operator's output.

    Args:
        source: a path, or the file's bytes
        inputs: one array or tensor per input, of exactly its shape and dtype
        isa: use nothing above this instruction set

    Raises:
        QsdkError: the file is damaged, or an input does not fit.
    """
    data = bytes(load(source))
    return compare_operators(deserialize(data), data, inputs, isa)


def compare_operators(program: Program, data: bytes, inputs: Any, isa: str | None = None) -> OperatorReport:
    """A program by definition against a file's bytes on the runtime; arguments as those of `operators`."""
    expected: list[np.ndarray] = []
    found: list[np.ndarray] = []
    run(program, *inputs, taps=expected)
    session = Session(data, isa=isa, taps=found)
    session.run(*inputs)
    rows = []
    for op, kernel, ours, theirs in zip(program.operators, session.kernels(), expected, found, strict=True):
        output = program.tensors[op.outputs[0]]
        operands = [program.tensors[i] for i in op.inputs]
        elements = np.frombuffer(ours.tobytes(), np.uint8) != theirs
        rows.append(
            OperatorRow(
                operator=op.kind,
                layer=op.name,
                inputs=tuple(t.shape for t in operands if not t.is_constant),
                output=f"{output.dtype}{list(output.shape)}",
                scale=output.scale[0] if output.scale else None,
                zero_point=output.zero_point[0] if output.zero_point else None,
                size=output.size,
                constants=sum(t.size for t in operands if t.is_constant),
                kernel=kernel,
                differing=int(elements.reshape(output.elements, -1).any(1).sum()),
            )
        )
    return OperatorReport(program.name, isa, tuple(rows))
