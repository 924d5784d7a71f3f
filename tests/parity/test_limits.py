"""What a file may say and the runtime still refuses, because a sum would leave its type or a load take too long."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.build import Quantized, constant, single, to_file
from qsdk import QsdkError, Session
from qsdk.export.program import Program

ONES = constant("ones", np.ones(1, np.float32))


def layer_norm(count: int) -> Program:
    factors = [constant(n, np.ones(count, np.float32)) for n in ("weight", "bias")]
    return single("layer_norm", [Quantized((1, count)), *factors], (1.0, 0), {"eps": 1.0}, (1, count))


def group_norm(count: int) -> Program:
    return single("group_norm", [Quantized((1, count, 1)), ONES, ONES], (1.0, 0), {"eps": 1.0}, (1, count, 1))


def mean(count: int) -> Program:
    return single("mean", [Quantized((1, count))], (1.0, 0), {"dim": (1,), "keepdim": False}, (1,))


@pytest.mark.parametrize("make", [layer_norm, group_norm, mean])
def test_rows_of_more_than_two_to_the_23(make: Any) -> None:
    with pytest.raises(QsdkError, match=r"operators\[0\] .* more than 2\^23"):
        Session(to_file(make((1 << 23) + 1))[1])
    program, data = to_file(make(1 << 23))
    value = np.full(program.tensors[0].shape, -128, np.int8)
    value.reshape(-1)[: 1 << 22] = 127  # the largest variance there can be
    (result,) = Session(data).run(value)
    if make is mean:
        assert result.tolist() == [0]  # -0.5
    else:
        assert result.reshape(-1)[[0, -1]].tolist() == [2, 0]  # 1 and -1, plus a bias of 1
