"""The constants that operators carry: biases, multipliers, lookup tables. Devices compute none of them.

Nothing here knows layers; a problem is a ValueError that names the channel, and the caller adds the layer.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from qsdk.reference.rounding import f32, round_clamp

SCALE_MIN = 2.0**-60
SCALE_MAX = 2.0**60
_INT32_MAX = 2**31 - 1


def check_scale(value: float, what: str) -> float:
    """`value` if it lies in [2^-60, 2^60].

    Raises:
        ValueError: it does not (or is NaN); the message starts with `what`.
    """
    if not SCALE_MIN <= value <= SCALE_MAX:
        raise ValueError(f"{what} is {value}, outside [2^-60, 2^60]")
    return value


def inverse_scale(scale: float) -> float:
    """f32(1 / scale), rule 1's factor."""
    return check_scale(f32(1.0 / scale), "inverse scale")


def rescale(input_scale: float, output_scale: float) -> float:
    """f32(input_scale / output_scale): rule 4's ra and rb, rule 8's first factor."""
    return check_scale(f32(input_scale / output_scale), "input scale / output scale")


def product_multiplier(input_scale: float, other_scale: float, output_scale: float) -> float:
    """f32(f32(input_scale * other_scale) / output_scale), rule 5's m."""
    return check_scale(f32(f32(input_scale * other_scale) / output_scale), "input scale * other scale / output scale")


def sum_rescale(input_scale: float, output_scale: float, count: float) -> float:
    """f32(f32(input_scale / output_scale) * f32(count)): rule 8's first factor of a sum."""
    return check_scale(f32(f32(input_scale / output_scale) * f32(count)), "input scale / output scale * count")


def normalize_epsilon(eps: float, input_scale: float) -> float:
    """Rule 24: f32(eps / input_scale), within [2^-60, 2^60]."""
    return min(max(f32(eps / input_scale), SCALE_MIN), SCALE_MAX)


def quantize_value(value: float, scale: float, zero_point: int, lowest: int, highest: int) -> int:
    """Rule 1 for one number: where a clamp of the real value lies in the quantized range."""
    scaled = f32(f32(value) * inverse_scale(scale))
    if math.isnan(scaled):
        return zero_point
    if math.isinf(scaled):
        return highest if scaled > 0 else lowest
    return min(max(round(scaled) + zero_point, lowest), highest)


def lookup_table(
    function: Callable[[Tensor], Tensor],
    input_scale: float,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    output_min: int,
    output_max: int,
) -> Tensor:
    """Rule 6: the int8 table of a unary function, entry q + 128 for input q.

    `function` is evaluated in float64 on the exact real value scale * (q - zero_point); the result becomes float32 and
    is then quantized by rule 1.
    """
    q = torch.arange(-128, 128, dtype=torch.float64)
    real = function(input_scale * (q - input_zero_point)).to(torch.float32)
    scaled = real * torch.tensor(inverse_scale(output_scale), dtype=torch.float32)
    return round_clamp(scaled, output_zero_point, output_min, output_max)


def softmax_table(input_scale: float) -> Tensor:
    """Rule 9: int32 [256], entry d is rne(2^23 * exp(-input_scale * d))."""
    distance = torch.arange(256, dtype=torch.float64)
    return torch.round(2.0**23 * torch.exp(-input_scale * distance)).to(torch.int32)


def norm_epsilon(eps: float, input_scale: float) -> float:
    """Rule 9: f32(eps / input_scale^2), within [2^-60, 2^60]."""
    return min(max(f32(eps / input_scale**2), SCALE_MIN), SCALE_MAX)


def norm_constants(weight: Tensor, bias: Tensor, output_scale: float) -> list[Tensor]:
    """Rule 9: f32(weight / output_scale) and f32(bias / output_scale), float32 of their shape.

    Raises:
        ValueError: one of them is not finite, or beyond 2^60; names the channel.
    """
    so = torch.tensor(output_scale, dtype=torch.float32, device=weight.device)
    return [_bounded(weight / so, "weight / output scale"), _bounded(bias / so, "bias / output scale")]


def batch_norm_constants(
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
    eps: float,
    input_scale: float,
    output_scale: float,
) -> list[Tensor]:
    """Rule 14's m and b, float32 [C]; all but the scales and eps are float32 [C].

    Raises:
        ValueError: a constant is not finite, or beyond 2^60; names the channel.
    """
    weight, bias, mean, variance = (v.to(torch.float64) for v in (weight, bias, mean, variance))
    factor = weight / torch.sqrt(variance + eps)
    offset = bias - mean * factor
    return [
        _bounded((input_scale * factor / output_scale).to(torch.float32), "multiplier"),
        _bounded((offset / output_scale).to(torch.float32), "offset"),
    ]


