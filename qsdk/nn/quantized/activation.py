"""Quantized activations that keep their input's parameters."""

from __future__ import annotations

from torch import nn

from qsdk.nn.quantized import functional as qF
from qsdk.nn.quantized.base import QuantizedModule
from qsdk.qtensor import QTensor


class ReLU6(QuantizedModule):
    """Clamp to [0, 6], with the input's scale and zero point."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: QTensor) -> QTensor:
        """Any shape."""
        return qF.relu6(self.need_qtensor(input), self.inplace)

    @classmethod
    def from_float(cls, mod: nn.Module) -> ReLU6:
        """From nn.ReLU6."""
        return cls(bool(mod.inplace))
