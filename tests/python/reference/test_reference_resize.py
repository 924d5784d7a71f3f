"""pad and upsampling: against loops, and against torch on floats and on its own quantized tensors."""

import math
import warnings

import naive
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from qsdk.errors import QuantizationError, UnsupportedOperatorError
from qsdk.nn.quantized import functional as qF
from qsdk.qtensor import QParams, QTensor, qint8

f32 = np.float32


def example(*shape: int, zero_point: int = 3) -> QTensor:
    integers = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    return QTensor(torch.from_numpy(integers), QParams(0.1, zero_point, qint8))


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("pad", [(1, 2), (2, 1, 0, 3), (1, 0, 2, 2, 1, 1), (0, -2), (-1, 3, 2, -2)])
def test_pad_is_torchs(mode, pad):
    if mode == "circular" and min(pad) < 0:
        return  # torch refuses some of these
    q = example(2, 3, 4, 5) if len(pad) < 6 else example(2, 3, 4, 4, 5)
    if mode != "constant" and len(pad) == 2:  # torch wants as many axes as it pads, and two more
        q = QTensor(q.storage.reshape(2, 12, 5), q.qparams)
    result = F.pad(q, pad, mode=mode)
    expected = F.pad(q.dequantize(), pad, mode=mode)
    assert torch.equal(result.dequantize(), expected) and result.qparams == q.qparams


def test_constants_are_quantized_and_saturate():
    q = example(2, 3)
    for value, integer in ((None, 3), (0.0, 3), (0.25, 5), (-0.45, -1), (1e9, 127), (-math.inf, -128)):
        assert F.pad(q, (1, 0), value=value).storage[:, 0].tolist() == [integer, integer]


def test_refusals():
    q = example(1, 2, 4, 5)
    for arguments, message in (
        (((1, 2, 3),), "4 axes"), (((5, 0), "reflect"), "axis 3: 5 elements"), (((6, 0), "circular"), "axis 3"),
        (((-3, -2),), "leaves nothing"),
    ):  # fmt: skip
        with pytest.raises(QuantizationError, match=message):
            F.pad(q, *arguments)
    for mode in ("bicubic", "area", "nearest-exact"):
        with pytest.raises(UnsupportedOperatorError, match=mode):
            F.interpolate(q, scale_factor=2, mode=mode)


SIZES = [
    {"size": (8, 10)}, {"size": 3}, {"size": (1, 1)}, {"size": (7, 11)}, {"scale_factor": 2}, {"scale_factor": 1.3},
    {"scale_factor": (2.7, 0.6)}, {"scale_factor": 1.3, "recompute_scale_factor": True},
]  # fmt: skip


@pytest.mark.parametrize("arguments", SIZES)
def test_nearest_is_torchs(arguments):
    for axes in (1, 2, 3):
        q = example(2, 3, *(4, 5, 3)[:axes])
        given = {
            name: value[:1] * axes if isinstance(value, tuple) and axes != 2 else value
            for name, value in arguments.items()
        }
        expected = F.interpolate(q.dequantize(), **given)
        assert torch.equal(F.interpolate(q, **given).dequantize(), expected)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("arguments", SIZES)
def test_bilinear_is_near_torchs(arguments, align_corners):
    q = example(2, 3, 4, 5)
    result = F.interpolate(q, mode="bilinear", align_corners=align_corners, **arguments)
    expected = F.interpolate(q.dequantize(), mode="bilinear", align_corners=align_corners, **arguments)
    # Half a step of rounding; a weight is off by 2^-12 along each axis, over a difference of 255 steps.
    assert (result.dequantize() - expected).abs().max() <= 0.1 * (0.5 + 2 * 255 / 2**12 + 0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = torch.quantize_per_tensor(q.dequantize(), 0.1, 3, torch.qint8)
    theirs = F.interpolate(theirs, mode="bilinear", align_corners=align_corners, **arguments)
    assert (result.storage.int() - theirs.int_repr().int()).abs().max() <= 1  # torch truncates its sums elsewhere


def test_linear():
    q = example(2, 3, 5)
    result, expected = (F.interpolate(t, 9, mode="linear", align_corners=True) for t in (q, q.dequantize()))
    assert (result.dequantize() - expected).abs().max() <= 0.06


def positions(extent, size, scale, align_corners):
    for i in range(size):
        at = f32(f32(i) * f32(scale)) if align_corners else f32(f32(f32(i + 0.5) * f32(scale)) - f32(0.5))
        at = min(max(at, f32(0)), f32(extent - 1))
        k = math.floor(at)
        yield k, min(k + 1, extent - 1), naive.round_clamp(f32(f32(at - f32(k)) * f32(2048)), 0, 0, 2048)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("scales", [(0.5, 0.8), (1 / 3, 2.3), (1.0, 2.0**-60), (2.0**60, 0.77)])
@pytest.mark.parametrize("zero_point", [-128, 0, 127])
def test_bilinear_against_loops(scales, align_corners, zero_point):
    a = np.random.default_rng(1).choice([-128, 127, 5], (1, 2, 4, 3)).astype(np.int8)
    scales = tuple(float(f32(s)) for s in scales)
    result = torch.ops.qsdk.upsample_bilinear2d(torch.from_numpy(a), [5, 6], align_corners, *scales, zero_point)
    for y, (top, bottom, v) in enumerate(positions(4, 5, scales[0], align_corners)):
        for x, (left, right, w) in enumerate(positions(3, 6, scales[1], align_corners)):
            for c in range(2):
                image = a[0, c].astype(int) - zero_point
                total = (2048 - v) * ((2048 - w) * image[top, left] + w * image[top, right])
                total += v * ((2048 - w) * image[bottom, left] + w * image[bottom, right])
                assert abs(total) < 2**30
                expected = naive.round_clamp(f32(f32(int(total)) * f32(2.0**-22)), zero_point, -128, 127)
                assert int(result[0, c, y, x]) == expected


def test_interpolation_stays_within_a_narrowed_range():
    q = QTensor(torch.tensor([[[[-5, 7], [7, -5]]]], dtype=torch.int8), QParams(0.1, 7, qint8, -5, 7))
    result = qF.interpolate(q, scale_factor=5, mode="bilinear").storage
    assert int(result.min()) == -5 and int(result.max()) == 7
