"""Fake quantization: float tensors that take only the values which quantized ones can take, for training.

Forward is quantize, then dequantize, to the last bit, ties included:

    x' = scale * (clamp(rne(x * f32(1 / scale)) + zero_point, quant_min, quant_max) - zero_point)

With a float zero point, as embedding tables have, it is added before rounding:

    x' = scale * (clamp(rne(x * f32(1 / scale) + zero_point), quant_min, quant_max) - zero_point)

The gradient passes where the integer is within the range before it is clamped, and is zero elsewhere.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from qsdk.errors import QuantizationError
from qsdk.qtensor import (
    QScheme,
    per_channel_affine_float_qparams,
    qint8,
    qint32,
    quint4x2,
    quint8,
    to_qdtype,
    to_qscheme,
)
from qsdk.quantization.observer import (
    FixedQParamsObserver,
    HistogramObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    PartialObserver,
    default_fixed_qparams_range_0to1_observer,
    default_fixed_qparams_range_neg1to1_observer,
)


class _QuantizeDequantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, zero_point: Tensor, quant_min: int, quant_max: int) -> Tensor:
        """scale and zero_point broadcast against x."""
        if zero_point.is_floating_point():
            shift = zero_point.to(torch.float32)
            lowest, highest = torch.full_like(shift, quant_min), torch.full_like(shift, quant_max)
        else:
            # q - zero_point is computed directly, with the bounds moved: the sum would not be exact in float32.
            shift = torch.zeros_like(scale)
            lowest, highest = (quant_min - zero_point).to(torch.float32), (quant_max - zero_point).to(torch.float32)
        steps = torch.round(x.to(torch.float32) * (torch.ones_like(scale) / scale) + shift)
        ctx.save_for_backward((steps >= lowest) & (steps <= highest))
        steps = torch.where(torch.isnan(steps), torch.zeros_like(steps), steps)
        limited = torch.minimum(torch.maximum(steps, lowest), highest) - shift
        # Adding 0 turns -0 into 0: integers have one zero.
        return ((limited + 0.0) * scale).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Straight through within the range."""
        (inside,) = ctx.saved_tensors
        return gradients[0] * inside, None, None, None, None


def fake_quantize(
    x: Tensor, scale: Tensor, zero_point: Tensor, quant_min: int, quant_max: int, ch_axis: int | None = None
) -> Tensor:
    """dequantize(quantize(x)) with a straight-through gradient.

    Args:
        x: float tensor
        scale, zero_point: one element, or [C] with C = x.shape[ch_axis]; the zero point is an integer or float32
        quant_min, quant_max: range of the integers, at most 2^24 wide
        ch_axis: the axis that scale and zero_point run over; None per tensor

    Raises:
        QuantizationError: scale and zero_point do not fit x.
    """
    if ch_axis is None:
        if scale.numel() != 1:
            raise QuantizationError(f"fake_quantize per tensor got {scale.numel()} scales; give ch_axis")
        scale, zero_point = scale.reshape(()), zero_point.reshape(())
    else:
        if not -x.dim() <= ch_axis < x.dim() or x.shape[ch_axis] != scale.numel():
            raise QuantizationError(
                f"{scale.numel()} scales along axis {ch_axis} do not fit a tensor of shape {list(x.shape)}"
            )
        shape = [1] * x.dim()
        shape[ch_axis] = -1
        scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
    result: Tensor = _QuantizeDequantize.apply(x, scale.to(torch.float32), zero_point, quant_min, quant_max)
    return result


