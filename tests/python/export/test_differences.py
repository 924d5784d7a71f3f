"""a - b: one operator, with the bytes of a + (-1) * b."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import qsdk.quantization as tq
from qsdk.export import to_bytes
from qsdk.nn.quantized import functional as qF
from qsdk.qtensor import QParams, QTensor, qint8
from qsdk.quantization.quantize_fx import convert_fx, prepare_fx
from qsdk.runtime import Session


@pytest.mark.parametrize("relu", [False, True])
def test_sub_is_add_of_the_negative(relu: bool) -> None:
    integers = torch.arange(-128, 128).to(torch.int8)
    a = QTensor(integers[:, None], QParams(0.37, -7, qint8))
    b = QTensor(integers[None], QParams(0.21, 100, qint8))
    for scale, zero_point in ((0.3, 5), (0.5, -128), (0.058, 127)):
        output = (scale, zero_point, "qint8")
        difference = qF.sub(a, b, *output, relu=relu)
        negative = qF.add(a, qF.mul_scalar(b, -1.0), *output, relu=relu)
        assert torch.equal(difference.storage, negative.storage) and difference.qparams == negative.qparams


class Residual(nn.Module):
    """x minus what a convolution finds in it."""

    def __init__(self, relu: bool) -> None:
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 3, 3, padding=1), relu

    def forward(self, x: Any) -> Any:
        """[N, 3, H, W] to the same."""
        y = x - self.conv(x)
        return torch.relu(y) if self.relu else y


@pytest.mark.parametrize("relu", [False, True])
def test_graph_mode_writes_sub(relu: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 3, 5, 6)
    mapping = tq.QConfigMapping().set_global(tq.get_default_qconfig("qsdk"))
    prepared = prepare_fx(Residual(relu).eval(), mapping, (x,))
    prepared(x)
    model = convert_fx(prepared)
    program, data = to_bytes(model, x)
    kinds = [op.kind for op in program.operators]
    assert kinds == ["quantize_per_tensor", "permute", "conv2d", "permute", "sub", "dequantize"]
    assert [o.tobytes() for o in Session(data).run(x.numpy())] == [model(x).numpy().tobytes()]
