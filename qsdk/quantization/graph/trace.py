"""trace(model): the model's forward as a torch.fx graph, float modules of torch.nn as leaves."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from typing import Any

import torch
from torch import fx, nn

from qsdk.errors import CaptureError
from qsdk.nn import intrinsic as nni
from qsdk.quantization.stubs import DeQuantStub, QuantStub


class _Tracer(fx.Tracer):
    def __init__(self, leaf_names: Iterable[str], leaf_classes: Iterable[type[nn.Module]]) -> None:
        super().__init__()
        self._leaf_names = set(leaf_names)
        self._leaf_classes = tuple(leaf_classes)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if isinstance(m, (QuantStub, DeQuantStub)):  # graph mode places its own
            return False
        return (
            module_qualified_name in self._leaf_names
            or isinstance(m, (nni._FusedModule, *self._leaf_classes))
            or type(m).__module__.startswith("qsdk.nn.")
            and type(m).__name__ != "FloatFunctional"
            or super().is_leaf_module(m, module_qualified_name)
        )


def trace(
    model: nn.Module, leaf_names: Iterable[str] = (), leaf_classes: Iterable[type[nn.Module]] = ()
) -> fx.GraphModule:
    """The model as a GraphModule that shares its parameters.

    Args:
        leaf_names, leaf_classes: modules that are not traced into

    Raises:
        CaptureError: forward depends on values, or does what torch.fx cannot follow; names the line of the model.
    """
    tracer = _Tracer(leaf_names, leaf_classes)
    try:
        graph = tracer.trace(model)
    except Exception as error:  # user code can raise anything while it is traced
        raise CaptureError(
            f"torch.fx cannot trace the model{_place(error)}: {type(error).__name__}: {_first_line(error)}. List the "
            "module under 'non_traceable_module_name' in prepare_custom_config_dict to leave it in float, or pass "
            "example_inputs and capture='export' to capture the model with torch.export"
        ) from error
    return fx.GraphModule(model, graph)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no message").splitlines()[0]


def _place(error: Exception) -> str:
    """' at file:line' of the user's code that failed: the innermost frame outside torch and this package."""
    ours = (torch.__path__[0], __file__.rsplit("quantization", 1)[0])
    frames: list[Any] = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        if not frame.filename.startswith((*ours, "<")):
            return f" at {frame.filename}:{frame.lineno} ({(frame.line or '').strip()})"
    return ""
