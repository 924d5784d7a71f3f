"""A model as C source, and the runtime built for a target with what a model needs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from qsdk.errors import QsdkError
from qsdk.export.program import Operation, Program
from qsdk.export.serialize import deserialize, load
from qsdk.runtime import Session, available_isas
from qsdk.runtime.artifacts import DOES_NOT_FIT, EMULATORS, emulate, is_bare_metal, plain_path

_ROW = 24  # bytes to a line of C
# Words of C and C++ that are no names, and names that every program has.
_WORDS = (
    "alignas alignof and asm auto bool break case catch char class compl concept const constexpr continue "
    "decltype default delete do double else enum explicit export extern false float for friend goto if "
    "inline int long main mutable namespace new noexcept not nullptr operator or private protected public "
    "register requires restrict return short signed sizeof static struct switch template this "
    "thread_local throw true try typedef typename typeof union unsigned using virtual void volatile while "
    "xor"
)
_TAKEN = frozenset(_WORDS.split())


def source_root() -> Path:
    """The folder with SConstruct and runtime_c: of the source tree, or the copy that comes with the package.

    Raises:
        QsdkError: there is neither.
    """
    package = Path(__file__).resolve().parents[1]
    for root in (package.parent, package / "runtime" / "source"):
        if (root / "SConstruct").is_file() and (root / "runtime_c").is_dir():
            return root
    raise QsdkError("the C sources of the runtime are not in this installation; reinstall qsdk from its source tree")


def make_folder(path: Path) -> None:
    """A folder and those above it, if they are not there.

    Raises:
        QsdkError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise QsdkError(f"cannot make the folder {path}: {error.strerror}") from error


def identifier(text: str) -> str:
    """A name that C and C++ accept, made of `text`."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    return name if name[:1].isalpha() and name not in _TAKEN else f"model_{name}"


def emit_c(data: bytes, name: str, directory: Path, arena_size: int) -> tuple[Path, Path]:
    """Writes a verified .qsdk file as <name>.c, an aligned constant array, and <name>.h; returns their paths.

    arena_size: bytes that a session needs on the target.
    """
    make_folder(directory)
    header, source = directory / f"{name}.h", directory / f"{name}.c"
    guard = f"{name.upper()}_H"
    header.write_text(
        f"/* {name}.h - a model as a constant, to be used where it lies. Made by qsdk emit-c. */\n"
        f"#ifndef {guard}\n#define {guard}\n\n"
        f"#define {name.upper()}_SIZE       {len(data)}\n"
        f"#define {name.upper()}_ARENA_SIZE {arena_size} /* bytes that qrt_session_open needs */\n\n"
        f"extern const unsigned char {name}[{name.upper()}_SIZE];\n\n#endif\n"
    )
    attributes = (
        "#ifdef __ELF__ /* so that a linker file can say where models lie */\n"
        '__attribute__((section(".rodata.qrt_models")))\n#endif\n'
        "#ifdef __GNUC__ /* in C99 and C++, too */\n__attribute__((aligned(64)))\n"
        "#elif defined(__cplusplus)\nalignas(64)\n#else\n_Alignas(64)\n#endif\n"
    )
    rows = (", ".join(map(str, data[i : i + _ROW])) for i in range(0, len(data), _ROW))
    body = ",\n".join(f"    {row}" for row in rows)
    source.write_text(
        f'/* {name}.c - see {name}.h. Made by qsdk emit-c. */\n#include "{name}.h"\n\n{attributes}'
        f"const unsigned char {name}[{name.upper()}_SIZE] = {{\n{body}}};\n"
    )
    return source, header


def operators_of(data: bytes) -> list[str]:
    """The kinds of operators in a .qsdk file, in alphabetical order; float_<kind> if its first input is of floats."""
    program = deserialize(data)
    return sorted({f"{_prefix(program, op)}{op.kind}" for op in program.operators})


def _prefix(program: Program, op: Operation) -> str:
    return "float_" if op.inputs and program.tensors[op.inputs[0]].dtype == "float32" else ""


def host_arena_size(data: bytes) -> int:
    """What a session takes on this host, with the instruction set that needs most: enough on smaller machines."""
    return max(Session(data, isa=isa).arena_size for isa in available_isas())


def arena_size(target: str, runner: Path, file: Path, data: bytes) -> int:
    """Bytes of the arena on a target, as its runner says; where that cannot be run or the file is too large to be read
    there, what the host needs.
    """
    emulators = list(EMULATORS.get(target, {}).values())
    if not emulators:
        return host_arena_size(data)
    try:
        with plain_path(file) as path, plain_path(runner) as program:
            words = emulate(emulators[0], program, [str(path), "--info"], is_bare_metal(target))
            result = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    except OSError:  # no emulator, or a program of another system
        return host_arena_size(data)
    if result.returncode == DOES_NOT_FIT:
        return host_arena_size(data)
    found = re.search(r"arena (\d+) bytes", result.stdout)
    if not found:
        raise QsdkError(f"{runner} does not run {file} on {target}: {(result.stderr or result.stdout).strip()}")
    return int(found[1])


def _scons(switches: Sequence[str]) -> None:
    root = source_root()
    words = [sys.executable, "-m", "SCons", "-Q", "-s", "-C", str(root), *switches]
    result = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode:
        lines = (result.stdout + result.stderr).strip().splitlines()
        if any("No module named SCons" in line for line in lines):
            raise QsdkError("the build needs SCons: pip install scons")
        if any("No module named ziglang" in line for line in lines):
            raise QsdkError("the zig toolchain needs its compiler: pip install ziglang")
        compiler = re.search(r"(\S+)-gcc: (?:command )?not found", result.stdout + result.stderr)
        if compiler:
            raise QsdkError(
                f"the compiler {compiler[1]}-gcc is not installed; on Debian: apt-get install gcc-{compiler[1]}, or "
                "for Linux boards --toolchain zig"
            )
        said = [line.removeprefix("SConstruct: ") for line in lines if line.startswith("SConstruct: ")]
        raise QsdkError(said[-1] if said else "the build failed:\n" + "\n".join(lines[-12:]))


def build(
    target: str, directory: Path, model: Path | None = None, toolchain: str | None = None, messages: bool = True
) -> list[Path]:
    """Builds the runtime for a target and installs it: include/, lib/, bin/, and board/ for targets without a system.

    With a model, the library has no other operators than the model's, and there are src/model.c, src/model.h and
    bin/qrt_image, a program that has the model inside and runs its test vectors. messages: errors carry sentences.
    Returns the installed files.

    Raises:
        QsdkError: the file is damaged, the target or toolchain is unknown, or the compiler fails.
    """
    directory = directory.resolve()
    make_folder(directory)
    work = directory / "objects"
    switches = [f"target={target}", f"prefix={directory}", f"build={work}", f"messages={int(messages)}"]
    switches += [f"toolchain={toolchain}"] if toolchain else []
    if model is None:
        _scons([*switches, "install"])
    else:
        file, data = model.resolve(), load(model)
        switches.append(f"operators={','.join(operators_of(data))}")
        _scons([*switches, "install"])
        size = arena_size(target, directory / "bin" / "qrt_run", file, data)
        source, _ = emit_c(data, "model", directory / "src", size)
        _scons([*switches, f"model={source}", "install"])
    return sorted(path for path in directory.rglob("*") if path.is_file() and work not in path.parents)
