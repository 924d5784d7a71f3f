"""Quantized activations: clamps that keep their input's parameters, tables (rule 6), softmax (9) and prelu (17)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import Self

from qsdk.nn.quantized import functional as qF
from qsdk.nn.quantized.base import BindingModule, ObservedOutputModule, QuantizedModule
from qsdk.qtensor import QParams, QTensor, quint8
from qsdk.reference import constants


class ReLU6(QuantizedModule):
    """Clamp to [0, 6], with the input's scale and zero point."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: QTensor) -> QTensor:
        """Any shape."""
        return qF.relu6(self.need_qtensor(input), self.inplace)

    @classmethod
    def from_float(cls, mod: nn.Module) -> ReLU6:
        """From nn.ReLU6."""
        return cls(bool(mod.inplace))


class Dropout(QuantizedModule):
    """Passes its input: dropout acts in training only."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p = p
        self.inplace = inplace

    def forward(self, input: QTensor) -> QTensor:
        """Any shape."""
        return self.need_qtensor(input)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Dropout:
        """From nn.Dropout."""
        source: Any = mod
        return cls(source.p, source.inplace)


@dataclass(frozen=True)
class _Function:
    """A function of one value with its settings; equal ones share their tables."""

    function: Callable[..., Tensor]
    settings: tuple[Any, ...]

    def __call__(self, value: Tensor) -> Tensor:
        return self.function(value, *self.settings)


class _TableActivation(ObservedOutputModule):
    """A function of one value, as a table of 256 integers.

    Args:
        scale, zero_point: of the output
        settings: of the function, in the order of _SETTINGS
    """

    _FUNCTION: Callable[..., Tensor]
    _SETTINGS: dict[str, Any] = {}  # name, as the float module has it, and default

    def __init__(self, scale: Any = 1.0, zero_point: Any = 0, *settings: Any, **named: Any) -> None:
        super().__init__(QParams(float(scale), int(zero_point), quint8))
        given = {**dict(zip(self._SETTINGS, settings, strict=False)), **named}
        unknown = len(settings) > len(self._SETTINGS) or bool(given.keys() - self._SETTINGS.keys())
        if unknown:
            raise TypeError(f"{type(self).__name__} takes scale, zero_point, {', '.join(self._SETTINGS)}")
        for name, default in self._SETTINGS.items():
            setattr(self, name, given.get(name, default))

    def forward(self, input: QTensor) -> QTensor:
        """Any shape."""
        settings = tuple(getattr(self, name) for name in self._SETTINGS)
        function = _Function(type(self)._FUNCTION, settings)
        return qF.lookup_table(self.need_qtensor(input), function, self.output_qparams, self._qualified_name)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a prepared and calibrated float module of the same name."""
        result = cls(1.0, 0, **{name: getattr(mod, name) for name in cls._SETTINGS})
        result._take_output(mod)
        return result


class Sigmoid(_TableActivation):
    """1 / (1 + exp(-x))."""

    _FUNCTION = staticmethod(torch.sigmoid)

    def __init__(self, output_scale: Any = 1.0 / 256, output_zero_point: Any = 0) -> None:
        super().__init__(output_scale, output_zero_point)


class Tanh(_TableActivation):
    """tanh(x)."""

    _FUNCTION = staticmethod(torch.tanh)


class Hardsigmoid(_TableActivation):
    """clamp(x / 6 + 1/2, 0, 1)."""

    _FUNCTION = staticmethod(F.hardsigmoid)


class Hardswish(_TableActivation):
    """x * clamp(x / 6 + 1/2, 0, 1)."""

    _FUNCTION = staticmethod(F.hardswish)


class ELU(_TableActivation):
    """x, below 0 alpha * (exp(x) - 1)."""

    _FUNCTION = staticmethod(F.elu)
    _SETTINGS = {"alpha": 1.0}


class LeakyReLU(_TableActivation):
    """x, below 0 negative_slope * x."""

    _FUNCTION = staticmethod(F.leaky_relu)
    _SETTINGS = {"negative_slope": 0.01}


def _gelu(value: Tensor, approximate: str) -> Tensor:
    return F.gelu(value, approximate=approximate)


class GELU(_TableActivation):
    """x * Phi(x), Phi the normal distribution's; approximate 'none' or 'tanh'."""

    _FUNCTION = staticmethod(_gelu)
    _SETTINGS = {"approximate": "none"}


class SiLU(_TableActivation):
    """x * sigmoid(x)."""

    _FUNCTION = staticmethod(F.silu)


class Mish(_TableActivation):
    """x * tanh(log(1 + exp(x)))."""

    _FUNCTION = staticmethod(F.mish)


class Softmax(BindingModule):
    """exp(x) / sum exp(x) along dim.

    Args:
        dim: the axis; None as torch.nn.Softmax chooses it: 0 for ranks 0, 1 and 3, else 1
        scale, zero_point: of the output
    """

    def __init__(self, dim: int | None = None, scale: Any = 1.0 / 256, zero_point: Any = 0) -> None:
        super().__init__(QParams(float(scale), int(zero_point), quint8))
        self.dim = dim

    def _bind(self, input: QParams) -> tuple[Tensor, float]:
        return constants.softmax_table(input.scale), constants.inverse_scale(self.output_qparams.scale)

    def forward(self, input: QTensor) -> QTensor:
        """Any shape with an axis dim."""
        input = self.need_qtensor(input)
        dim = self.dim if self.dim is not None else 0 if input.dim() in (0, 1, 3) else 1
        table, inverse = self.bound_constants(input.qparams)
        return qF.softmax_bound(input, table.to(input.device), dim, inverse, self.output_qparams)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a prepared nn.Softmax."""
        source: Any = mod
        result = cls(source.dim)
        result._take_output(mod)
        return result


class PReLU(BindingModule):
    """x, below 0 weight * x, with one weight or one per channel.

    Args:
        output_scale, output_zero_point: of the output
        num_parameters: 1, or the number of channels

    Buffers:
        weight: float32 [num_parameters]
    """

    weight: Tensor

    def __init__(self, output_scale: Any = 1.0, output_zero_point: Any = 0, num_parameters: int = 1) -> None:
        super().__init__(QParams(float(output_scale), int(output_zero_point), quint8))
        self.num_parameters = num_parameters
        self.register_buffer("weight", torch.full((num_parameters,), 0.25))

    def set_weight(self, weight: Tensor) -> None:
        """Replace the slopes, float [num_parameters]."""
        self.weight = weight.detach().reshape(self.num_parameters).to(torch.float32).clone()

    def _bind(self, input: QParams) -> tuple[Tensor, float]:
        output = self.output_qparams.scale
        return constants.prelu_slopes(self.weight, input.scale, output), constants.rescale(input.scale, output)

    def forward(self, input: QTensor) -> QTensor:
        """Any shape with one parameter, else [N, num_parameters, ...]."""
        input = self.need_qtensor(input)
        if self.num_parameters == 1:
            function = _Function(F.leaky_relu, (float(self.weight),))
            return qF.lookup_table(input, function, self.output_qparams, self._qualified_name)
        slope, multiplier = self.bound_constants(input.qparams)
        return qF.prelu_bound(input, slope, multiplier, self.output_qparams)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a prepared and calibrated nn.PReLU."""
        source: Any = mod
        result = cls(1.0, 0, source.num_parameters)
        result.set_weight(source.weight)
        result._take_output(mod)
        return result
