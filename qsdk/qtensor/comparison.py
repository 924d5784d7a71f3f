"""Whole tensors compared, and what follows from the order of values; element by element, operators compare.

Scales are positive, so the integers of a tensor with one scale are in the order of its real values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from qsdk.qtensor.conversion import dequantize
from qsdk.qtensor.moving import function_of, one_scale
from qsdk.qtensor.table import register_implementation, register_name
from qsdk.qtensor.tensor import QTensor

_BY_ORDER = ("aminmax", "argsort", "kthvalue", "median", "msort", "sort")


def real(value: Any) -> Any:
    """The float tensor of a QTensor; anything else as it is."""
    return dequantize(value) if isinstance(value, QTensor) else value


def equal(input: Any, other: Any) -> bool:
    """Whether both are quantized alike and have the same integers."""
    return (
        isinstance(input, QTensor)
        and isinstance(other, QTensor)
        and input.qparams == other.qparams
        and torch.equal(input.storage, other.storage)
    )


def _by_order(name: str) -> Callable[..., Any]:
    function = function_of(name)

    def ordered(input: Any, *args: Any, **kwargs: Any) -> Any:
        """As torch's function on the integers; values keep scale and zero point. Per tensor only."""
        source = one_scale(function, input, *(v for v in (*args, *kwargs.values()) if isinstance(v, Tensor)))
        result = function(source.storage, *args, **kwargs)
        if isinstance(result, Tensor):
            return _wrap(result, source)
        return type(result)([_wrap(part, source) for part in result])

    return ordered


def _wrap(result: Tensor, source: QTensor) -> Any:
    """A QTensor of values; positions as they are."""
    return result if result.dtype == torch.int64 else QTensor(result, source.qparams)


def item(input: QTensor) -> float:
    """The real value of the only element."""
    return float(dequantize(input).item())


def tolist(input: QTensor) -> Any:
    """The real values as nested lists."""
    return dequantize(input).tolist()


register_name("equal", equal)
for _name in _BY_ORDER:
    register_name(_name, _by_order(_name))
register_name("item", item)
register_name("tolist", tolist)
for _kind in (bool, float, int):
    register_implementation(
        [getattr(torch.Tensor, f"__{_kind.__name__}__")], lambda input, kind=_kind: kind(dequantize(input))
    )
