"""Test vectors: runs whose results travel in the file, so that a device can check itself.

A seeded vector costs a few bytes: its inputs come from a generator that every implementation has, its outputs are
kept as CRC-32. The generator is splitmix64, one draw per element.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from qsdk.errors import QsdkError
from qsdk.export.program import Program, SeededInput, TensorInfo, TestVector

_GAMMA = 0x9E3779B97F4A7C15


def splitmix64(seed: int, count: int, skip: int = 0) -> np.ndarray:
    """Draws skip .. skip + count - 1 of the generator, as uint64.

    Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
    """
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.uint64(_GAMMA) * np.arange(skip + 1, skip + count + 1, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))


def seeded_inputs(tensors: Sequence[TensorInfo], seed: int, seeded: Sequence[SeededInput]) -> list[np.ndarray]:
    """The inputs of a seeded vector, made of one draw per element.

    int8: the top 8 bits. float32: f32(f32(u24) * step) + lowest. int32, int64: in least..most; see schema/qsdk.fbs.
    """
    arrays = []
    drawn = 0
    for tensor, spec in zip(tensors, seeded, strict=True):
        draws = splitmix64(seed, tensor.elements, drawn)
        drawn += tensor.elements
        if tensor.dtype == "int8":
            array = (draws >> np.uint64(56)).astype(np.uint8).view(np.int8)
        elif tensor.dtype == "float32":
            array = (draws >> np.uint64(40)).astype(np.float32) * np.float32(spec.step) + np.float32(spec.lowest)
        elif tensor.dtype in ("int32", "int64", "bool"):
            array = _seeded_integers(draws >> np.uint64(32), spec).astype(tensor.dtype)
        else:
            raise QsdkError(f"input '{tensor.name}': no seeded test vector for {tensor.dtype}; pass test_vectors=None")
        arrays.append(array.reshape(tensor.shape))
    return arrays


def _seeded_integers(draws: np.ndarray, spec: SeededInput) -> np.ndarray:
    span = spec.most - spec.least
    if not spec.ascending:
        return spec.least + (draws * np.uint64(span + 1) >> np.uint64(32)).astype(np.int64)
    step = span // len(draws)
    up = np.arange(len(draws)) * step + (draws * np.uint64(step + 1) >> np.uint64(32)).astype(np.int64)
    up[0] = 0
    return spec.least + up


def _index_range(program: Program, index: int) -> SeededInput:
    """The integers that whatever selects by an input has: rows of a table, positions, or where bags begin."""
    least, most, ascending = -(2**31), 2**31 - 1, False
    moved = {index}
    for op in program.operators:
        if moved.isdisjoint(op.inputs):
            continue
        if op.kind in ("reshape", "permute", "cat", "slice"):
            moved.update(op.outputs)
        elif op.kind in ("index_select", "gather"):
            source = program.tensors[op.inputs[0]]
            if op.inputs[1] in moved:
                least, most = max(least, 0), min(most, source.shape[op.options["dim"]] - 1)  # type: ignore[index]
        elif op.kind.startswith("embedding"):
            table = 2 if op.kind == "embedding_bag" else 1
            if op.inputs[0] in moved:
                least, most = max(least, 0), min(most, program.tensors[op.inputs[table]].shape[0] - 1)
            else:
                least, most = max(least, 0), min(most, program.tensors[op.inputs[0]].elements)
                ascending = True
    return SeededInput(least=least, most=most, ascending=ascending)


def seeded_ranges(program: Program) -> tuple[SeededInput, ...]:
    """For each input, the range that its quantize operator represents, and a little more on both sides to saturate.

    For integers, the range of the indices that they are.
    """
    ranges = []
    for index in program.inputs:
        if program.tensors[index].dtype == "bool":
            ranges.append(SeededInput(least=0, most=1))
            continue
        if program.tensors[index].dtype in ("int32", "int64"):
            ranges.append(_index_range(program, index))
            continue
        low, high = -1.0, 1.0
        for op in program.operators:
            if op.kind == "quantize_per_tensor" and op.inputs[0] == index:
                output = program.tensors[op.outputs[0]]
                low = (int(op.options["output_min"]) - 4 - output.zero_point[0]) * output.scale[0]  # type: ignore[arg-type]
                high = (int(op.options["output_max"]) + 4 - output.zero_point[0]) * output.scale[0]  # type: ignore[arg-type]
                break
        ranges.append(SeededInput(float(np.float32(low)), float(np.float32((high - low) / 2**24))))
    return tuple(ranges)


def crc(array: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(array).tobytes())


def check_vector(program: Program, vector: TestVector, run: object) -> list[bool]:
    """For each output, whether `run(*inputs)` gives the vector's bytes."""
    tensors = [program.tensors[i] for i in program.inputs]
    inputs = list(vector.inputs) or seeded_inputs(tensors, vector.seed, vector.seeded)
    outputs = run(*inputs)  # type: ignore[operator]
    if vector.outputs:
        return [a.tobytes() == b.tobytes() for a, b in zip(outputs, vector.outputs, strict=True)]
    return [crc(a) == b for a, b in zip(outputs, vector.output_crc, strict=True)]
