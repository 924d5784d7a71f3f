"""Modules whose weights alone are quantized, to 8 or 4 bits: float in, float out. Rule 20.

Made from float modules whose qconfig is weight_only_qconfig(...), by convert or quantize_dynamic.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import Self

from qsdk.errors import QuantizationError
from qsdk.nn.quantized import functional as qF
from qsdk.nn.quantized.base import QuantizedModule, place_of, weight_observer, weight_qparams
from qsdk.nn.quantized.conv import Geometry, float_conv
from qsdk.nn.quantized.linear import float_linear
from qsdk.qtensor import QParams, qint8
from qsdk.reference.embedding import pack_nibbles
from qsdk.reference.rounding import round_clamp
from qsdk.reference.weight_only import dequantized

GROUP_UNIT = 32  # group sizes are multiples of it


class WeightOnlyModule(QuantizedModule):
    """A module with weights of 8 or 4 bits, with a scale per output channel or per group of them, and a float bias.

    Args:
        weight_shape: [O, I, ...]; a row of K = I * ... values has the channels last
        bits: 8 or 4
        group_size: values that share a scale, a multiple of 32; 0: those of an output channel

    Buffers:
        qweight: int8 [O, K], or uint8 [O, ceil(K / 2)] with two values a byte, the low nibble first, each plus 8
        weight_scale: float32 [O, ceil(K / group_size)], or [O, 1]
        float_bias: float32 [O], or None
    """

    qweight: Tensor
    weight_scale: Tensor
    float_bias: Tensor | None

    def __init__(self, weight_shape: tuple[int, ...], bias: bool, bits: int = 8, group_size: int = 0) -> None:
        super().__init__()
        self._weight_shape = weight_shape
        self.relu = False  # a fused ReLU follows
        self.register_buffer("float_bias", torch.zeros(weight_shape[0]) if bias else None)
        self._empty_weight(bits, group_size)

    def _empty_weight(self, bits: int, group_size: int) -> None:
        if bits not in (8, 4) or group_size < 0 or group_size % GROUP_UNIT:
            raise QuantizationError(
                f"{place_of(self)}: weights have 8 or 4 bits and groups of a multiple of {GROUP_UNIT} values (0: one "
                f"group per output channel), not {bits} bits in groups of {group_size}"
            )
        self.bits, self.group_size = bits, group_size
        outputs, k = self._weight_shape[0], self._depth()
        columns, dtype = (k, torch.int8) if bits == 8 else (-(-k // 2), torch.uint8)
        self.register_buffer("qweight", torch.zeros((outputs, columns), dtype=dtype))
        self.register_buffer("weight_scale", torch.ones(outputs, -(-k // group_size) if group_size else 1))

    def _depth(self) -> int:
        return torch.Size(self._weight_shape[1:]).numel()

    def dequantized_weight(self) -> Tensor:
        """The weight that the layer computes with, float32, in torch's shape [O, I, ...]."""
        rows = dequantized(self.qweight, self.weight_scale, self._depth(), self.bits, self.group_size)
        outputs, inputs, *kernel = self._weight_shape
        return rows.reshape(outputs, *kernel, inputs).movedim(-1, 1)

    def bias(self) -> Tensor | None:
        """The float bias."""
        return self.float_bias

    def _weights(self) -> tuple[Tensor, Tensor, Tensor]:
        bias = self.float_bias
        if bias is None:
            bias = self._kept("bias", lambda: torch.zeros(len(self.qweight), device=self.qweight.device))
        return self.qweight, self.weight_scale, bias

    def _take_float(self, source: nn.Module, weight: Tensor, bias: Tensor | None) -> None:
        """Path and weights of a float module that has a qconfig; `weight` is [O, I, ...]."""
        place = place_of(source)
        self._qualified_name = source.__dict__.get("_qualified_name", "")
        self.relu = any(isinstance(part, nn.ReLU) for part in source.children())
        observer = weight_observer(source, place)
        rows = weight.detach().to(torch.float32).movedim(1, -1).flatten(1)
        qparams = weight_qparams(source, observer, rows, place)
        symmetric = qparams.dtype is qint8 and not bool((torch.as_tensor(qparams.zero_point) != 0).any())
        if not symmetric or qparams.ch_axis not in (None, 0):
            raise QuantizationError(
                f"{place}: weights are {qparams.dtype!r} along axis {qparams.ch_axis}; use weight_only_qconfig(), or "
                "another symmetric qscheme with qint8 and ch_axis=0"
            )
        bits = 4 if qparams.device_min >= -8 and qparams.device_max <= 7 else 8
        self._empty_weight(bits, getattr(observer, "group_size", 0))
        values, self.weight_scale = self._quantized(rows, qparams)
        self.qweight = pack_nibbles((values + 8).to(torch.uint8)) if bits == 4 else values
        self.float_bias = None if bias is None else bias.detach().to(torch.float32).clone()

    def _quantized(self, rows: Tensor, qparams: QParams) -> tuple[Tensor, Tensor]:
        """Rule 1 on rows [O, K], int8, and the scales [O, groups]."""
        scale = torch.as_tensor(qparams.scale).to(rows.device).expand(self.weight_scale.numel())
        scale = scale.reshape(self.weight_scale.shape).clone()
        k = rows.shape[1]
        each = scale.repeat_interleave(self.group_size or k, 1)[:, :k]
        zero = torch.zeros((), dtype=torch.int32, device=rows.device)
        return round_clamp(rows * (torch.ones_like(each) / each), zero, qparams.device_min, qparams.device_max), scale

    def _form_repr(self) -> str:
        return f"bits={self.bits}" + (f", group_size={self.group_size}" if self.group_size else "")


