"""The definition: every operator on integers, and run(program), which interprets a whole program with them."""

from typing import Any


def __getattr__(name: str) -> Any:
    # The interpreter needs the operator table, and the operator table needs this room's operators.
    if name == "run":
        from qsdk.reference.interpreter import run

        return run
    raise AttributeError(f"module 'qsdk.reference' has no attribute {name!r}")
