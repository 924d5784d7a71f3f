"""qsdk.backends.quantized.engine: what computes quantized models in Python.

    engine       computes with                              activations
    reference    qsdk.reference                             qint8, quint8
    qsdk         the C runtime, all instruction sets        qint8, quint8
    qnnpack      the C runtime, all instruction sets        qint8, quint8
    fbgemm       the C runtime, on x86                      quint8
    x86          the C runtime, on x86                      quint8
    onednn       the C runtime, on x86                      quint8

All give the same bytes: an engine decides how fast a model runs here, and which models are refused because the library
of that name could not run them: those with qint8 activations, for fbgemm, x86 and onednn, whose kernels multiply
unsigned activations with signed weights. The check is made by prepare, by convert and when a model runs.

An operator that the runtime does not have yet is computed by the reference; a warning names it once.
"""

from __future__ import annotations

import platform
import sys
import threading
import types
import warnings
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from qsdk import dispatch
from qsdk.errors import QsdkError, QuantizationError

_SESSIONS = 256  # one-operator sessions that are kept


class _Runtime:
    """Computes a call as a program of one operator, in the C runtime. Programs are kept for calls that are alike."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._warned: set[str] = set()

    def __call__(self, operator: Any, arguments: tuple[Any, ...]) -> Any:
        tensors = [leaf for leaf in tree_leaves(arguments) if isinstance(leaf, Tensor)]
        if not _plain(tensors):
            return operator(*arguments)
        arguments = tuple(_float32(value) for value in arguments)
        with self._lock:
            session, activations = self._session(operator, arguments)
            if session is None:
                return operator(*arguments)
            results = tuple(torch.from_numpy(r).to(tensors[0].device) for r in session.run(*activations))
        return results if len(results) > 1 else results[0]

    def _session(self, operator: Any, arguments: tuple[Any, ...]) -> tuple[Any, list[Tensor]]:
        """The session of a call, None if the runtime cannot compute it, and the tensors that are its inputs."""
        from qsdk.export.lower import ACTIVATIONS

        activations: list[Tensor] = []
        constants: list[Tensor] = []
        key: list[Any] = [operator]
        for argument, value in zip(operator._schema.arguments, arguments, strict=True):
            leaves = [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]
            if argument.name in ACTIVATIONS:
                activations += leaves
                key.append(tuple((tuple(t.shape), t.dtype) for t in leaves))
            elif leaves:
                key.append((id(value), value._version))
                constants.append(value)
            else:
                key.append(tuple(value) if isinstance(value, (list, tuple)) else value)
        # add(x, x) is another program than add(x, y): one tensor is one input, however often it is read.
        ids = [id(t) for t in activations]
        key.append(tuple(ids.index(i) for i in ids))
        found = self._sessions.get(tuple(key))
        if found is None:
            # The entry holds the constants, so that their ids stay theirs.
            found = self._sessions[tuple(key)] = (self._open(operator, arguments), constants)
            if len(self._sessions) > _SESSIONS:
                self._sessions.popitem(last=False)
        self._sessions.move_to_end(tuple(key))
        return found[0], activations

    def _open(self, operator: Any, arguments: tuple[Any, ...]) -> Any:
        from qsdk.export import finish
        from qsdk.export.lower import lower_call
        from qsdk.export.serialize import serialize
        from qsdk.runtime import Session

        try:
            return Session(serialize(finish(lower_call(operator, arguments))))
        except QsdkError as error:
            name = operator._schema.name.removeprefix("qsdk::")
            if name not in self._warned:
                self._warned.add(name)
                warnings.warn(
                    f"engine '{dispatch.selected().name}': the reference computes {name}, with the same bytes but more "
                    f"slowly ({error})",
                    stacklevel=2,
                )
            return None


def _float32(value: Any) -> Any:
    """Float tensors as every reference operator takes them."""
    return value.detach().to(torch.float32) if isinstance(value, Tensor) and value.is_floating_point() else value


def _plain(tensors: list[Tensor]) -> bool:
    """Whether all are real tensors with elements, and nobody watches the dispatcher (as export does)."""
    if torch._C._len_torch_dispatch_stack() > 0 or torch.compiler.is_compiling():
        return False
    kinds = (Tensor, torch.nn.Parameter)
    return all(type(t) in kinds and t.device.type != "meta" and t.numel() > 0 for t in tensors)


def _engines() -> dict[str, dispatch.Engine]:
    runtime = _Runtime()
    engines = [dispatch.REFERENCE, dispatch.Engine("qsdk", runtime), dispatch.Engine("qnnpack", runtime)]
    if platform.machine().lower() in ("x86_64", "amd64", "i386", "i686"):
        engines += [dispatch.Engine(name, runtime, ("quint8",)) for name in ("fbgemm", "x86", "onednn")]
    return {engine.name: engine for engine in engines}


_ENGINES = _engines()


class _Backend(types.ModuleType):
    """This module, with `engine` as an attribute that checks what is assigned."""

    @property
    def engine(self) -> str:
        """Name of the engine that computes quantized models."""
        return dispatch.selected().name

    @engine.setter
    def engine(self, name: str) -> None:
        if name not in _ENGINES:
            raise QuantizationError(f"engine {name!r} is not available here; use one of {', '.join(_ENGINES)}")
        dispatch.select(_ENGINES[name])

    @property
    def supported_engines(self) -> list[str]:
        """Names that `engine` takes on this machine."""
        return list(_ENGINES)


sys.modules[__name__].__class__ = _Backend