class Linear(WeightOnlyModule):
    """Float [..., in_features] to float [..., out_features]; weights of 8 or 4 bits.

    Args:
        in_features, out_features, bias: as torch.nn.Linear
        bits, group_size: as WeightOnlyModule's
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, bits: int = 8, group_size: int = 0
    ) -> None:
        super().__init__((out_features, in_features), bias, bits, group_size)
        self.in_features = in_features
        self.out_features = out_features

    def forward(self, input: Tensor) -> Tensor:
        """[..., in_features] to [..., out_features]."""
        if isinstance(input, Tensor) and input.shape[-1:] != (self.in_features,):
            raise QuantizationError(
                f"{place_of(self)} got shape {list(input.shape)}, but its weights take {self.in_features} features"
            )
        return qF.linear_weight_only(input, self._weights(), self.bits, self.group_size, self.relu)

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From an nn.Linear or LinearReLU that has a qconfig.

        Raises:
            QuantizationError: weights that are not finite, or a qconfig that does not fit; names the layer.
        """
        weight, bias = float_linear(mod)
        result = cls(weight.shape[1], weight.shape[0], bias is not None)
        result._take_float(mod, weight, bias)
        return result

    def extra_repr(self) -> str:
        """Sizes, bits and groups."""
        return f"in_features={self.in_features}, out_features={self.out_features}, {self._form_repr()}"


class _ConvNd(Geometry, WeightOnlyModule):
    def __init__(self, *args: Any, bits: int = 8, group_size: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._empty_weight(bits, group_size)

    def forward(self, input: Tensor) -> Tensor:
        """Float [N, C, ...] to float [N, O, ...]."""
        if not isinstance(input, Tensor) or input.dim() != self._axes + 2 or input.shape[1] != self.in_channels:
            got = f"shape {list(input.shape)}" if isinstance(input, Tensor) else f"a {type(input).__name__}"
            raise QuantizationError(
                f"{place_of(self)} got {got}, but takes batches of {self.in_channels} channels with {self._axes} axes; "
                "add a batch axis of 1 if that is what is missing"
            )
        input = self.padded(input)
        kernel_size = (1,) * (2 - self._axes) + self.kernel_size
        options = (kernel_size, *self._geometry(), self.bits, self.group_size, self.relu)
        lifted = input.unsqueeze(2) if self._axes == 1 else input
        result = qF.conv2d_weight_only(lifted, self._weights(), *options)
        return result.squeeze(2) if self._axes == 1 else result

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From a float or fused convolution that has a qconfig.

        Raises:
            QuantizationError: weights that are not finite, or a qconfig that does not fit; names the layer.
        """
        conv, weight, bias = float_conv(mod)
        result = cls._of(conv, bias is not None)
        result._take_float(mod, weight, bias)
        return result

    def extra_repr(self) -> str:
        """Geometry, bits and groups."""
        return f"{self.geometry_repr()}, {self._form_repr()}"


class Conv1d(_ConvNd):
    """1D convolution of float [N, C, L]; arguments as torch.nn.Conv1d, bits and group_size as WeightOnlyModule's."""

    _axes = 1


class Conv2d(_ConvNd):
    """2D convolution of float [N, C, H, W]; arguments as torch.nn.Conv2d, bits and group_size as WeightOnlyModule's."""

    _axes = 2


__all__ = ["Conv1d", "Conv2d", "Linear", "WeightOnlyModule"]
