"""Showing data to a prepared model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from tqdm import tqdm


def calibrate(model: nn.Module, batches: Iterable[Any], progress: bool | None = None) -> nn.Module:
    """Run a prepared model on every batch, without gradients; returns the model.

        quantized = convert(calibrate(prepare(model), batches))
        quantized = quantize(model, calibrate, [batches])

    Args:
        model: prepared
        batches: each the model's input, or a tuple or list of its inputs
        progress: show a progress bar; None shows it on a terminal only
    """
    with torch.no_grad():
        for batch in _bar(batches, progress):
            model(*batch) if isinstance(batch, (tuple, list)) else model(batch)
    return model


def default_eval_fn(model: nn.Module, calib_data: Iterable[Any], progress: bool | None = None) -> None:
    """Run a prepared model on the inputs of (input, target) pairs, as a DataLoader gives them.

    Args:
        model: prepared
        calib_data: pairs; targets are not used
        progress: show a progress bar; None shows it on a terminal only
    """
    with torch.no_grad():
        for data, _ in _bar(calib_data, progress):
            model(data)


def _bar(batches: Iterable[Any], progress: bool | None) -> Iterable[Any]:
    hidden = None if progress is None else not progress  # tqdm takes None for: unless on a terminal
    bar: Iterable[Any] = tqdm(batches, desc="calibrate", unit="batch", leave=False, disable=hidden)
    return bar


__all__ = ["calibrate", "default_eval_fn"]
