"""Prints the coefficients of qsdk/reference/functions.py, and how far each polynomial is from its function.

Weighted least squares on Chebyshev nodes; Lawson's weights make the largest error as small as it gets. Coefficients
become float32 one after another, the lowest first, and the later ones make up for what rounding did to the earlier.
"""

from collections.abc import Callable

import mpmath
import numpy as np

Function = Callable[[mpmath.mpf], mpmath.mpf]


def fit(function: Function, low: float, high: float, degree: int, weight: Function) -> tuple[list[float], float]:
    """Coefficients c_0 .. c_degree, and the largest |weight * (polynomial - function)| over low..high."""
    nodes = (low + high) / 2 + (high - low) / 2 * np.cos((np.arange(600) + 0.5) * np.pi / 600)
    exact = np.array([float(function(mpmath.mpf(x))) for x in nodes])
    scale = np.array([float(weight(mpmath.mpf(x))) for x in nodes])
    found: list[float] = []
    while len(found) <= degree:
        rest = (exact - sum(c * nodes**k for k, c in enumerate(found))) * scale
        columns = np.stack([nodes**k for k in range(len(found), degree + 1)], 1) * scale[:, None]
        lawson = np.ones(600)
        for _ in range(300):
            root = np.sqrt(lawson)
            solution = np.linalg.lstsq(columns * root[:, None], rest * root, rcond=None)[0]
            lawson *= np.abs(columns @ solution - rest)
            lawson /= lawson.sum()
        found.append(float(np.float32(solution[0])))
    return found, float(np.abs((sum(c * nodes**k for k, c in enumerate(found)) - exact) * scale).max())


def main() -> None:
    mpmath.mp.dps = 40
    exp, sqrt, tanh, erf, erfc, log = (getattr(mpmath, n) for n in ("exp", "sqrt", "tanh", "erf", "erfc", "log"))
    # Weights make the error relative to the result, that of LOG_ERFC relative to 1 - erfc.
    fits = {
        "EXP": fit(lambda r: (exp(r) - 1 - r) / r**2, -0.3486, 0.3486, 5, lambda r: r**2 / exp(r)),
        "TANH": fit(
            lambda z: (tanh(sqrt(z)) / sqrt(z) - 1) / z, 1e-12, 0.625**2, 5, lambda z: z * sqrt(z) / tanh(sqrt(z))
        ),
        "ERF": fit(lambda z: erf(sqrt(z)) / sqrt(z) - 1, 1e-12, 0.9**2, 6, lambda z: sqrt(z) / erf(sqrt(z))),
        "LOG_ERFC": fit(lambda a: log(erfc(a)), 0.9, 3.93, 7, lambda a: erfc(a) / erf(a)),
    }
    for name, (coefficients, error) in fits.items():
        print(f"{name} = ({', '.join(f'{c:.9g}' for c in coefficients)})  # {error:.1e}")


if __name__ == "__main__":
    main()