class FakeQuantizeBase(nn.Module):
    """Base of fake quantize modules; subclasses define forward and calculate_qparams.

    If a subclass keeps `scale` and `zero_point` as well, convert takes these.

    Attributes:
        dtype: of the integers that stand behind the values, qint8 or quint8, ours or torch's
        qscheme: per tensor unless a subclass says otherwise
        quant_min, quant_max: range of the integers; dtype's if None
        ch_axis: the axis that scales per channel run over

    Buffers:
        fake_quant_enabled: 1 if forward quantizes
        observer_enabled: 1 if forward observes
    """

    dtype: Any = quint8
    qscheme: Any = QScheme.per_tensor_affine
    quant_min: Any = None
    quant_max: Any = None
    ch_axis = 0
    fake_quant_enabled: Tensor
    observer_enabled: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("fake_quant_enabled", torch.tensor([1], dtype=torch.uint8))
        self.register_buffer("observer_enabled", torch.tensor([1], dtype=torch.uint8))

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """x, fake quantized."""

    @abstractmethod
    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale float32 and zero point int64."""

    def refresh(self) -> None:
        """Take scale and zero point from what watches the input, after that has changed. Here: nothing is stored."""

    def enable_fake_quant(self, enabled: bool = True) -> None:
        """Make forward quantize."""
        self.fake_quant_enabled[0] = int(enabled)

    def disable_fake_quant(self) -> None:
        """Make forward return its input."""
        self.enable_fake_quant(False)

    def enable_observer(self, enabled: bool = True) -> None:
        """Make forward observe."""
        self.observer_enabled[0] = int(enabled)

    def disable_observer(self) -> None:
        """Keep scale and zero point as they are."""
        self.enable_observer(False)

    @classmethod
    def with_args(cls, **kwargs: Any) -> PartialObserver:
        """A constructor of this class with arguments given."""
        return PartialObserver(partial(cls, **kwargs))


class FakeQuantize(FakeQuantizeBase):
    """Observes x, then fake quantizes it with the scale and zero point that the observer chose.

    Args:
        observer: observer class or with_args of one
        quant_min, quant_max: range of the integers; the observer's if None
        is_dynamic: stands for quantization whose parameters are chosen at run time, from each tensor alone
        observer_kwargs: further arguments of the observer

    Buffers:
        scale, zero_point: as last used; convert takes these, so the int8 model computes with what training saw. The
            zero point is int32, or float32 with per_channel_affine_float_qparams
    """

    scale: Tensor
    zero_point: Tensor

    def __init__(
        self,
        observer: Any = MovingAverageMinMaxObserver,
        quant_min: int | None = None,
        quant_max: int | None = None,
        is_dynamic: bool = False,
        **observer_kwargs: Any,
    ) -> None:
        super().__init__()
        if quant_min is not None and quant_max is not None:
            observer_kwargs.update(quant_min=quant_min, quant_max=quant_max)
        self.activation_post_process: Any = observer(**observer_kwargs)
        watcher = self.activation_post_process
        self.dtype = to_qdtype(watcher.dtype)
        self.quant_min = self.dtype.min if watcher.quant_min is None else watcher.quant_min
        self.quant_max = self.dtype.max if watcher.quant_max is None else watcher.quant_max
        self.qscheme = to_qscheme(watcher.qscheme)
        self.is_dynamic = is_dynamic
        if is_dynamic and getattr(watcher, "averaging_constant", 1) != 1:
            raise QuantizationError(f"{type(self).__name__} with is_dynamic looks at one tensor; averaging_constant=1")
        if self.dtype is qint32:
            raise QuantizationError(f"{type(self).__name__} of qsdk.qint32; use qsdk.qint8 or qsdk.quint8")
        self.is_per_channel = self.qscheme.per_channel
        self.ch_axis = watcher.ch_axis if self.is_per_channel else -1
        self.register_buffer("scale", torch.tensor([1.0]))
        float_zero_point = self.qscheme is per_channel_affine_float_qparams
        self.register_buffer("zero_point", torch.tensor([0], dtype=torch.float32 if float_zero_point else torch.int32))

    @property
    def calibrated(self) -> bool:
        """Whether its observer has seen data."""
        return bool(getattr(self.activation_post_process, "calibrated", True))

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """The observer's choice."""
        scale, zero_point = self.activation_post_process.calculate_qparams()
        return scale, zero_point

    def forward(self, x: Tensor) -> Tensor:
        """x, observed and fake quantized, as far as each is enabled."""
        if self.observer_enabled[0] == 1:
            self._observe(x.detach())
        if self.fake_quant_enabled[0] == 1:
            axis = self.ch_axis if self.is_per_channel else None
            x = fake_quantize(x, self.scale, self.zero_point, self.quant_min, self.quant_max, axis)
        return x

    def _observe(self, x: Tensor) -> None:
        if "_qualified_name" in self.__dict__:
            self.activation_post_process._qualified_name = self._qualified_name
        self.activation_post_process(x)
        self.refresh()

    def refresh(self) -> None:
        """Take scale and zero point from the observer, if that has seen data."""
        if not self.calibrated:
            return
        scale, zero_point = self.calculate_qparams()
        if self.scale.shape != scale.shape:
            self.scale.resize_(scale.shape)
            self.zero_point.resize_(zero_point.shape)
        self.scale.copy_(scale)
        self.zero_point.copy_(zero_point)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        for name, buffer in (("scale", self.scale), ("zero_point", self.zero_point)):
            if prefix + name in state_dict:
                buffer.resize_(state_dict[prefix + name].shape)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        """Its settings and parameters."""
        return (
            f"fake_quant_enabled={self.fake_quant_enabled.tolist()}, observer_enabled="
            f"{self.observer_enabled.tolist()}, quant_min={self.quant_min}, quant_max={self.quant_max}, "
            f"dtype={self.dtype!r}, qscheme={self.qscheme!r}, ch_axis={self.ch_axis}, scale={self.scale}, "
            f"zero_point={self.zero_point}"
        )


