"""from_pt2e(program): a model that torchao's pt2e flow has quantized, as one of ours."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import fx

from qsdk.errors import UnsupportedOperatorError
from qsdk.quantization.foreign.translate import Translation
from qsdk.quantization.graph.exported import plain_signature, respell
from qsdk.quantization.graph.rewrite import cleaned


def from_pt2e(program: Any) -> fx.GraphModule:
    """A model that torchao's pt2e flow has quantized, ready for qsdk.export.

    Args:
        program: what convert_pt2e returned, or the torch.export.ExportedProgram of it. It stays as it is

    Returns:
        A converted model of qsdk with the same weights, scales and zero points. Its results may differ from those of
        `program` by a step here and there, because that one computes in float between quantize and dequantize.

    Raises:
        UnsupportedOperatorError: names the operator and the layer: one that has no quantized counterpart, whose
            result is not quantized, or whose scale is chosen as the model runs.
    """
    is_program = isinstance(program, torch.export.ExportedProgram)
    graph_module: Any = program.module() if is_program else copy.deepcopy(program)
    if not isinstance(graph_module, fx.GraphModule):
        raise UnsupportedOperatorError(
            f"from_pt2e takes what convert_pt2e returned, or an ExportedProgram of it, not a {type(program).__name__}"
        )
    for node in reversed(list(graph_module.graph.nodes)):
        stack = node.meta.get("nn_module_stack") or {}
        node.meta["nn_module_stack"] = {key: (path, kind) for key, (path, kind) in stack.items()}
        if not node.users and "_guards_fn" in str(node.target):
            graph_module.graph.erase_node(node)
    info = getattr(graph_module.graph._codegen, "pytree_info", None)
    respell(graph_module.graph)
    if info is not None:
        plain_signature(graph_module.graph, info.in_spec, info.out_spec)
    Translation(graph_module, "from_pt2e").run()
    result = cleaned(graph_module)
    for module in result.modules():
        module.training = False
    return result


__all__ = ["from_pt2e"]
