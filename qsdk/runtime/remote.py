"""Runs qrt_run on another machine: copies it and the files there with the system's scp, starts it with its ssh."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from qsdk.errors import QsdkError
from qsdk.runtime.artifacts import runner_path

# What `uname -m` says there -> the target whose qrt_run it takes.
MACHINES = {"aarch64": "aarch64", "arm64": "aarch64", "armv7l": "armv7hf", "armv8l": "armv7hf", "x86_64": "host"}


def _call(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise QsdkError(f"cannot start {words[0]}: {error.strerror}; install an OpenSSH client") from error


def _succeed(words: Sequence[str], what: str) -> str:
    result = _call(words)
    if result.returncode:
        raise QsdkError(f"{what} failed: {(result.stderr or result.stdout).strip()}")
    return result.stdout.strip()


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
    if not host or host.startswith("-"):
        raise QsdkError(f"'{host}' is no host for ssh; write user@address")
    if target is None:
        machine = _succeed(["ssh", host, "uname -m"], f"ssh {host}")
        if machine not in MACHINES:
            raise QsdkError(
                f"{host} is a '{machine}'; pass a target, with a toolchain of toolchains/ that builds for it"
            )
        target = MACHINES[machine]
    folder = _succeed(["ssh", host, "mktemp -d"], f"ssh {host}")
    names = [f"input{i}{path.suffix}" for i, path in enumerate(inputs)]
    results = [f"output{i}{path.suffix}" for i, path in enumerate(outputs)]
    words = ["./qrt_run", "model.qsdk", *arguments]
    words += [word for name in names for word in ("--input", name)]
    words += [word for name in results for word in ("--output", name)]
    try:
        copies = [(runner_path(target), "qrt_run"), (file, "model.qsdk"), *zip(inputs, names, strict=True)]
        for path, name in copies:
            _succeed(["scp", "-q", str(path), f"{host}:{folder}/{name}"], f"copying {path} to {host}")
        result = _call(["ssh", host, f"cd {shlex.quote(folder)} && {shlex.join(words)}"])
        for path, name in zip(outputs, results, strict=True):
            if result.returncode == 0:
                _succeed(["scp", "-q", f"{host}:{folder}/{name}", str(path)], f"copying {name} from {host}")
        return result
    finally:
        _call(["ssh", host, f"rm -rf {shlex.quote(folder)}"])
