"""Quantized normalization: batch norm alone (rule 14), layer, group and instance norm (rule 9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import Self

from qsdk.errors import QuantizationError, UnsupportedOperatorError
from qsdk.nn.quantized import functional as qF
from qsdk.nn.quantized.base import BindingModule, place_of
from qsdk.qtensor import QParams, QTensor
from qsdk.reference import constants


def _buffer(value: Tensor | None, otherwise: Tensor) -> Tensor:
    return otherwise if value is None else value.detach().to(torch.float32).clone()


class _Norm(BindingModule):
    """A factor and an offset per element of `shape`, in the buffers weight and bias, float32."""

    weight: Tensor
    bias: Tensor

    def __init__(
        self, shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float, scale: Any, zero_point: Any
    ) -> None:
        super().__init__(QParams(float(scale), int(zero_point), "quint8"))  # type: ignore[arg-type]
        self.eps = eps
        self.register_buffer("weight", _buffer(weight, torch.ones(shape)))
        self.register_buffer("bias", _buffer(bias, torch.zeros(shape)))

    def _bind(self, input: QParams) -> Any:
        """norm_constants, and the eps of this input."""
        tensors = constants.norm_constants(self.weight, self.bias, self.output_qparams.scale)
        return tensors, constants.norm_epsilon(self.eps, input.scale)

    def extra_repr(self) -> str:
        """Shape and output parameters."""
        return f"{tuple(self.weight.shape)}, eps={self.eps}, {super().extra_repr()}"


class LayerNorm(_Norm):
    """Normalizes the last axes; arguments as torch.ao.nn.quantized.LayerNorm.

    Args:
        normalized_shape: extents of the axes
        weight, bias: float32 of that shape, or None
        scale, zero_point: of the output
    """

    def __init__(
        self,
        normalized_shape: Any,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        scale: Any = 1.0,
        zero_point: Any = 0,
        eps: float = 1e-5,
    ) -> None:
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        super().__init__(shape, weight, bias, eps, scale, zero_point)
        self.normalized_shape = shape

    def forward(self, input: QTensor) -> QTensor:
        """[..., *normalized_shape]."""
        input = self.need_qtensor(input)
        tensors, eps = self.bound_constants(input.qparams)
        return qF.layer_norm_bound(input, tensors, eps, self.output_qparams)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a prepared and calibrated nn.LayerNorm."""
        source: Any = mod
        result = cls(source.normalized_shape, source.weight, source.bias, eps=source.eps)
        result._take_output(mod)
        return result


class GroupNorm(_Norm):
    """Normalizes groups of channels; arguments as torch.ao.nn.quantized.GroupNorm.

    Args:
        num_groups, num_channels: as torch's
        weight, bias: float32 [num_channels], or None
        scale, zero_point: of the output
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        scale: Any = 1.0,
        zero_point: Any = 0,
        eps: float = 1e-5,
    ) -> None:
        if num_groups < 1 or num_channels % num_groups:
            raise QuantizationError(f"{type(self).__name__}: {num_channels} channels in {num_groups} groups")
        super().__init__((num_channels,), weight, bias, eps, scale, zero_point)
        self.num_groups = num_groups
        self.num_channels = num_channels

    def forward(self, input: QTensor) -> QTensor:
        """[N, num_channels, ...]."""
        input = self.need_qtensor(input)
        tensors, eps = self.bound_constants(input.qparams)
        return qF.group_norm_bound(input, tensors, self.num_groups, eps, self.output_qparams)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a prepared and calibrated nn.GroupNorm."""
        source: Any = mod
        result = cls(source.num_groups, source.num_channels, source.weight, source.bias, eps=source.eps)
        result._take_output(mod)
        return result


class _InstanceNorm(GroupNorm):
    _rank: int

    def __init__(
        self,
        num_features: int,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        scale: Any = 1.0,
        zero_point: Any = 0,
        eps: float = 1e-5,
    ) -> None:
        super().__init__(num_features, num_features, weight, bias, scale, zero_point, eps)

    def forward(self, input: QTensor) -> QTensor:
        """[N, num_features, ...]."""
        return super().forward(qF.need_rank(self.need_qtensor(input), self._rank, type(self).__name__))

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a prepared and calibrated instance norm.

        Raises:
            UnsupportedOperatorError: it uses running statistics; names the layer.
        """
        source: Any = mod
        if source.track_running_stats:
            raise UnsupportedOperatorError(
                f"{place_of(mod)} normalizes by running statistics; use BatchNorm with the same statistics, or "
                "track_running_stats=False"
            )
        result = cls(source.num_features, source.weight, source.bias, eps=source.eps)
        result._take_output(mod)
        return result


class InstanceNorm1d(_InstanceNorm):
    """Normalizes each channel of each [N, C, L]; GroupNorm with one channel a group."""

    _rank = 3


class InstanceNorm2d(_InstanceNorm):
    """Normalizes each channel of each [N, C, H, W]; GroupNorm with one channel a group."""

    _rank = 4


class InstanceNorm3d(_InstanceNorm):
    """Normalizes each channel of each [N, C, D, H, W]; GroupNorm with one channel a group."""

    _rank = 5


class _BatchNorm(_Norm):
    running_mean: Tensor
    running_var: Tensor
    _relu = False

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__((num_features,), None, None, eps, 1.0, 0)
        self.num_features = num_features
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def _bind(self, input: QParams) -> Any:
        return constants.batch_norm_constants(
            self.weight,
            self.bias,
            self.running_mean,
            self.running_var,
            self.eps,
            input.scale,
            self.output_qparams.scale,
        )

    def forward(self, input: QTensor) -> QTensor:
        """[N, num_features, ...]."""
        input = self.need_qtensor(input)
        return qF.batch_norm_bound(input, self.bound_constants(input.qparams), self.output_qparams, self._relu)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a prepared and calibrated batch norm, or batch norm and ReLU.

        Raises:
            UnsupportedOperatorError: it has no running statistics; names the layer.
        """
        source: Any = mod[0] if isinstance(mod, nn.Sequential) else mod
        if source.running_mean is None:
            raise UnsupportedOperatorError(
                f"{place_of(mod)} has no running statistics; use track_running_stats=True, or an InstanceNorm"
            )
        result = cls(source.num_features, source.eps, source.momentum)
        for name in ("weight", "bias", "running_mean", "running_var"):
            setattr(result, name, _buffer(getattr(source, name), getattr(result, name)))
        result._take_output(mod)
        return result


class BatchNorm1d(_BatchNorm):
    """Batch norm by running statistics on [N, C] or [N, C, L]; arguments as torch.nn.BatchNorm1d's first."""


class BatchNorm2d(_BatchNorm):
    """Batch norm by running statistics on [N, C, H, W]; arguments as torch.nn.BatchNorm2d's first."""


class BatchNorm3d(_BatchNorm):
    """Batch norm by running statistics on [N, C, D, H, W]; arguments as torch.nn.BatchNorm3d's first."""
