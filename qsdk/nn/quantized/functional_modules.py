"""Modules that stand for functions whose results need quantization parameters: FloatFunctional and QFunctional."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from qsdk.errors import QuantizationError
from qsdk.nn.quantized import functional as qF
from qsdk.nn.quantized.base import ObservedOutputModule, observed_qparams, place_of
from qsdk.spellings import masked_softmax


class FloatFunctional(nn.Module):
    """Float functions whose results calibration observes. convert turns it into QFunctional.

    Not called itself; use add, add_relu, sub, sub_relu, mul, cat, matmul, maximum, minimum, where, sum, normalize,
    softmax, unary, add_scalar or mul_scalar. Give each use an instance of its own, because an instance has one
    scale and zero point.
    """

    activation_post_process: nn.Module

    def __init__(self) -> None:
        super().__init__()
        self.activation_post_process = nn.Identity()
        self._had_scalar = False

    def forward(self, x: Any) -> NoReturn:
        """Refused."""
        raise QuantizationError(f"{place_of(self)} is not called itself; call its add, mul, cat, ... methods")

    def _observed(self, result: Tensor) -> Tensor:
        observed: Tensor = self.activation_post_process(result)
        return observed

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """x + y."""
        return self._observed(torch.add(x, y))

    def add_relu(self, x: Tensor, y: Tensor) -> Tensor:
        """relu(x + y)."""
        return self._observed(torch.relu(torch.add(x, y)))

    def sub(self, x: Tensor, y: Tensor) -> Tensor:
        """x - y."""
        return self._observed(torch.sub(x, y))

    def sub_relu(self, x: Tensor, y: Tensor) -> Tensor:
        """relu(x - y)."""
        return self._observed(torch.relu(torch.sub(x, y)))

    def mul(self, x: Tensor, y: Tensor) -> Tensor:
        """x * y."""
        return self._observed(torch.mul(x, y))

    def cat(self, x: Sequence[Tensor], dim: int = 0) -> Tensor:
        """Join tensors along dim."""
        return self._observed(torch.cat(list(x), dim=dim))

    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        """x @ y."""
        return self._observed(torch.matmul(x, y))

    def maximum(self, x: Tensor, y: Tensor) -> Tensor:
        """The larger one."""
        return self._observed(torch.maximum(x, y))

    def minimum(self, x: Tensor, y: Tensor) -> Tensor:
        """The smaller one."""
        return self._observed(torch.minimum(x, y))

    def where(self, condition: Tensor, x: Tensor | float, y: Tensor | float) -> Tensor:
        """x where the condition holds, else y; one of them may be a number."""
        return self._observed(torch.where(condition, x, y))

    def sum(self, x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Sum over axes, all of them by default."""
        return self._observed(torch.sum(x, dim, keepdim))

    def normalize(self, x: Tensor, dim: int = 1, eps: float = 1e-12) -> Tensor:
        """x over its Euclidean norm along dim."""
        return self._observed(F.normalize(x, 2.0, dim, eps))

    def unary(self, x: Tensor, function: str) -> Tensor:
        """A function of one value by its name in torch: abs, exp, log, sqrt, rsqrt, ... (functional.UNARY)."""
        return self._observed(qF.UNARY[function](x))

    def softmax(self, x: Tensor, dim: int, mask: Tensor | None = None) -> Tensor:
        """Softmax along dim over the elements whose mask (bool, broadcast) is true; the others give 0."""
        if mask is None:
            return self._observed(torch.softmax(x, dim))
        return self._observed(masked_softmax(x, mask, dim))

    def add_scalar(self, x: Tensor, y: float) -> Tensor:
        """x + y for a number y; not observed, because the result's scale and zero point follow from x's."""
        self._had_scalar = True
        return torch.add(x, y)

    def mul_scalar(self, x: Tensor, y: float) -> Tensor:
        """x * y for a number y; not observed, because the result's scale and zero point follow from x's."""
        self._had_scalar = True
        return torch.mul(x, y)


