"""Instructions per inference on ARM stay what docs/arm.md says, give or take a compiler."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import arm  # noqa: E402

# Millions; a tenth above what gcc 12 gives.
MOST = {
    ("autoencoder", "cortex-a53"): 0.100,
    ("autoencoder", "cortex-a76"): 0.053,
    ("ds_cnn", "cortex-a53"): 0.92,
    ("ds_cnn", "cortex-a76"): 0.46,
    ("resnet8", "cortex-a53"): 3.75,
    ("resnet8", "cortex-a76"): 1.55,
}


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The plugin; files of networks go beside it, so that processes do not share them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arm, "FOLDER", tmp_path_factory.mktemp("counts"))
        yield arm.plugin()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({name for name, _ in MOST}))
def test_instructions_per_inference(name: str, counter: Path) -> None:
    arm.export(name)
    for (network, cpu), most in MOST.items():
        if network == name:
            count = arm.per_inference(counter, "aarch64", cpu, name)[""]
            assert 0 < count.instructions <= most * 1e6, cpu
            assert 0 < count.wide < count.instructions


def test_wide_loads_are_recognized(counter: Path, tmp_path: Path) -> None:
    """A program of a known number of loads: 128-bit ones count once per register, others not at all."""
    source = tmp_path / "loads.s"
    source.write_text(
        ".global _start\n_start:\n adr x1, data\n ldr q0, [x1]\n ldp q1, q2, [x1]\n ld1 {v3.16b-v6.16b}, [x1]\n"
        " ldr d7, [x1]\n ldp x3, x4, [x1]\n ld1 {v7.8b}, [x1]\n mov x0, #0\n mov x8, #94\n svc #0\n"
        " .align 4\ndata: .space 64\n"
    )
    program = tmp_path / "loads"
    subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-static", str(source), "-o", str(program)], check=True)
    words = ["qemu-aarch64", "-plugin", str(counter), str(program)]
    output = subprocess.run(words, capture_output=True, text=True, check=True).stderr
    assert output == "instructions 10\nwide 7\n"
