"""From a quantized model to a .qsdk file, in this order: capture, lower, passes, blocks, plan, serialize."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from qsdk.errors import QsdkError
from qsdk.export import blocks, capture, lower, passes, plan, serialize
from qsdk.export.program import PackedWeights, Program, TestVector
from qsdk.export.vectors import crc, seeded_inputs, seeded_ranges
from qsdk.ops import to_channels_last
from qsdk.reference.interpreter import run
from qsdk.version import __version__

_SEED = 1
_SEEDED_RUNS = 2


@dataclass(frozen=True)
class ExportReport:
    """What export wrote. Sizes are bytes.

    arena_size is the file's own, the same on every target: the memory of all activations. peak_live is the least that
    any plan could reach. session_size says, for each instruction set that this host's runtime knows, how much memory
    a session takes in all: activations, bound operators, packed weights and scratch.
    """

    path: Path
    file_size: int
    weight_size: int
    arena_size: int
    peak_live: int
    operators: int
    session_size: dict[str, int]
    warnings: tuple[str, ...]
    program: Program

    @property
    def arena_ratio(self) -> float:
        """arena_size / peak_live; 1.0 is the best possible plan."""
        return self.arena_size / max(1, self.peak_live)

    def __str__(self) -> str:
        sessions = ", ".join(f"{isa} {size:,}" for isa, size in self.session_size.items())
        text = (
            f"{self.path}: {self.file_size:,} bytes ({self.weight_size:,} of weights), {self.operators} operators; "
            f"arena {self.arena_size:,} bytes ({self.arena_ratio:.3f} x peak live); session: {sessions}"
        )
        return "\n".join([text, *(f"warning: {w}" for w in self.warnings)])


def export(
    model: nn.Module,
    example_inputs: torch.Tensor | Sequence[torch.Tensor],
    path: str | os.PathLike[str],
    *,
    quantized_io: bool = False,
    layout: str = "nchw",
    test_vectors: str | None = "seeded",
    strip_names: bool = False,
    name: str = "",
    pack_for: Sequence[str] = (),
    fuse_blocks: bool = True,
) -> ExportReport:
    """Write a converted model as one .qsdk file. The file appears whole or not at all.

    Args:
        model: converted, in eval mode.
        example_inputs: tensors with the shapes of one call; the file's shapes are theirs. float32, or int32 and
            int64 for indices of embedding tables.
        path: where to write.
        quantized_io: int8 in and out; the inputs' and outputs' qparams are in the file.
        layout: 'nchw', or 'nhwc' for 4-D inputs as a camera delivers them.
        test_vectors: 'seeded' (a few bytes), 'examples' (the example inputs and their outputs), or None.
        strip_names: leave layer and tensor names out.
        pack_for: instruction sets of this host, as qsdk.runtime.available_isas() lists them, to pack weights for. The
            file holds them beside the weights themselves, and is larger by as much again for each. A session of such a
            set then uses them where they lie instead of packing when it opens; any other runs the file all the same.
        fuse_blocks: make one operator of an inverted residual block (MobileNets) where a run then takes less memory.
            The bytes that come out are the same; False keeps each layer an operator, to look at one by one.

    Raises:
        QsdkError: names the layer that cannot be exported and what to do about it; nothing is written.
    """
    program, data = to_bytes(
        model,
        example_inputs,
        quantized_io=quantized_io,
        layout=layout,
        test_vectors=test_vectors,
        strip_names=strip_names,
        name=name or Path(path).stem,
        pack_for=pack_for,
        fuse_blocks=fuse_blocks,
    )
    from qsdk import runtime  # the runtime reads what export wrote before anyone else does

    sizes = {isa: runtime.Session(data, isa=isa).arena_size for isa in runtime.available_isas()}
    serialize.write(data, path)
    ratio = program.arena_size / max(1, program.peak_live)
    warnings = (f"the arena is {ratio:.2f} times the peak of live bytes",) if ratio > 1.01 else ()
    return ExportReport(
        path=Path(path),
        file_size=len(data),
        weight_size=sum(t.size for t in program.tensors if t.is_constant),
        arena_size=program.arena_size,
        peak_live=program.peak_live,
        operators=len(program.operators),
        session_size=sizes,
        warnings=warnings,
        program=program,
    )


def to_bytes(
    model: nn.Module,
    example_inputs: torch.Tensor | Sequence[torch.Tensor],
    *,
    quantized_io: bool = False,
    layout: str = "nchw",
    test_vectors: str | None = "seeded",
    strip_names: bool = False,
    name: str = "",
    pack_for: Sequence[str] = (),
    fuse_blocks: bool = True,
) -> tuple[Program, bytes]:
    """As export, but returns the planned Program and the file's bytes."""
    if layout not in ("nchw", "nhwc"):
        raise QsdkError(f"layout is {layout!r}; use 'nchw' or 'nhwc'")
    if test_vectors not in ("seeded", "examples", None):
        raise QsdkError(f"test_vectors is {test_vectors!r}; use 'seeded', 'examples' or None")
    if not isinstance(model, nn.Module):
        raise QsdkError(f"model is a {type(model).__name__}; export takes a converted torch.nn.Module")
    examples = (example_inputs,) if isinstance(example_inputs, torch.Tensor) else tuple(example_inputs)
    program = lower.lower(capture.capture(model, examples), examples, layout)
    program = replace(finish(program, quantized_io, fuse_blocks), name=name)
    program = replace(program, test_vectors=_make_vectors(program, test_vectors, examples, layout))
    data = serialize.serialize(program, strip_names, producer=f"qsdk {__version__}")
    if pack_for:
        program = pack(program, data, pack_for)
        data = serialize.serialize(program, strip_names, producer=f"qsdk {__version__}")
    return program, data