class QFunctional(ObservedOutputModule):
    """Quantized functions with one output scale and zero point; what FloatFunctional becomes."""

    def forward(self, x: Any) -> NoReturn:
        """Refused."""
        raise QuantizationError(f"{place_of(self)} is not called itself; call its add, mul, cat, ... methods")

    def _tail(self) -> tuple[float, int, str, int | None, int | None]:
        qparams = self.output_qparams
        return self.scale, self.zero_point, qparams.dtype.value, qparams.quant_min, qparams.quant_max

    # torch.fx records each of these as one call of the function, with the layer's path in its `name`.

    def add(self, x: Any, y: Any) -> Any:
        """x + y, broadcast."""
        return qF.add(x, y, *self._tail(), name=self._qualified_name)

    def add_relu(self, x: Any, y: Any) -> Any:
        """relu(x + y), broadcast."""
        return qF.add(x, y, *self._tail(), relu=True, name=self._qualified_name)

    def sub(self, x: Any, y: Any) -> Any:
        """x - y."""
        return qF.sub(x, y, *self._tail(), name=self._qualified_name)

    def sub_relu(self, x: Any, y: Any) -> Any:
        """relu(x - y)."""
        return qF.sub(x, y, *self._tail(), relu=True, name=self._qualified_name)

    def mul(self, x: Any, y: Any) -> Any:
        """x * y, broadcast."""
        return qF.mul(x, y, *self._tail(), name=self._qualified_name)

    def cat(self, x: Sequence[Any], dim: int = 0) -> Any:
        """Join tensors along dim; those with other parameters are requantized by a table."""
        return qF.cat(list(x), dim, *self._tail(), name=self._qualified_name)

    def matmul(self, x: Any, y: Any) -> Any:
        """x @ y: [..., M, K] times [..., K, N]."""
        return qF.matmul(x, y, *self._tail(), name=self._qualified_name)

    def maximum(self, x: Any, y: Any) -> Any:
        """The larger one, broadcast."""
        return qF.maximum(x, y, *self._tail(), name=self._qualified_name)

    def minimum(self, x: Any, y: Any) -> Any:
        """The smaller one, broadcast."""
        return qF.minimum(x, y, *self._tail(), name=self._qualified_name)

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        """x where the condition holds, else y; one of them may be a number."""
        return qF.where(condition, x, y, *self._tail(), name=self._qualified_name)

    def sum(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        """Sum over axes, all of them by default."""
        return qF.sum(x, dim, keepdim, *self._tail(), name=self._qualified_name)

    def normalize(self, x: Any, dim: int = 1, eps: float = 1e-12) -> Any:
        """x over its Euclidean norm along dim."""
        return qF.normalize(x, dim, eps, *self._tail(), name=self._qualified_name)

    def unary(self, x: Any, function: str) -> Any:
        """A function of one value by its name in torch."""
        return qF.unary(x, function, *self._tail(), name=self._qualified_name)

    def softmax(self, x: Any, dim: int, mask: Any = None) -> Any:
        """Softmax along dim over the elements whose mask is true."""
        return qF.softmax(x, dim, mask, *self._tail(), name=self._qualified_name)

    def add_scalar(self, x: Any, y: float) -> Any:
        """x + y for a number y; scale and zero point follow from x's."""
        return qF.add_scalar(x, y, name=self._qualified_name)

    def mul_scalar(self, x: Any, y: float) -> Any:
        """x * y for a number y; scale and zero point follow from x's."""
        return qF.mul_scalar(x, y, name=self._qualified_name)

    @classmethod
    def from_float(cls, mod: nn.Module) -> QFunctional:
        """From a prepared and calibrated FloatFunctional.

        Raises:
            QuantizationError: not calibrated, or not finite; names the layer.
        """
        result = cls()
        observer = getattr(mod, "activation_post_process", None)
        if getattr(mod, "_had_scalar", False) and getattr(observer, "calibrated", True) is False:
            return result  # it has computed with numbers only, which needs no parameters of its own
        result.output_qparams = observed_qparams(observer, place_of(mod))
        return result
