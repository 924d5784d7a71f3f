"""ExecuTorch with XNNPACK: pt2e, weights per channel; static, or dynamic for networks that are."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from serve import Loaded, fresh, main, stored_input

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def convert(network: str, file: Path) -> None:
    import zoo
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from executorch.exir import to_edge_transform_and_lower
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    file = file.with_suffix(".pte")
    if fresh(file):
        return
    model, x = zoo.make(network)
    config = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=zoo.ZOO[network].dynamic)
    prepared = prepare_pt2e(torch.export.export(model, (x,)).module(), XNNPACKQuantizer().set_global(config))
    prepared(x)
    exported = torch.export.export(convert_pt2e(prepared), (x,))
    lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    file.write_bytes(lowered.to_executorch().buffer)


def load(network: str, file: Path, threads: int) -> Loaded:
    from executorch.extension.pybindings import portable_lib

    if portable_lib._threadpool_get_thread_count() != threads:
        portable_lib._unsafe_reset_threadpool(threads)
    x = torch.from_numpy(stored_input(network, file))
    program = portable_lib._load_program(str(file.with_suffix(".pte")))
    method = program.load_method("forward")

    def output() -> np.ndarray:
        (result,) = method.get_outputs()
        return result.numpy()

    def set_input() -> None:
        method.set_inputs([x])
        programs[network] = program

    return Loaded(set_input, method.execute, output)


programs: dict[str, object] = {}  # a method needs its program alive

if __name__ == "__main__":
    main("executorch", convert, load)
