"""What the runtime may weigh on a small machine, and what it does: bytes of code on a Cortex-M3, memory beside the
activations, and the whole library for aarch64. `make size` prints the table, tests/size holds it.

Method: gcc, messages off, the model in flash. Code is .text and .rodata, from the linker's map: so it counts what is
linked, for a model with the operators of DS-CNN. The loader, verifier and session are what is in CORE. The image is
all of flash but the model: vectors, startup, runtime, kernels, test vectors' runner, libgcc and libc. The arena beyond
the activations has the session, one operator's arguments and scratch memory. The library is stripped of symbols that
linking does not need.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
import networks  # noqa: E402

import qsdk.quantization as tq  # noqa: E402
from qsdk.export import to_bytes  # noqa: E402
from qsdk.export.program import Program  # noqa: E402
from qsdk.tools.build import build  # noqa: E402

# "model" is also the object of the model itself, which is subtracted.
CORE = ("flat", "schema", "model", "tensors", "tensor", "graph", "node", "bind", "session", "isa", "op", "status")
CORE += (".text.qrt_verify_vectors",)


class Budget(NamedTuple):
    """One row: bytes measured, bytes allowed."""

    name: str
    measured: int
    allowed: int


def exported(name: str) -> tuple[Program, bytes]:
    """A network of examples/networks.py as a program and as a file."""
    model, shape = networks.make(name)
    model.fuse()
    model.qconfig = tq.get_default_qconfig("qsdk")
    prepared = tq.prepare(model)
    prepared(torch.randn(shape))
    return to_bytes(tq.convert(prepared), torch.randn(shape))


def linked(map_file: Path) -> list[tuple[str, str, int]]:
    """Object, section and bytes of all code and constants in a program, from a linker's map."""
    text = map_file.read_text().split("Linker script and memory map")[1]
    pattern = r"^ (\.(?:text|rodata|vectors|ARM\.ex\w+)\S*)\s+0x[0-9a-f]+\s+0x([0-9a-f]+) (\S+)$"
    return [
        (Path(path.rstrip(")").split("(")[-1]).stem, section, int(size, 16))
        for section, size, path in re.findall(pattern, text, re.M)
    ]


def image(target: str, folder: Path) -> tuple[Program, int, list[tuple[str, str, int]]]:
    """DS-CNN and the runtime for a board: the program, bytes of its file, and what `linked` says of the image."""
    program, data = exported("ds_cnn")
    folder.mkdir(exist_ok=True)
    file = folder / "ds_cnn.qsdk"
    file.write_bytes(data)
    build(target, folder, file, messages=False)
    return program, len(data), linked(next((folder / "objects").rglob("qrt_image.map")))


def cortex_m3(folder: Path) -> list[Budget]:
    """DS-CNN with portable kernels on a Cortex-M3."""
    program, data, sizes = image("cortex-m3", folder)
    header = (folder / "src" / "model.h").read_text()
    arena = int(re.search(r"ARENA_SIZE (\d+)", header)[1])  # type: ignore[index]
    core = sum(size for name, section, size in sizes if name in CORE or section in CORE) - data
    return [
        Budget("Cortex-M3: loader, verifier and session", core, 10 * 1024),
        Budget(
            "Cortex-M3: whole image of DS-CNN without the model", sum(size for _, _, size in sizes) - data, 24 * 1024
        ),
        Budget("arena of DS-CNN, all of it", arena, 16000),
        Budget("memory beyond activations", arena - program.arena_size, 1024 + 32 * len(program.operators)),
        Budget("activations, beside 1.01 x peak live", program.arena_size, program.peak_live * 101 // 100),
    ]


def cortex_m4(folder: Path) -> list[Budget]:
    """DS-CNN with the kernels for DSP instructions on a Cortex-M4; scalar ones beside them are not linked."""
    _, data, sizes = image("cortex-m4", folder)
    return [Budget("Cortex-M4: the same with DSP kernels", sum(size for _, _, size in sizes) - data, 24 * 1024)]


def aarch64(folder: Path) -> list[Budget]:
    """The whole library, stripped."""
    build("aarch64", folder)
    library = folder / "lib" / "libqrt.so"
    subprocess.run(["aarch64-linux-gnu-strip", "--strip-unneeded", str(library)], check=True)
    return [Budget("aarch64: all operators and kernels, libqrt.so", library.stat().st_size, 400 * 1024)]


def budgets() -> list[Budget]:
    """All rows; takes about a minute."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        boards = [*cortex_m3(Path(folder) / "m3"), *cortex_m4(Path(folder) / "m4")]
        return [*boards, *aarch64(Path(folder) / "aarch64")]
