"""What observers share: their construction, their settings, and the formulas for scale and zero point."""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from qsdk.errors import QuantizationError
from qsdk.qtensor import (
    QDType,
    QScheme,
    check_pair,
    per_channel_affine_float_qparams,
    qint8,
    quint4x2,
    quint8,
    to_qdtype,
    to_qscheme,
)


class PartialObserver:
    """A constructor with some arguments given already; what with_args returns."""

    def __init__(self, constructor: Any, callable_args: dict[str, Any] | None = None) -> None:
        self.p = constructor
        self.callable_args = callable_args or {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for name, make in self.callable_args.items():
            if name not in kwargs:
                kwargs[name] = make()
        return self.p(*args, **kwargs)

    def __repr__(self) -> str:
        return repr(self.p) + repr(self.callable_args)

    def with_args(self, **kwargs: Any) -> PartialObserver:
        """The same with more arguments given."""
        return PartialObserver(partial(self.p, **kwargs), dict(self.callable_args))

    def with_callable_args(self, **kwargs: Any) -> PartialObserver:
        """The same with more arguments that are made by a call at construction time."""
        return PartialObserver(self.p, {**self.callable_args, **kwargs})


class Reduction:
    """How an observer's forward combines what it sees with what other processes see at the same step: not at all."""

    def bounds(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The lowest and highest values of all processes' batches; those of an empty batch are inf and -inf."""
        return low, high

    def sum(self, counts: Tensor) -> Tensor:
        """The sum over all processes."""
        return counts


class ObserverBase(nn.Module, metaclass=ABCMeta):
    """Base of observers. forward looks at a tensor and returns it; calculate_qparams gives (scale, zero_point).

    What synchronize_observers needs of an observer:
        merge_state, merge: bring together what processes have seen apart. Enough as they are if the observer keeps
            nothing that depends on data
        reduces_batches: forward passes every batch through self.reduction before it keeps anything, also an empty one;
            then the observer can be synchronized at every step. Or it keeps nothing that depends on data

    Args:
        dtype: qint8, quint8 or qint32, ours or torch's

    Attributes:
        qscheme: per tensor unless a subclass says otherwise
        quant_min, quant_max: range of the integers; dtype's if None
        ch_axis: the axis that scales per channel run over
    """

    dtype: Any
    qscheme: Any = QScheme.per_tensor_affine
    quant_min: Any = None
    quant_max: Any = None
    ch_axis = 0
    reduces_batches: bool = False
    reduction: Reduction = Reduction()

    def __init__(self, dtype: Any = quint8) -> None:
        super().__init__()
        self.dtype = dtype

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Look at x and return it."""

    @abstractmethod
    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale float32 and zero point int64, one element each, or [C] per channel."""

    def merge_state(self) -> dict[str, Tensor]:
        """What merge gets of this observer: its state_dict unless a class says otherwise, copied to the CPU."""
        return {name: value.to("cpu", copy=True) for name, value in self.state_dict().items()}

    def merge(self, states: Sequence[dict[str, Tensor]]) -> None:
        """Become what one observer would be that had seen everything. Here: states have to be equal.

        Args:
            states: each process's merge_state, this one's included, in the same order everywhere

        Raises:
            QuantizationError: the states cannot be merged.
        """
        first = states[0]
        for state in states[1:]:
            if state.keys() != first.keys() or not all(torch.equal(state[key], first[key]) for key in first):
                raise QuantizationError(
                    f"{type(self).__name__} differs between processes and has no merge of its own; define merge(states)"
                )

    @classmethod
    def with_args(cls, **kwargs: Any) -> PartialObserver:
        """A constructor of this class with arguments given: MinMaxObserver.with_args(dtype=qint8)."""
        return PartialObserver(partial(cls, **kwargs))

    @classmethod
    def with_callable_args(cls, **kwargs: Any) -> PartialObserver:
        """As with_args, each value being called at construction time."""
        return PartialObserver(cls, kwargs)


def _quant_range(
    dtype: QDType, quant_min: int | None, quant_max: int | None, reduce_range: bool
) -> tuple[int, int, bool]:
    """Lowest and highest value, and whether the caller chose them."""
    if quant_min is not None and quant_max is not None:
        if not quant_min <= 0 <= quant_max or quant_min == quant_max:
            raise QuantizationError(f"quant_min {quant_min} and quant_max {quant_max} have to include 0 and differ")
        if quant_max - quant_min > dtype.max - dtype.min or (dtype is quint4x2 and quant_min < 0):
            raise QuantizationError(f"quant_min {quant_min} to quant_max {quant_max} is not within {dtype!r}")
        return (quant_min // 2, quant_max // 2, True) if reduce_range else (quant_min, quant_max, True)
    if dtype is qint8:
        return (-64, 63, False) if reduce_range else (-128, 127, False)
    if dtype is quint8:
        return (0, 127, False) if reduce_range else (0, 255, False)
    return dtype.min, dtype.max, False


def seen_states(states: Sequence[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
    """Those of observers that have seen data."""
    return [state for state in states if not _empty(state["min_val"], state["max_val"])]


def _empty(low: Tensor, high: Tensor) -> bool:
    return low.numel() == 0 or bool((low > high).any())


class UniformQuantizationObserverBase(ObserverBase):
    """Base of observers that keep a minimum and a maximum, in the buffers min_val and max_val.

        affine:     scale = (max(max_val, 0) - min(min_val, 0)) / (quant_max - quant_min)
                    zero_point = clamp(quant_min - rne(min(min_val, 0) / scale), quant_min, quant_max)
        symmetric:  scale = max(-min_val, max_val, 0) / ((quant_max - quant_min) / 2)
                    zero_point = 0, for quint8 128 or the lower middle of a chosen range

    The scale is at least eps.

    Args:
        dtype: of the quantized values
        qscheme: per tensor or per channel, affine or symmetric
        reduce_range: use one bit less
        quant_min, quant_max: a narrower range than dtype's
        eps: lowest scale
    """

    eps: Tensor
    min_val: Tensor
    max_val: Tensor
    quant_min: int
    quant_max: int

    def __init__(
        self,
        dtype: Any = quint8,
        qscheme: Any = QScheme.per_tensor_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        factory_kwargs: dict[str, Any] | None = None,
        eps: float = torch.finfo(torch.float32).eps,
    ) -> None:
        super().__init__(to_qdtype(dtype))
        self.qscheme = to_qscheme(qscheme)
        check_pair(self.dtype, self.qscheme)
        self.reduce_range = reduce_range
        self.quant_min, self.quant_max, self.has_customized_qrange = _quant_range(
            self.dtype, quant_min, quant_max, reduce_range
        )
        if self.qscheme.symmetric and reduce_range and self.dtype is quint8:
            raise QuantizationError("reduce_range is not possible for symmetric quint8; use qint8 or quant_max")
        self.register_buffer("eps", torch.tensor([eps], **(factory_kwargs or {})))

    @property
    def calibrated(self) -> bool:
        """Whether it has seen data."""
        return not _empty(self.min_val, self.max_val)

    def merge(self, states: Sequence[dict[str, Tensor]]) -> None:
        """Keep the range of all states that have one."""
        seen = seen_states(states)
        if not seen:
            return
        shapes = [list(state["min_val"].shape) for state in seen]
        if any(shape != shapes[0] for shape in shapes):
            raise QuantizationError(f"the processes have ranges of different shapes, {shapes}; use the same model")
        lows, highs = (torch.stack([state[name] for state in seen]) for name in ("min_val", "max_val"))
        self._keep(*self._across(lows, highs))

    def _across(self, lows: Tensor, highs: Tensor) -> tuple[Tensor, Tensor]:
        """One range from ranges along axis 0."""
        return lows.amin(0), highs.amax(0)

    def _see(self, low: Tensor, high: Tensor) -> None:
        """Keep a batch's range, together with those of other processes."""
        low, high = self.reduction.bounds(low, high)
        if not _empty(low, high):
            self._keep(*self._merged(low, high))

    def _merged(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """A batch's range and the one kept so far as one."""
        return torch.minimum(low, self.min_val), torch.maximum(high, self.max_val)

    def _check_finite(self, min_val: Tensor, max_val: Tensor) -> None:
        if not bool(torch.isfinite(min_val).all() & torch.isfinite(max_val).all()):
            name = self.__dict__.get("_qualified_name")
            if name and name.endswith("weight_fake_quant"):
                layer = name.removesuffix("weight_fake_quant").rstrip(".")
                raise QuantizationError(
                    f"the weight of layer '{layer}' has become NaN or infinite; check the training data or lower the "
                    "learning rate"
                )
            place = f"layer '{name}'" if name else type(self).__name__
            raise QuantizationError(
                f"{place} got calibration data with NaN or infinite values; remove them from the calibration inputs"
            )

    def _keep(self, min_val: Tensor, max_val: Tensor) -> None:
        self._check_finite(min_val, max_val)
        if self.min_val.shape != min_val.shape:
            self.min_val.resize_(min_val.shape)
            self.max_val.resize_(max_val.shape)
        self.min_val.copy_(min_val)
        self.max_val.copy_(max_val)

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale float32 and zero point int64, from what it has seen."""
        if not self.calibrated:
            warnings.warn("must run observer before calling calculate_qparams. Returning default values.", stacklevel=2)
            return torch.tensor([1.0], device=self.eps.device), torch.tensor([0], device=self.eps.device)
        return self.qparams_of(self.min_val, self.max_val)

    def qparams_of(self, min_val: Tensor, max_val: Tensor) -> tuple[Tensor, Tensor]:
        """Scale float32 and zero point int64 for values from min_val to max_val."""
        low = torch.clamp(min_val, max=0.0)
        high = torch.clamp(max_val, min=0.0)
        quant_min, quant_max = self.quant_min, self.quant_max
        if self.qscheme is per_channel_affine_float_qparams:
            scale = (max_val - min_val) / float(quant_max - quant_min)
            scale = torch.where(scale > self.eps, scale, torch.ones_like(scale))
            return scale.reshape(-1), (-1 * min_val / scale).reshape(-1)
        if self.qscheme.symmetric:
            scale = torch.maximum(-low, high) / (float(quant_max - quant_min) / 2)
            scale = torch.maximum(scale, self.eps)
            middle = 0
            if self.dtype is quint8:
                middle = (quant_min + quant_max) // 2 if self.has_customized_qrange else 128
            zero_point = torch.full_like(scale, middle, dtype=torch.int64)
        else:
            scale = (high - low) / float(quant_max - quant_min)
            scale = torch.maximum(scale, self.eps)
            zero_point = quant_min - torch.round(low / scale).to(torch.int64)
            zero_point = zero_point.clamp(quant_min, quant_max)
        return scale.reshape(-1), zero_point.reshape(-1)

    def extra_repr(self) -> str:
        """What it has seen."""
        return f"min_val={self.min_val}, max_val={self.max_val}"


class PerTensorObserver(UniformQuantizationObserverBase):
    """An observer with one range, min_val..max_val, which is empty (inf..-inf) until something was seen."""

    min_val: Tensor
    max_val: Tensor

    def __init__(
        self,
        dtype: Any = quint8,
        qscheme: Any = QScheme.per_tensor_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        factory_kwargs: dict[str, Any] | None = None,
        eps: float = torch.finfo(torch.float32).eps,
    ) -> None:
        if to_qscheme(qscheme).per_channel:
            raise QuantizationError(f"{type(self).__name__} is per tensor; {qscheme} needs PerChannelMinMaxObserver")
        super().__init__(dtype, qscheme, reduce_range, quant_min, quant_max, factory_kwargs, eps)
        kwargs = factory_kwargs or {}
        self.register_buffer("min_val", torch.tensor(float("inf"), **kwargs))
        self.register_buffer("max_val", torch.tensor(float("-inf"), **kwargs))

    def _bounds(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The lowest and highest value; inf and -inf of an empty tensor."""
        if x.numel() == 0:
            return torch.full_like(self.min_val, float("inf")), torch.full_like(self.max_val, float("-inf"))
        return torch.aminmax(x)

    def reset_min_max_vals(self) -> None:
        """Forget everything seen."""
        self.min_val.fill_(float("inf"))
        self.max_val.fill_(float("-inf"))
