"""LiteRT with XNNPACK, converted by litert-torch: pt2e, weights per channel; dynamic for networks that are."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from serve import Loaded, fresh, main, stored_input

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def convert(network: str, file: Path) -> None:
    import litert_torch
    import torch
    import zoo
    from litert_torch.quantize.pt2e_quantizer import PT2EQuantizer, get_symmetric_quantization_config
    from litert_torch.quantize.quant_config import QuantConfig
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    file = file.with_suffix(".tflite")
    if fresh(file):
        return
    model, x = zoo.make(network)
    config = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=zoo.ZOO[network].dynamic)
    quantizer = PT2EQuantizer().set_global(config)
    prepared = prepare_pt2e(torch.export.export(model, (x,)).module(), quantizer)
    prepared(x)
    converted = convert_pt2e(prepared, fold_quantize=False)
    litert_torch.convert(converted, (x,), quant_config=QuantConfig(pt2e_quantizer=quantizer)).export(str(file))


def load(network: str, file: Path, threads: int) -> Loaded:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file.with_suffix(".tflite")), num_threads=threads)
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    x = stored_input(network, file)
    if taken["dtype"] != np.float32:
        scale, zero_point = taken["quantization"]
        x = np.clip(np.rint(x / scale) + zero_point, -128, 127).astype(taken["dtype"])

    def output() -> np.ndarray:
        values = interpreter.get_tensor(given["index"])
        scale, zero_point = given["quantization"]
        return values if values.dtype == np.float32 else (values.astype(np.float32) - zero_point) * scale

    return Loaded(lambda: interpreter.set_tensor(taken["index"], x), interpreter.invoke, output)


if __name__ == "__main__":
    main("litert", convert, load)
