"""The example networks through the whole eager workflow."""

import copy
import importlib.util
import pathlib

import pytest
import torch
from torch import nn

import qsdk.nn.quantized as nnq
import qsdk.quantization as tq

_PATH = pathlib.Path(__file__).parents[2] / "examples" / "networks.py"
_SPEC = importlib.util.spec_from_file_location("example_networks", _PATH)
networks = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(networks)


@pytest.mark.parametrize("backend", ["qsdk", "fbgemm", "qnnpack"])
@pytest.mark.parametrize("name", networks.NETWORKS)
def test_quantized_networks_stay_close_to_float(name, backend):
    model, shape = networks.make(name)
    torch.manual_seed(1)
    x = torch.randn(4, *shape[1:])
    with torch.no_grad():
        exact = model(x)
        # Float algebra: batch norm's factor moves into the weights. Only quantized results are promised to the bit.
        assert (copy.deepcopy(model).fuse()(x) - exact).abs().max() <= 1e-5 * exact.abs().max()
        model.fuse()
        model.qconfig = tq.get_default_qconfig(backend)
        prepared = tq.prepare(model)
        prepared(x)
        quantized = tq.convert(prepared)
        result = quantized(x)
    left = [n for n, m in quantized.named_modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.BatchNorm2d)]
    assert not left
    assert sum(isinstance(m, nnq.Conv2d) for m in quantized.modules()) == sum(
        isinstance(m, nn.Conv2d) for m in model.modules()
    )
    noise = (exact - result).square().sum()
    assert float(10 * torch.log10(exact.square().sum() / noise)) > 20
    assert torch.equal(quantized(x), result)
    # One at a time gives what the batch gives: integers do not depend on the batch.
    assert torch.equal(torch.cat([quantized(x[i : i + 1]) for i in range(len(x))]), result)
