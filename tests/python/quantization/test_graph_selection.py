"""Functions of one value, comparisons, selections, sums and norms in graph mode, in the file and in C: equal bytes."""

import numpy as np
import pytest
import torch
from graph_mode import OneInput, TwoInputs, quantized, sqnr, stubs
from torch import nn
from torch.nn import functional as F

import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
from qsdk.export import to_bytes
from qsdk.ops import FUNCTIONALS
from qsdk.quantization.graph.calls import CALLS
from qsdk.reference.interpreter import run
from qsdk.runtime import Session


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def same_everywhere(converted, *inputs):
    """The operators of the file, after a run of model, reference and runtime."""
    result = converted(*inputs)
    expected = [r.numpy().tobytes() for r in (result if isinstance(result, tuple) else (result,))]
    program, data = to_bytes(converted, inputs)
    assert [o.tobytes() for o in run(data, *inputs)] == expected
    assert [o.tobytes() for o in Session(data).run(*(i.numpy() for i in inputs))] == expected
    assert Session(data).self_test() == 2
    return [op.kind for op in program.operators]


# function, its operators between quantize and dequantize
ONE = {
    "exp": (torch.exp, ["lookup_table"]),
    "abs": (abs, ["lookup_table"]),
    "sqrt of abs": (lambda x: x.abs().sqrt(), ["lookup_table", "lookup_table"]),
    "rsqrt": (lambda x: torch.rsqrt(x.square() + 1), ["lookup_table"] * 3),
    "sum": (lambda x: x.sum(-1), ["mean"]),
    "sum of all": (torch.sum, ["mean"]),
    "sum of two": (lambda x: torch.sum(x, dim=(1, 2), keepdim=True), ["mean"]),
    "normalize": (lambda x: F.normalize(x, dim=-1), ["normalize"]),
    "normalize channels": (F.normalize, ["normalize"]),
    "where": (lambda x: torch.where(x > 0.3, x, x * 2), None),
    "where a number": (lambda x: torch.where(x <= 0, x, 0.0), ["le", "lookup_table", "where"]),
    "masked_fill": (lambda x: x.masked_fill(x != 0, 0.5), None),
    "maximum": (lambda x: torch.maximum(x, -x), None),
    "max of two": (lambda x: torch.max(x, x * 0.5), None),
    "minimum": (lambda x: x.minimum(x.mean(-1, keepdim=True)), None),
    "max": (lambda x: x.max(-1)[0], None),
    "max of all": (lambda x: x.max(), None),
    "min": (lambda x: torch.min(x, 1, keepdim=True).values, ["topk"]),
    "topk": (lambda x: torch.topk(x, 2)[0], ["topk"]),
    "smallest": (lambda x: x.topk(3, 1, False)[0], ["topk"]),
    "index_select": (lambda x: torch.index_select(x, 1, torch.tensor([2, 0, 2])), ["index_select"]),
    "gather": (lambda x: x.gather(2, torch.zeros(2, 4, 2, dtype=torch.int64)), ["gather"]),
}  # fmt: skip
# Where the values are far apart and small ones do not matter, or values of one step decide.
_COARSE = {"where", "masked_fill"}


@pytest.mark.parametrize("name", ONE)
def test_functions_of_a_quantized_tensor(name):
    function, kinds = ONE[name]
    model, x = OneInput(lambda m, x: function(x * 1.0)), torch.randn(2, 4, 5)
    prepared, converted = quantized(model, x, example_inputs=x)
    assert torch.equal(prepared(x), model(x))
    assert stubs(converted) == (1, 1)
    assert sqnr(model(x), converted(x)) > (5 if name in _COARSE else 25)
    found = same_everywhere(converted, x)
    assert kinds is None or found[2:-1] == kinds


@pytest.mark.parametrize("spelling", [s for s, m in FUNCTIONALS.items() if m in CALLS and CALLS[m][0] == "unary"])
def test_every_function_of_one_value(spelling):
    def function(m, x):
        x = x.sigmoid()
        return getattr(x, spelling)() if isinstance(spelling, str) else spelling(x)

    model, x = OneInput(function), torch.randn(3, 40)
    prepared, converted = quantized(model, x, example_inputs=x)
    assert torch.equal(prepared(x), model(x)) and stubs(converted) == (1, 1)


