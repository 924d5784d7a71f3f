"""The regimes of parity cases: how each draws zero points and ranges. See cases.py."""

from __future__ import annotations

import numpy as np

REGIMES = ("random", "extreme", "ties", "narrow")


def output_range(generator: np.random.Generator, regime: str, zero_point: int) -> dict[str, int]:
    """output_min and output_max."""
    if regime == "narrow":
        return {"output_min": zero_point, "output_max": min(127, zero_point + 11)}
    return {"output_min": -128, "output_max": 127}


def zero_point(generator: np.random.Generator, regime: str) -> int:
    """Of an input or the output, int8."""
    if regime == "extreme":
        return int(generator.choice([-128, 127]))
    return int(generator.integers(-100, 100)) if regime != "ties" else int(generator.integers(-3, 4))
