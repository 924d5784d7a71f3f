"""serialize(program) -> bytes and deserialize(bytes) -> Program: the .qsdk file, driven by the schema's tables.

The flatbuffer comes first, the constants after it, each at a multiple of 64 bytes (see schema/qsdk.fbs).
"""

from __future__ import annotations

import math
import os
import struct
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np

from qsdk.errors import FileFormatError
from qsdk.export import verify
from qsdk.export.program import DTYPES, Operation, PackedWeights, Program, SeededInput, TensorInfo, TestVector
from qsdk.export.schema_tables import ENUMS, IDENTIFIER, ROOT, STRUCTS, TABLES, UNIONS

FORMAT_VERSION = 1
NUMERICS_VERSION = 1
ALIGNMENT = 64
MAX_RANK = 8
_PLACEHOLDER = 0xFFFFFFFF
# What options may be; padding is capped so that no file can make the reference pad its way through the memory.
_BOUNDS = {
    "stride": (1, 1 << 20),
    "dilation": (1, 1 << 20),
    "kernel_size": (1, 1 << 20),
    "output_size": (1, 1 << 20),
    "groups": (1, 1 << 20),
    "bits": (4, 8),
    "k": (1, 1 << 31),
    "num_groups": (1, 1 << 20),
    "padding": (0, 1 << 10),
    "output_padding": (0, 1 << 10),
    "output_min": (-128, 127),
    "output_max": (-128, 127),
}
_SIZES = {"bool": 1, "ubyte": 1, "int": 4, "uint": 4, "ulong": 8, "float": 4}
_PREPEND = {
    "bool": "PrependBool", "ubyte": "PrependUint8", "int": "PrependInt32",
    "uint": "PrependUint32", "ulong": "PrependUint64", "float": "PrependFloat32",
}  # fmt: skip


def _align(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


# ---- writing -----------------------------------------------------------------------------------------------------


def serialize(program: Program, strip_names: bool = False, producer: str = "qsdk") -> bytes:
    """The file's bytes. The program must have been planned."""
    segment = _Segment()
    tensors = []
    for tensor in program.tensors:
        fields: dict[str, Any] = {
            "name": "" if strip_names else tensor.name,
            "kind": ENUMS["TensorKind"]["constant" if tensor.is_constant else "activation"],
            "dtype": ENUMS["DType"][tensor.dtype],
            "shape": tensor.shape,
            "scale": tensor.scale,
            "zero_point": tensor.zero_point,
            "channel_axis": tensor.channel_axis,
        }
        if tensor.data is not None:
            fields["buffer"] = segment.add(tensor.data)
        else:
            fields["offset"] = tensor.offset
        tensors.append(fields)
    model = {
        "version": FORMAT_VERSION,
        "numerics": NUMERICS_VERSION,
        "crc32": _PLACEHOLDER,
        "producer": producer,
        "name": "" if strip_names else program.name,
        "tensors": tensors,
        "operators": [
            {
                "name": "" if strip_names else op.name,
                "inputs": op.inputs,
                "outputs": op.outputs,
                "operation": {"kind": op.kind, "fields": op.options},
                "live": op.live,
            }
            for op in program.operators
        ],
        "inputs": program.inputs,
        "outputs": program.outputs,
        "regions": [{"size": program.arena_size, "peak_live": program.peak_live}],
        "test_vectors": [
            {
                "seed": v.seed,
                "seeded": [asdict(s) for s in v.seeded],
                "output_crc": v.output_crc,
                "inputs": [segment.add(a) for a in v.inputs],
                "outputs": [segment.add(a) for a in v.outputs],
            }
            for v in program.test_vectors
        ],
    }
    model["packed"] = [
        {
            "tensor": p.tensor,
            "pack_id": p.pack_id,
            "layout_version": p.layout_version,
            "buffer": segment.add(p.data),
            "operator": p.operator,
        }
        for p in program.packed
    ]
    model["buffers"] = segment.buffers
    model["data_size"] = segment.size
    # data_offset is stored whatever it is, so its value does not change the flatbuffer's size.
    head = _build({**model, "data_offset": ALIGNMENT})
    data_offset = _align(len(head))
    head = _build({**model, "data_offset": data_offset})
    file = bytearray(head)
    file += bytes(data_offset - len(head))
    for chunk in segment.chunks:
        file += chunk
    position = _crc_position(file)
    file[position : position + 4] = bytes(4)
    file[position : position + 4] = struct.pack("<I", zlib.crc32(file))
    return bytes(file)


def write(data: bytes, path: str | os.PathLike[str]) -> None:
    """Write atomically: the file appears whole or not at all, and an older one stays until then."""
    target = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent or ".")
    except OSError as error:
        raise FileFormatError(
            f"cannot write {target}: {error.strerror}; is {target.parent} a writable folder?"
        ) from error
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise FileFormatError(f"cannot write {target}: {error.strerror}") from error
        raise


