"""Where the compiled runners are: qrt_run for the host comes with the package, others from a source tree's build/."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from qsdk.errors import QsdkError

# The CPU models that a target's programs are run on under QEMU, for hosts of another architecture.
EMULATORS: dict[str, dict[str, list[str]]] = {
    "host": {"host": []},
    "aarch64": {c: ["qemu-aarch64", "-cpu", c] for c in ("cortex-a53", "cortex-a76", "max")},
    "armv7hf": {c: ["qemu-arm", "-cpu", c] for c in ("cortex-a7", "max")},
}


def runner_path(target: str = "host") -> Path:
    """The qrt_run binary for a target.

    Raises:
        QsdkError: it has not been built; says how to.
    """
    packaged = Path(__file__).parent / "bin" / "qrt_run"
    places = [Path(os.environ.get("QSDK_BUILD", "build")) / target / "qrt_run"]
    places.append(Path(__file__).resolve().parents[2] / "build" / target / "qrt_run")
    if target == "host":
        places.insert(0, packaged)
    for place in places:
        if place.is_file():
            return place
    raise QsdkError(f"no qrt_run for target '{target}'; build it with 'scons target={target}' in the source tree")


def command(target: str, cpu: str) -> list[str]:
    """The words that start qrt_run for a target on a CPU model.

    Raises:
        QsdkError: the target or the CPU is unknown, or the emulator is not installed.
    """
    if target not in EMULATORS:
        raise QsdkError(f"unknown target '{target}'; known: {', '.join(EMULATORS)}")
    if cpu not in EMULATORS[target]:
        raise QsdkError(f"unknown CPU '{cpu}' for target '{target}'; known: {', '.join(EMULATORS[target])}")
    emulator = EMULATORS[target][cpu]
    if emulator and shutil.which(emulator[0]) is None:
        raise QsdkError(f"{emulator[0]} is not installed; on Debian: apt-get install qemu-user")
    return [*emulator, str(runner_path(target))]