def prelu_slopes(slope: Tensor, input_scale: float, output_scale: float) -> Tensor:
    """Rule 17's n: f32(f32(input_scale * slope[c]) / output_scale), float32 [C].

    Raises:
        ValueError: one is not finite, or beyond 2^60; names the channel.
    """
    si, so = (torch.tensor(v, dtype=torch.float32, device=slope.device) for v in (input_scale, output_scale))
    return _bounded(si * slope.detach().to(torch.float32) / so, "slope")


def _bounded(values: Tensor, what: str) -> Tensor:
    """`values`, if all are finite and of magnitudes up to 2^60."""
    bad = ~(values.abs() <= SCALE_MAX).reshape(-1)
    if bool(bad.any()):
        channel = int(bad.nonzero()[0, 0])
        raise ValueError(f"{what} of channel {channel} is {float(values.reshape(-1)[channel])}, beyond 2^60")
    return values


def requantize_constants(
    weight: Tensor,
    weight_scale: Tensor,
    bias: Tensor | None,
    input_scale: float,
    input_zero_point: int,
    output_scale: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rule 3's constants, from weights that are quantized already.

        aw[c] = f32(input_scale * weight_scale[c])
        b[c]  = rne(bias[c] / aw[c]) in float64
        m[c]  = f32(aw[c] / output_scale)

    While |b[c]| + sum |weight[c]| * max |a - input_zero_point| leaves int32, channel c is widened: weight_scale[c] is
    doubled and every weight becomes rne(weight / 2).

    Args:
        weight: int8 [O, ...]
        weight_scale: float32 [O]
        bias: float [O] or None
        input_scale, input_zero_point: of the input, zero point in device (int8) terms
        output_scale: of the output

    Returns:
        weight int8 (the same object unless a channel was widened), weight_scale float32 [O], bias int32 [O],
        multiplier float32 [O].

    Raises:
        ValueError: a scale or multiplier leaves [2^-60, 2^60], or a bias is not finite; names the channel.
    """
    channels = weight.shape[0]
    scale = weight_scale.detach().to(torch.float32)
    real_bias = torch.zeros(channels, dtype=torch.float64, device=weight.device)
    if bias is not None:
        real_bias = bias.detach().to(torch.float64)
    _refuse(~torch.isfinite(real_bias), "bias", real_bias)

    reach = max(127 - input_zero_point, input_zero_point + 128)
    sa = torch.tensor(input_scale, dtype=torch.float32, device=weight.device)
    so = torch.tensor(output_scale, dtype=torch.float32, device=weight.device)
    while True:
        _refuse(~((scale >= SCALE_MIN) & (scale <= SCALE_MAX)), "weight scale", scale)
        accumulator_scale = sa * scale
        steps = torch.round(real_bias / accumulator_scale.to(torch.float64))
        wide = steps.abs() + _largest_sum(weight, reach) > _INT32_MAX
        if not bool(wide.any()):
            break
        weight, scale = _widened(weight, scale, wide)
    multiplier = accumulator_scale / so
    _refuse(~((multiplier >= SCALE_MIN) & (multiplier <= SCALE_MAX)), "multiplier", multiplier)
    return weight, scale, steps.to(torch.int32), multiplier


def fit_dynamic(weight: Tensor, weight_scale: Tensor) -> tuple[Tensor, Tensor]:
    """Rule 10: weight int8 [O, ...] and scales float32 [O], widened as rule 3 says until no input overflows int32.

    Returns the same objects unless a channel was widened.

    Raises:
        ValueError: a scale leaves [2^-60, 2^60]; names the channel.
    """
    while True:
        _refuse(~((weight_scale >= SCALE_MIN) & (weight_scale <= SCALE_MAX)), "weight scale", weight_scale)
        wide = _largest_sum(weight, 255) > _INT32_MAX
        if not bool(wide.any()):
            return weight, weight_scale
        weight, weight_scale = _widened(weight, weight_scale, wide)


def _largest_sum(weight: Tensor, reach: int) -> Tensor:
    """Per channel, the largest |sum| with inputs up to `reach`."""
    return weight.to(torch.int64).abs().reshape(weight.shape[0], -1).sum(1) * reach


def _widened(weight: Tensor, scale: Tensor, wide: Tensor) -> tuple[Tensor, Tensor]:
    """The channels in `wide` with their scale doubled and their weights halved."""
    halved = torch.round(weight.to(torch.float32) / 2).to(torch.int8)
    return torch.where(wide.reshape(-1, *[1] * (weight.dim() - 1)), halved, weight), torch.where(wide, scale * 2, scale)


def _refuse(bad: Tensor, what: str, values: Tensor) -> None:
    if bool(bad.any()):
        channel = int(bad.nonzero()[0, 0])
        allowed = "not finite" if what == "bias" else "outside [2^-60, 2^60]"
        raise ValueError(f"{what} of output channel {channel} is {float(values[channel])}, {allowed}")
