"""Quantization parameters: dtypes, schemes, and the scale, zero point and range of one tensor.

Devices know int8 only, so quint8 values are stored minus 128, zero point and range too; users see their own dtype.
Tables with float zero points are the exception: they are stored as users see them, because a float zero point less 128
would be rounded.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import torch

from qsdk.errors import QuantizationError
from qsdk.reference.constants import SCALE_MAX, SCALE_MIN
from qsdk.reference.rounding import f32


class QDType(enum.Enum):
    """Integer types of quantized values. torch's dtypes of the same names are accepted wherever one is expected."""

    qint8 = "qint8"
    quint8 = "quint8"
    qint32 = "qint32"
    quint4x2 = "quint4x2"

    @property
    def min(self) -> int:
        """Lowest value of the type."""
        return {"qint8": -128, "quint8": 0, "qint32": -(2**31), "quint4x2": 0}[self.value]

    @property
    def max(self) -> int:
        """Highest value of the type."""
        return {"qint8": 127, "quint8": 255, "qint32": 2**31 - 1, "quint4x2": 15}[self.value]

    @property
    def repr_dtype(self) -> torch.dtype:
        """torch dtype of int_repr(); one value an element, 4 bits too."""
        return {"qint8": torch.int8, "qint32": torch.int32}.get(self.value, torch.uint8)

    def __repr__(self) -> str:
        return f"qsdk.{self.value}"


class QScheme(enum.Enum):
    """How scales and zero points are chosen. torch's qschemes of the same names are accepted."""

    per_tensor_affine = "per_tensor_affine"
    per_tensor_symmetric = "per_tensor_symmetric"
    per_channel_affine = "per_channel_affine"
    per_channel_symmetric = "per_channel_symmetric"
    per_channel_affine_float_qparams = "per_channel_affine_float_qparams"

    @property
    def per_channel(self) -> bool:
        """One scale per index of an axis, not one for the tensor."""
        return self.value.startswith("per_channel")

    @property
    def symmetric(self) -> bool:
        """The zero point is the middle of the range."""
        return self.value.endswith("symmetric")

    def __repr__(self) -> str:
        return f"qsdk.{self.value}"


qint8 = QDType.qint8
quint8 = QDType.quint8
qint32 = QDType.qint32
quint4x2 = QDType.quint4x2
per_tensor_affine = QScheme.per_tensor_affine
per_tensor_symmetric = QScheme.per_tensor_symmetric
per_channel_affine = QScheme.per_channel_affine
per_channel_symmetric = QScheme.per_channel_symmetric
per_channel_affine_float_qparams = QScheme.per_channel_affine_float_qparams

_TORCH_DTYPES = {
    torch.qint8: qint8,
    torch.int8: qint8,
    torch.quint8: quint8,
    torch.uint8: quint8,
    torch.qint32: qint32,
    torch.int32: qint32,
    torch.quint4x2: quint4x2,
}


def to_qdtype(dtype: Any) -> QDType:
    """The QDType that `dtype` (ours, torch's, or a name) stands for."""
    if isinstance(dtype, QDType):
        return dtype
    if isinstance(dtype, str) and dtype in QDType.__members__:
        return QDType[dtype]
    if isinstance(dtype, torch.dtype) and dtype in _TORCH_DTYPES:
        return _TORCH_DTYPES[dtype]
    raise QuantizationError(
        f"dtype {dtype} is not supported; use qsdk.qint8, qsdk.quint8 or qsdk.qint32, or qsdk.quint4x2 for embedding "
        "tables"
    )


def to_qscheme(qscheme: Any) -> QScheme:
    """The QScheme that `qscheme` (ours, torch's, or a name) stands for."""
    if isinstance(qscheme, QScheme):
        return qscheme
    name = str(qscheme).removeprefix("torch.")
    if name in QScheme.__members__:
        return QScheme[name]
    raise QuantizationError(f"qscheme {qscheme} is not supported; use one of {', '.join(QScheme.__members__)}")


def check_pair(dtype: QDType, qscheme: QScheme) -> None:
    """Refuse a dtype that a qscheme is not for: float zero points go with the unsigned dtypes of embedding tables.

    Raises:
        QuantizationError: names both, and what to use in place of one.
    """
    if dtype is quint4x2 and qscheme is not per_channel_affine_float_qparams:
        raise QuantizationError(
            f"qsdk.quint4x2 is for embedding tables, with {per_channel_affine_float_qparams!r}, not {qscheme!r}; use "
            "qsdk.qint8 or qsdk.quint8"
        )
    if qscheme is per_channel_affine_float_qparams and dtype not in (quint8, quint4x2):
        raise QuantizationError(
            f"{qscheme!r} is for embedding tables of qsdk.quint8 or qsdk.quint4x2, not {dtype!r}; use one of these, or "
            f"{per_channel_affine!r}"
        )


