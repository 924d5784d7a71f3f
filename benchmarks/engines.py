"""What is timed: qsdk, and the peers, each pinned in a virtual environment of its own.

    python benchmarks/engines.py          installs every peer and converts the zoo for it; what is there stays
    python benchmarks/engines.py litert   one of them

Everything lies in build/peers and build/bench.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import zoo
from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "build" / "bench"
ENVIRONMENTS = ROOT / "build" / "peers"


@dataclass(frozen=True)
class Engine:
    """One column of the table.

    Attributes:
        name: of its files and in JSON
        title: for people
        worker: its script in workers/
        packages: of its virtual environment, the first of which carries its version; none: qsdk's own environment
        suffix: of its converted networks
        options: of its worker, in words
        environment: variables of its process
    """

    name: str
    title: str
    worker: str
    packages: Sequence[str] = ()
    suffix: str = ""
    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        """The interpreter that its worker runs in."""
        return ENVIRONMENTS / self.name / "bin" / "python" if self.packages else Path(sys.executable)

    @property
    def missing(self) -> str:
        """Why it cannot be timed; '' if it can."""
        return "" if self.python.exists() else "not installed; make bench-peers installs it"

    @property
    def version(self) -> str:
        """Of the package that it is."""
        if not self.packages:
            return importlib.metadata.version(self.worker)
        package = self.packages[0].split("==")[0]
        code = f"import importlib.metadata as m; print(m.version({package!r}))"
        return subprocess.run([self.python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()

    def command(self, mode: str, *words: object) -> list[str]:
        """The words that start its worker."""
        script = ROOT / "benchmarks" / "workers" / f"run_{self.worker}.py"
        return [str(self.python), str(script), mode, str(MODELS), *map(str, words), *self.options]


TORCH = "torch==2.13.0"
PEERS = (
    Engine("executorch", "ExecuTorch", "executorch", ("executorch==1.5.1", "torchao==0.18.0", TORCH), ".pte"),
    Engine(
        "litert", "LiteRT", "litert", ("ai-edge-litert==2.3.0", "litert-torch==0.10.0", TORCH), ".tflite"
    ),
    Engine(
        "onnxruntime", "ONNX Runtime", "onnxruntime",
        ("onnxruntime==1.32.0", "onnx", "onnxscript", "sympy", TORCH), ".quantized.onnx",
    ),
    Engine("torch-fbgemm", "torch fbgemm", "torch", suffix=".pt", options=("engine=fbgemm",)),
    Engine("torch-x86", "torch x86", "torch", suffix=".pt", options=("engine=x86",)),
)  # fmt: skip
QSDK = Engine("qsdk", "qsdk", "qsdk", suffix=".qsdk")


def held_to(isa: str) -> Engine:
    """qsdk with nothing above an instruction set; the same files."""
    return Engine(f"qsdk-{isa}", f"qsdk {isa}", "qsdk", suffix=".qsdk", environment={"QRT_ISA": isa})


def store_inputs() -> None:
    """Each network's input, and the float model's output on it, for all workers."""
    MODELS.mkdir(parents=True, exist_ok=True)
    for name in zoo.ZOO:
        if not (MODELS / f"{name}.output.npy").exists():
            model, x = zoo.make(name)
            with torch.no_grad():
                np.save(MODELS / f"{name}.input.npy", x.numpy())
                np.save(MODELS / f"{name}.output.npy", model(x).numpy())


def convert(engine: Engine, networks: Sequence[str], anew: bool = False) -> None:
    """Let an engine write its files of the networks; those that it has, only if `anew`."""
    stems = {network: MODELS / f"{network}-{engine.name}" for network in networks}
    done = [n for n, s in stems.items() if Path(f"{s}{engine.suffix}").exists() or Path(f"{s}.failed").exists()]
    wanted = list(networks) if anew else [n for n in networks if n not in done]
    if wanted:
        MODELS.mkdir(parents=True, exist_ok=True)
        with open(MODELS / f"{engine.name}.convert.log", "w") as log:
            subprocess.run(engine.command("convert", *wanted), stdout=log, stderr=log, check=True)


def facts(network: str) -> dict[str, int]:
    """Products and operators of a network's .qsdk file; empty if there is none."""
    path = MODELS / f"{network}-qsdk.json"
    return json.loads(path.read_text()) if path.exists() else {}


def install(engine: Engine) -> None:
    """A virtual environment with exactly the engine's packages, if there is none."""
    folder = ENVIRONMENTS / engine.name
    if (folder / "installed").exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(engine.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *engine.packages], check=True)
    (folder / "installed").write_text("\n".join(engine.packages) + "\n")


def main(names: Sequence[str]) -> int:
    """Installs and converts; returns 1 if a peer could not be had."""
    console = Console()
    failed = 0
    os.environ["OMP_NUM_THREADS"] = "1"
    store_inputs()
    for engine in PEERS:
        if names and engine.name not in names:
            continue
        try:
            with console.status(f"{engine.title}: installing"):
                if engine.packages:
                    install(engine)
            with console.status(f"{engine.title}: converting"):
                convert(engine, list(zoo.ZOO))
        except subprocess.CalledProcessError as error:
            failed = 1
            console.print(f"[red]{engine.title} {error}[/red]")
            continue
        console.print(f"{engine.title} {engine.version}")
        for reason in sorted(MODELS.glob(f"*-{engine.name}.failed")):
            console.print(f"  {reason.name.split('-')[0]}: {reason.read_text()}", style="yellow", markup=False)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
