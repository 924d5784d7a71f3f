"""Observers that look at nothing: they carry settings, record tensors, or have a fixed scale and zero point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor

from qsdk.errors import QuantizationError
from qsdk.qtensor import QScheme, check_pair, quint8, to_qdtype, to_qscheme
from qsdk.quantization.observer_base import ObserverBase


class _PassiveObserver(ObserverBase):
    reduces_batches = True  # there is nothing to reduce

    def forward(self, x: Tensor) -> Tensor:
        """x itself."""
        return x

    def calculate_qparams(self) -> NoReturn:
        """Refused: it chooses no scale and zero point."""
        raise QuantizationError(
            f"{type(self).__name__} chooses no scale and zero point; use another observer in the layer's qconfig, such "
            "as HistogramObserver"
        )


class PlaceholderObserver(_PassiveObserver):
    """Only carries settings: for dynamic quantization, whose ranges are found at run time, and for float16.

    Args:
        dtype: of the quantized values, or a float dtype
        custom_op_name: kept for its user
        quant_min, quant_max, qscheme, eps: settings of the quantization at run time
        is_dynamic: scale and zero point are chosen at run time
    """

    def __init__(
        self,
        dtype: Any = torch.float32,
        custom_op_name: str = "",
        compute_dtype: Any = None,
        quant_min: int | None = None,
        quant_max: int | None = None,
        qscheme: Any = None,
        eps: float | None = None,
        is_dynamic: bool = False,
    ) -> None:
        super().__init__(dtype)
        self.custom_op = custom_op_name
        self.quant_min = quant_min
        self.quant_max = quant_max
        self.qscheme = QScheme.per_tensor_affine if qscheme is None else to_qscheme(qscheme)
        self.eps = torch.finfo(torch.float32).eps if eps is None else eps
        self.is_dynamic = is_dynamic or compute_dtype is not None
        self.compute_dtype = compute_dtype

    def extra_repr(self) -> str:
        """Its settings."""
        return f"dtype={self.dtype}, is_dynamic={self.is_dynamic}"


class NoopObserver(_PassiveObserver):
    """Does nothing; for layers whose outputs stay float."""

    def __init__(self, dtype: Any = torch.float16, custom_op_name: str = "") -> None:
        super().__init__(dtype)
        self.custom_op = custom_op_name


class ReuseInputObserver(_PassiveObserver):
    """Stands for the observer of the layer's input: the output keeps its scale and zero point."""

    def __init__(self) -> None:
        super().__init__(quint8)


class RecordingObserver(_PassiveObserver):
    """Keeps a copy of every tensor, in `tensor_val`. For debugging."""

    tensor_val: list[Tensor]
    reduces_batches = False

    def __init__(self, dtype: Any = quint8) -> None:
        super().__init__(to_qdtype(dtype))
        self.tensor_val = []

    def forward(self, x: Tensor) -> Tensor:
        """Keep a copy of x."""
        self.tensor_val.append(x.detach().clone())
        return x

    def merge_state(self) -> dict[str, Tensor]:
        """The tensors, by their number."""
        return {str(number): value.cpu() for number, value in enumerate(self.tensor_val)}

    def merge(self, states: Sequence[dict[str, Tensor]]) -> None:
        """Keep the tensors of the first process, then those of the next."""
        self.tensor_val = [value for state in states for value in state.values()]

    def get_tensor_value(self) -> list[Tensor]:
        """Every tensor seen, oldest first."""
        return self.tensor_val


class FixedQParamsObserver(ObserverBase):
    """A scale and zero point known beforehand, as those of sigmoid's output.

    Args:
        scale, zero_point: per tensor, zero point in the user's dtype
        dtype, qscheme, quant_min, quant_max: of the quantized values
    """

    scale: Tensor
    zero_point: Tensor
    reduces_batches = True  # there is nothing to reduce

    def __init__(
        self,
        scale: float,
        zero_point: int,
        dtype: Any = quint8,
        qscheme: Any = QScheme.per_tensor_affine,
        quant_min: int | None = None,
        quant_max: int | None = None,
    ) -> None:
        super().__init__(to_qdtype(dtype))
        self.qscheme = to_qscheme(qscheme)
        if self.qscheme.per_channel:
            raise QuantizationError(f"FixedQParamsObserver is per tensor, not {qscheme}")
        check_pair(self.dtype, self.qscheme)
        self.quant_min = self.dtype.min if quant_min is None else quant_min
        self.quant_max = self.dtype.max if quant_max is None else quant_max
        self.register_buffer("scale", torch.tensor([scale], dtype=torch.float32))
        self.register_buffer("zero_point", torch.tensor([zero_point], dtype=torch.int64))

    @property
    def calibrated(self) -> bool:
        """True: it needs no data."""
        return True

    def forward(self, x: Tensor) -> Tensor:
        """x itself."""
        return x

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """The fixed ones."""
        return self.scale, self.zero_point

    def extra_repr(self) -> str:
        """The fixed parameters."""
        return f"scale={self.scale}, zero_point={self.zero_point}, dtype={self.dtype!r}"
