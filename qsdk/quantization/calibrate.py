"""Showing data to a prepared model: to calibrate it, or to train it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer
from tqdm import tqdm

from qsdk.errors import QuantizationError
from qsdk.nn.intrinsic.qat import freeze_bn_stats
from qsdk.quantization.fake_quantize import disable_observer


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


def default_train_fn(
    model: nn.Module,
    train_data: Iterable[Any],
    criterion: Callable[[Any, Any], torch.Tensor],
    optimizer: Optimizer | Callable[[Any], Optimizer],
    epochs: int = 1,
    progress: bool | None = None,
    scheduler: Callable[[Optimizer], Any] | None = None,
    frozen_observer_epochs: int = 0,
    frozen_batch_norm_epochs: int = 0,
) -> nn.Module:
    """Train a model on (input, target) pairs, as a DataLoader gives them; returns the model, in training mode.

        train = [loader, nn.CrossEntropyLoss(), partial(torch.optim.Adam, lr=1e-3), 8]
        quantized = quantize_qat(model, default_train_fn, train)

    Near the end of quantization-aware training, weights settle best if ranges and statistics no longer move: let the
    last one or two epochs keep them.

    Args:
        model: prepared for quantization-aware training, or any other
        train_data: pairs, read once per epoch. A DistributedSampler is told the epoch
        criterion: (the model's output, target) to a loss of one element
        optimizer: makes an optimizer from the parameters to train, or is one. quantize_qat trains a copy of the model
            unless inplace=True, so it needs the former
        epochs: how often to go through train_data
        progress: show a progress bar; None shows it on a terminal only. With many processes: rank == 0
        scheduler: makes a learning rate schedule from the optimizer, which steps after every epoch
        frozen_observer_epochs: the last so many epochs keep scales and zero points (disable_observer)
        frozen_batch_norm_epochs: the last so many epochs keep batch norm's running statistics and normalize by them

    Raises:
        QuantizationError: train_data can be read only once, no epoch observes, or the optimizer is for another model's
            parameters.
    """
    if epochs > 1 and isinstance(train_data, Iterator):
        raise QuantizationError(
            "default_train_fn: train_data is an iterator, which ends after one epoch; pass a list or a DataLoader"
        )
    if 0 < epochs <= frozen_observer_epochs:
        raise QuantizationError(
            f"default_train_fn: frozen_observer_epochs {frozen_observer_epochs} of {epochs} epochs leaves none that "
            "observes; for a model that has its ranges already, call model.apply(disable_observer) instead"
        )
    made = optimizer if isinstance(optimizer, Optimizer) else optimizer(model.parameters())
    trained = {id(parameter) for group in made.param_groups for parameter in group["params"]}
    if trained.isdisjoint(map(id, model.parameters())):
        raise QuantizationError(
            "default_train_fn: the optimizer is for none of the model's parameters; pass a function that makes one, "
            "such as functools.partial(torch.optim.Adam, lr=1e-3)"
        )
    schedule = None if scheduler is None else scheduler(made)
    model.train()
    for epoch in range(epochs):
        if epochs - epoch <= frozen_observer_epochs:
            model.apply(disable_observer)
        if epochs - epoch <= frozen_batch_norm_epochs:
            model.apply(_freeze_batch_norm)
        tell = getattr(getattr(train_data, "sampler", None), "set_epoch", None)
        if tell is not None:
            tell(epoch)
        for data, target in _bar(train_data, progress, f"train, epoch {epoch + 1}/{epochs}"):
            made.zero_grad()
            criterion(model(data), target).backward()
            made.step()
        if schedule is not None:
            schedule.step()
    return model


def _freeze_batch_norm(module: nn.Module) -> None:
    freeze_bn_stats(module)
    if isinstance(module, _BatchNorm):
        module.eval()


def _bar(batches: Iterable[Any], progress: bool | None, what: str = "calibrate") -> Iterable[Any]:
    hidden = None if progress is None else not progress  # tqdm takes None for: unless on a terminal
    bar: Iterable[Any] = tqdm(batches, desc=what, unit="batch", leave=False, disable=hidden)
    return bar


__all__ = ["calibrate", "default_eval_fn", "default_train_fn"]
