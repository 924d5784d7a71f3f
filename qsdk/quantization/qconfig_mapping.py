"""Which qconfig holds for which part of a model, in graph mode: QConfigMapping, and the qconfig_dict of old."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import Self

from qsdk.errors import QuantizationError
from qsdk.quantization.qconfig import get_default_qat_qconfig, get_default_qconfig

_KEYS = ("", "object_type", "module_name_regex", "module_name", "module_name_object_type_order")


class QConfigMapping:
    """Rules that give parts of a model their qconfigs; a later kind of rule overrides an earlier one.

    In this order: the global qconfig, object types (module classes, functions, names of tensor methods), regular
    expressions of module paths, module paths, and (module path, object type, how many such there were before). None
    leaves a part in float and unfused.
    """

    def __init__(self) -> None:
        self.global_qconfig: Any = None
        self.object_type_qconfigs: dict[Any, Any] = {}
        self.module_name_regex_qconfigs: dict[str, Any] = {}
        self.module_name_qconfigs: dict[str, Any] = {}
        self.module_name_object_type_order_qconfigs: dict[tuple[str, Any, int], Any] = {}

    def set_global(self, global_qconfig: Any) -> Self:
        """For all that no other rule names."""
        self.global_qconfig = global_qconfig
        return self

    def set_object_type(self, object_type: Any, qconfig: Any) -> Self:
        """For a module class and what such modules contain, a function, or a tensor method by name."""
        self.object_type_qconfigs[object_type] = qconfig
        return self

    def set_module_name_regex(self, module_name_regex: str, qconfig: Any) -> Self:
        """For modules whose path matches from its start on, as re.match does; the first rule that matches holds."""
        try:
            re.compile(module_name_regex)
        except re.error as error:
            raise QuantizationError(f"module_name_regex {module_name_regex!r}: {error}") from None
        self.module_name_regex_qconfigs[module_name_regex] = qconfig
        return self

    def set_module_name(self, module_name: str, qconfig: Any) -> Self:
        """For the module of that path, and what it contains."""
        self.module_name_qconfigs[module_name] = qconfig
        return self

    def set_module_name_object_type_order(self, module_name: str, object_type: Any, index: int, qconfig: Any) -> Self:
        """For the index-th call of a function or module class within a module."""
        self.module_name_object_type_order_qconfigs[module_name, object_type, index] = qconfig
        return self

    @classmethod
    def from_dict(cls, qconfig_dict: Mapping[str, Any]) -> Self:
        """From {"": qconfig, "object_type": [(type, qconfig), ...], "module_name": [...], "module_name_regex": [...]}.

        Raises:
            QuantizationError: a key is none of these.
        """
        unknown = [key for key in qconfig_dict if key not in _KEYS]
        if unknown:
            raise QuantizationError(
                f"qconfig_dict has no key {unknown[0]!r}; its keys are {', '.join(map(repr, _KEYS))}"
            )
        mapping = cls().set_global(qconfig_dict.get(""))
        setters: dict[str, Any] = {
            "object_type": mapping.set_object_type,
            "module_name_regex": mapping.set_module_name_regex,
            "module_name": mapping.set_module_name,
            "module_name_object_type_order": mapping.set_module_name_object_type_order,
        }
        for key, setter in setters.items():
            rules = qconfig_dict.get(key, [])
            for rule in rules.items() if isinstance(rules, Mapping) else rules:
                setter(*rule)
        return mapping

    def to_dict(self) -> dict[str, Any]:
        """The same as a qconfig_dict."""
        return {
            "": self.global_qconfig,
            "object_type": list(self.object_type_qconfigs.items()),
            "module_name_regex": list(self.module_name_regex_qconfigs.items()),
            "module_name": list(self.module_name_qconfigs.items()),
            "module_name_object_type_order": [
                (*key, qconfig) for key, qconfig in self.module_name_object_type_order_qconfigs.items()
            ],
        }

    def qconfig_of(self, path: str, object_types: Sequence[Any], order: int = 0) -> Any:
        """The qconfig of a call.

        Args:
            path: of the module that is called, or that calls the function
            object_types: what the call may be named: the function, method or module class first, then the classes of
                the modules around it, from inside out
            order: how many calls of the first type the innermost module has made before
        """
        parts = path.split(".") if path else []
        paths = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
        exact = self.module_name_object_type_order_qconfigs
        for place in [*paths, ""]:
            if (place, object_types[0], order) in exact:
                return exact[place, object_types[0], order]
        for place in paths:
            if place in self.module_name_qconfigs:
                return self.module_name_qconfigs[place]
        for pattern, qconfig in self.module_name_regex_qconfigs.items():
            if re.match(pattern, path):
                return qconfig
        for object_type in object_types:
            if object_type in self.object_type_qconfigs:
                return self.object_type_qconfigs[object_type]
        return self.global_qconfig

    def __repr__(self) -> str:
        return f"QConfigMapping({self.to_dict()})"


def get_default_qconfig_mapping(backend: str = "qsdk", version: int = 0) -> QConfigMapping:
    """get_default_qconfig for the whole model."""
    return QConfigMapping().set_global(get_default_qconfig(backend, version))


def get_default_qat_qconfig_mapping(backend: str = "qsdk", version: int | None = 1) -> QConfigMapping:
    """get_default_qat_qconfig for the whole model."""
    return QConfigMapping().set_global(get_default_qat_qconfig(backend, version))


def get_default_qconfig_dict(backend: str = "qsdk", version: int = 0) -> dict[str, Any]:
    """get_default_qconfig_mapping as a qconfig_dict."""
    return get_default_qconfig_mapping(backend, version).to_dict()


def get_default_qat_qconfig_dict(backend: str = "qsdk", version: int | None = 1) -> dict[str, Any]:
    """get_default_qat_qconfig_mapping as a qconfig_dict."""
    return get_default_qat_qconfig_mapping(backend, version).to_dict()


__all__ = [
    "QConfigMapping",
    "get_default_qat_qconfig_dict",
    "get_default_qat_qconfig_mapping",
    "get_default_qconfig_dict",
    "get_default_qconfig_mapping",
]
