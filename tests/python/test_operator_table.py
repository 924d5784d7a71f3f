"""The operator table: complete, consistent, and every call reaches the dispatcher exactly once."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import qsdk.nn.quantized as nnq
from qsdk import ops
from qsdk.nn.quantized import functional as qF
from qsdk.qtensor import QParams, quantize, quint8


class Recorder(TorchDispatchMode):
    """The calls that pass the dispatcher."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.calls.append((function, args, result))
        return result


def example():
    torch.manual_seed(0)
    return quantize(torch.randn(2, 3, 4, 4), QParams(0.05, 100, quint8))


def test_rows_name_their_reference():
    contract = Path(__file__).parents[2] / "docs" / "numerics.md"
    rules = {int(number) for number in re.findall(r"^(\d+)\. ", contract.read_text(), re.M)}
    for name, row in ops.OPERATORS.items():
        assert row.name == name and row.reference is getattr(torch.ops.qsdk, name).default
        assert row.rule in rules and row.qparams in ("own", "shared", "float", "none")
        assert ops.BY_REFERENCE[row.reference] is row
        assert row.floating is None or (row.qparams != "float" and ops.BY_REFERENCE[row.floating] is row)
        operands = {argument.name for argument in row.reference._schema.arguments}
        assert set(row.channels_last) <= operands
    assert {n for n, row in ops.OPERATORS.items() if row.channels_last} == {
        "conv2d", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "batch_norm", "group_norm",
        "prelu", "upsample_nearest2d", "upsample_bilinear2d", "conv_transpose2d", "conv3d", "conv_transpose3d",
        "conv2d_dynamic", "conv_transpose2d_dynamic", "conv3d_dynamic", "conv_transpose3d_dynamic",
        "conv2d_weight_only", "inverted_residual",
    }  # fmt: skip
    for rank in range(2, 9):
        to, back = ops.to_channels_last(rank), ops.from_channels_last(rank)
        assert to[-1] == 1 and [to[d] for d in back] == list(range(rank))


@pytest.mark.parametrize(
    "function, name",
    [
        (F.relu, "clamp"), (F.relu6, "clamp"), (nn.Hardtanh(-1, 1), "clamp"), (nn.ReLU6(), "clamp"),
        (nn.MaxPool2d(2), "max_pool2d"), (nn.AvgPool2d(2), "avg_pool2d"),
        (nn.AdaptiveAvgPool2d(1), "adaptive_avg_pool2d"), (lambda q: q.mean((2, 3)), "mean"), (nn.Flatten(), "reshape"),
        (lambda q: q.view(2, -1), "reshape"), (lambda q: q.clone(), "reshape"),
        (lambda q: q.transpose(1, 2), "permute"), (lambda q: qF.add(q, q, 0.1, 3), "add"),
        (lambda q: qF.mul(q, q, 0.1, 3), "mul"), (lambda q: torch.cat([q, q]), "cat"),
        (lambda q: qF.lookup_table(q, torch.sigmoid, QParams(1 / 256, 0, quint8)), "lookup_table"),
    ],
)  # fmt: skip
def test_one_call_per_operator_on_the_stored_tensors(function, name):
    q = example()
    function(q)  # tables are made on first use
    with Recorder() as recorder:
        result = function(q)
    assert [call[0] for call in recorder.calls] == [ops.OPERATORS[name].reference]
    _, arguments, output = recorder.calls[0]
    first = arguments[0][0] if isinstance(arguments[0], list) else arguments[0]
    assert first is q.storage and output is result.storage


@pytest.mark.parametrize("layer", [nnq.Conv2d(3, 2, 3), nnq.Linear(4, 2)])
def test_layers_pass_the_same_constants_every_time(layer):
    q = example()
    layer(q)
    recorded = []
    for _ in range(2):
        with Recorder() as recorder:
            layer(q)
        assert len(recorder.calls) == 1
        recorded.append(recorder.calls[0][1][1:4])
    assert all(a is b for a, b in zip(*recorded, strict=True))
    assert recorded[0][0] is layer.qweight


def test_inputs_and_outputs_of_a_model_are_recorded():
    x = torch.randn(2, 3)
    quant, dequant = nnq.Quantize(0.1, 3, torch.quint8), nnq.DeQuantize()
    with Recorder() as recorder:
        y = dequant(quant(x))
    names = [ops.BY_REFERENCE[call[0]].name for call in recorder.calls]
    assert names == ["quantize_per_tensor", "dequantize"]
    assert recorder.calls[0][1][0] is x and recorder.calls[1][2] is y
