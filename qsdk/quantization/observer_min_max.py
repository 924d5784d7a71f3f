"""Observers that keep the minimum and the maximum of what they see."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from qsdk.errors import QuantizationError
from qsdk.qtensor import QScheme, qint8, quint8, to_qscheme
from qsdk.quantization.observer_base import PerTensorObserver, UniformQuantizationObserverBase


class MinMaxObserver(PerTensorObserver):
    """Minimum and maximum over everything seen, per tensor."""

    reduces_batches = True

    def forward(self, x: Tensor) -> Tensor:
        """Look at a tensor of any shape."""
        self._see(*self._bounds(x.detach().to(self.min_val.dtype)))
        return x


class _MovingAverage(UniformQuantizationObserverBase):
    """Keeps averages of ranges. Averages that processes have made apart merge into their mean."""

    def __init__(self, averaging_constant: float = 0.01, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.averaging_constant = averaging_constant

    def _merged(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        if not self.calibrated:
            return low, high
        return (
            self.min_val + self.averaging_constant * (low - self.min_val),
            self.max_val + self.averaging_constant * (high - self.max_val),
        )

    def _across(self, lows: Tensor, highs: Tensor) -> tuple[Tensor, Tensor]:
        # In float64 the mean of equal values is that value.
        return lows.double().mean(0).to(lows.dtype), highs.double().mean(0).to(highs.dtype)


class MovingAverageMinMaxObserver(_MovingAverage, MinMaxObserver):
    """Moving averages of each tensor's minimum and maximum: value + averaging_constant * (new - value).

    Args:
        averaging_constant: the share of the new value; the other arguments are those of MinMaxObserver
    """


class PerChannelMinMaxObserver(UniformQuantizationObserverBase):
    """Minimum and maximum over everything seen, for each index of ch_axis."""

    reduces_batches = True

    def __init__(
        self,
        ch_axis: int = 0,
        dtype: Any = quint8,
        qscheme: Any = QScheme.per_channel_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        factory_kwargs: dict[str, Any] | None = None,
        eps: float = torch.finfo(torch.float32).eps,
    ) -> None:
        if not to_qscheme(qscheme).per_channel:
            raise QuantizationError(f"{type(self).__name__} is per channel; {qscheme} needs MinMaxObserver")
        super().__init__(dtype, qscheme, reduce_range, quant_min, quant_max, factory_kwargs, eps)
        self.ch_axis = ch_axis
        kwargs = factory_kwargs or {}
        self.register_buffer("min_val", torch.tensor([], **kwargs))
        self.register_buffer("max_val", torch.tensor([], **kwargs))

    def forward(self, x: Tensor) -> Tensor:
        """Look at a tensor whose axis ch_axis is the channel."""
        values = x.detach().to(self.min_val.dtype).transpose(0, self.ch_axis)
        if x.numel() > 0:
            low, high = torch.aminmax(values.reshape(len(values), -1), dim=1)
        else:
            low = values.new_full([len(values)], float("inf"))
            high = -low
        self._see(low, high)
        return x

    def _merged(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        return super()._merged(low, high) if self.min_val.numel() > 0 else (low, high)

    def reset_min_max_vals(self) -> None:
        """Forget everything seen."""
        self.min_val.resize_(0)
        self.max_val.resize_(0)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        for name, buffer in (("min_val", self.min_val), ("max_val", self.max_val)):
            value = state_dict.get(prefix + name)
            if value is not None:
                buffer.resize_(value.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


class PerGroupMinMaxObserver(PerChannelMinMaxObserver):
    """Minimum and maximum of each group of a weight's values, for weights alone quantized; 4 bits unless told.

    Args:
        group_size: values that follow each other in a row, a multiple of 32; the last group may be shorter
        dtype, qscheme, quant_min, quant_max: as those of PerChannelMinMaxObserver

    Raises:
        QuantizationError: a group size that is no multiple of 32.
    """

    def __init__(
        self,
        group_size: int = 32,
        dtype: Any = qint8,
        qscheme: Any = QScheme.per_channel_symmetric,
        quant_min: int | None = -8,
        quant_max: int | None = 7,
        factory_kwargs: dict[str, Any] | None = None,
        eps: float = torch.finfo(torch.float32).eps,
    ) -> None:
        if group_size <= 0 or group_size % 32:
            raise QuantizationError(f"group_size is {group_size}; use a multiple of 32, such as 32, 64 or 128")
        super().__init__(0, dtype, qscheme, False, quant_min, quant_max, factory_kwargs, eps)
        self.group_size = group_size

    def forward(self, x: Tensor) -> Tensor:
        """Look at rows [O, ...]; the scales are those of O * ceil(K / group_size) groups."""
        rows = x.detach().flatten(1)
        super().forward(F.pad(rows, (0, -rows.shape[1] % self.group_size)).reshape(-1, self.group_size))
        return x


class MovingAveragePerChannelMinMaxObserver(_MovingAverage, PerChannelMinMaxObserver):
    """Moving averages of each tensor's minimum and maximum, for each index of ch_axis.

    Args:
        averaging_constant: the share of the new value; the other arguments are those of PerChannelMinMaxObserver
    """