class FusedMovingAvgObsFakeQuantize(FakeQuantize):
    """FakeQuantize with a moving-average observer; what the default settings for training use.

    Args:
        observer: MovingAverageMinMaxObserver or MovingAveragePerChannelMinMaxObserver, or with_args of one
        quant_min, quant_max: range of the integers
        observer_kwargs: further arguments of the observer
    """

    def __init__(
        self,
        observer: Any = MovingAverageMinMaxObserver,
        quant_min: int | None = 0,
        quant_max: int | None = 255,
        **observer_kwargs: Any,
    ) -> None:
        super().__init__(observer, quant_min, quant_max, **observer_kwargs)
        kinds = (MovingAverageMinMaxObserver, MovingAveragePerChannelMinMaxObserver)
        if not isinstance(self.activation_post_process, kinds):
            raise QuantizationError(
                f"{type(self).__name__} needs a moving-average observer, not "
                f"{type(self.activation_post_process).__name__}; use FakeQuantize"
            )


class FixedQParamsFakeQuantize(FakeQuantize):
    """FakeQuantize with a fixed scale and zero point.

    Args:
        observer: FixedQParamsObserver.with_args(scale=..., zero_point=...)
    """

    def __init__(self, observer: Any) -> None:
        super().__init__(observer)
        if not isinstance(self.activation_post_process, FixedQParamsObserver):
            raise QuantizationError(f"{type(self).__name__} needs a FixedQParamsObserver")
        self.scale.copy_(self.activation_post_process.scale)
        self.zero_point.copy_(self.activation_post_process.zero_point)


def enable_fake_quant(mod: nn.Module) -> None:
    """For model.apply: make fake quantize modules quantize."""
    if isinstance(mod, FakeQuantizeBase):
        mod.enable_fake_quant()


def disable_fake_quant(mod: nn.Module) -> None:
    """For model.apply: make fake quantize modules pass their input."""
    if isinstance(mod, FakeQuantizeBase):
        mod.disable_fake_quant()


def enable_observer(mod: nn.Module) -> None:
    """For model.apply: make fake quantize modules observe."""
    if isinstance(mod, FakeQuantizeBase):
        mod.enable_observer()