def pack(program: Program, data: bytes, isas: Sequence[str]) -> Program:
    """The program with weights packed for instruction sets. `data` is its file, which a session of each one opens.

    Raises:
        QsdkError: a set is unknown, or not this host's; only a host that has it can pack for it.
    """
    from qsdk import runtime

    packed: dict[tuple[int, str], list[PackedWeights]] = {}
    for isa in [isas] if isinstance(isas, str) else dict.fromkeys(isas):
        if isa not in runtime.available_isas():
            raise QsdkError(f"pack_for: '{isa}' is not among this host's {', '.join(runtime.available_isas())}")
        own: dict[tuple[int, str], list[PackedWeights]] = {}
        for p in runtime.Session(data, isa=isa).packed():
            weights = PackedWeights(p.operator, p.tensor, p.pack_id, p.layout_version, p.data)
            own.setdefault((p.operator, p.pack_id), []).append(weights)
        packed = own | packed
    sections = (p for group in packed.values() for p in group)
    return replace(program, packed=tuple(sorted(sections, key=lambda p: p.operator)))


def finish(program: Program, quantized_io: bool = False, fuse_blocks: bool = True) -> Program:
    """All passes and the plan: what stands between lower() and serialize()."""
    if quantized_io:
        program = passes.quantized_io(passes.run(program))
    program = passes.name_outputs(passes.run(program))
    return plan.plan(blocks.fuse_blocks(program) if fuse_blocks else program)


def _make_vectors(
    program: Program, kind: str | None, examples: Sequence[torch.Tensor], layout: str
) -> tuple[TestVector, ...]:
    tensors = [program.tensors[i] for i in program.inputs]
    if kind is None:
        return ()
    if kind == "examples":
        if any(t.dtype == "int8" for t in tensors):
            raise QsdkError("test_vectors='examples' needs float inputs; with quantized_io use 'seeded'")
        arrays = [e.permute(to_channels_last(4)) if layout == "nhwc" and e.dim() == 4 else e for e in examples]
        inputs = tuple(a.detach().contiguous().numpy() for a in arrays)
        return (TestVector(inputs=inputs, outputs=tuple(run(program, *inputs))),)
    seeded = seeded_ranges(program)
    vectors = []
    for seed in range(_SEED, _SEED + _SEEDED_RUNS):
        outputs = run(program, *seeded_inputs(tensors, seed, seeded))
        vectors.append(TestVector(seed=seed, seeded=seeded, output_crc=tuple(crc(o) for o in outputs)))
    return tuple(vectors)
