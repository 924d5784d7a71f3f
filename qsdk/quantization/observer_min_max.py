"""Observers that keep the minimum and the maximum of what they see."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from qsdk.errors import QuantizationError
from qsdk.qtensor import QScheme, quint8, to_qscheme
from qsdk.quantization.observer_base import PerTensorObserver, UniformQuantizationObserverBase


class MinMaxObserver(PerTensorObserver):
    """Minimum and maximum over everything seen, per tensor."""

    def forward(self, x: Tensor) -> Tensor:
        """Look at a tensor of any shape."""
        if x.numel() > 0:
            low, high = torch.aminmax(x.detach().to(self.min_val.dtype))
            self._keep(*self._merged(low, high))
        return x

    def _merged(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        return torch.minimum(low, self.min_val), torch.maximum(high, self.max_val)


class MovingAverageMinMaxObserver(MinMaxObserver):
    """Moving averages of each tensor's minimum and maximum: value + averaging_constant * (new - value).

    Args:
        averaging_constant: the share of the new value; the other arguments are those of MinMaxObserver
    """

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


class PerChannelMinMaxObserver(UniformQuantizationObserverBase):
    """Minimum and maximum over everything seen, for each index of ch_axis."""

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
        if x.numel() > 0:
            y = x.detach().to(self.min_val.dtype).transpose(0, self.ch_axis).flatten(1)
            if x.dim() == 1:
                y = y.reshape(-1, 1)
            low, high = torch.aminmax(y, dim=1)
            if self.min_val.numel() > 0:
                low, high = self._merged(low, high)
            self._keep(low, high)
        return x

    def _merged(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        return torch.minimum(low, self.min_val), torch.maximum(high, self.max_val)

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


class MovingAveragePerChannelMinMaxObserver(PerChannelMinMaxObserver):
    """Moving averages of each tensor's minimum and maximum, for each index of ch_axis.

    Args:
        averaging_constant: the share of the new value; the other arguments are those of PerChannelMinMaxObserver
    """

    def __init__(self, averaging_constant: float = 0.01, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.averaging_constant = averaging_constant

    def _merged(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        return (
            self.min_val + self.averaging_constant * (low - self.min_val),
            self.max_val + self.averaging_constant * (high - self.max_val),
        )
