"""Where the compiled programs are, and the words that start them: on this host, or for ARM under QEMU.

qrt_run for the host comes with the package; everything else is built, see runner_path.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from qsdk.errors import QsdkError

_MACHINE = "qemu-system-arm -display none -monitor none -serial none -semihosting-config enable=on,target=native"

_BOARDS = {
    "cortex-m3": "mps2-an385",
    "cortex-m4": "mps2-an386",
    "cortex-m7": "mps2-an500",
    "cortex-m33": "mps2-an505",
    "cortex-m55": "mps3-an547",
}

# What a target's programs are run on, for hosts of another architecture: CPU models under QEMU's user mode, whole
# machines for targets without an operating system. The names and words are those of the toolchain's TEST_RUNNER.
EMULATORS: dict[str, dict[str, list[str]]] = {
    "host": {"host": []},
    "aarch64": {c: ["qemu-aarch64", "-cpu", c] for c in ("cortex-a53", "cortex-a76", "max")},
    "armv7hf": {c: ["qemu-arm", "-cpu", c] for c in ("cortex-a7", "max")},
    **{target: {board: [*_MACHINE.split(), "-machine", board]} for target, board in _BOARDS.items()},
}

# Exit status of qrt_run when the machine has too little memory for the file or its arena.
DOES_NOT_FIT = 3


def is_bare_metal(target: str) -> bool:
    """Whether the target's programs run without an operating system: no environment, files through the emulator."""
    return target in _BOARDS


def runner_path(target: str = "host", program: str = "qrt_run") -> Path:
    """A compiled program for a target: in build/<target>/ of SCons, or where `qsdk build -o build/<target>` puts it, in
    this folder or the source tree; the environment variable QSDK_BUILD is another build/. The package has the host's.

    Raises:
        QsdkError: it has not been built; says how to.
    """
    places = [Path(__file__).parent / "bin" / program] if target == "host" else []
    for root in (Path(os.environ.get("QSDK_BUILD", "build")), Path(__file__).resolve().parents[2] / "build"):
        places += [root / target / program, root / f"{target}-zig" / program, root / target / "bin" / program]
    for place in places:
        if place.is_file():
            return place
    raise QsdkError(
        f"no {program} for target '{target}'; build it with 'qsdk build --target {target} -o build/{target}', and "
        "'--toolchain zig' where there is no cross compiler"
    )


def command(target: str, cpu: str, arguments: Sequence[str] = (), program: str = "qrt_run") -> list[str]:
    """The words that start a target's program on a CPU model or machine.

    Raises:
        QsdkError: the target or the CPU is unknown, the emulator is not installed, or an argument cannot be passed on.
    """
    if target not in EMULATORS:
        raise QsdkError(f"unknown target '{target}'; known: {', '.join(EMULATORS)}")
    if cpu not in EMULATORS[target]:
        raise QsdkError(f"unknown CPU '{cpu}' for target '{target}'; known: {', '.join(EMULATORS[target])}")
    emulator = EMULATORS[target][cpu]
    if emulator and shutil.which(emulator[0]) is None:
        package = "qemu-system-arm" if is_bare_metal(target) else "qemu-user"
        raise QsdkError(f"{emulator[0]} is not installed; on Debian: apt-get install {package}")
    return emulate(emulator, runner_path(target, program), arguments, is_bare_metal(target))


@contextlib.contextmanager
def plain_path(file: Path) -> Iterator[Path]:
    """A path of `file` that every target's command line takes: itself, or a link if it has blanks or a dash first."""
    if not re.search(r"^-|\s", str(file)):
        yield file
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, "file")
        link.symlink_to(file.absolute())
        yield link


def emulate(emulator: Sequence[str], program: Path, arguments: Sequence[str], machine: bool) -> list[str]:
    """The words that run a program with arguments under an emulator: of a process, or of a whole machine.

    Raises:
        QsdkError: a machine's program or an argument has a blank, at which the command line is cut there.
    """
    if not machine:
        return [*emulator, str(program), *arguments]
    for argument in [str(program), *arguments]:
        if not argument or " " in argument:
            raise QsdkError(f"'{argument}' cannot be passed to a program without an operating system: it has a blank")
    return [*emulator, "-kernel", str(program), "-append", " ".join(arguments)]