# Positions and truth values: they are results as they are.
NO_NUMBERS = {
    "argmax": lambda x: x.argmax(-1), "argmax of all": torch.argmax, "argmin": lambda x: x.argmin(1, keepdim=True),
    "positions": lambda x: x.max(1)[1], "topk": lambda x: torch.topk(x, 3, largest=False)[1],
    "greater": lambda x: x > 0, "at least": lambda x: x.ge(0.1), "equal": lambda x: torch.eq(x, x),
    "less": lambda x: x > 0.2,
    "ne": lambda x: x != 0, "not": lambda x: ~(x > 0), "and": lambda x: (x > 0) & (x < 1),
    "or": lambda x: torch.logical_or(x > 1, x < 0),
}  # fmt: skip


@pytest.mark.parametrize("example", [False, True])
@pytest.mark.parametrize("name", NO_NUMBERS)
def test_positions_and_truth_values(name, example):
    function = NO_NUMBERS[name]
    model, x = OneInput(lambda m, x: function(m.linear(x)), linear=nn.Linear(7, 9)), torch.randn(4, 7)
    prepared, converted = quantized(model, x, **({"example_inputs": x} if example else {}))
    assert torch.equal(prepared(x), model(x)) and stubs(converted) == (1, 0)
    assert converted(x).dtype == model(x).dtype
    assert "dequantize" not in same_everywhere(converted, x)


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_of_float_tensors(name):
    function = NO_NUMBERS[name]
    model = OneInput(lambda m, x: function(torch.relu(x) - 0.0 if False else torch.tanh(x)))
    x = torch.randn(4, 7)
    x[1, 2:4] = float("nan")
    program, data = to_bytes(model, x)
    expected = run(data, x)[0]
    assert Session(data).run(x.numpy())[0].tobytes() == expected.tobytes()
    if name not in ("argmax", "argmax of all", "argmin", "positions", "topk"):  # where NaN is the largest in PyTorch
        assert expected.tobytes() == model(x).numpy().tobytes()


def test_two_tensors():
    for function in (torch.maximum, torch.minimum, lambda x, y: torch.where(x > y, x, y)):
        model = TwoInputs(lambda m, x, y, function=function: function(x, y))
        x, y = torch.randn(2, 4, 5), torch.rand(4, 1) * 3 + 0.5
        prepared, converted = quantized(model, x, y, example_inputs=(x, y))
        assert torch.equal(prepared(x, y), model(x, y)) and stubs(converted) == (2, 1)
        assert sqnr(model(x, y), converted(x, y)) > 25
        same_everywhere(converted, x, y)


class Eager(nn.Module):
    """Every method of FloatFunctional that graph mode also uses."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        names = ("maximum", "minimum", "where", "mul", "sum", "normalize", "unary", "softmax", "masked")
        self.f = nn.ModuleDict({name: nnq.FloatFunctional() for name in names})

    def forward(self, x, mask):
        f, x = self.f, self.quant(x)
        high, low = f["maximum"].maximum(x, x[:1]), f["minimum"].minimum(x, x[:1])
        y = f["where"].where(mask, f["mul"].mul(high, f["unary"].unary(low, "exp")), 0.25)
        weights = f["masked"].softmax(y, -1, mask[..., :1].transpose(-1, -2))
        y = f["sum"].sum(f["normalize"].normalize(f["softmax"].softmax(weights, 1), 2), 1)
        return self.dequant(weights), self.dequant(y)


def test_eager_mode():
    model, x, mask = Eager().eval(), torch.randn(3, 4, 4), torch.rand(3, 4, 4) > 0.4
    mask[1, :, 0] = False  # nothing to attend to
    model.qconfig = tq.get_default_qconfig("qsdk")
    prepared = tq.prepare(model)
    prepared(x, mask)
    converted = tq.convert(prepared)
    for exact, approximate in zip(model(x, mask), converted(x, mask), strict=True):
        assert sqnr(exact, approximate) > 25
    assert not converted(x, mask)[0][1].any()
    kinds = same_everywhere(converted, x, mask)
    assert {"maximum", "minimum", "where", "mul", "mean", "normalize", "softmax"} <= set(kinds)


def test_indices_outside_end_the_run():
    model = TwoInputs(lambda m, x, i: torch.index_select(x * 2, 1, i))
    x, index = torch.randn(2, 4), torch.tensor([3, 0])
    _, converted = quantized(model, x, index, example_inputs=(x, index))
    program, data = to_bytes(converted, (x, index))
    from qsdk import IndexRangeError

    for value in (4, -1, 2**40):
        for compute in (lambda *a: run(program, *a), Session(data).run):
            with pytest.raises(IndexRangeError, match=r"index_select.*(4|1|1099511627776)"):
                compute(x.numpy(), np.array([0, value]))