@dataclass(frozen=True, eq=False)
class QParams:
    """real = scale * (q - zero_point), with quant_min <= q <= quant_max.

    Attributes:
        scale: a float that holds a binary32 value, or a float32 tensor [C] per channel
        zero_point: an int in the user's dtype, or an int64 tensor [C] per channel; a float32 tensor [C] for the rows
            of an embedding table (quint8 or quint4x2)
        dtype: the user's dtype
        quant_min, quant_max: range in the user's dtype; the whole dtype unless given. Narrower ones (reduce_range,
            4 bits) clamp every operator's output exactly as fake quantization does
        ch_axis: the axis that the scales run over; None per tensor
    """

    scale: Any
    zero_point: Any
    dtype: QDType = qint8
    quant_min: int | None = None
    quant_max: int | None = None
    ch_axis: int | None = None

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        dtype = to_qdtype(self.dtype)
        low = dtype.min if self.quant_min is None else int(self.quant_min)
        high = dtype.max if self.quant_max is None else int(self.quant_max)
        if not dtype.min <= low < high <= dtype.max:
            raise QuantizationError(f"quant_min {low} and quant_max {high} are not a range within {dtype!r}")
        set_field(self, "dtype", dtype)
        set_field(self, "quant_min", low)
        set_field(self, "quant_max", high)
        if self.ch_axis is None:
            self._check_per_tensor(dtype, low, high)
        else:
            self._check_per_channel(low, high)
        check_pair(dtype, self.qscheme)

    def _check_per_tensor(self, dtype: QDType, low: int, high: int) -> None:
        scale, zero_point = f32(float(self.scale)), int(self.zero_point)
        if not SCALE_MIN <= scale <= SCALE_MAX:
            raise QuantizationError(f"scale {scale} is not within [2^-60, 2^60]; check the calibration data")
        if not low <= zero_point <= high:
            raise QuantizationError(f"zero_point {zero_point} is outside the range {low}..{high} of {dtype!r}")
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "zero_point", zero_point)

    def _check_per_channel(self, low: int, high: int) -> None:
        scale = torch.as_tensor(self.scale).detach().to(torch.float32).reshape(-1).clone()
        zero_point = torch.as_tensor(self.zero_point).detach().reshape(-1).clone()
        zero_point = zero_point.to(torch.float32 if zero_point.is_floating_point() else torch.int64)
        if scale.shape != zero_point.shape:
            raise QuantizationError(f"{scale.numel()} scales, but {zero_point.numel()} zero points")
        outside = ~((scale >= SCALE_MIN) & (scale <= SCALE_MAX))
        if bool(outside.any()):
            channel = int(outside.nonzero()[0, 0])
            raise QuantizationError(
                f"scale {float(scale[channel])} of channel {channel} is not within [2^-60, 2^60]; check the weights"
            )
        if zero_point.is_floating_point():
            if not bool((zero_point.abs() <= SCALE_MAX).all()):
                raise QuantizationError(f"zero points {zero_point.tolist()} are not within 2^60; check the weights")
        elif bool(((zero_point < low) | (zero_point > high)).any()):
            raise QuantizationError(f"zero points {zero_point.tolist()} leave the range {low}..{high}")
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "zero_point", zero_point)

    @property
    def per_channel(self) -> bool:
        """One scale per index of ch_axis."""
        return self.ch_axis is not None

    @property
    def float_zero_point(self) -> bool:
        """The parameters of an embedding table (rule 16)."""
        return self.per_channel and bool(self.zero_point.is_floating_point())

    @property
    def qscheme(self) -> QScheme:
        """per_tensor_affine, per_channel_affine or per_channel_affine_float_qparams, as torch has it for tensors."""
        if self.float_zero_point:
            return per_channel_affine_float_qparams
        return per_channel_affine if self.per_channel else per_tensor_affine

    @property
    def device_offset(self) -> int:
        """What is subtracted from a value to get the value that devices store."""
        return 128 if self.dtype is quint8 and not self.float_zero_point else 0

    @property
    def storage_dtype(self) -> torch.dtype:
        """torch dtype of the device storage."""
        if self.float_zero_point:
            return torch.uint8
        return torch.int32 if self.dtype is qint32 else torch.int8

    @property
    def device_zero_point(self) -> Any:
        """The zero point of the device storage."""
        return self.zero_point - self.device_offset

    @property
    def device_min(self) -> int:
        """quant_min in terms of the device storage."""
        return self._bound(self.quant_min) - self.device_offset

    @property
    def device_max(self) -> int:
        """quant_max in terms of the device storage."""
        return self._bound(self.quant_max) - self.device_offset

    @staticmethod
    def _bound(value: int | None) -> int:
        assert value is not None  # __post_init__ filled it in
        return value

    def _key(self) -> tuple[Any, ...]:
        scale, zero_point = self.scale, self.zero_point
        if self.per_channel:
            scale, zero_point = tuple(scale.tolist()), tuple(zero_point.tolist())
        return scale, zero_point, self.dtype, self.quant_min, self.quant_max, self.ch_axis

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QParams) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())
