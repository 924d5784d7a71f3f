"""Feeds damaged files to the runtime built with ASan and UBSan. Any crash, hang or sanitizer report is a failure.

Of digits.qsdk, of files with every operator, and of each golden file: every truncation and 20,000 random single-byte
changes.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
import networks  # noqa: E402

import qsdk  # noqa: E402
import qsdk.quantization as tq  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
MUTATE = ROOT / "build" / "host-address-undefined" / "mutate"


def digits(path: Path) -> None:
    model, shape = networks.make("digits")
    model.fuse()
    model.qconfig = tq.get_default_qconfig("qsdk")
    prepared = tq.prepare(model)
    torch.manual_seed(1)
    prepared(torch.randn(16, *shape[1:]))
    qsdk.export(tq.convert(prepared), torch.randn(shape), path)


def main() -> int:
    torch.set_num_threads(1)
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "digits.qsdk"
        digits(fresh)
        subprocess.run([sys.executable, str(ROOT / "tests" / "c" / "fixture.py"), folder], check=True)
        made = (
            *("every_operator", "packed", "dynamic", "embedding", "recurrent", "weight_only"),
            *("lstm", "gru", "selection"),
        )
        for file in (
            fresh,
            *(Path(folder) / f"{name}.qsdk" for name in made),
            *sorted((ROOT / "tests" / "golden").glob("*.qsdk")),
        ):
            command = [str(MUTATE), str(file), "--truncations", "--random", "20000", "--seed", "1"]
            print(f"== {file.name}: every truncation, 20,000 random single-byte changes", flush=True)
            failed |= subprocess.run(command, check=False).returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
