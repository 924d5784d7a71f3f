"""Parts of QTensors: indices, slices and pieces, and writing into them. A part has storage of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from qsdk.dispatch import call
from qsdk.errors import QuantizationError
from qsdk.qparams import QParams
from qsdk.qtensor.comparison import real
from qsdk.qtensor.conversion import quantize
from qsdk.qtensor.moving import one_scale, slice_positions
from qsdk.qtensor.table import calling_module, refuse, register_implementation, register_name
from qsdk.qtensor.tensor import QTensor


def get_part(input: Any, index: Any) -> QTensor:
    """As torch.Tensor's `input[index]`; per channel with integers, slices and an ellipsis only.

    Integers, slices, None and an ellipsis are the operators slice and reshape; other indices have none.

    Raises:
        QuantizationError: the index is not one of these, or it takes one row out of an embedding table.
    """
    if not isinstance(input, QTensor):
        refuse(torch.Tensor.__getitem__)
    qparams = input.qparams
    if qparams.per_channel:
        qparams = _part_of_qparams(input, _per_axis(input, index))
    elif _is_plain(index):
        part = _plain_part(input, list(index) if isinstance(index, tuple) else [index])
        if part is not None:
            return part
    return QTensor(input.storage[index].clone(memory_format=torch.contiguous_format), qparams)


def _is_plain(index: Any) -> bool:
    items = index if isinstance(index, tuple) else (index,)
    plain = (item is None or item is Ellipsis or isinstance(item, slice) or type(item) is int for item in items)
    return all(plain) and sum(item is Ellipsis for item in items) < 2


def _plain_part(input: QTensor, items: list[Any]) -> QTensor | None:
    """Integers, slices, None and an ellipsis; None for parts without elements and for indices that torch refuses."""
    if Ellipsis not in items:
        items = [*items, Ellipsis]
    place = items.index(Ellipsis)
    missing = input.dim() - sum(item is not None and item is not Ellipsis for item in items)
    if missing < 0:
        return None
    start: list[int] = []
    step: list[int] = []
    taken: list[int] = []
    shape: list[int] = []
    for item in items[:place] + [slice(None)] * missing + items[place + 1 :]:
        if item is None:
            shape.append(1)
            continue
        extent = input.shape[len(start)]
        if isinstance(item, int):
            if not -extent <= item < extent:
                return None
            positions = range(item % extent, item % extent + 1)
        elif item.step is not None and item.step < 1:
            return None
        else:
            positions = range(*item.indices(extent))
            shape.append(len(positions))
        start.append(positions.start)
        step.append(positions.step)
        taken.append(len(positions))
    if 0 in taken:
        return None
    part = input if taken == list(input.shape) else slice_positions(input, taken, start, step)
    if part is input or shape != taken:
        part = QTensor(call(torch.ops.qsdk.reshape.default, part.storage, shape), input.qparams)
    return part


def _part_of_qparams(input: QTensor, items: list[Any]) -> QParams:
    qparams = input.qparams
    axis = input.q_per_channel_axis() % input.dim()
    item = items[axis]
    if isinstance(item, int) and qparams.float_zero_point:
        raise QuantizationError(
            f"index {item} takes one row out of a table with float zero points{calling_module()}; take the slice "
            f"{item}:{item + 1}, or dequantize() first"
        )
    new_axis = None if isinstance(item, int) else axis - sum(isinstance(i, int) for i in items[:axis])
    scale, zero_point = qparams.scale[item], qparams.zero_point[item]
    return QParams(scale, zero_point, qparams.dtype, qparams.quant_min, qparams.quant_max, new_axis)


def _per_axis(input: QTensor, index: Any) -> list[Any]:
    """One integer or slice for each axis."""
    items = list(index) if isinstance(index, tuple) else [index]
    if not all(isinstance(item, (int, slice)) or item is Ellipsis for item in items):
        raise QuantizationError(
            f"index {index} of a tensor that is quantized per channel{calling_module()}; use integers and slices, "
            "or dequantize() first"
        )
    if Ellipsis not in items:
        items.append(Ellipsis)
    place = items.index(Ellipsis)
    missing = input.dim() - (len(items) - 1)
    if missing < 0:
        raise QuantizationError(f"index {index} has more axes than a tensor of shape {list(input.shape)}")
    return items[:place] + [slice(None)] * missing + items[place + 1 :]


def select(input: QTensor, dim: int, index: int) -> QTensor:
    """The part at `index` of one axis, without that axis."""
    return get_part(input, (slice(None),) * (dim % input.dim()) + (index,))


def narrow(input: QTensor, dim: int, start: int, length: int) -> QTensor:
    """The part from `start` of one axis."""
    return get_part(input, (slice(None),) * (dim % input.dim()) + (slice(start, start + length),))


def split(input: QTensor, split_size: Any, dim: int = 0) -> tuple[QTensor, ...]:
    """Parts of the given size, or sizes, of one axis."""
    extent = input.shape[dim]
    sizes = [split_size] * -(-extent // split_size) if isinstance(split_size, int) else list(split_size)
    starts = [sum(sizes[:position]) for position in range(len(sizes))]
    return tuple(narrow(input, dim, start, size) for start, size in zip(starts, sizes, strict=True))


def chunk(input: QTensor, chunks: int, dim: int = 0) -> tuple[QTensor, ...]:
    """At most `chunks` parts of equal size, but for the last."""
    return split(input, -(-input.shape[dim] // chunks), dim)


def tensor_split(input: QTensor, indices_or_sections: Any, dim: int = 0) -> tuple[QTensor, ...]:
    """Parts that begin at the given positions of one axis, or that many parts, the first ones larger by one."""
    extent, cuts = input.shape[dim], indices_or_sections
    if isinstance(cuts, int):
        small, more = divmod(extent, cuts)
        return split(input, [small + (position < more) for position in range(cuts)], dim)
    bounds = [0, *(slice(int(cut), None).indices(extent)[0] for cut in cuts), extent]
    return split(input, [max(end - start, 0) for start, end in zip(bounds, bounds[1:], strict=False)], dim)


def unbind(input: QTensor, dim: int = 0) -> tuple[QTensor, ...]:
    """All parts along one axis, without that axis."""
    return tuple(select(input, dim, position) for position in range(input.shape[dim]))


def set_part(input: Any, index: Any, value: Any) -> None:
    """As torch.Tensor's `input[index] = value`; `value` is quantized with the parameters of `input`.

    Args:
        input: changed in place
        value: a number, a float tensor or a QTensor, broadcast

    Raises:
        QuantizationError: `input` is a float tensor and `value` a QTensor.
    """
    if not isinstance(input, QTensor):
        raise QuantizationError(
            f"a quantized tensor cannot be written into a float tensor{calling_module()}; dequantize() it first"
        )
    same = isinstance(value, QTensor) and value.qparams == input.qparams
    if same and (not input.qparams.per_channel or (index is ... and value.shape == input.shape)):
        input.storage[index] = value.storage
        return
    values = torch.zeros(input.shape, device=input.device)
    values[index] = torch.as_tensor(real(value), dtype=torch.float32, device=input.device)
    input.storage[index] = quantize(values, input.qparams).storage[index]


def copy_(input: Any, src: Any, non_blocking: bool = False) -> Any:
    """Write all of `src`, broadcast, into `input`."""
    set_part(input, ..., src)
    return input


def fill_(input: QTensor, value: Any) -> QTensor:
    """Write one real value everywhere."""
    return copy_(input, value)


def zero_(input: QTensor) -> QTensor:
    """Write 0 everywhere."""
    return fill_(input, 0.0)


def masked_fill_(input: QTensor, mask: Tensor, value: Any) -> QTensor:
    """Write one real value where `mask`, broadcast, is true."""
    set_part(input, mask.expand(input.shape), value)
    return input


def resize_(input: QTensor, *sizes: Any, memory_format: Any = None) -> QTensor:
    """Change the shape in place; elements are kept in row-major order, and new ones are 0. Per tensor only."""
    source = one_scale(torch.Tensor.resize_, input)
    shape = torch.Size(sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (list, tuple)) else sizes)
    kept = source.storage.reshape(-1)[: shape.numel()]
    storage = torch.full((shape.numel(),), source.qparams.device_zero_point, dtype=kept.dtype, device=kept.device)
    storage[: kept.numel()] = kept
    source.storage = storage.reshape(shape)
    return source


register_implementation([torch.Tensor.__getitem__], get_part, passes=True)
register_implementation([torch.Tensor.__setitem__], set_part)
register_implementation([torch.Tensor.__iter__], lambda input: iter(unbind(input)))
for _function in (select, narrow, split, chunk, tensor_split, unbind):
    register_name(_function.__name__, _function, passes=True)
# What is written is rounded to the tensor's steps, and saturates: a model that fills with -inf means float tensors.
for _writer in (copy_, fill_, zero_, masked_fill_, resize_):
    register_name(_writer.__name__, _writer)
