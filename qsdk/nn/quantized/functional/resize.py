"""Padding and interpolation, with the input's scale and zero point: rules 7 and 19."""

from __future__ import annotations

import math
from typing import Any

import torch

from qsdk.dispatch import call
from qsdk.errors import QuantizationError, UnsupportedOperatorError
from qsdk.nn.quantized.functional.common import along, need_qtensor
from qsdk.nn.quantized.functional.shape import reshape
from qsdk.qtensor import QTensor, calling_module, slice_positions
from qsdk.reference import constants
from qsdk.reference.rounding import f32

_PAD_MODES = {"constant": 0, "reflect": 1, "replicate": 2, "circular": 3}


def pad(input: QTensor, pad: Any, mode: str = "constant", value: float | None = None) -> QTensor:
    """As torch.nn.functional.pad: pairs of numbers from the last axis on; negative ones take positions away.

    `value` is quantized by rule 1 with the input's parameters, so it saturates at the ends of their range.
    """
    input = need_qtensor(input, "pad")
    rank, numbers = input.dim(), [int(n) for n in pad]
    if mode not in _PAD_MODES:
        raise UnsupportedOperatorError(f"pad in mode '{mode}'{calling_module()}; use one of {sorted(_PAD_MODES)}")
    if len(numbers) % 2 or len(numbers) > 2 * rank:
        raise QuantizationError(f"pad({numbers}) of a tensor with {rank} axes{calling_module()}")
    before, after = [0] * rank, [0] * rank
    for place in range(len(numbers) // 2):
        before[rank - 1 - place], after[rank - 1 - place] = numbers[2 * place : 2 * place + 2]
    kept = [e + min(b, 0) + min(a, 0) for e, b, a in zip(input.shape, before, after, strict=True)]
    if min(kept) < 1:
        raise QuantizationError(f"pad({numbers}) leaves nothing of {list(input.shape)}{calling_module()}")
    qparams = input.qparams
    filled = constants.quantize_value(
        value or 0.0, qparams.scale, int(qparams.device_zero_point), qparams.device_min, qparams.device_max
    )
    cut = [max(-b, 0) for b in before]
    if mode == "constant":
        input = _part(input, kept, cut)
    shape = [e + max(b, 0) + max(a, 0) for e, b, a in zip(input.shape, before, after, strict=True)]
    try:
        storage = call(
            torch.ops.qsdk.pad.default, input.storage, shape, [max(b, 0) for b in before], _PAD_MODES[mode], filled
        )
    except ValueError as error:
        raise QuantizationError(f"pad({numbers}, '{mode}'){calling_module()}: {error}") from None
    result = QTensor(storage, qparams)
    if mode == "constant":
        return result
    return _part(result, [n + min(b, 0) + min(a, 0) for n, b, a in zip(shape, before, after, strict=True)], cut)


def _part(input: QTensor, shape: list[int], start: list[int]) -> QTensor:
    return input if list(input.shape) == shape else slice_positions(input, shape, start, [1] * len(shape))


def interpolate(
    input: QTensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> QTensor:
    """As torch.nn.functional.interpolate: 'nearest' of 1 to 3 axes, 'linear' of one and 'bilinear' of two."""
    input = need_qtensor(input, "interpolate")
    axes = input.dim() - 2
    if (mode, axes) not in {
        ("nearest", 1),
        ("nearest", 2),
        ("nearest", 3),
        ("linear", 1),
        ("bilinear", 2),
    } or antialias:
        raise UnsupportedOperatorError(
            f"interpolate of {axes} axes in mode '{mode}'{' with antialias' if antialias else ''}{calling_module()} "
            "has no operator on quantized tensors; use nearest or bilinear, or leave the layer float"
        )
    extents = list(input.shape[2:])
    if size is not None:
        wanted, factors = along(size, axes), None
    else:
        given = [scale_factor] * axes if isinstance(scale_factor, (int, float)) else list(scale_factor)
        wanted = [math.floor(extent * factor) for extent, factor in zip(extents, given, strict=True)]
        factors = None if recompute_scale_factor else [float(factor) for factor in given]
    corners = bool(align_corners)
    scales = [
        _positions_per_position(extent, want, None if factors is None else factors[axis], corners)
        for axis, (extent, want) in enumerate(zip(extents, wanted, strict=True))
    ]
    if axes == 2:
        return _resized(input, mode, wanted, corners, scales)
    batch = list(input.shape[:2])
    if axes == 3:  # the last two, then the first
        flat = reshape(input, [batch[0], batch[1] * extents[0], *extents[1:]])
        flat = _resized(flat, mode, wanted[1:], corners, scales[1:])
        flat = reshape(flat, [*batch, extents[0], wanted[1] * wanted[2]])
        flat = _resized(flat, mode, [wanted[0], wanted[1] * wanted[2]], corners, [scales[0], 1.0])
        return reshape(flat, [*batch, *wanted])
    row = _resized(reshape(input, [*batch, 1, *extents]), mode, [1, *wanted], corners, [1.0, *scales])
    return reshape(row, [*batch, *wanted])


def _positions_per_position(extent: int, wanted: int, factor: float | None, align_corners: bool) -> float:
    """How far the input advances when the output advances by one, as torch computes it, binary32."""
    if align_corners:
        return f32((extent - 1) / (wanted - 1)) if wanted > 1 and extent > 1 else 1.0
    return f32(1.0 / factor) if factor else f32(extent / wanted)


def _resized(input: QTensor, mode: str, size: list[int], align_corners: bool, scales: list[float]) -> QTensor:
    if mode == "nearest":
        storage = call(torch.ops.qsdk.upsample_nearest2d.default, input.storage, size, *scales)
    else:
        zero_point = int(input.qparams.device_zero_point)
        storage = call(
            torch.ops.qsdk.upsample_bilinear2d.default, input.storage, size, align_corners, *scales, zero_point
        )
    return QTensor(storage, input.qparams)