def disable_observer(mod: nn.Module) -> None:
    """For model.apply: freeze the scales and zero points of fake quantize modules."""
    if isinstance(mod, FakeQuantizeBase):
        mod.disable_observer()


default_fake_quant = FakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver, quant_min=0, quant_max=255, dtype=quint8, reduce_range=True
)
default_weight_fake_quant = FakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver,
    quant_min=-128,
    quant_max=127,
    dtype=qint8,
    qscheme=QScheme.per_tensor_symmetric,
)
default_per_channel_weight_fake_quant = FakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver,
    quant_min=-128,
    quant_max=127,
    dtype=qint8,
    qscheme=QScheme.per_channel_symmetric,
    ch_axis=0,
)
default_dynamic_fake_quant = FakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver,
    quant_min=0,
    quant_max=255,
    is_dynamic=True,
    dtype=quint8,
    averaging_constant=1,
)
default_embedding_fake_quant = FakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver,
    quant_min=0,
    quant_max=255,
    dtype=quint8,
    qscheme=per_channel_affine_float_qparams,
    ch_axis=0,
    averaging_constant=1,
)
default_embedding_fake_quant_4bit = default_embedding_fake_quant.with_args(quant_max=15, dtype=quint4x2)
default_histogram_fake_quant = FakeQuantize.with_args(
    observer=HistogramObserver, quant_min=0, quant_max=255, dtype=quint8, reduce_range=True
)
default_fixed_qparams_range_neg1to1_fake_quant = FixedQParamsFakeQuantize.with_args(
    observer=default_fixed_qparams_range_neg1to1_observer
)
default_fixed_qparams_range_0to1_fake_quant = FixedQParamsFakeQuantize.with_args(
    observer=default_fixed_qparams_range_0to1_observer
)
default_symmetric_fixed_qparams_fake_quant = default_fixed_qparams_range_neg1to1_fake_quant
default_affine_fixed_qparams_fake_quant = default_fixed_qparams_range_0to1_fake_quant
default_fused_act_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver, quant_min=0, quant_max=255, dtype=quint8
)
default_fused_wt_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver,
    quant_min=-128,
    quant_max=127,
    dtype=qint8,
    qscheme=QScheme.per_tensor_symmetric,
)
default_fused_per_channel_wt_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver,
    quant_min=-128,
    quant_max=127,
    dtype=qint8,
    qscheme=QScheme.per_channel_symmetric,
)
fused_wt_fake_quant_range_neg_127_to_127 = default_fused_wt_fake_quant.with_args(
    quant_min=-127, quant_max=127, eps=2**-12
)
fused_per_channel_wt_fake_quant_range_neg_127_to_127 = default_fused_per_channel_wt_fake_quant.with_args(
    quant_min=-127, quant_max=127, eps=2**-12
)

__all__ = [
    "FakeQuantize",
    "FakeQuantizeBase",
    "FixedQParamsFakeQuantize",
    "FusedMovingAvgObsFakeQuantize",
    "default_affine_fixed_qparams_fake_quant",
    "default_dynamic_fake_quant",
    "default_embedding_fake_quant",
    "default_embedding_fake_quant_4bit",
    "default_fake_quant",
    "default_fixed_qparams_range_0to1_fake_quant",
    "default_fixed_qparams_range_neg1to1_fake_quant",
    "default_fused_act_fake_quant",
    "default_fused_per_channel_wt_fake_quant",
    "default_fused_wt_fake_quant",
    "default_histogram_fake_quant",
    "default_per_channel_weight_fake_quant",
    "default_symmetric_fixed_qparams_fake_quant",
    "default_weight_fake_quant",
    "disable_fake_quant",
    "disable_observer",
    "enable_fake_quant",
    "enable_observer",
    "fake_quantize",
    "fused_per_channel_wt_fake_quant_range_neg_127_to_127",
    "fused_wt_fake_quant_range_neg_127_to_127",
]
