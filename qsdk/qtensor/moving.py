"""Functions that move integers, or only their storage. Every result has storage of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from qsdk.dispatch import call
from qsdk.errors import QuantizationError
from qsdk.qtensor.table import calling_module, refuse, register_name
from qsdk.qtensor.tensor import QTensor

_MOVES = (
    "as_strided", "diagonal", "masked_select", "take", "take_along_dim", "unfold",
)  # fmt: skip


def function_of(name: str) -> Any:
    """The tensor method called `name`, else the torch function."""
    return getattr(torch.Tensor, name, None) or getattr(torch, name)


def one_scale(function: Any, *values: Any) -> QTensor:
    """The first value, if it alone is a QTensor and has one scale.

    Raises:
        QuantizationError: names the function, and dequantize if there are several scales.
    """
    first, *others = values
    if not isinstance(first, QTensor) or any(isinstance(value, QTensor) for value in others):
        refuse(function)
    if first.qparams.per_channel:
        raise QuantizationError(
            f"{function.__name__} of a tensor that is quantized per channel{calling_module()}; dequantize() it first"
        )
    return first


def slice_positions(input: QTensor, shape: Sequence[int], start: Sequence[int], step: Sequence[int]) -> QTensor:
    """output[i] = input[start + i * step] along every axis, i < shape; a step may be 0 or negative. Per tensor only."""
    source = one_scale(slice_positions, input)
    positions = (list(shape), list(start), list(step))
    return QTensor(call(torch.ops.qsdk.slice.default, source.storage, *positions), source.qparams)


def _move(name: str) -> Callable[..., QTensor]:
    function = function_of(name)

    def move(input: Any, *args: Any, **kwargs: Any) -> QTensor:
        """As torch's function on the integers; per tensor only."""
        source = one_scale(function, input, *args, *kwargs.values())
        moved = function(source.storage, *args, **kwargs)
        return QTensor(moved.clone(memory_format=torch.contiguous_format), source.qparams)

    return move


def itself(input: QTensor, *args: Any, **kwargs: Any) -> QTensor:
    """The same QTensor: storage is row major, and integers have no gradient."""
    return input


def requires_grad_(input: QTensor, requires_grad: bool = True) -> QTensor:
    """The same QTensor.

    Raises:
        QuantizationError: a gradient is asked for.
    """
    if requires_grad:
        refuse(torch.Tensor.requires_grad_)
    return input


def to(input: QTensor, *args: Any, **kwargs: Any) -> QTensor:
    """The same tensor on another device. Not a conversion of dtype: dequantize and quantize again for that.

    Raises:
        QuantizationError: a dtype is asked for.
    """
    device, dtype, non_blocking, _ = torch._C._nn._parse_to(*args, **kwargs)
    if dtype is not None:
        raise QuantizationError(f"to({dtype}) on a quantized tensor{calling_module()}; call dequantize() first")
    if device is None or device == input.device:
        return input
    return QTensor(input.storage.to(device, non_blocking=non_blocking), input.qparams)


def cpu(input: QTensor) -> QTensor:
    """On the CPU."""
    return to(input, "cpu")


def cuda(input: QTensor, device: Any = "cuda") -> QTensor:
    """On a CUDA device."""
    return to(input, device)


def share_memory_(input: QTensor) -> QTensor:
    """Move the integers to memory that processes share."""
    input.storage.share_memory_()
    return input


def pin_memory(input: QTensor) -> QTensor:
    """A copy in page-locked memory."""
    return QTensor(input.storage.pin_memory(), input.qparams)


def _of_storage(name: str) -> Callable[..., Any]:
    def answer(input: QTensor) -> Any:
        return getattr(input, name)()

    return answer


for _name in _MOVES:
    register_name(_name, _move(_name), passes=True)
for _name in ("contiguous", "detach"):
    register_name(_name, itself, passes=True)
for _name in ("numel", "is_floating_point", "is_complex"):
    register_name(_name, _of_storage(_name))
for _function in (requires_grad_, to, cpu, cuda, share_memory_, pin_memory):
    register_name(_function.__name__, _function, passes=_function is not to)
