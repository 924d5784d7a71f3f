"""One malformed file per class of attack or accident: the runtime refuses each, naming the field; so does Python.

The classes are those of the safety table: 1 offsets, 2 indices, 3 sizes, 4 overflow, 5 alignment, 6 rank, 7 zeros,
8 extreme divisors, 9 absent operands, 10 axes, 11 shapes, 12 aliasing, 13 order, 14 amplification, 15 exhaustion,
16 quantization parameters, 17 multipliers, 18 types, 19 permutations and scratch, 22 verification is always on.
"""

from __future__ import annotations

import copy
import struct
from collections.abc import Callable
from typing import Any

import flatbuffers
import pytest
import torch

import qsdk
from qsdk.export import to_bytes, verify
from qsdk.export.schema_tables import IDENTIFIER, ROOT, TABLES, UNIONS
from qsdk.export.serialize import _build, _table, _vector, deserialize
from qsdk.reference.interpreter import check_shapes

Model = dict[str, Any]


def rebuild(model: Model, segment: bytes) -> bytes:
    """A file from a table of fields, however wrong they are."""
    head = _build(model | {"data_offset": 64, "crc32": 1})
    offset = -(-len(head) // 64) * 64
    head = _build(model | {"data_offset": offset + model.get("_shift", 0), "crc32": 1})
    return head + bytes(offset - len(head)) + segment


def operator(model: Model, kind: str) -> Model:
    return next(op for op in model["operators"] if op["operation"]["kind"] == kind)


def options(model: Model, kind: str) -> Model:
    fields: Model = operator(model, kind)["operation"]["fields"]
    return fields


def operand(model: Model, kind: str, position: int) -> Model:
    tensor: Model = model["tensors"][operator(model, kind)["inputs"][position]]
    return tensor


def result(model: Model, kind: str) -> Model:
    tensor: Model = model["tensors"][operator(model, kind)["outputs"][0]]
    return tensor


def _swap_operators(m: Model) -> None:
    m["operators"][3], m["operators"][4] = m["operators"][4], m["operators"][3]


def _output_is_input(m: Model) -> None:
    convolution = operator(m, "conv2d")
    convolution["outputs"] = convolution["inputs"][:1]


def _packed(m: Model, **fields: int) -> None:
    section = {"tensor": 0, "pack_id": "k", "layout_version": 1, "buffer": 0, "operator": 0} | fields
    m["packed"] = [*m["packed"], section]


def _overlap(m: Model) -> None:
    """The residual's first operand moves onto the tensor that is computed while it waits."""
    add = operator(m, "add")
    first, second = (m["tensors"][i] for i in add["inputs"])
    second["offset"] = first["offset"]


# (class, name, what is done to a good file, what the runtime's message must name)
CASES: list[tuple[int, str, Callable[[Model], Any], str]] = [
    (2, "tensor index", lambda m: operator(m, "conv2d")["inputs"].__setitem__(0, 9999), r"operators\[\d+\]"),
    (2, "negative index", lambda m: operator(m, "conv2d")["outputs"].__setitem__(0, -1), r"operators\[\d+\]"),
    (2, "buffer index", lambda m: operand(m, "conv2d", 1).update(buffer=999), r"tensors\[\d+\]\.buffer"),
    (2, "input index", lambda m: m["inputs"].__setitem__(0, 5000), "inputs"),
    (2, "output index", lambda m: m["outputs"].__setitem__(0, 5000), "outputs"),
    (2, "packed operator", lambda m: _packed(m, operator=9999), r"packed\[0\]\.operator"),
    (2, "packed for nobody", lambda m: _packed(m, operator=-1), r"packed\[0\]\.operator"),
    (2, "packed tensor", lambda m: _packed(m, tensor=-1), r"packed\[0\]\.tensor"),
    (2, "packed buffer", lambda m: _packed(m, buffer=9999), r"packed\[0\]\.buffer"),
    (13, "packed order", lambda m: _packed(m, operator=3) or _packed(m, operator=2), r"packed\[1\]\.operator"),
    (3, "buffer size", lambda m: m["buffers"][0].update(size=m["buffers"][0]["size"] - 1), r"tensors\[\d+\]"),
    (3, "buffer past the end", lambda m: m["buffers"][0].update(offset=1 << 30), r"buffers\[0\]"),
    (3, "segment size", lambda m: m.update(data_size=m["data_size"] + 64), "data"),
    (4, "product overflows", lambda m: result(m, "conv2d").update(shape=[1 << 30, 1 << 30, 1 << 30, 16]), r"tensors\["),
    (4, "offset overflows", lambda m: result(m, "conv2d").update(offset=(1 << 64) - 64), r"tensors\["),
    (4, "buffer overflows", lambda m: m["buffers"][0].update(offset=(1 << 64) - 64), r"buffers\[0\]"),
    (5, "tensor alignment", lambda m: result(m, "conv2d").update(offset=4), r"tensors\["),
    (5, "buffer alignment", lambda m: m["buffers"][1].update(offset=m["buffers"][1]["offset"] + 1), r"buffers\[1\]"),
    (6, "rank", lambda m: result(m, "conv2d").update(shape=[1] * 9), r"tensors\[\d+\]\.shape"),
    (7, "stride 0", lambda m: options(m, "conv2d").update(stride=[0, 1]), "stride"),
    (7, "dilation 0", lambda m: options(m, "conv2d").update(dilation=[1, 0]), "dilation"),
    (7, "groups 0", lambda m: options(m, "conv2d").update(groups=0), "groups"),
    (7, "kernel 0", lambda m: options(m, "max_pool2d").update(kernel_size=[0, 2]), "kernel_size"),
    (7, "extent 0", lambda m: result(m, "conv2d").update(shape=[1, 0, 8, 16]), r"tensors\[\d+\]\.shape"),
    (8, "stride INT_MIN", lambda m: options(m, "max_pool2d").update(stride=[-(2**31), -1]), "stride"),
    (9, "operand missing", lambda m: operator(m, "conv2d")["inputs"].pop(), r"operators\[\d+\].*inputs"),
    (9, "constant without buffer", lambda m: operand(m, "conv2d", 1).update(buffer=-1), r"tensors\[\d+\]\.buffer"),
    (9, "no stride", lambda m: options(m, "conv2d").update(stride=[]), "stride"),
    (10, "axis", lambda m: options(m, "permute").update(dims=[0, 3, 1, -2]), "dims"),
    (11, "output shape", lambda m: result(m, "conv2d").update(shape=[1, 8, 7, 16]), r"operators\[\d+\]"),
    (11, "weight shape", lambda m: operand(m, "conv2d", 2).update(shape=[4, 4]), r"(operators|tensors)\[\d+\]"),
    (11, "reshape", lambda m: result(m, "reshape").update(shape=[1, 8, 4, 1]), r"operators\[\d+\]"),
    (12, "overlap", _overlap, r"operators\[\d+\]"),
    (12, "live list", lambda m: m["operators"][3].update(live=[]), r"operators\[\d+\]"),
    (12, "output is input", _output_is_input, "operators"),
    (13, "order", _swap_operators, r"operators\[\d+\]"),
    (15, "arena", lambda m: m["regions"][0].update(size=1 << 60), "region"),
    (15, "no operators", lambda m: m.update(operators=[]), "operators"),
    (16, "scale 0", lambda m: result(m, "conv2d").update(scale=[0.0]), "scale"),
    (16, "scale NaN", lambda m: result(m, "conv2d").update(scale=[float("nan")]), "scale"),
    (16, "scale negative", lambda m: result(m, "conv2d").update(scale=[-0.5]), "scale"),
    (16, "no scale", lambda m: result(m, "conv2d").update(scale=[], zero_point=[]), "scale|quantiz"),
    (16, "zero point", lambda m: result(m, "conv2d").update(zero_point=[128]), "zero_point"),
    (16, "zero point count", lambda m: result(m, "conv2d").update(zero_point=[]), "zero_point|scale"),
    (16, "qparams change", lambda m: result(m, "max_pool2d").update(scale=[0.123]), r"operators\[\d+\]"),
    (17, "multiplier", lambda m: options(m, "add").update(input_multiplier=1e30), "multiplier"),
    (17, "multiplier NaN", lambda m: options(m, "add").update(other_multiplier=float("nan")), "multiplier"),
    (17, "inverse", lambda m: options(m, "quantize_per_tensor").update(inverse_scale=float("inf")), "inverse_scale"),
    (17, "range", lambda m: options(m, "conv2d").update(output_min=5, output_max=4), "output_m"),
    (18, "weight type", lambda m: operand(m, "conv2d", 1).update(dtype=0), r"(tensors|operators)\[\d+\]"),
    (18, "activation type", lambda m: result(m, "conv2d").update(dtype=0), r"(tensors|operators)\[\d+\]"),
    (18, "unknown type", lambda m: result(m, "conv2d").update(dtype=99), r"tensors\[\d+\]\.dtype"),
    (18, "unknown kind", lambda m: result(m, "conv2d").update(kind=9), r"tensors\[\d+\]\.kind"),
    (19, "permutation", lambda m: options(m, "permute").update(dims=[0, 1, 1, 2]), "dims"),
]  # fmt: skip


@pytest.fixture(scope="module")
def good(digits: tuple[torch.nn.Module, torch.Tensor]) -> tuple[Model, bytes]:
    data = to_bytes(*digits)[1]
    model = verify.read(data)
    return model, data[model["data_offset"] :]


def test_rebuilding_is_faithful(good: tuple[Model, bytes]) -> None:
    data = rebuild(*good)
    qsdk.Session(data).self_test()
    check_shapes(deserialize(data))


@pytest.mark.parametrize(("number", "name", "damage", "field"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES])
def test_refused(good: tuple[Model, bytes], number: int, name: str, damage: Callable[[Model], Any], field: str) -> None:
    model, segment = copy.deepcopy(good[0]), good[1]
    damage(model)
    data = rebuild(model, segment)
    with pytest.raises(qsdk.FileFormatError, match=field):
        qsdk.Session(data)


# What the reference may not stumble over either: everything but the arena, which it does not use, and relations
# between qparams and types that its own operators check.
_ARENA_ONLY = {(4, "offset overflows"), (5, "tensor alignment"), (12, "overlap"), (12, "live list"), (15, "arena")}


@pytest.mark.parametrize(("number", "name", "damage"), [c[:3] for c in CASES if c[:2] not in _ARENA_ONLY],
                         ids=[f"{c[0]}-{c[1]}" for c in CASES if c[:2] not in _ARENA_ONLY])  # fmt: skip
def test_python_survives(
    good: tuple[Model, bytes], digits: tuple[torch.nn.Module, torch.Tensor], number: int, name: str,
    damage: Callable[[Model], Any],
) -> None:  # fmt: skip
    model, segment = copy.deepcopy(good[0]), good[1]
    damage(model)
    data = rebuild(model, segment)
    if number in (1, 2, 3, 6, 7, 8, 9, 13, 18):
        with pytest.raises(qsdk.FileFormatError):
            qsdk.reference.run(data, digits[1])
        return
    try:
        qsdk.reference.run(data, digits[1])
    except qsdk.QsdkError as error:
        assert str(error)


def _patched(data: bytes, position: int, value: bytes) -> bytes:
    return data[:position] + value + data[position + len(value) :]


def test_class_1_offsets(good: tuple[Model, bytes]) -> None:
    data = rebuild(*good)
    root = struct.unpack_from("<I", data, 0)[0]
    for bad in (
        _patched(data, 0, struct.pack("<I", 0xFFFFFFF0)),
        _patched(data, 0, struct.pack("<I", 2)),
        _patched(data, root, struct.pack("<i", -(2**31))),
        _patched(data, root, struct.pack("<i", 2**31 - 1)),
        data[:8],
        data[:4] + b"TFL3" + data[8:],
    ):
        with pytest.raises(qsdk.FileFormatError):
            qsdk.Session(bad)
        with pytest.raises(qsdk.FileFormatError):
            deserialize(bad)


def test_class_14_amplification(good: tuple[Model, bytes]) -> None:
    """Thousands of entries that all point to one table: refused or read once, but never slow."""
    model = good[0]
    builder = flatbuffers.Builder(1 << 22)
    one = _table(builder, "Tensor", model["tensors"][0])
    builder.StartVector(4, 500_000, 4)
    for _ in range(500_000):
        builder.PrependUOffsetTRelative(one)
    vector = builder.EndVector()
    empty = _vector(builder, "int", [])
    builder.StartObject(len(TABLES[ROOT]))
    for field in TABLES[ROOT]:
        if field.name == "tensors":
            builder.PrependUOffsetTRelativeSlot(field.slot, vector, 0)
        elif field.required:
            builder.PrependUOffsetTRelativeSlot(field.slot, empty, 0)
    builder.Finish(builder.EndObject(), file_identifier=IDENTIFIER)
    data = bytearray(builder.Output())
    with pytest.raises(qsdk.FileFormatError):
        qsdk.Session(bytes(data))


@pytest.mark.parametrize(("field", "value"), [("version", 2), ("version", 0), ("numerics", 7)])
def test_versions(good: tuple[Model, bytes], field: str, value: int) -> None:
    data = rebuild(good[0] | {field: value}, good[1])
    with pytest.raises(qsdk.FileFormatError, match=f"VERSION.*{field}"):
        qsdk.Session(data)
    with pytest.raises(qsdk.FileFormatError, match=field):
        deserialize(data)


def test_unknown_operator(good: tuple[Model, bytes]) -> None:
    """A tag past the union's last member."""
    model = copy.deepcopy(good[0])
    names = UNIONS["Operation"]
    UNIONS["Operation"] = (*names, *(f"future{i}" for i in range(20)))
    TABLES["future9"] = ()
    try:
        model["operators"][4]["operation"] = {"kind": "future9", "fields": {}}
        data = rebuild(model, good[1])
    finally:
        UNIONS["Operation"] = names
        del TABLES["future9"]
    with pytest.raises(qsdk.FileFormatError, match=r"OPERATOR.*operators\[4\]"):
        qsdk.Session(data)
    with pytest.raises(qsdk.FileFormatError, match=r"operators\[4\].*unknown operator"):
        deserialize(data)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("state", lambda m: result(m, "conv2d").update(kind=2)),
        ("dynamic axis", lambda m: result(m, "conv2d").update(dynamic_axis=0)),
        ("region", lambda m: result(m, "conv2d").update(region=1)),
    ],
)
def test_reserved_fields_are_refused(good: tuple[Model, bytes], name: str, damage: Callable[[Model], Any]) -> None:
    model = copy.deepcopy(good[0])
    damage(model)
    data = rebuild(model, good[1])
    with pytest.raises(qsdk.QsdkError):
        qsdk.Session(data)
    with pytest.raises(qsdk.FileFormatError):
        deserialize(data)
