"""FunctionalCall: a sum, a product or the like as a module that a graph can call."""

from __future__ import annotations

from typing import Any

from torch import nn

from qsdk.nn.quantized import FloatFunctional


class FunctionalCall(nn.Module):
    """One method of a FloatFunctional of its own; convert turns that into a QFunctional.

    Args:
        method: 'add', 'mul', 'cat', ...
        qconfig: for the result
    """

    functional: nn.Module

    def __init__(self, method: str, qconfig: Any) -> None:
        super().__init__()
        self.method = method
        self.functional = FloatFunctional()
        self.functional.qconfig = qconfig

    def forward(self, *args: Any) -> Any:
        """The method's result."""
        return getattr(self.functional, self.method)(*args)

    def extra_repr(self) -> str:
        """The method."""
        return self.method
