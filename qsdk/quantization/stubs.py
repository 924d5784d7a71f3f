"""Markers in float models for where tensors become quantized and float again."""

from __future__ import annotations

from typing import Any

from torch import nn


class QuantStub(nn.Module):
    """Observes its input during calibration; convert makes it quantize.

    Args:
        qconfig: for this stub alone; otherwise its parent's
    """

    def __init__(self, qconfig: Any = None) -> None:
        super().__init__()
        if qconfig is not None:
            self.qconfig = qconfig

    def forward(self, x: Any) -> Any:
        """x itself."""
        return x


class DeQuantStub(nn.Module):
    """Passes its input; convert makes it dequantize.

    Args:
        qconfig: for this stub alone; otherwise its parent's
    """

    def __init__(self, qconfig: Any = None) -> None:
        super().__init__()
        if qconfig is not None:
            self.qconfig = qconfig

    def forward(self, x: Any) -> Any:
        """x itself."""
        return x


class QuantWrapper(nn.Module):
    """A module between a QuantStub and a DeQuantStub."""

    quant: QuantStub
    dequant: DeQuantStub
    module: nn.Module

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        qconfig = getattr(module, "qconfig", None)
        self.add_module("quant", QuantStub(qconfig))
        self.add_module("dequant", DeQuantStub(qconfig))
        self.add_module("module", module)
        self.train(module.training)

    def forward(self, X: Any) -> Any:
        """dequant(module(quant(X)))."""
        return self.dequant(self.module(self.quant(X)))


__all__ = ["DeQuantStub", "QuantStub", "QuantWrapper"]
