"""Handwritten digits from training to ARM: train, quantize, export, and run the whole test split on every backend.

Prints one table and writes digits.qsdk and demo.json. Exits 1 when any backend's bytes differ from the definition's
or int8 loses more than one point of accuracy.

    python examples/digits.py [--seed N] [--epochs N]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from networks import DigitsCNN
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import qsdk
import qsdk.quantization as tq
from qsdk.runtime.artifacts import EMULATORS, command

console = Console(width=110)


@dataclass
class Row:
    """One backend's answers on the test split. identical: equal bytes with qsdk.reference; None where not promised."""

    backend: str
    cpu: str
    accuracy: float
    digest: str
    identical: bool | None
    microseconds: float | None


def data(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Training and test images [N, 1, 8, 8] in 0..1, and their labels. A quarter is held out."""
    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    split = train_test_split(images, labels, test_size=0.25, random_state=seed, stratify=labels)
    return tuple(torch.from_numpy(part) for part in split)  # type: ignore[return-value]


def train(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, epochs: int) -> None:
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    model.train()
    for _ in tqdm(range(epochs), desc="train", unit="epoch", leave=False):
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
        schedule.step()
    model.eval()


def emulated(target: str, cpu: str, file: Path, images: np.ndarray) -> np.ndarray:
    """The outputs of qrt_run, built for `target`, on all images."""
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder) / "images.bin", Path(folder) / "scores.bin"
        source.write_bytes(images.tobytes())
        words = command(target, cpu, [str(file), "--input", str(source), "--output", str(result)])
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise qsdk.QsdkError(f"qrt_run on {target} ({cpu}) failed: {done.stderr.strip()}")
        return np.fromfile(result, np.float32).reshape(len(images), -1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    train_images, test_images, train_labels, test_labels = data(options.seed)

    model = DigitsCNN()
    train(model, train_images, train_labels, options.epochs)
    with torch.no_grad():
        float_scores = model(test_images).numpy()

    model.fuse()
    model.qconfig = tq.get_default_qconfig("qsdk")
    prepared = tq.prepare(model)
    with torch.no_grad():
        for batch in tqdm(train_images.split(64), desc="calibrate", unit="batch", leave=False):
            prepared(batch)
    quantized = tq.convert(prepared)
    with torch.no_grad():
        torch_scores = quantized(test_images).numpy()

    file = Path("digits.qsdk")
    report = qsdk.export(quantized, test_images[:1], file)
    images = test_images.numpy()
    labels = test_labels.numpy()
    reference = np.concatenate(
        [qsdk.reference.run(report.program, x[None])[0] for x in tqdm(images, desc="reference", leave=False)]
    )

    rows: list[Row] = []

    def add(backend: str, cpu: str, scores: np.ndarray, promised: bool = True, micros: float | None = None) -> None:
        digest = hashlib.sha256(np.ascontiguousarray(scores, "<f4").tobytes()).hexdigest()
        same = scores.tobytes() == reference.tobytes() if promised else None
        rows.append(Row(backend, cpu, float((scores.argmax(1) == labels).mean()), digest, same, micros))

    add("float PyTorch", "", float_scores, promised=False)
    add("quantized PyTorch", "", torch_scores)
    add("qsdk.reference", "", reference)
    for isa in qsdk.runtime.available_isas():
        session = qsdk.Session(file, isa=isa)
        scores = np.concatenate([session.run(x[None])[0] for x in images])
        session.set_input(0, images[:1])
        times = []
        for _ in range(300):
            start = time.perf_counter()
            session.invoke()
            times.append(time.perf_counter() - start)
        add(isa, "host", scores, micros=float(np.median(times) * 1e6))
    for target, cpus in EMULATORS.items():
        for cpu in cpus:
            if target != "host":
                add(target.removesuffix("hf"), cpu, emulated(target, cpu, file, images))

    table = Table(title=f"digits, {len(images)} held-out images")
    for heading in ("backend", "CPU", "accuracy", "identical", "file", "arena", "µs"):
        table.add_column(heading, justify="left" if heading in ("backend", "CPU") else "right")
    for row in rows:
        from_file = row.backend not in ("float PyTorch", "quantized PyTorch")
        table.add_row(
            row.backend,
            row.cpu if row.cpu in ("", "host") else f"{row.cpu} (QEMU)",
            f"{row.accuracy:.2%}",
            {True: "yes", False: "[red]NO[/red]", None: "-"}[row.identical],
            f"{report.file_size:,}" if from_file else "-",
            f"{report.arena_size:,}" if from_file else "-",
            f"{row.microseconds:.1f}" if row.microseconds else "-",
        )
    console.print(table)
    console.print(str(report), highlight=False, soft_wrap=True)
    summary = {
        "file_size": report.file_size,
        "arena_size": report.arena_size,
        "arena_ratio": report.arena_ratio,
        "rows": [asdict(r) for r in rows],
    }
    Path("demo.json").write_text(json.dumps(summary, indent=1) + "\n")
    lost = rows[0].accuracy - min(r.accuracy for r in rows[1:])
    different = [f"{r.backend} {r.cpu}" for r in rows if r.identical is False]
    if different or lost > 0.01:
        console.print(f"[red]FAILED[/red]: differing {different}, accuracy lost {lost:.2%}")
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except qsdk.QsdkError as error:
        sys.exit(f"digits: {error}")
