"""Passes on float models before prepare, off by default: they make weights easier to quantize per tensor.

    model = bias_correction(cross_layer_equalization(model), calibration_data)

Both are by Nagel, van Baalen, Blankevoort, Welling, "Data-Free Quantization Through Weight Equalization and Bias
Correction", ICCV 2019. With weights quantized per channel there is little left for them to gain.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvTransposeNd

from qsdk.errors import QuantizationError
from qsdk.ops import OPERATORS
from qsdk.quantization.calibrate import calibrate
from qsdk.quantization.fuse import fuse_modules, known_fusions
from qsdk.quantization.graph.rewrite import functionals_to_modules, module_of
from qsdk.quantization.graph.trace import trace
from qsdk.quantization.one_call import Batches, mapping_of
from qsdk.quantization.weights import quantized_and_back, weighted_part

# f(s * x) = s * f(x) for s > 0, channel by channel.
_HOMOGENEOUS = (
    nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.Identity,
    nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d,
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
    nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
)  # fmt: skip
_HOMOGENEOUS_FUNCTIONS = {
    spelling
    for name in ("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d")
    for spelling in (*OPERATORS[name].functions, *OPERATORS[name].methods)
}
_CLOSE = 1.01  # equalizing ends when no factor is further from 1


class _Pair(NamedTuple):
    """Two layers of which the second alone reads the first, through `between`."""

    first: nn.Module
    second: nn.Module
    between: tuple[str, ...]


class _Chains:
    """Which layers follow one another in a model's forward.

    Raises:
        CaptureError: torch.fx cannot trace the model.
    """

    def __init__(self, model: nn.Module) -> None:
        self.graph_module = trace(model)
        functionals_to_modules(self.graph_module)
        self._calls: Counter[int] = Counter(
            id(module_of(self.graph_module, node)) for node in self.graph_module.graph.nodes if node.op == "call_module"
        )
        self._shares: Counter[int] = Counter(
            id(parameter)
            for module in {id(m): m for m in self.graph_module.modules()}.values()
            for parameter in module._parameters.values()
            if parameter is not None
        )

    def layers(self) -> Iterator[tuple[fx.Node, nn.Module]]:
        """Convolutions and linear layers that run once and share their parameters with no other."""
        for node in self.graph_module.graph.nodes:
            part = self._layer(node)
            if part is not None:
                yield node, part

    def _layer(self, node: fx.Node) -> nn.Module | None:
        if node.op != "call_module" or self._calls[id(module_of(self.graph_module, node))] != 1:
            return None
        part = weighted_part(module_of(self.graph_module, node))
        alone = part is not None and all(self._shares[id(parameter)] == 1 for parameter in part.parameters())
        return part if alone else None

    def batch_norms(self) -> list[list[str]]:
        """Paths of (layer, batch norm) that can be folded."""
        pairs = []
        for node, _ in self.layers():
            reader = next(iter(node.users)) if len(node.users) == 1 else None
            if reader is None or reader.op != "call_module":
                continue
            layer, norm = module_of(self.graph_module, node), module_of(self.graph_module, reader)
            known = isinstance(norm, _BatchNorm) and (type(layer), type(norm)) in known_fusions(False)
            if known and self._calls[id(norm)] == 1 and norm.running_mean is not None:
                pairs.append([str(node.target), str(reader.target)])
        return pairs

    def pairs(self, further: tuple[type[nn.Module], ...]) -> Iterator[_Pair]:
        """Layers with nothing in between but what is homogeneous, or of a class in `further`."""
        for node, first in self.layers():
            rest = list(module_of(self.graph_module, node).children())[1:]
            if isinstance(first, _ConvTransposeNd) or not all(isinstance(m, (*_HOMOGENEOUS, *further)) for m in rest):
                continue
            between: list[str] = []
            flat = isinstance(first, nn.Linear)
            while len(node.users) == 1:
                node = next(iter(node.users))
                second = self._layer(node)
                if second is not None:
                    if _fits(first, second, flat):
                        yield _Pair(first, second, tuple(between))
                    break
                if node.op == "call_module" and isinstance(
                    module_of(self.graph_module, node), (*_HOMOGENEOUS, *further)
                ):
                    between.append(str(node.target))
                elif node.target in _HOMOGENEOUS_FUNCTIONS:
                    continue
                elif not flat and self._flattens(node):
                    flat = True
                else:
                    break

    def _flattens(self, node: fx.Node) -> bool:
        """Whether a call makes [N, C, ...] to [N, C * ...], channel by channel, or to its mean [N, C]."""
        if node.op == "call_module":
            module = module_of(self.graph_module, node)
            return isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) == (1, -1)
        if node.target in (torch.flatten, "flatten"):
            return node.args[1:] in ((1,), (1, -1)) and not node.kwargs
        if node.target in (torch.mean, "mean"):
            return node.args[1:] in (((2, 3),), ([2, 3],), ((-2, -1),), ([-2, -1],)) and not node.kwargs
        return False


def _fits(first: Any, second: Any, flat: bool) -> bool:
    if isinstance(second, _ConvTransposeNd):
        return False
    channels = len(first.weight)
    if isinstance(second, nn.Linear):
        same = second.in_features == channels
        return flat and (same or not isinstance(first, nn.Linear) and second.in_features % channels == 0)
    return not flat and second.in_channels == channels


def _by_input(layer: Any, channels: int) -> Tensor:
    """A layer's weight as a view [G, O, I, rest] with G * I = channels, the input's channels."""
    weight: Tensor = layer.weight
    if isinstance(layer, nn.Linear):
        return weight.reshape(1, len(weight), channels, -1)
    return weight.reshape(layer.groups, len(weight) // layer.groups, channels // layer.groups, -1)


def _equalize(pair: _Pair) -> float:
    """Scale the channels between two layers so that both have weights of the same range; the largest factor."""
    first: Any = pair.first
    channels = len(first.weight)
    outgoing = _by_input(pair.second, channels)
    first_range = first.weight.reshape(channels, -1).abs().amax(1)
    second_range = outgoing.abs().amax((1, 3)).reshape(-1)
    used = (first_range > 0) & (second_range > 0)
    # The paper's s = sqrt(r1 * r2) / r2, by which the first layer is divided.
    factor = torch.where(used, (first_range / second_range).sqrt(), 1.0)
    first.weight.div_(factor.reshape(-1, *[1] * (first.weight.dim() - 1)))
    if first.bias is not None:
        first.bias.div_(factor)
    outgoing.mul_(factor.reshape(outgoing.shape[0], 1, outgoing.shape[2], 1))
    return float(torch.maximum(factor, 1 / factor).max())


def _prepared_copy(model: nn.Module, name: str) -> nn.Module:
    """A copy of a model in eval mode with batch norm folded into the layers before it."""
    if model.training:
        raise QuantizationError(f"{name}: the model is in training mode; call model.eval() first")
    model = copy.deepcopy(model)
    fuse_modules(model, _Chains(model).batch_norms(), inplace=True)
    return model


def cross_layer_equalization(model: nn.Module, *, replace_relu6: bool = False, iterations: int = 50) -> nn.Module:
    """Give the channels of every layer weights of similar range, without changing what the model computes.

    Where one layer reads another through functions with f(s * x) = s * f(x), such as ReLU, a channel can be divided by
    any s > 0 in the first and multiplied by it in the second. s is chosen so that the ranges of the channel's weights
    are equal in both: s = sqrt(r1 / r2) (Nagel et al. 2019, section 4.1). Batch norm is folded first.

    Args:
        model: float, in eval mode; with or without stubs. It stays as it is
        replace_relu6: put ReLU in place of those nn.ReLU6 that lie between two layers, as the paper does; this does
            change what the model computes. Else these pairs are left as they are
        iterations: most often that all pairs are gone through; they influence one another

    Returns:
        A copy; it gives the same results up to the rounding of float32.

    Raises:
        QuantizationError: the model is in training mode.
        CaptureError: torch.fx cannot trace the model.
    """
    model = _prepared_copy(model, "cross_layer_equalization")
    pairs = list(_Chains(model).pairs((nn.ReLU6,) if replace_relu6 else ()))
    for path in {path for pair in pairs for path in pair.between}:
        _replace_relu6(model, path)
    with torch.no_grad():
        for _ in range(iterations):
            if max(map(_equalize, pairs), default=1.0) < _CLOSE:
                break
    return model


def _replace_relu6(model: nn.Module, path: str) -> None:
    modules = dict(model.named_modules())
    if type(modules.get(path)) is nn.ReLU6:
        parent, _, last = path.rpartition(".")
        setattr(modules[parent], last, nn.ReLU(modules[path].inplace).eval())


class _MeanError:
    """Forward hook of a layer: adds up, per output channel, what an error of its weights does to its output."""

    def __init__(self, part: Any, weight: Tensor) -> None:
        self._probe = copy.deepcopy(part)
        self._probe.weight = nn.Parameter(weight - part.weight, requires_grad=False)
        self._probe.bias = None
        self._axis = -1 if isinstance(part, nn.Linear) else -part.weight.dim() + 1  # of the output's channels
        self._sum: Any = 0.0
        self._count = 0

    def __call__(self, part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        error = self._probe(*inputs).movedim(self._axis, 0).flatten(1)
        self._sum = self._sum + error.double().sum(1)
        self._count += error.shape[1]

    def mean(self) -> Tensor | None:
        """float32 [O]; None if the layer has not run."""
        return (self._sum / self._count).float() if self._count else None


def bias_correction(
    model: nn.Module,
    calibration_data: Any,
    qconfig_mapping: Any = None,
    *,
    targets: bool = False,
    progress: bool | None = None,
) -> nn.Module:
    """Take out of every bias the mean error that quantized weights will bring about.

    Rounding weights shifts a layer's output by (W' - W) x on average; that mean is subtracted from the bias (Nagel et
    al. 2019, section 4.2, with E[x] from calibration data instead of from batch norm). Batch norm is folded first.

    Args:
        model: float, in eval mode; with or without stubs. It stays as it is
        calibration_data, targets, progress: as for qsdk.quantize
        qconfig_mapping: how the model will be quantized, as for qsdk.quantize; layers without a qconfig are left alone

    Returns:
        A copy. As a float model it is a little off; quantized it is closer to the original.

    Raises:
        QuantizationError: the model is in training mode, or the data does not fit it.
        CaptureError: torch.fx cannot trace the model.
    """
    mapping = mapping_of(model, qconfig_mapping, None)
    model = _prepared_copy(model, "bias_correction")
    chains = _Chains(model)
    errors: list[tuple[Any, _MeanError]] = []
    handles = []
    for node, part in chains.layers():
        module = module_of(chains.graph_module, node)
        qconfig = mapping.qconfig_of(str(node.target), [type(module)])
        if qconfig is None or isinstance(qconfig.weight(), nn.Identity):
            continue
        error = _MeanError(part, _rounded(module, part, qconfig))
        errors.append((part, error))
        handles.append(part.register_forward_hook(error))
    batches = Batches(calibration_data, targets)
    if batches.first is None:
        raise QuantizationError("bias_correction: the calibration data is empty; give a tensor or at least one batch")
    calibrate(model, batches, progress)
    for handle in handles:
        handle.remove()
    for part, error in errors:
        _subtract(part, error.mean())
    return model


def _rounded(module: nn.Module, part: nn.Module, qconfig: Any) -> Tensor:
    own: Sequence[Any] = [module.__dict__["qconfig"]] if "qconfig" in module.__dict__ else []
    module.qconfig = qconfig
    try:
        return quantized_and_back(module, part)
    finally:
        del module.qconfig
        if own:
            module.qconfig = own[0]


def _subtract(part: Any, mean: Tensor | None) -> None:
    if mean is None:
        return
    mean = mean.to(part.weight.dtype)
    if part.bias is None:
        part.bias = nn.Parameter(-mean, part.weight.requires_grad)
    else:
        part.bias.data = part.bias.data - mean


__all__ = ["bias_correction", "cross_layer_equalization"]
