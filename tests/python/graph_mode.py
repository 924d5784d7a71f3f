"""What the tests of graph mode share: models made of a function, the whole workflow, counts of stubs."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
from qsdk.quantization.quantize_fx import convert_fx, prepare_fx

QCONFIG = tq.get_default_qconfig("qsdk")


class Calls(nn.Module):
    """forward is `function(self, *inputs)`; parts are modules and tensors that it uses."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            if isinstance(part, torch.Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)
        self.eval()

    def forward(self, *inputs):
        return self.function(self, *inputs)


class OneInput(Calls):
    """With one argument, as most models have it."""

    def forward(self, x):
        return self.function(self, x)


class TwoInputs(Calls):
    """With two arguments."""

    def forward(self, x, y):
        return self.function(self, x, y)


def quantized(model, *inputs, mapping=None, **options):
    """(prepared and calibrated, converted)."""
    prepared = prepare_fx(model, {"": QCONFIG} if mapping is None else mapping, **options)
    with torch.no_grad():
        prepared(*inputs)
    return prepared, convert_fx(prepared)


def graph_convert(model, *inputs, **options):
    """Converted alone."""
    return quantized(model, *inputs, **options)[1]


def eager(model, *inputs):
    """The same by eager mode; the model has its stubs."""
    model.eval()
    model.qconfig = QCONFIG
    prepared = tq.prepare(model)
    with torch.no_grad():
        prepared(*inputs)
    return tq.convert(prepared)


def stubs(converted):
    """How many quantize and dequantize modules a converted model has."""
    kinds = [type(module) for module in converted.modules()]
    return kinds.count(nnq.Quantize), kinds.count(nnq.DeQuantize)


def kinds(converted):
    """Class names of the modules that the graph calls, in order."""
    modules = dict(converted.named_modules())
    return [type(modules[n.target]).__name__ for n in converted.graph.nodes if n.op == "call_module"]


def sqnr(exact, approximate):
    """Signal to quantization noise ratio in dB."""
    ratio = exact.detach().square().sum() / (exact - approximate).detach().square().sum()
    return float(10 * torch.log10(ratio))


class Net(nn.Module):
    """Convolutions with norms, a ReLU that is used twice, a residual, functionals; 3 x 8 x 8 to 5 scores."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.layers = nn.ModuleList([nn.Conv2d(8, 8, 1), nn.Conv2d(16, 4, 1)])
        self.heads = nn.ModuleDict({"scores": nn.Linear(16, 5)})
        self.relu = nn.ReLU()
        self.scale = nn.Parameter(torch.rand(8, 1, 1))
        for norm in (self.bn1, self.bn2):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(x))
        x = self.relu(x + y)
        x = torch.cat([F.relu(self.layers[0](x)), x * self.scale], 1)
        x = F.adaptive_avg_pool2d(torch.sigmoid(self.layers[1](x)), 2)
        return self.heads["scores"](torch.flatten(x, 1))


def images(count=8):
    return torch.randn(count, 3, 8, 8)
