"""The histogram observer: it clips outliers where that lowers the squared quantization error.

What is kept is a histogram of everything seen, over the range of everything seen. calculate_qparams narrows that range
step by step: each step gives up a small share of the values, on the side where this frees more bins, and the search
ends when a step makes the expected squared error larger. This is the search that torch.ao.quantization's observer of
the same name makes (it goes back to FBGEMM's norm minimization), with equal scales and zero points.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from qsdk.errors import QuantizationError
from qsdk.qtensor import qint32
from qsdk.quantization.observer_base import PerTensorObserver, seen_states
from qsdk.reference.rounding import f32

_SHARE = 1e-5  # of all values that one step of the search gives up
_FINER = 16  # a histogram is split this much finer before it moves to another range


class HistogramObserver(PerTensorObserver):
    """A histogram of everything seen, per tensor; the range with the smallest squared quantization error.

    Args:
        bins: of the histogram; the other arguments are those of MinMaxObserver

    Buffers:
        histogram: float32 [bins], counts over min_val..max_val
        min_val, max_val: of everything seen
    """

    histogram: Tensor
    reduces_batches = True

    def __init__(self, bins: int = 2048, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bins = bins
        self.register_buffer("histogram", torch.zeros(bins, device=self.min_val.device, dtype=self.min_val.dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Look at a tensor of any shape."""
        values = x.detach().to(self.min_val.dtype)
        low, high = self.reduction.bounds(*self._bounds(values))
        if bool(low > high):
            return x
        self._check_finite(low, high)
        old_low, old_high = self.min_val.clone(), self.max_val.clone()
        low, high = self._merged(low, high)
        counts = self.reduction.sum(torch.histc(values, self.bins, min=low.item(), max=high.item()))
        if self.calibrated:
            counts = counts + self._moved(self.histogram, old_low, old_high, low, high)
        self.histogram.copy_(counts)
        self._keep(low, high)
        return x

    def merge(self, states: Sequence[dict[str, Tensor]]) -> None:
        """Keep the sum of all histograms, over the range of all."""
        super().merge(states)
        low, high = self.min_val.cpu(), self.max_val.cpu()
        counts = torch.zeros(self.bins, dtype=low.dtype)
        for state in seen_states(states):
            histogram = state["histogram"]
            if len(histogram) != self.bins:
                raise QuantizationError(f"the processes have histograms of {self.bins} and {len(histogram)} bins")
            counts += self._moved(histogram, state["min_val"], state["max_val"], low, high)
        self.histogram.copy_(counts)

    def _moved(self, histogram: Tensor, old_low: Tensor, old_high: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """A histogram over the wider range low..high."""
        if bool((old_low == low) & (old_high == high)):
            return histogram
        if bool(old_low == old_high):
            one = torch.histc(old_low, self.bins, min=low.item(), max=high.item())
            return one * histogram.sum()
        device = histogram.device
        fine = histogram.repeat_interleave(_FINER) / _FINER
        width = (old_high - old_low) / (self.bins * _FINER)
        edges = torch.linspace(old_low.item(), old_high.item(), self.bins * _FINER + 1, device=device)
        middles = edges[:-1] + 0.5 * width
        wider = torch.linspace(low.item(), high.item(), self.bins + 1, device=device)
        target = (torch.bucketize(middles, wider, right=True) - 1).clamp(0, self.bins - 1)
        return torch.bincount(target, weights=fine, minlength=self.bins)

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale float32 and zero point int64, for the best range."""
        if not self.calibrated:
            return super().calculate_qparams()
        first, last = self._best_bins()
        width = (self.max_val - self.min_val) / self.bins
        return self.qparams_of(self.min_val + width * first, self.min_val + width * (last + 1))

    def _best_bins(self) -> tuple[int, int]:
        """First and last bin of the range to quantize."""
        # Sums do not fall from one bin to the next, so the bins that hold a share of the values are found by bisection.
        sums: list[float] = self.histogram.cumsum(0).tolist()
        total = float(self.histogram.sum())
        error = _ExpectedError(self.histogram, float(self.max_val) - float(self.min_val), self._levels)
        first, last = 0, self.bins - 1
        below, above = 0.0, 1.0  # shares of the values that lie under and over the range
        best = float("inf")
        while below < above:
            left = bisect_left(sums, f32((below + _SHARE) * total), first, last)
            right = max(bisect_right(sums, f32((above - _SHARE) * total), first, last + 1) - 1, first)
            new_first, new_last = first, last
            if left - first > last - right:
                new_first = left
                below += _SHARE
            else:
                new_last = right
                above -= _SHARE
            if (new_first, new_last) == (first, last):
                continue
            new = error.of(new_first, new_last)
            if new > best:
                break
            best, first, last = new, new_first, new_last
        return first, last

    @property
    def _levels(self) -> int:
        return 2 ** (32 if self.dtype is qint32 else 8)


class _ExpectedError:
    """Squared error of quantizing a histogram, each bin's values being spread evenly over the bin.

    A value in a quantization step of width d at distance t from its centre costs t^2. A bin reaches from somewhere in
    one step, over whole steps, to somewhere in another:

        density * (integral of t^2 from the bin's begin to d/2
                   + whole steps * integral from -d/2 to d/2
                   + integral from -d/2 to the bin's end)
    """

    def __init__(self, histogram: Tensor, extent: float, levels: int) -> None:
        self._bins = len(histogram)
        self._levels = levels
        # In units of a power of two, which changes no digit: the cubes of large numbers would be infinite.
        self._width = math.frexp(extent)[0] / self._bins
        self._density = histogram / self._width
        self._index = torch.arange(self._bins, device=histogram.device)

    def of(self, first: int, last: int) -> float:
        """The error if the range is quantized from bin `first` to bin `last`, in an unknown unit."""
        step = self._width * (last - first + 1) / self._levels
        if step == 0.0:
            return 0.0
        begin = (self._index - first) * self._width
        end = begin + self._width
        begin_step = torch.div(begin, step, rounding_mode="floor").clamp(0, self._levels - 1)
        end_step = torch.div(end, step, rounding_mode="floor").clamp(0, self._levels - 1)
        half = torch.tensor(step / 2, device=begin.device)
        error = self._cost(begin - (begin_step + 0.5) * step, half)
        error = error + (end_step - begin_step - 1) * self._cost(-half, half)
        error = error + self._cost(-half, end - (end_step * step + step / 2))
        return float(error.sum())

    def _cost(self, begin: Tensor, end: Tensor) -> Tensor:
        return self._density * ((end * end * end - begin * begin * begin) / 3)
