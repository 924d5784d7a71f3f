"""Runs qrt_run on another machine: copies it and the files there with the system's scp, starts it with its ssh."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from qsdk.errors import QsdkError
from qsdk.runtime.artifacts import runner_path

# What `uname -m` says there -> the target whose qrt_run it takes.
MACHINES = {"aarch64": "aarch64", "arm64": "aarch64", "armv7l": "armv7hf", "armv8l": "armv7hf", "x86_64": "host"}


_SSH = ["ssh", "-o", "ConnectTimeout=20"]
_SCP = ["scp", "-q", "-o", "ConnectTimeout=20"]


def _call(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise QsdkError(f"cannot start {words[0]}: {error.strerror}; install an OpenSSH client") from error


def _succeed(words: Sequence[str], what: str) -> str:
    """The last line that is printed: a login may have said something before."""
    result = _call(words)
    if result.returncode:
        raise QsdkError(f"{what} failed: {(result.stderr or result.stdout).strip()}")
    return "".join(result.stdout.strip().splitlines()[-1:])


def run_remote(
    host: str,
    file: Path,
    arguments: Sequence[str] = (),
    inputs: Sequence[Path] = (),
    outputs: Sequence[Path] = (),
    target: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs `file` on `host` ("user@address", as ssh takes it), with arguments for qrt_run; returns what it printed.

    inputs are copied there, outputs from there. target: whose qrt_run to use; None: by what the machine says it is.
    Everything lies in a temporary folder of the machine, which is removed.

    Raises:
        QsdkError: the host is not one, ssh or scp fails, or there is no qrt_run for its kind of machine.
    """
    if not re.fullmatch(r"[^\s:/-][^\s:/]*", host):
        raise QsdkError(
            f"'{host}' is no host for ssh; write user@address, or a name of ~/.ssh/config, which has ports and the like"
        )
    if target is None:
        machine = _succeed([*_SSH, host, "uname -m"], f"ssh {host}")
        if machine not in MACHINES:
            raise QsdkError(
                f"{host} is a '{machine}', for which there is no toolchain; if one of toolchains/ builds for it, "
                "name it: qsdk verify --target"
            )
        target = MACHINES[machine]
    folder = _succeed([*_SSH, host, "mktemp -d"], f"ssh {host}")
    names = [f"input{i}{path.suffix}" for i, path in enumerate(inputs)]
    results = [f"output{i}{path.suffix}" for i, path in enumerate(outputs)]
    words = ["./qrt_run", "model.qsdk", *arguments]
    words += [word for name in names for word in ("--input", name)]
    words += [word for name in results for word in ("--output", name)]
    try:
        copies = [(runner_path(target), "qrt_run"), (file, "model.qsdk"), *zip(inputs, names, strict=True)]
        for path, name in copies:  # absolute: a colon in a name would be another host
            _succeed([*_SCP, str(path.absolute()), f"{host}:{folder}/{name}"], f"copying {path} to {host}")
        result = _call([*_SSH, host, f"cd {shlex.quote(folder)} && {shlex.join(words)}"])
        for path, name in zip(outputs, results, strict=True):
            if result.returncode == 0:
                _succeed([*_SCP, f"{host}:{folder}/{name}", str(path.absolute())], f"copying {name} from {host}")
        return result
    finally:
        _call([*_SSH, host, f"rm -rf {shlex.quote(folder)}"])
