"""What QTensors answer: torch functions and methods with their implementations, and the errors for all others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import torch

from qsdk.errors import QuantizationError

# torch function or method -> its implementation on QTensors, and whether the result has the parameters of the first
# operand. qsdk/ops.py adds the operator table to it.
_IMPLEMENTATIONS: dict[Any, tuple[Callable[..., Any], bool]] = {}


def register_implementation(functions: Iterable[Any], implementation: Callable[..., Any], passes: bool = False) -> None:
    """Make QTensors answer each of `functions` with `implementation`.

    passes: the results are QTensors with the scale and zero point of the first operand.
    """
    for function in functions:
        _IMPLEMENTATIONS[function] = implementation, passes


def register_name(name: str, implementation: Callable[..., Any], passes: bool = False) -> None:
    """Make QTensors answer the torch function and the tensor method called `name`, as far as there are such."""
    spellings = (getattr(room, name, None) for room in (torch, torch.Tensor))
    register_implementation([function for function in spellings if callable(function)], implementation, passes)


def implementation_of(function: Any) -> Callable[..., Any] | None:
    """What QTensors answer `function` with, or None."""
    return _row(function)[0]


def passes_qparams(function: Any) -> bool:
    """Whether QTensors answer `function` with QTensors of the same scale and zero point."""
    return _row(function)[1]


def _row(function: Any) -> tuple[Callable[..., Any] | None, bool]:
    import qsdk.ops  # noqa: F401  (fills the table; it cannot be imported earlier because it needs this package)

    return _IMPLEMENTATIONS.get(function, (None, False))


_OWN_PARAMETERS = (
    "its result needs a scale and zero point of its own: use a qsdk.nn.quantized.FloatFunctional in the float model, "
    "so that calibration observes it"
)
_CONVERT = "call dequantize() for its real values, or int_repr() for its integers, before"
_NO_GRADIENT = "integers have no gradient; train the float model with prepare_qat"
_OTHERS = "insert a DeQuantStub before it, or quantize the layer that calls it"

_REMEDIES = {
    **dict.fromkeys(
        ("add", "mul", "multiply", "sub", "subtract", "div", "divide", "truediv", "matmul", "cat", "concat", "stack"),
        _OWN_PARAMETERS,
    ),
    **dict.fromkeys(
        (
            "float",
            "double",
            "half",
            "bfloat16",
            "int",
            "long",
            "short",
            "char",
            "byte",
            "bool",
            "type",
            "numpy",
            "array",
        ),
        _CONVERT,
    ),
    **dict.fromkeys(("backward", "register_hook", "retain_grad", "requires_grad_"), _NO_GRADIENT),
}


def calling_module() -> str:
    """' (in layer ...)' for the innermost nn.Module on the stack whose path is known. For error messages."""
    frame = sys._getframe(1)
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, torch.nn.Module):
            name = owner.__dict__.get("_qualified_name")
            if name is not None:
                return f" (in layer '{name or '<model>'}', {type(owner).__name__})"
        frame = frame.f_back  # type: ignore[assignment]
    return ""


def _remedy(name: str) -> str:
    plain = name.strip("_")
    for spelling in (name, plain, plain[1:]):  # add_, __add__ and __radd__ are add
        if spelling in _REMEDIES:
            return _REMEDIES[spelling]
    return _OTHERS


def refuse(function: Any, *args: Any, **kwargs: Any) -> NoReturn:
    """The error for a function that QTensors do not answer, whatever its arguments.

    Raises:
        QuantizationError: names the function, the layer that called it, and what to do.
    """
    name = getattr(function, "__name__", str(function))
    raise QuantizationError(
        f"{name} got a quantized tensor{calling_module()}, which it cannot compute with; {_remedy(name)}"
    )
