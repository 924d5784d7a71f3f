"""exp, sigmoid, tanh, erf and the activations made of them, of float32, without libm: rule 11.

Each operation in the equations is one binary32 operation (+ - * /), rounded to nearest even, denormals kept, so that C
gives the same bits. `|x|` and `copysign` touch the sign bit alone; a comparison with NaN is false.
`poly(x; c0, c1, c2)` is Horner's `(c2 * x + c1) * x + c0`. Every NaN that is given back is 0x7fc00000.

Errors are the largest over all of float32, in units in the last place of the exact value. The coefficients come from
scripts/fit_functions.py.
"""

import torch
from torch import Tensor

LOG2E = 1.44269502
# ln 2 = high + low. high has 15 bits, so n * high is exact for |n| <= 150.
LN2_HIGH = 0.693145752
LN2_LOW = 1.42860677e-06
EXP = (0.5, 0.166666657, 0.0416664593, 0.00833357032, 0.0013935524, 0.000197411995)
TANH = (-0.333333313, 0.133332208, -0.0539481789, 0.021706894, -0.00819001254, 0.00215268112)
TANH_SMALL = 0.625
ERF = (0.128379166, -0.376126289, 0.112836242, -0.02685556, 0.00519175315, -0.000803975272, 7.94310035e-05)
ERF_SMALL = 0.9
LOG_ERFC = (
    0.000169203864, -1.12948835, -0.633401096, -0.108219944, 0.025080204, -0.00415604422, 0.000431338238,
    -2.08228012e-05,
)  # fmt: skip
SQRT_HALF = 0.707106769
GELU_SCALE = 0.797884583  # sqrt(2 / pi)
GELU_CUBIC = 0.0447149985


def canonical(x: Tensor) -> Tensor:
    """float32 x with every NaN as 0x7fc00000 (rule 0)."""
    return torch.where(torch.isnan(x), torch.full_like(x, float("nan")), x)


def _poly(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    result = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        result = result * x + coefficient
    return result


def _power_of_two(n: Tensor) -> Tensor:
    """2^n as float32, from its bits; n int32, -126..127."""
    return ((n + 127) << 23).view(torch.float32)


def exp(x: Tensor) -> Tensor:
    """e^x, float32 to float32; error at most 0.87 ulp.

        x     = x < -104 ? -104 : x > 89 ? 89 : x         (exp(-104) is 0, exp(89) is infinite)
        n     = rne(x * LOG2E)                            (an integer, -150..128)
        high  = x - n * LN2_HIGH,  low = n * LN2_LOW      (high is exact)
        r     = high - low                                (|r| < 0.35)
        p     = ((poly(r; EXP) * (r * r) - low) + high) + 1
        exp   = (p * 2^h) * 2^(n - h),  h = floor(n / 2)  (p * 2^h is exact, so a denormal result is rounded once)

    NaN gives NaN. Infinities give 0 and infinity.
    """
    x = x.clamp(-104.0, 89.0)
    n = torch.round(x * LOG2E)
    high, low = x - n * LN2_HIGH, n * LN2_LOW
    r = high - low
    p = ((_poly(r, EXP) * (r * r) - low) + high) + 1.0
    exponent = torch.where(torch.isnan(n), torch.zeros_like(n), n).to(torch.int32)
    half = exponent >> 1
    return canonical(p * _power_of_two(half) * _power_of_two(exponent - half))


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e^-x), float32 to float32; error at most 1.81 ulp.

        t       = exp(-|x|)                               (0..1)
        q       = (x >= 0 ? 1 : t) / (t + 1)
        sigmoid = x >= 0 ? q : t - t * q

    NaN gives NaN. Below -104 it is 0, from 16.7 on 1.
    """
    t = exp(-x.abs())
    q = torch.where(x >= 0, torch.ones_like(t), t) / (t + 1.0)
    return canonical(torch.where(x >= 0, q, t - t * q))


def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent, float32 to float32; error at most 1.31 ulp.

        a     = |x|,  z = a * a
        t     = a < TANH_SMALL ? poly(z; TANH) * z * a + a : 1 - 2 / (exp(a + a) + 1)
        tanh  = copysign(t, x)                            (so tanh(-0) is -0)

    NaN gives NaN. From |x| = 9.02 on it is 1 or -1.
    """
    a = x.abs()
    z = a * a
    small = _poly(z, TANH) * z * a + a
    large = 1.0 - torch.full_like(a, 2.0) / (exp(a + a) + 1.0)
    return canonical(torch.copysign(torch.where(a < TANH_SMALL, small, large), x))


def erf(x: Tensor) -> Tensor:
    """Error function, float32 to float32; error at most 1.34 ulp.

        a    = |x|,  z = a * a
        t    = a < ERF_SMALL ? poly(z; ERF) * a + a : 1 - exp(poly(a > 4 ? 4 : a; LOG_ERFC))
        erf  = copysign(t, x)                             (so erf(-0) is -0)

    NaN gives NaN. From |x| = 3.92 on it is 1 or -1.
    """
    a = x.abs()
    small = _poly(a * a, ERF) * a + a
    large = 1.0 - exp(_poly(a.clamp(max=4.0), LOG_ERFC))
    return canonical(torch.copysign(torch.where(a < ERF_SMALL, small, large), x))


def sqrt(x: Tensor) -> Tensor:
    """The square root of float32, correctly rounded. torch's own is not, on some CPUs; that of float64, an ulp off or
    not, lies on the right side of every point between two float32 numbers."""
    return torch.sqrt(x.double()).to(torch.float32)


def silu(x: Tensor) -> Tensor:
    """x * sigmoid(x)."""
    return canonical(x * sigmoid(x))


def gelu(x: Tensor) -> Tensor:
    """(x * 0.5) * (erf(x * sqrt(1/2)) + 1)."""
    return canonical((x * 0.5) * (erf(x * SQRT_HALF) + 1.0))


def gelu_tanh(x: Tensor) -> Tensor:
    """(x * 0.5) * (tanh((((x * x) * x) * GELU_CUBIC + x) * GELU_SCALE) + 1)."""
    inner = (x * x * x * GELU_CUBIC + x) * GELU_SCALE
    return canonical((x * 0.5) * (tanh(inner) + 1.0))


def hardsigmoid(x: Tensor) -> Tensor:
    """clamp(x + 3, 0, 6) / 6."""
    return canonical((x + 3.0).clamp(0.0, 6.0) / torch.full_like(x, 6.0))


def hardswish(x: Tensor) -> Tensor:
    """(x * clamp(x + 3, 0, 6)) / 6."""
    return canonical(x * (x + 3.0).clamp(0.0, 6.0) / torch.full_like(x, 6.0))


def elu(x: Tensor, alpha: float) -> Tensor:
    """x > 0 ? x : (exp(x) - 1) * alpha."""
    return canonical(torch.where(x > 0, x, (exp(x) - 1.0) * alpha))


def leaky_relu(x: Tensor, negative_slope: float) -> Tensor:
    """x > 0 ? x : x * negative_slope."""
    return canonical(torch.where(x > 0, x, x * negative_slope))
