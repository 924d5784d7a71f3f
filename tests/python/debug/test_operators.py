"""Host against runtime, operator by operator."""

import numpy as np
import pytest
import torch
from torch import nn

import qsdk
from qsdk.debug import operators
from qsdk.debug.operators import compare_operators
from qsdk.errors import QsdkError
from qsdk.export import to_bytes
from qsdk.export.serialize import deserialize
from qsdk.runtime import available_isas


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 3)

    def forward(self, x):
        x = torch.relu(self.first(x))
        return self.head((x + self.second(x)).mean((2, 3)))


X = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    model = Net().eval()
    quantized = qsdk.quantize(model, X)
    other = qsdk.quantize(model, X)
    other.second.qweight = other.second.qweight + 1
    return [to_bytes(m, X, name="net") for m in (quantized, other)]


@pytest.mark.parametrize("isa", [None, *available_isas()])
def test_equal(models, isa):
    program, data = models[0]
    report = operators(data, X, isa=isa)
    assert report.equal and all(row.equal for row in report.rows) and report.isa == isa and report.name == "net"
    assert [row.operator for row in report.rows] == [op.kind for op in program.operators]
    conv = next(row for row in report.rows if row.layer == "second")
    assert conv.inputs == ((1, 6, 6, 4),) and conv.output == "int8[1, 6, 6, 4]" and conv.size == 144
    assert conv.constants == 4 * 4 * 9 + 4 * 4 + 4 * 4 and conv.scale > 0 and conv.kernel.startswith("qs8")


def test_taps_of_the_runtime_are_those_of_the_reference(models):
    _, data = models[0]
    expected, found = [], []
    result = qsdk.reference.run(data, X, taps=expected)
    session = qsdk.Session(data, taps=found)
    assert session.run(X)[0].tobytes() == result[0].tobytes()
    assert [tap.tobytes() for tap in found] == [tap.tobytes() for tap in expected]
    session.run(X)
    assert len(found) == 2 * len(expected)


def test_the_first_that_differs_is_at_fault(models):
    (program, _), (_, data) = models
    report = compare_operators(program, data, [X])
    wrong = [position for position, row in enumerate(report.rows) if not row.equal]
    second = next(position for position, row in enumerate(report.rows) if row.layer == "second")
    assert wrong[0] == second and not report.equal
    taps = []
    qsdk.reference.run(deserialize(data), X, taps=taps)
    plain = []
    qsdk.reference.run(program, X, taps=plain)
    assert [row.differing for row in report.rows] == [int(np.sum(a != b)) for a, b in zip(taps, plain, strict=True)]
    assert f"the first is {second} (conv2d, layer 'second')" in report.summary
    assert report.to_html().count('<tr class="bad">') == len(wrong)


def test_errors(models, tmp_path):
    with pytest.raises(QsdkError, match="shape"):
        operators(models[0][1], X[:, :, 1:])
    with pytest.raises(QsdkError, match="cannot read"):
        operators(tmp_path / "none.qsdk", X)
