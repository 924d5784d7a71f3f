"""ONNX Runtime (MLAS): QDQ, activations in uint8 and weights in int8 per channel; dynamic for networks that are."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from serve import Loaded, fresh, main, stored_input

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def convert(network: str, file: Path) -> None:
    import torch
    import zoo
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    if fresh(file.with_suffix(".quantized.onnx")):
        return
    model, x = zoo.make(network)

    class Once(CalibrationDataReader):
        def __init__(self) -> None:
            self.rest = iter([{"x": x.numpy()}])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.rest, None)

    plain, prepared, quantized = (file.with_suffix(s) for s in (".onnx", ".prepared.onnx", ".quantized.onnx"))
    torch.onnx.export(model, (x,), plain, input_names=["x"], output_names=["y"], dynamo=False, opset_version=17)
    quant_pre_process(plain, prepared)
    if zoo.ZOO[network].dynamic:
        quantize_dynamic(prepared, quantized, per_channel=True, weight_type=QuantType.QInt8)
    else:
        quantize_static(
            prepared, quantized, Once(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip


def load(network: str, file: Path, threads: int) -> Loaded:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        file.with_suffix(".quantized.onnx"), options, providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    binding.bind_cpu_input("x", stored_input(network, file))
    binding.bind_output("y", "cpu")
    return Loaded(lambda: None, lambda: session.run_with_iobinding(binding), lambda: binding.copy_outputs_to_cpu()[0])


if __name__ == "__main__":
    main("onnxruntime", convert, load)
