"""qsdk: static networks through qsdk.quantize, dynamic ones through quantize_dynamic; from a .qsdk file
that holds weights packed for the best instruction set.

The environment variable QRT_ISA holds it to an instruction set.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from serve import Loaded, main, stored_input
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import zoo  # noqa: E402

import qsdk  # noqa: E402
import qsdk.quantization as tq  # noqa: E402
from qsdk.debug.profile import macs  # noqa: E402
from qsdk.runtime import available_isas  # noqa: E402


def convert(network: str, file: Path) -> None:
    torch.set_num_threads(1)
    model, x = zoo.make(network)
    if zoo.ZOO[network].dynamic:
        quantized = tq.quantize_dynamic(model, {nn.Linear, nn.LSTM})
    else:
        quantized = qsdk.quantize(model, [x], progress=False)
    report = qsdk.export(quantized, x, file.with_suffix(".qsdk"), test_vectors=None, pack_for=available_isas()[:1])
    program = report.program
    facts = {"macs": sum(macs(program, op) for op in program.operators), "operators": len(program.operators)}
    file.with_suffix(".json").write_text(json.dumps(facts))


def load(network: str, file: Path, threads: int) -> Loaded:
    x = stored_input(network, file)
    session = qsdk.Session(file.with_suffix(".qsdk"), threads=threads)

    def output() -> np.ndarray:
        return session.output(0)

    return Loaded(lambda: session.set_input(0, x), session.invoke, output)


if __name__ == "__main__":
    main("qsdk", convert, load)
