"""call(operator, *arguments): the one place where quantized operators are computed.

By the selected engine (qsdk.backends.quantized.engine): the reference, or the C runtime. All give the same bytes; an
engine may refuse dtypes, because a model that is made for it would not run on the library that it stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qsdk.errors import QuantizationError


def _reference(operator: Any, arguments: tuple[Any, ...]) -> Any:
    return operator(*arguments)


@dataclass(frozen=True)
class Engine:
    """What computes operators.

    Attributes:
        name: as users select it
        compute: gives the result of a reference operator, such as torch.ops.qsdk.conv2d.default, for its arguments
        activations: the dtypes of activations that it computes with, by name
    """

    name: str
    compute: Callable[[Any, tuple[Any, ...]], Any] = _reference
    activations: tuple[str, ...] = ("qint8", "quint8")


REFERENCE = Engine("reference")
_engine = REFERENCE


def select(engine: Engine) -> None:
    """Make `engine` compute every call from now on."""
    global _engine
    _engine = engine


def selected() -> Engine:
    """The engine that computes calls."""
    return _engine


def call(operator: Any, *arguments: Any) -> Any:
    """The result of a reference operator, such as torch.ops.qsdk.conv2d.default."""
    return _engine.compute(operator, arguments)


def need_activation(dtype: Any, where: str) -> None:
    """Refuse activations of a dtype that the selected engine does not compute with.

    Raises:
        QuantizationError: names the layer (`where`), the dtype and the engine.
    """
    name = getattr(dtype, "value", None)
    if name is not None and name not in _engine.activations:
        raise QuantizationError(
            f"{where}: engine '{_engine.name}' has no activations of {dtype!r}, only of "
            f"{', '.join(_engine.activations)}; take get_default_qconfig('{_engine.name}'), or set "
            "qsdk.backends.quantized.engine = 'qsdk'"
        )
