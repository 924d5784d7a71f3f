"""capture(model): the model's forward as a torch.fx graph, whichever quantization mode made the model.

torch.fx traces with the quantized modules as leaves; a model that it cannot trace goes through torch.export. Both
yield a GraphModule that lower() runs once with the example inputs; the operators are read off that run.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import fx, nn

from qsdk.errors import CaptureError

_LEAF_ROOMS = ("qsdk.nn.quantized", "qsdk.nn.intrinsic.quantized")


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m).__module__.startswith(_LEAF_ROOMS) or super().is_leaf_module(m, module_qualified_name)


def capture(model: nn.Module, example_inputs: Sequence[torch.Tensor]) -> fx.GraphModule:
    """Trace `model`.

    Raises:
        CaptureError: the model is in training mode, or neither torch.fx nor torch.export can follow it.
    """
    training = [name or "the model itself" for name, module in model.named_modules() if module.training]
    if training:
        raise CaptureError(
            f"the model is in training mode (first: {training[0]}); call model.eval() and export the converted model"
        )
    try:
        return fx.GraphModule(model, _Tracer().trace(model))
    except Exception as fx_error:  # user code can raise anything while it is traced
        try:
            with torch.no_grad():
                model(*example_inputs)  # layers make their constants of real data; torch.export has none
            return torch.export.export(model, tuple(example_inputs), strict=False).module()
        except Exception as export_error:
            raise CaptureError(
                f"torch.fx cannot trace the model ({_first_line(fx_error)}), and neither can torch.export "
                f"({_first_line(export_error)}); make the control flow independent of tensor values"
            ) from fx_error


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0]}"
