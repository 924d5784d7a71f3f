"""How reference operators become torch.ops.qsdk.<name>.

torch.library.custom_op would do, but its first call imports the compiler, which takes seconds.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import torch

_LIBRARY = torch.library.Library("qsdk", "DEF")  # lives as long as the process

Function = TypeVar("Function", bound=Callable[..., Any])


def operator(schema: str, name: str = "") -> Callable[[Function], Function]:
    """Register a function as torch.ops.qsdk.<its name> with `schema`, "(arguments) -> result", on every device.

    name: another one; "add.float" is torch.ops.qsdk.add.float, what add is on float32 tensors.
    """

    def register(function: Function) -> Function:
        registered = name or function.__name__
        _LIBRARY.define(registered + schema)
        _LIBRARY.impl(registered, function, "CompositeExplicitAutograd")
        return function

    return register


def fake(name: str) -> Callable[[Function], Function]:
    """Register what operator `name` gives for tensors without data: an empty tensor of the right shape and dtype."""
    return torch.library.register_fake(f"qsdk::{name}", lib=_LIBRARY)


def like_input(input: torch.Tensor, *_: Any) -> torch.Tensor:
    """A fake: int8, of the shape of `input`."""
    return input.new_empty(input.shape, dtype=torch.int8)