class _Segment:
    """The data segment: equal arrays are stored once."""

    def __init__(self) -> None:
        self.buffers: list[dict[str, int]] = []
        self.chunks: list[bytes] = []
        self.size = 0
        self._index: dict[bytes, int] = {}

    def add(self, array: np.ndarray) -> int:
        content = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        if content not in self._index:
            self._index[content] = len(self.buffers)
            self.buffers.append({"offset": self.size, "size": len(content)})
            padded = _align(len(content))
            self.chunks.append(content + bytes(padded - len(content)))
            self.size += padded
        return self._index[content]


def _build(model: Mapping[str, Any]) -> bytes:
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(_table(builder, ROOT, model), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _table(builder: flatbuffers.Builder, name: str, values: Mapping[str, Any]) -> int:
    children: dict[str, int] = {}
    for field in TABLES[name]:
        value = values.get(field.name)
        if value is None:
            continue
        if field.kind == "string" and value:
            children[field.name] = builder.CreateString(value)
        elif field.kind == "vector" and (len(value) or field.required):
            children[field.name] = _vector(builder, field.element, value)
        elif field.kind == "table":
            children[field.name] = _table(builder, field.element, value)
        elif field.kind == "union":
            children[field.name] = _table(builder, value["kind"], value["fields"])
    builder.StartObject(max((f.slot for f in TABLES[name]), default=-1) + 1)
    for field in TABLES[name]:
        if field.name in children:
            if field.kind == "union":
                tag = UNIONS[field.element].index(values[field.name]["kind"]) + 1
                builder.PrependUint8Slot(field.slot - 1, tag, 0)
            builder.PrependUOffsetTRelativeSlot(field.slot, children[field.name], 0)
        elif field.kind in _PREPEND and values.get(field.name) is not None:
            value = values[field.name]
            value = ENUMS[field.element][value] if isinstance(value, str) else value
            getattr(builder, _PREPEND[field.kind] + "Slot")(field.slot, value, field.default)
    return int(builder.EndObject())


def _vector(builder: flatbuffers.Builder, element: str, values: Sequence[Any]) -> int:
    if element in _SIZES:
        builder.StartVector(_SIZES[element], len(values), _SIZES[element])
        for value in reversed(values):
            getattr(builder, _PREPEND[element])(value)
    elif element in STRUCTS:
        size = sum(_SIZES[kind] for _, kind in STRUCTS[element])
        align = max(_SIZES[kind] for _, kind in STRUCTS[element])
        builder.StartVector(size, len(values), align)
        for value in reversed(values):
            builder.Prep(align, size)
            for name, kind in reversed(STRUCTS[element]):
                getattr(builder, _PREPEND[kind])(value[name])
    else:
        offsets = [_table(builder, element, value) for value in values]
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _crc_position(file: bytes | bytearray) -> int:
    slot = next(f.slot for f in TABLES[ROOT] if f.name == "crc32")
    root = struct.unpack_from("<I", file, 0)[0]
    vtable = root - struct.unpack_from("<i", file, root)[0]
    return int(root + struct.unpack_from("<H", file, vtable + 4 + 2 * slot)[0])


# ---- reading -----------------------------------------------------------------------------------------------------


def load(source: str | os.PathLike[str] | bytes) -> bytes:
    """The bytes of a file given by path, or the bytes themselves."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise FileFormatError(f"cannot read {source}: {error.strerror}") from error


def checksum_ok(data: bytes) -> bool:
    """Whether the file's CRC-32 is the one it carries. The structure must have been read before."""
    position = _crc_position(data)
    stored = struct.unpack_from("<I", data, position)[0]
    blank = bytearray(data)
    blank[position : position + 4] = bytes(4)
    return bool(zlib.crc32(blank) == stored)


def deserialize(data: bytes) -> Program:
    """The Program in a file.

    Raises:
        FileFormatError: damaged, another version, or a field out of range; the message names the field.
    """
    model = verify.read(data)
    for field, expected in (("version", FORMAT_VERSION), ("numerics", NUMERICS_VERSION)):
        if model[field] != expected:
            raise FileFormatError(
                f"model.{field}: is {model[field]}, this qsdk reads {expected}; export the model again or use the "
                "qsdk that wrote it"
            )
    if model["data_offset"] % ALIGNMENT or model["data_offset"] + model["data_size"] != len(data):
        raise FileFormatError(
            f"model.data_size: the data segment ends at {model['data_offset'] + model['data_size']}, the file at "
            f"{len(data)}; it is truncated or has something appended"
        )
    segment = memoryview(data)[model["data_offset"] :]
    buffers = []
    for i, buffer in enumerate(model["buffers"]):
        if buffer["offset"] % ALIGNMENT or buffer["offset"] + buffer["size"] > len(segment):
            raise FileFormatError(f"model.buffers[{i}]: lies outside the data segment or is misaligned")
        buffers.append(segment[buffer["offset"] : buffer["offset"] + buffer["size"]])
    tensors = tuple(_tensor(t, f"model.tensors[{i}]", buffers) for i, t in enumerate(model["tensors"]))
    operators = tuple(_operator(o, f"model.operators[{i}]", tensors) for i, o in enumerate(model["operators"]))
    inputs = tuple(_index(i, tensors, "model.inputs") for i in model["inputs"])
    outputs = tuple(_index(i, tensors, "model.outputs") for i in model["outputs"])
    if not operators or not outputs:
        raise FileFormatError("model.operators: a model needs at least one operator and one output")
    if len(model["regions"]) != 1:
        raise FileFormatError(f"model.regions: {len(model['regions'])} regions; this qsdk supports one")
    _check_order(operators, inputs, outputs, tensors)
    packed = tuple(
        _packed(p, f"model.packed[{i}]", len(operators), len(tensors), buffers) for i, p in enumerate(model["packed"])
    )
    _check_packed(packed)
    return Program(
        tensors=tensors,
        operators=operators,
        inputs=inputs,
        outputs=outputs,
        name=model["name"],
        arena_size=model["regions"][0]["size"],
        peak_live=model["regions"][0]["peak_live"],
        test_vectors=tuple(
            _test_vector(v, f"model.test_vectors[{i}]", [tensors[t] for t in inputs], [tensors[t] for t in outputs],
                         buffers)
            for i, v in enumerate(model["test_vectors"])
        ),
        packed=packed,
    )  # fmt: skip


def _packed(
    fields: dict[str, Any], path: str, operators: int, tensors: int, buffers: list[memoryview]
) -> PackedWeights:
    for name, count in (("operator", operators), ("tensor", tensors), ("buffer", len(buffers))):
        if not 0 <= fields[name] < count:
            raise FileFormatError(f"{path}.{name}: index {fields[name]} of {count}")
    data = np.frombuffer(buffers[fields["buffer"]], np.uint8)
    return PackedWeights(fields["operator"], fields["tensor"], fields["pack_id"], fields["layout_version"], data)


def _check_packed(packed: Sequence[PackedWeights]) -> None:
    for i in range(1, len(packed)):
        if packed[i].operator < packed[i - 1].operator:
            raise FileFormatError(f"model.packed[{i}].operator: {packed[i].operator} after {packed[i - 1].operator}")


def _index(value: int, items: Sequence[Any], path: str) -> int:
    if not 0 <= value < len(items):
        raise FileFormatError(f"{path}: index {value} of {len(items)}")
    return value


def _array(data: memoryview, dtype: str, shape: tuple[int, ...], path: str) -> np.ndarray:
    size = math.prod(shape) * DTYPES[dtype].itemsize
    if len(data) != size:
        raise FileFormatError(f"{path}: the buffer has {len(data)} bytes, {dtype}{list(shape)} takes {size}")
    return np.frombuffer(data, DTYPES[dtype]).reshape(shape)


def _tensor(fields: dict[str, Any], path: str, buffers: list[memoryview]) -> TensorInfo:
    kind = verify.enum_name("TensorKind", fields["kind"], f"{path}.kind")
    dtype = verify.enum_name("DType", fields["dtype"], f"{path}.dtype")
    if kind == "state" or dtype not in DTYPES or fields["dynamic_axis"] != -1 or fields["region"] != 0:
        raise FileFormatError(f"{path}: {kind} of {dtype}, or a dynamic axis or region, is not supported by this qsdk")
    shape = tuple(fields["shape"])
    if len(shape) > MAX_RANK or any(extent < 1 for extent in shape) or math.prod(shape) > 1 << 31:
        raise FileFormatError(f"{path}.shape: {list(shape)}")
    scale, zero_point = tuple(fields["scale"]), tuple(fields["zero_point"])
    if len(scale) != len(zero_point) or any(not 2.0**-60 <= s <= 2.0**60 for s in scale):
        raise FileFormatError(f"{path}.scale: needs finite positive scales in [2^-60, 2^60], a zero point each")
    if any(not -128 <= z <= 127 for z in zero_point):
        raise FileFormatError(f"{path}.zero_point: out of [-128, 127]")
    data = None
    if kind == "constant":
        data = _array(buffers[_index(fields["buffer"], buffers, f"{path}.buffer")], dtype, shape, path)
    return TensorInfo(fields["name"], dtype, shape, scale, zero_point, fields["channel_axis"], data, fields["offset"])


def _operator(fields: dict[str, Any], path: str, tensors: tuple[TensorInfo, ...]) -> Operation:
    operation = fields["operation"]
    options: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in operation["fields"].items()}
    if operation["kind"] == "custom":
        raise FileFormatError(f"{path}: custom operators are not supported by this qsdk")
    for field in TABLES[operation["kind"]]:
        if field.element in ENUMS:
            where = f"{path}.operation.{field.name}"
            options[field.name] = verify.enum_name(field.element, options[field.name], where)
    for name, value in options.items():
        if name not in _BOUNDS:
            continue
        low, high = _BOUNDS[name]
        if any(not low <= v <= high for v in (value if isinstance(value, tuple) else (value,))):
            raise FileFormatError(f"{path}.operation.{name}: {value} is out of [{low}, {high}]")
    return Operation(
        kind=operation["kind"],
        inputs=tuple(_index(i, tensors, f"{path}.inputs") for i in fields["inputs"]),
        outputs=tuple(_index(i, tensors, f"{path}.outputs") for i in fields["outputs"]),
        options=options,
        name=fields["name"],
        live=tuple(_index(i, tensors, f"{path}.live") for i in fields["live"]),
    )


