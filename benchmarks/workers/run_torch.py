"""PyTorch's own int8: torch.ao in graph mode on one of its engines; quantize_dynamic for networks that are.

Traced and frozen, which is faster than the module: small networks by half, as Python no longer calls each layer.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from serve import Loaded, fresh, main, stored_input
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
warnings.filterwarnings("ignore")


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """Images in the layout that the quantized convolutions take without a copy."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def convert(network: str, file: Path, engine: str) -> None:
    import zoo
    from torch.ao.quantization import get_default_qconfig_mapping, quantize_dynamic, quantize_fx

    file = file.with_suffix(".pt")
    if fresh(file):
        return
    torch.backends.quantized.engine = engine
    model, x = zoo.make(network)
    if zoo.ZOO[network].dynamic:
        model = quantize_dynamic(model, {nn.Linear, nn.LSTM})
    else:
        prepared = quantize_fx.prepare_fx(model, get_default_qconfig_mapping(engine), (x,))
        prepared(x)
        model = quantize_fx.convert_fx(prepared)
    with torch.inference_mode():
        torch.jit.save(torch.jit.freeze(torch.jit.trace(model, channels_last(x)).eval()), file)


def load(network: str, file: Path, threads: int, engine: str) -> Loaded:
    torch.set_num_threads(threads)
    torch.backends.quantized.engine = engine
    model = torch.jit.load(file.with_suffix(".pt"))
    x = channels_last(torch.from_numpy(stored_input(network, file)))
    results: list[torch.Tensor] = []

    @torch.inference_mode()
    def invoke() -> None:
        results[:] = [model(x)]

    def output() -> np.ndarray:
        return results[0].numpy()

    return Loaded(lambda: None, invoke, output)


if __name__ == "__main__":
    main("torch", convert, load)
