"""Pools over three axes on quantized and on float tensors: equal to PyTorch's, in eager and graph mode, file and C."""

import pytest
import torch
from graph_mode import OneInput, graph_convert, stubs
from test_graph_selection import same_everywhere
from torch import nn
from torch.nn import functional as F

import qsdk
from qsdk.errors import UnsupportedOperatorError
from qsdk.export import to_bytes
from qsdk.qtensor import quantize_per_tensor
from qsdk.reference.interpreter import run

MAXIMA = {
    "padded": nn.MaxPool3d(3, 2, 1),
    "over the edge": nn.MaxPool3d((2, 3, 2), (1, 2, 3), (1, 1, 0), ceil_mode=True),
    "dilated": nn.MaxPool3d(2, 1, 0, 2),
}
MEANS = {
    "with a rest": nn.AvgPool3d(2),
    "one window": nn.AvgPool3d((6, 8, 9)),
    "all": nn.AdaptiveAvgPool3d(1),
}


@pytest.mark.parametrize("name", [*MAXIMA, *MEANS])
def test_pools_over_three_axes(name):
    torch.manual_seed(0)
    pool, x = {**MAXIMA, **MEANS}[name], torch.randn(2, 3, 6, 8, 9)
    q = quantize_per_tensor(x, 0.05, 3, torch.qint8)
    pooled, expected = pool(q), pool(q.dequantize())
    assert pooled.qparams == q.qparams
    assert (pooled.dequantize() - expected).abs().max() <= (0.0251 if name in MEANS else 0)
    converted = graph_convert(OneInput(lambda m, x: m.pool(m.conv(x)), conv=nn.Conv3d(3, 4, 1), pool=pool), x)
    assert stubs(converted) == (1, 1)
    same_everywhere(converted, x)
    _, data = to_bytes(pool, [x])
    made = qsdk.Session(data).run(x)[0]
    assert made.tobytes() == run(data, x)[0].tobytes()
    torch.testing.assert_close(torch.from_numpy(made), pool(x), rtol=1e-5, atol=1e-5)  # its means sum in another order


def test_adaptive_windows_of_one_size():
    x = torch.randn(2, 3, 6, 8, 9)
    q = quantize_per_tensor(x, 0.05, 3, torch.qint8)
    x = q.dequantize()
    assert torch.equal(F.adaptive_max_pool3d(q, (3, 4, 3)).dequantize(), F.adaptive_max_pool3d(x, (3, 4, 3)))
    mean = F.adaptive_avg_pool3d(q, (3, None, 3)).dequantize()
    assert (mean - F.adaptive_avg_pool3d(x, (3, None, 3))).abs().max() <= 0.0251


OTHERS = {
    "overlap": lambda x: F.avg_pool3d(x, 3, 1),
    "padding": lambda x: F.avg_pool3d(x, 2, 2, 1),
    "divisor": lambda x: F.avg_pool3d(x, 2, divisor_override=3),
    "sizes": lambda x: F.adaptive_avg_pool3d(x, 4),
    "maxima": lambda x: F.adaptive_max_pool3d(x, 4),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_windows_stay_in_float(name):
    pool, x = OTHERS[name], torch.randn(2, 3, 6, 8, 9)
    with pytest.raises(UnsupportedOperatorError, match="side by side|divisor_override"):
        pool(quantize_per_tensor(x, 0.05, 3, torch.qint8))
    converted = graph_convert(OneInput(lambda m, x: pool(m.conv(x)), conv=nn.Conv3d(3, 4, 1)), x)
    assert (converted(x) - pool(converted.conv(converted.x_quant(x)).dequantize())).abs().max() == 0


def test_indices_and_ranks():
    q = quantize_per_tensor(torch.randn(1, 2, 4, 4, 4), 0.05, 3, torch.qint8)
    with pytest.raises(UnsupportedOperatorError, match="return_indices"):
        F.max_pool3d(q, 2, return_indices=True)
