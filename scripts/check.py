"""Runs the kernel harness (tests/check) for every target and CPU model; an absent kernel set or emulator fails."""

import platform
import subprocess
import sys
from pathlib import Path

from qsdk.runtime.artifacts import EMULATORS

REQUIRED = {
    "host": {"x86_64": "avx2", "aarch64": "neon"}.get(platform.machine(), "scalar"),
    "aarch64": "neon",
    "armv7hf": "neon",
}


def main() -> int:
    failed = False
    for target, cpus in EMULATORS.items():
        for cpu, emulator in cpus.items():
            print(f"== {target}{'' if cpu == target else ' ' + cpu}", flush=True)
            command = [*emulator, str(Path("build") / target / "check"), f"--require={REQUIRED[target]}"]
            try:
                failed |= subprocess.run(command, check=False).returncode != 0
            except OSError as error:
                print(f"cannot run {command[0]}: {error.strerror}; scripts/setup.sh system installs it")
                failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
