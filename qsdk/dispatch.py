"""call(operator, *arguments): the one place where quantized operators are computed.

By the reference, unless an engine has been selected (qsdk.backends.quantized.engine); both give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Engine = Callable[[Any, tuple[Any, ...]], Any]

_engine: Engine | None = None


def select(engine: Engine | None) -> None:
    """Make `engine(operator, arguments)` compute every call from now on; None: the reference."""
    global _engine
    _engine = engine


def call(operator: Any, *arguments: Any) -> Any:
    """The result of a reference operator, such as torch.ops.qsdk.conv2d.default."""
    return operator(*arguments) if _engine is None else _engine(operator, arguments)
