"""What the runtime adds to each operator: the time of a long chain of operators that do nothing."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from qsdk.export.plan import plan  # noqa: E402
from qsdk.export.program import Operation, Program, TensorInfo, renumber  # noqa: E402
from qsdk.export.serialize import serialize  # noqa: E402
from qsdk.runtime import Session  # noqa: E402

SHAPE = (1, 64)


def chain(kind: str, length: int) -> bytes:
    """A file of `length` operators, each on what the one before gave."""
    tensors = tuple(TensorInfo(f"t{i}", "int8", SHAPE, (0.5,), (0,)) for i in range(length + 1))
    operators = tuple(Operation(kind, (i,), (i + 1,)) for i in range(length))
    return serialize(plan(renumber(Program(tensors, operators, (0,), (length,)))))


def _least(file: bytes) -> float:
    session = Session(file)
    session.set_input(0, np.zeros(SHAPE, np.int8))
    times = []
    for _ in range(3000):
        begin = time.perf_counter_ns()
        session.invoke()
        times.append(time.perf_counter_ns() - begin)
    return min(times)


def overhead(kind: str = "reshape", length: int = 1000) -> float:
    """Nanoseconds per operator. A reshape in place has nothing to do."""
    return (_least(chain(kind, length)) - _least(chain(kind, 1))) / (length - 1)


if __name__ == "__main__":
    for kind in ("reshape", "clamp"):
        print(f"{kind}: {overhead(kind):.1f} ns")
