"""Which language is it? Messages of an application in 32 languages, told apart by their letters, from training to C.

The text is what translators have written for the Django framework (its package has them, and nothing else of it is
used): short messages in languages of one script, some of them close relatives. A message is held out in all languages
or in none. Groups of three letters are rows of an embedding table, and the mean of a message's rows goes through two
linear layers. Then tables of 8 and of 4 bits, and linear layers dynamically quantized or with weights of 4 bits.

Prints one table. Exits 1 when the C runtime's bytes differ from the quantized model's, or 8 bits lose more than a
point of accuracy.

    python examples/text_classifier.py [--seed N] [--epochs N]
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import struct
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from tqdm import tqdm

import qsdk
import qsdk.quantization as tq
from qsdk.export import to_bytes

LANGUAGES = (
    "af", "ast", "az", "br", "ca", "cs", "cy", "da", "de", "es", "et", "eu", "fi", "fr", "ga", "gl",
    "hr", "hsb", "hu", "id", "is", "it", "lt", "lv", "ms", "nb", "nl", "nn", "pl", "pt", "ro", "sk",
)  # fmt: skip
BUCKETS, LENGTH = 8192, 64  # rows of the table, the first of which is padding; groups of letters in a message
_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}|<[^>]*>")


def messages(path: Path) -> dict[str, str]:
    """Original -> translation, from a compiled catalogue of gettext's; without placeholders and markup."""
    data = path.read_bytes()
    _, _, count, originals, translations = struct.unpack_from("<5I", data)

    def text(table: int, number: int) -> str:
        length, begin = struct.unpack_from("<2I", data, table + 8 * number)
        return _PLACEHOLDER.sub(" ", data[begin : begin + length].split(b"\0")[0].decode())

    return {text(originals, i): text(translations, i) for i in range(count)}


def encode(text: str) -> list[int]:
    """Each group of three letters as a row of the table, LENGTH of them; 0 where there is none."""
    text = f" {' '.join(text.lower().split())} "
    groups = [1 + zlib.crc32(text[i : i + 3].encode()) % (BUCKETS - 1) for i in range(len(text) - 2)]
    return (groups + [0] * LENGTH)[:LENGTH]


def data() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Training and test messages int64 [N, LENGTH], and their languages. A quarter of the originals is held out.

    Raises:
        QsdkError: the package with the catalogues is not installed.
    """
    package = importlib.util.find_spec("django")
    if package is None or not package.submodule_search_locations:
        raise qsdk.QsdkError("the text is in the package 'django'; run scripts/setup.sh python")
    parts: dict[bool, tuple[list[list[int]], list[int]]] = {False: ([], []), True: ([], [])}
    catalogues = sorted(Path(package.submodule_search_locations[0]).rglob("LC_MESSAGES/django.mo"))
    for path in tqdm(catalogues, desc="read", unit="catalogue", leave=False):
        if path.parts[-3] not in LANGUAGES:
            continue
        for original, translation in messages(path).items():
            if original and translation != original and len(translation) >= 8:
                inputs, labels = parts[zlib.crc32(original.encode()) % 4 == 0]
                inputs.append(encode(translation))
                labels.append(LANGUAGES.index(path.parts[-3]))
    train, test = ((torch.tensor(inputs), torch.tensor(labels)) for inputs, labels in parts.values())
    return train[0], test[0], train[1], test[1]


class Classifier(nn.Module):
    """int64 [N, LENGTH] to scores float32 [N, languages]."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(BUCKETS, 32, mode="mean", padding_idx=0)
        self.dropout = nn.Dropout(0.5)
        self.body, self.head = nn.Linear(32, 64), nn.Linear(64, len(LANGUAGES))

    def forward(self, groups: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.body(self.dropout(self.table(groups)))))


def train(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, epochs: int) -> None:
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    model.train()
    for _ in tqdm(range(epochs), desc="train", unit="epoch", leave=False):
        for batch in torch.randperm(len(inputs)).split(128):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs[batch]), labels[batch]).backward()
            optimizer.step()
        schedule.step()
    model.eval()


# name -> qconfig of the table, qconfig of the linear layers
FORMS = {
    "8-bit table, dynamic linear": (tq.float_qparams_weight_only_qconfig, tq.per_channel_dynamic_qconfig),
    "4-bit table, dynamic linear": (tq.float_qparams_weight_only_qconfig_4bit, tq.per_channel_dynamic_qconfig),
    "4-bit table, 4-bit linear": (tq.float_qparams_weight_only_qconfig_4bit, tq.weight_only_qconfig(4)),
}


@dataclass
class Row:
    """A form of the model: accuracy in PyTorch and in C, whether the bytes are equal, size, time for a message."""

    form: str
    accuracy: float
    accuracy_in_c: float | None = None
    identical: bool | None = None
    bytes: int | None = None
    microseconds: float | None = None
    messages: int = 0


def quantize(model: nn.Module, table: Any, linear: Any) -> Any:
    quantized: Any = tq.quantize_dynamic(model, {nn.EmbeddingBag: table, nn.Linear: linear})
    for layer in (quantized.body, quantized.head):
        layer.per_token = True  # a message alone gives what it gives among others; without effect on 4-bit weights
    return quantized


def measure(form: str, quantized: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> Row:
    with torch.no_grad():
        scores = quantized(inputs).numpy()
    _, file = to_bytes(quantized, inputs[:1])
    identical = True
    for isa in reversed(qsdk.runtime.available_isas()):  # the best one last
        session = qsdk.Session(file, isa=isa)
        samples = tqdm(inputs.numpy(), desc=f"{form}, {isa}", unit="message", leave=False)
        begin = time.perf_counter()
        in_c = np.concatenate([session.run(sample[None])[0] for sample in samples])
        seconds = time.perf_counter() - begin
        identical &= in_c.tobytes() == scores.tobytes()
    accuracies = [float((s.argmax(1) == labels.numpy()).mean()) for s in (scores, in_c)]
    return Row(form, *accuracies, identical, len(file), seconds / len(inputs) * 1e6)


def run(seed: int, epochs: int) -> list[Row]:
    """Train, quantize in every form, run on the held-out messages; the first row is the float model."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    train_inputs, test_inputs, train_labels, test_labels = data()
    model = Classifier()
    train(model, train_inputs, train_labels, epochs)
    with torch.no_grad():
        accuracy = float((model(test_inputs).argmax(1) == test_labels).float().mean())
    rows = [Row("float", accuracy, bytes=sum(4 * p.numel() for p in model.parameters()), messages=len(test_inputs))]
    return rows + [measure(form, quantize(model, *q), test_inputs, test_labels) for form, q in FORMS.items()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()
    rows = run(options.seed, options.epochs)
    table = Table(title=f"language of a message, {len(LANGUAGES)} languages, {rows[0].messages:,} held-out messages")
    for heading in ("model", "accuracy", "in C", "identical", "bytes", "µs in C"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for row in rows:
        table.add_row(
            row.form,
            f"{row.accuracy:.2%}",
            "-" if row.accuracy_in_c is None else f"{row.accuracy_in_c:.2%}",
            {True: "yes", False: "[red]NO[/red]", None: "-"}[row.identical],
            f"{row.bytes:,}",
            "-" if row.microseconds is None else f"{row.microseconds:.1f}",
        )
    Console(width=110).print(table)
    failed = any(row.identical is False for row in rows) or rows[1].accuracy < rows[0].accuracy - 0.01
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
