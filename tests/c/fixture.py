"""Writes the files that test_core and mutate are given.

    python tests/c/fixture.py FOLDER

every_operator.qsdk: a small program with all operators on int8, and every field stored, defaults too, so that a test
can damage any of them in place. dynamic.qsdk: the same for operators on float; embedding.qsdk: for embedding tables;
recurrent.qsdk: for recurrent layers; lstm.qsdk and gru.qsdk: for those on int8; float.qsdk: for what quantizes nothing;
weight_only.qsdk: for weights alone quantized. packed.qsdk: as every_operator.qsdk, with weights packed for this host.
selection.qsdk: comparisons and selections. threads.qsdk, attention.qsdk and recurrence.qsdk: enough work for
several threads.
shared.qsdk: a small file whose tables refer to the same long vectors over and over.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import flatbuffers
import numpy as np

from qsdk.export import pack, serialize
from qsdk.export.plan import plan
from qsdk.export.program import Operation, Program, SeededInput, TensorInfo, TestVector
from qsdk.export.schema_tables import IDENTIFIER, ROOT, TABLES, UNIONS
from qsdk.export.vectors import crc, seeded_inputs
from qsdk.reference.constants import softmax_table
from qsdk.reference.interpreter import run
from qsdk.runtime import available_isas

RANGE = {"output_min": -128, "output_max": 127}
# An inverted residual block with everything: an expansion of 1x1, 3x3, the input added.
BLOCK = {
    "stride": (1, 1, 1, 1),
    "padding": (0, 0, 0, 0, 1, 1, 1, 1),
    "dilation": (1, 1),
    "zero_point": (3, 4, 5),
    "output_min": (3, 4, -128, -128),
    "output_max": (100, 101, 127, 120),
    "residual_multiplier": (0.5, 0.75),
}


class Draft:
    """Tensors and operators in the order in which they are added."""

    def __init__(self) -> None:
        self.tensors: list[TensorInfo] = []
        self.operators: list[Operation] = []
        self.random = np.random.default_rng(1)

    def tensor(self, shape: tuple[int, ...], scale: float = 0.05, zero_point: int = 3, dtype: str = "int8") -> int:
        qparams = ((scale,), (zero_point,)) if dtype == "int8" else ((), ())
        self.tensors.append(TensorInfo(f"t{len(self.tensors)}", dtype, shape, *qparams))
        return len(self.tensors) - 1

    def constant(self, array: np.ndarray) -> int:
        self.tensors.append(TensorInfo(f"c{len(self.tensors)}", array.dtype.name, array.shape, data=array))
        return len(self.tensors) - 1

    def weights(self, *shape: int) -> list[int]:
        weight = self.random.integers(-128, 128, shape).astype(np.int8)
        bias = self.random.integers(-1000, 1000, shape[0]).astype(np.int32)
        multiplier = self.random.uniform(0.001, 0.003, shape[0]).astype(np.float32)
        return [self.constant(a) for a in (weight, bias, multiplier)]

    def block(self, inputs: int, channels: int, outputs: int, kernel: int = 1) -> list[int]:
        """Weights of an inverted residual block, 3x3, whose expansion has this kernel."""
        convolution, projection = self.weights(channels, 3, 3, 1), self.weights(outputs, 1, 1, channels)
        return convolution + projection + self.weights(channels, kernel, kernel, inputs)

    def factors(self, *shape: int, around: float = 1) -> list[int]:
        return [self.constant(self.random.normal(0, a, shape).astype(np.float32)) for a in (around, 20)]

    def op(self, kind: str, inputs: list[int], *outputs: int, **options: Any) -> int:
        filled = {f.name: f.default for f in TABLES[kind] if f.default is not None} | options
        self.operators.append(Operation(kind, tuple(inputs), outputs, filled, f"layer.{len(self.operators)}"))
        return outputs[0]


def every_operator() -> Program:
    d = Draft()
    x = d.tensor((1, 3, 8, 8), dtype="float32")
    q = d.op("quantize_per_tensor", [x], d.tensor((1, 3, 8, 8)), inverse_scale=20.0, **RANGE)
    q = d.op("permute", [q], d.tensor((1, 8, 8, 3)), dims=(0, 2, 3, 1))
    window = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1), **RANGE}
    a = d.op("conv2d", [q, *d.weights(8, 3, 3, 3)], d.tensor((1, 8, 8, 8)), groups=1, **window)
    b = d.op("conv2d", [a, *d.weights(8, 3, 3, 1)], d.tensor((1, 8, 8, 8)), groups=8, **window)
    a = d.op("clamp", [a], d.tensor((1, 8, 8, 8)), output_min=3, output_max=100)
    multipliers = {"input_multiplier": 0.5, "other_multiplier": 0.75, **RANGE}
    c = d.op("add", [a, b], d.tensor((1, 8, 8, 8)), **multipliers)
    d.op("conv2d", [c, *d.weights(4, 1, 1, 4)], d.tensor((1, 8, 8, 4)), groups=2, **{**window, "padding": (0, 0, 0, 0)})
    c = d.op("cat", [c, len(d.tensors) - 1], d.tensor((1, 8, 8, 12)), dim=3)
    pool = {"kernel_size": (2, 2), "stride": (2, 2), "padding": (1, 1)}
    c = d.op("max_pool2d", [c], d.tensor((1, 5, 5, 12)), dilation=(1, 1), ceil_mode=False, **pool)
    c = d.op("avg_pool2d", [c], d.tensor((1, 3, 3, 12)), rescale=1.0, **pool)
    table = d.constant(np.arange(127, -129, -1).astype(np.int8))
    c = d.op("lookup_table", [c, table], d.tensor((1, 3, 3, 12)))
    e = d.op("mean", [c], d.tensor((1, 12)), dim=(1, 2), rescale=1.0)
    e = d.op("reshape", [e], d.tensor((1, 1, 1, 12)))
    c = d.op("mul", [c, e], d.tensor((1, 3, 3, 12)), multiplier=0.02, **RANGE)
    c = d.op("adaptive_avg_pool2d", [c], d.tensor((1, 2, 2, 12)), output_size=(2, 2), rescale=1.0)
    e = d.op("reshape", [c], d.tensor((2, 8, 3)))
    c = d.op("reshape", [c], d.tensor((2, 3, 8)))
    c = d.op("matmul", [e, c], d.tensor((2, 8, 8)), multiplier=0.02, **RANGE)
    table = d.constant(softmax_table(0.05).numpy())
    c = d.op("softmax", [c, table], d.tensor((2, 8, 8), 1 / 64, -128), dim=2, inverse_scale=64.0, **RANGE)
    c = d.op("layer_norm", [c, *d.factors(8, 8, around=40)], d.tensor((2, 8, 8)), eps=0.01, **RANGE)
    c = d.op("reshape", [c], d.tensor((2, 4, 2, 8)))
    c = d.op("batch_norm", [c, *d.factors(8)], d.tensor((2, 4, 2, 8)), **RANGE)
    c = d.op("group_norm", [c, *d.factors(8, around=40)], d.tensor((2, 4, 2, 8)), num_groups=2, eps=0.01, **RANGE)
    c = d.op("prelu", [c, d.factors(8)[0]], d.tensor((2, 4, 2, 8)), multiplier=0.9, **RANGE)
    c = d.op("sub", [c, c], d.tensor((2, 4, 2, 8)), **multipliers)
    c = d.op("pad", [c], d.tensor((2, 4, 2, 8)), before=(0, 0, 0, 0), mode=0, value=0)
    scales = {"scale_height": 0.5, "scale_width": 0.5}
    c = d.op("upsample_nearest2d", [c], d.tensor((2, 8, 4, 8)), output_size=(8, 4), **scales)
    scales = {"scale_height": 2.0, "scale_width": 2.0}
    c = d.op("upsample_bilinear2d", [c], d.tensor((2, 4, 2, 8)), output_size=(4, 2), **scales)
    c = d.op("slice", [c], d.tensor((2, 4, 2, 8)), start=(0, 3, 1, 0), step=(1, -1, 0, 1))
    c = d.op("inverted_residual", [c, *d.block(8, 12, 8)], d.tensor((2, 4, 2, 8)), **BLOCK)
    window = {"stride": (2, 2), "padding": (1, 0), "output_padding": (1, 0), "dilation": (1, 1), **RANGE}
    c = d.op("conv_transpose2d", [c, *d.weights(6, 3, 2, 4)], d.tensor((2, 8, 4, 6)), groups=2, **window)
    c = d.op("reshape", [c], d.tensor((1, 2, 8, 4, 6)))
    window = {"stride": (1, 2, 1), "padding": (0, 1, 0, 1, 0, 1), "dilation": (1, 1, 2), **RANGE}
    c = d.op("conv3d", [c, *d.weights(4, 2, 3, 2, 3)], d.tensor((1, 2, 4, 3, 4)), groups=2, **window)
    window = {"stride": (1, 2, 1), "padding": (1, 0, 0), "output_padding": (0, 0, 0), "dilation": (1, 1, 1), **RANGE}
    c = d.op("conv_transpose3d", [c, *d.weights(6, 3, 2, 2, 2)], d.tensor((1, 2, 8, 4, 6)), groups=2, **window)
    c = d.op("reshape", [c], d.tensor((2, 32, 6)))
    c = d.op("mean", [c], d.tensor((2, 6)), dim=(1,), rescale=1.0)
    c = d.op("reshape", [c], d.tensor((1, 12)))
    c = d.op("linear", [c, *d.weights(10, 12)], d.tensor((1, 10)), **RANGE)
    y = d.op("dequantize", [c], d.tensor((1, 10), dtype="float32"))
    return plan(Program(tuple(d.tensors), tuple(d.operators), (x,), (y,), name="every_operator"))


def with_vectors(program: Program) -> Program:
    seeded = (SeededInput(-4.0, 8.0 / 2**24),)
    first = seeded_inputs([program.tensors[i] for i in program.inputs], 7, seeded)
    second = [(np.arange(192, dtype=np.float32) / 32 - 3).reshape(1, 3, 8, 8)]
    return replace(
        program,
        test_vectors=(
            TestVector(seed=7, seeded=seeded, output_crc=tuple(crc(o) for o in run(program, *first))),
            TestVector(inputs=tuple(second), outputs=tuple(run(program, *second))),
        ),
    )


def fill(table: str, values: dict[str, Any]) -> dict[str, Any]:
    """Every scalar that is absent gets its default, in all tables below as well."""
    filled = {f.name: f.default for f in TABLES[table] if f.default is not None} | dict(values)
    for field in TABLES[table]:
        value = filled.get(field.name)
        if value is None:
            continue
        if field.kind == "vector" and field.element in TABLES:
            filled[field.name] = [fill(field.element, v) for v in value]
        elif field.kind == "union":
            filled[field.name] = {"kind": value["kind"], "fields": fill(value["kind"], value["fields"])}
    return filled


def build_with_defaults(model: dict[str, Any]) -> bytes:
    builder = flatbuffers.Builder(1 << 16)
    builder.ForceDefaults(True)
    builder.Finish(serialize._table(builder, ROOT, fill(ROOT, model)), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def slot(table: str, field: str) -> int:
    return next(f.slot for f in TABLES[table] if f.name == field)


def shared(vectors: int = 20000, length: int = 50000) -> bytes:
    """20,000 operators, all of them the same table with a list of 50,000 live tensors: 300 KB that could cost 10^9."""
    builder = flatbuffers.Builder(1 << 16)

    def ints(values: list[int]) -> int:
        return int(builder.CreateNumpyVector(np.array(values, dtype=np.int32)))

    def table(name: str, **offsets: int) -> int:
        builder.StartObject(max(f.slot for f in TABLES[name]) + 1)
        for field, value in offsets.items():
            builder.PrependUOffsetTRelativeSlot(slot(name, field), value, 0)
        if name == "Operator":
            tag = UNIONS["Operation"].index("reshape") + 1
            builder.PrependUint8Slot(slot(name, "operation") - 1, tag, 0)
        if name == "Model":
            for field in ("version", "numerics"):
                builder.PrependUint32Slot(slot(name, field), 1, 0)
            builder.PrependUint64Slot(slot(name, "data_offset"), data_offset, 0)
        return int(builder.EndObject())

    def repeat(offset: int, count: int) -> int:
        builder.StartVector(4, count, 4)
        for _ in range(count):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    data_offset = -(-4 * (vectors + length) // 4096) * 4096 + 4096
    builder.StartObject(0)
    reshape = int(builder.EndObject())
    live, one, empty = ints([0] * length), ints([0]), ints([])
    operator = table("Operator", inputs=one, outputs=one, operation=reshape, live=live)
    tensors, operators = repeat(table("Tensor", shape=one), 1), repeat(operator, vectors)
    regions = repeat(table("Region"), 1)
    builder.Finish(
        table("Model", tensors=tensors, operators=operators, inputs=one, outputs=one, buffers=empty, regions=regions),
        file_identifier=IDENTIFIER,
    )
    head = bytes(builder.Output())
    assert len(head) <= data_offset
    return head + bytes(data_offset - len(head))


def main(folder: Path) -> None:
    import fixture_dynamic as floats
    from fixture_float import every_float_operator
    from fixture_threads import shared_attention, shared_operators, shared_recurrence

    folder.mkdir(parents=True, exist_ok=True)
    program = with_vectors(every_operator())
    (folder / "compact.qsdk").write_bytes(serialize.serialize(program))
    with mock.patch.object(serialize, "_build", build_with_defaults):
        every = serialize.serialize(program)
        (folder / "every_operator.qsdk").write_bytes(every)
        (folder / "packed.qsdk").write_bytes(serialize.serialize(pack(program, every, available_isas())))
        (folder / "dynamic.qsdk").write_bytes(serialize.serialize(floats.every_dynamic_operator()))
        (folder / "embedding.qsdk").write_bytes(serialize.serialize(floats.every_table()))
        (folder / "recurrent.qsdk").write_bytes(serialize.serialize(floats.every_recurrent_operator()))
        (folder / "gru.qsdk").write_bytes(serialize.serialize(floats.quantized_gru()))
        (folder / "lstm.qsdk").write_bytes(serialize.serialize(floats.quantized_lstm()))
        (folder / "weight_only.qsdk").write_bytes(serialize.serialize(floats.every_weight_only_operator()))
        (folder / "float.qsdk").write_bytes(serialize.serialize(every_float_operator()))
        (folder / "selection.qsdk").write_bytes(serialize.serialize(floats.every_selection()))
    (folder / "shared.qsdk").write_bytes(shared())
    (folder / "threads.qsdk").write_bytes(serialize.serialize(shared_operators()))
    (folder / "attention.qsdk").write_bytes(serialize.serialize(shared_attention()))
    (folder / "recurrence.qsdk").write_bytes(serialize.serialize(shared_recurrence()))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
