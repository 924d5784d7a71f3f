"""read(data): the bytes of a .qsdk file as plain dicts, every offset checked before it is followed.

Structure only, as the runtime's flat.c does it: bounds, alignment, required fields, union tags, a budget of tables.
What the fields mean is checked in serialize.py. A damaged file ends in a FileFormatError that names the field.
"""

from __future__ import annotations

import struct
import sys
from typing import Any

import numpy as np

from qsdk.errors import FileFormatError
from qsdk.export.schema_tables import ENUMS, IDENTIFIER, ROOT, STRUCTS, TABLES, UNIONS

_SCALARS = {"bool": "B", "ubyte": "B", "int": "i", "uint": "I", "ulong": "Q", "float": "f"}
_NUMPY = {"bool": "u1", "ubyte": "u1", "int": "<i4", "uint": "<u4", "ulong": "<u8", "float": "<f4"}
_TABLE_BUDGET = 1 << 20
_SIZE_LIMIT = (1 << 31) - 1


def read(data: bytes | memoryview) -> dict[str, Any]:
    """Root table as a dict: tables are dicts, vectors lists, a union is {'kind': name, **fields}.

    Raises:
        FileFormatError: the bytes are not a whole .qsdk file.
    """
    if sys.byteorder != "little":
        raise FileFormatError("this host is big-endian; .qsdk files are read on little-endian hosts")
    if len(data) < 16:
        raise FileFormatError(f"file: {len(data)} bytes are too few for a .qsdk file")
    if bytes(data[4:8]) != IDENTIFIER:
        raise FileFormatError(f"file: identifier is {bytes(data[4:8])!r}, not {IDENTIFIER!r}; is this a .qsdk file?")
    if len(data) > _SIZE_LIMIT:
        raise FileFormatError("file: larger than 2 GiB")
    reader = _Reader(data)
    return reader.table(reader.offset(0, "root"), ROOT, ROOT.lower())


class _Reader:
    def __init__(self, data: bytes | memoryview) -> None:
        self.data = data
        self.tables = 0

    def scalar(self, position: int, kind: str, path: str) -> Any:
        code = _SCALARS[kind]
        size = struct.calcsize(code)
        if position < 0 or position + size > len(self.data):
            raise FileFormatError(f"{path}: lies outside the file")
        if position % size:
            raise FileFormatError(f"{path}: misaligned")
        value = struct.unpack_from("<" + code, self.data, position)[0]
        if kind == "bool":
            if value > 1:
                raise FileFormatError(f"{path}: a truth value is {value}")
            return bool(value)
        return value

    def offset(self, position: int, path: str) -> int:
        distance = self.scalar(position, "uint", path)
        if distance == 0 or position + distance + 4 > len(self.data):
            raise FileFormatError(f"{path}: offset {distance} leads outside the file")
        return position + distance

    def table(self, position: int, name: str, path: str) -> dict[str, Any]:
        self.tables += 1
        if self.tables > _TABLE_BUDGET:
            raise FileFormatError(f"{path}: the file has more than {_TABLE_BUDGET} tables")
        vtable = position - self.scalar(position, "int", path)
        slots_size = self._u16(vtable, path)
        table_size = self._u16(vtable + 2, path)
        if slots_size < 4 or slots_size % 2 or vtable + slots_size > len(self.data):
            raise FileFormatError(f"{path}: bad vtable")
        if table_size < 4 or position + table_size > len(self.data):
            raise FileFormatError(f"{path}: table reaches past the end of the file")

        def slot(index: int) -> int:
            where = 4 + 2 * index
            start = self._u16(vtable + where, path) if where + 2 <= slots_size else 0
            if start and not 4 <= start < table_size:
                raise FileFormatError(f"{path}: field lies outside its table")
            return position + start if start else 0

        result: dict[str, Any] = {}
        for field in TABLES[name]:
            where = slot(field.slot)
            here = f"{path}.{field.name}"
            if not where:
                if field.required:
                    raise FileFormatError(f"{here}: required, but missing")
                result[field.name] = [] if field.kind == "vector" else "" if field.kind == "string" else field.default
                continue
            if field.kind == "string":
                result[field.name] = self.string(self.offset(where, here), here)
            elif field.kind == "vector":
                result[field.name] = self.vector(self.offset(where, here), field.element, here)
            elif field.kind == "table":
                result[field.name] = self.table(self.offset(where, here), field.element, here)
            elif field.kind == "union":
                type_position = slot(field.slot - 1)
                tag = self.scalar(type_position, "ubyte", here) if type_position else 0
                members = UNIONS[field.element]
                if not 1 <= tag <= len(members):
                    raise FileFormatError(f"{here}: unknown operator code {tag}; a newer qsdk may know it")
                kind = members[tag - 1]
                result[field.name] = {"kind": kind, "fields": self.table(self.offset(where, here), kind, here)}
            else:
                value = self.scalar(where, field.kind, here)
                result[field.name] = value
        return result

    def string(self, position: int, path: str) -> str:
        length = self._length(position, 1, 1, path)
        raw = bytes(self.data[position + 4 : position + 4 + length])
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise FileFormatError(f"{path}: not UTF-8") from None

    def vector(self, position: int, element: str, path: str) -> list[Any]:
        if element in _SCALARS:
            dtype = np.dtype(_NUMPY[element])
            length = self._length(position, dtype.itemsize, 0, path)
            return np.frombuffer(self.data, dtype, length, position + 4).tolist()
        if element in STRUCTS:
            layout = "<" + "".join(_SCALARS[kind] for _, kind in STRUCTS[element])
            size = struct.calcsize(layout)
            length = self._length(position, size, 0, path)
            names = [name for name, _ in STRUCTS[element]]
            start = position + 4
            return [
                dict(zip(names, values, strict=True))
                for values in struct.iter_unpack(layout, self.data[start : start + length * size])
            ]
        length = self._length(position, 4, 0, path)
        items = (position + 4 + 4 * i for i in range(length))
        return [self.table(self.offset(p, f"{path}[{i}]"), element, f"{path}[{i}]") for i, p in enumerate(items)]

    def _length(self, position: int, size: int, extra: int, path: str) -> int:
        length: int = self.scalar(position, "uint", path)
        if position + 4 + length * size + extra > len(self.data):
            raise FileFormatError(f"{path}: {length} elements reach past the end of the file")
        return length

    def _u16(self, position: int, path: str) -> int:
        if position < 0 or position + 2 > len(self.data) or position % 2:
            raise FileFormatError(f"{path}: bad vtable")
        return int(struct.unpack_from("<H", self.data, position)[0])


def enum_name(enum: str, value: int, path: str) -> str:
    for name, number in ENUMS[enum].items():
        if number == value:
            return name
    raise FileFormatError(f"{path}: unknown {enum} {value}; a newer qsdk may know it")