def _check_order(
    operators: tuple[Operation, ...], inputs: tuple[int, ...], outputs: tuple[int, ...], tensors: tuple[TensorInfo, ...]
) -> None:
    ready = {i for i, tensor in enumerate(tensors) if tensor.is_constant} | set(inputs)
    for position, op in enumerate(operators):
        path = f"model.operators[{position}]"
        if not op.outputs or not op.inputs:
            raise FileFormatError(f"{path}: needs inputs and outputs")
        for index in op.inputs:
            if index not in ready:
                raise FileFormatError(f"{path}.inputs: tensor {index} is read before it is written")
        for index in op.outputs:
            if index in ready:
                raise FileFormatError(f"{path}.outputs: tensor {index} is written twice")
            ready.add(index)
    for index in outputs:
        if index not in ready:
            raise FileFormatError(f"model.outputs: tensor {index} is never written")


def _test_vector(
    fields: dict[str, Any],
    path: str,
    inputs: list[TensorInfo],
    outputs: list[TensorInfo],
    buffers: list[memoryview],
) -> TestVector:
    def arrays(key: str, tensors: list[TensorInfo]) -> tuple[np.ndarray, ...]:
        if fields[key] and len(fields[key]) != len(tensors):
            raise FileFormatError(f"{path}.{key}: {len(fields[key])} buffers for {len(tensors)} tensors")
        return tuple(
            _array(buffers[_index(b, buffers, f"{path}.{key}")], t.dtype, t.shape, f"{path}.{key}")
            for b, t in zip(fields[key], tensors, strict=False)
        )

    return TestVector(
        seed=fields["seed"],
        seeded=tuple(SeededInput(**s) for s in fields["seeded"]),
        output_crc=tuple(fields["output_crc"]),
        inputs=arrays("inputs", inputs),
        outputs=arrays("outputs", outputs),
    )
