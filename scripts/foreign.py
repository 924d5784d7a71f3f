"""How far results of models taken in from torch.ao and torchao are from their own: the table of docs/foreign.md.

The networks of examples/networks.py with random weights, quantized there by torch.ao (FX) for both engines and by
torchao's pt2e flow with the XNNPACK quantizer; 64 random inputs each.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.ao.quantization as tao
from rich.console import Console
from rich.table import Table
from torch.ao.quantization import quantize_fx
from torchao.quantization.pt2e import quantize_pt2e
from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

from qsdk.quantization import from_pt2e, from_torch


def by_torch(model: Any, x: Any, engine: str) -> tuple[Any, Any]:
    torch.backends.quantized.engine = engine
    prepared = quantize_fx.prepare_fx(model, tao.get_default_qconfig_mapping(engine), x)
    prepared(x)
    theirs = quantize_fx.convert_fx(prepared)
    return theirs, from_torch(theirs)


def by_torchao(model: Any, x: Any) -> tuple[Any, Any]:
    exported = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = quantize_pt2e.prepare_pt2e(exported.module(), quantizer)
    prepared(x)
    theirs = quantize_pt2e.convert_pt2e(prepared)
    return theirs, from_pt2e(theirs)


def main() -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
    import networks

    warnings.simplefilter("ignore")  # torch.ao announces its end
    torch.set_num_threads(1)
    table = Table("network", "quantized by", "equal outputs", "furthest, steps", "same top-1")
    for name in networks.NETWORKS:
        model, shape = networks.make(name)
        calibration, x = torch.randn(16, *shape[1:]), torch.randn(64, *shape[1:])
        for how in ("torch.ao, fbgemm", "torch.ao, qnnpack", "torchao, XNNPACK"):
            engine = how.split(", ")[1]
            pair = by_torchao(model, calibration) if engine == "XNNPACK" else by_torch(model, calibration, engine)
            with torch.no_grad():
                theirs, ours = (m(x) for m in pair)
            scale = [m.scale for n, m in pair[1].named_modules() if "classify" in n and hasattr(m, "scale")][0]
            furthest = float(((theirs - ours) / scale).abs().max())
            same = float((theirs.argmax(1) == ours.argmax(1)).double().mean())
            table.add_row(name, how, f"{float((theirs == ours).double().mean()):.1%}", f"{furthest:.0f}", f"{same:.1%}")
    Console().print(table)


if __name__ == "__main__":
    main()
