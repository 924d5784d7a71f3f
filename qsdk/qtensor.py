"""Quantized tensors: their dtypes, their parameters, and the wrapper that eager models pass between modules.

A QTensor holds integers as devices hold them. Devices know int8 only, so quint8 values are stored minus 128, zero point
and range too; what users see (int_repr, q_zero_point) is in their own dtype. What can be computed on QTensors stands in
the operator table, qsdk/ops.py; this file only looks functions up there.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor

from qsdk.errors import QuantizationError
from qsdk.reference import ops as _reference_ops  # noqa: F401  (defines torch.ops.qsdk)
from qsdk.reference.constants import SCALE_MAX, SCALE_MIN, inverse_scale
from qsdk.reference.rounding import f32, round_clamp_int32


class QDType(enum.Enum):
    """Integer types of quantized values. torch's dtypes of the same names are accepted wherever one is expected."""

    qint8 = "qint8"
    quint8 = "quint8"
    qint32 = "qint32"

    @property
    def min(self) -> int:
        """Lowest value of the type."""
        return {"qint8": -128, "quint8": 0, "qint32": -(2**31)}[self.value]

    @property
    def max(self) -> int:
        """Highest value of the type."""
        return {"qint8": 127, "quint8": 255, "qint32": 2**31 - 1}[self.value]

    @property
    def device_offset(self) -> int:
        """What is subtracted from a value to get the value that devices store."""
        return 128 if self is QDType.quint8 else 0

    @property
    def storage_dtype(self) -> torch.dtype:
        """torch dtype of the device storage."""
        return torch.int32 if self is QDType.qint32 else torch.int8

    @property
    def repr_dtype(self) -> torch.dtype:
        """torch dtype of int_repr()."""
        return {"qint8": torch.int8, "quint8": torch.uint8, "qint32": torch.int32}[self.value]

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
}


def to_qdtype(dtype: Any) -> QDType:
    """The QDType that `dtype` (ours, torch's, or a name) stands for."""
    if isinstance(dtype, QDType):
        return dtype
    if isinstance(dtype, str) and dtype in QDType.__members__:
        return QDType[dtype]
    if isinstance(dtype, torch.dtype) and dtype in _TORCH_DTYPES:
        return _TORCH_DTYPES[dtype]
    raise QuantizationError(f"dtype {dtype} is not supported; use qsdk.qint8, qsdk.quint8 or qsdk.qint32")


def to_qscheme(qscheme: Any) -> QScheme:
    """The QScheme that `qscheme` (ours, torch's, or a name) stands for."""
    if isinstance(qscheme, QScheme):
        return qscheme
    name = str(qscheme).removeprefix("torch.")
    if name in QScheme.__members__:
        return QScheme[name]
    raise QuantizationError(f"qscheme {qscheme} is not supported; use one of {', '.join(QScheme.__members__)}")


@dataclass(frozen=True, eq=False)
class QParams:
    """real = scale * (q - zero_point), with quant_min <= q <= quant_max.

    Attributes:
        scale: a float that holds a binary32 value, or a float32 tensor [C] per channel
        zero_point: an int in the user's dtype, or an int64 tensor [C] per channel
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
        if zero_point.is_floating_point():
            raise QuantizationError("float zero points are not supported yet; use an integer qscheme")
        zero_point = zero_point.to(torch.int64)
        if scale.shape != zero_point.shape:
            raise QuantizationError(f"{scale.numel()} scales, but {zero_point.numel()} zero points")
        outside = ~((scale >= SCALE_MIN) & (scale <= SCALE_MAX))
        if bool(outside.any()):
            channel = int(outside.nonzero()[0, 0])
            raise QuantizationError(
                f"scale {float(scale[channel])} of channel {channel} is not within [2^-60, 2^60]; check the weights"
            )
        if bool(((zero_point < low) | (zero_point > high)).any()):
            raise QuantizationError(f"zero points {zero_point.tolist()} leave the range {low}..{high}")
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "zero_point", zero_point)

    @property
    def per_channel(self) -> bool:
        """One scale per index of ch_axis."""
        return self.ch_axis is not None

    @property
    def qscheme(self) -> QScheme:
        """per_channel_affine or per_tensor_affine, as torch reports it for tensors."""
        return per_channel_affine if self.per_channel else per_tensor_affine

    @property
    def device_zero_point(self) -> Any:
        """The zero point of the device storage."""
        return self.zero_point - self.dtype.device_offset

    @property
    def device_min(self) -> int:
        """quant_min in terms of the device storage."""
        return self._bound(self.quant_min) - self.dtype.device_offset

    @property
    def device_max(self) -> int:
        """quant_max in terms of the device storage."""
        return self._bound(self.quant_max) - self.dtype.device_offset

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


# torch function or method -> its implementation on QTensors. qsdk/ops.py fills it from the operator table.
_IMPLEMENTATIONS: dict[Any, Callable[..., Any]] = {}


def register_implementation(functions: Iterable[Any], implementation: Callable[..., Any]) -> None:
    """Make QTensors answer each of `functions` with `implementation`."""
    for function in functions:
        _IMPLEMENTATIONS[function] = implementation


def implementation_of(function: Any) -> Callable[..., Any] | None:
    """What QTensors answer `function` with, or None."""
    import qsdk.ops  # noqa: F401  (fills the table; it cannot be imported earlier because it needs this file)

    return _IMPLEMENTATIONS.get(function)


_NEED_OUTPUT_QPARAMS = {
    "add", "add_", "mul", "mul_", "multiply", "sub", "sub_", "subtract", "div", "matmul", "cat", "concat", "stack",
    "__add__", "__mul__", "__sub__", "__truediv__", "__matmul__",
}  # fmt: skip


def calling_module() -> str:
    """' (called in layer ...)' for the innermost nn.Module on the stack whose path is known. For error messages."""
    frame = sys._getframe(1)
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, torch.nn.Module):
            name = owner.__dict__.get("_qualified_name")
            if name is not None:
                return f" (in layer '{name or '<model>'}', {type(owner).__name__})"
        frame = frame.f_back  # type: ignore[assignment]
    return ""


def _refuse(function: Any) -> NoReturn:
    name = getattr(function, "__name__", str(function))
    if name in _NEED_OUTPUT_QPARAMS:
        remedy = (
            "its result needs a scale and zero point of its own: use a qsdk.nn.quantized.FloatFunctional in the float "
            "model, so that calibration observes it"
        )
    else:
        remedy = "insert a DeQuantStub before it, or quantize the layer that calls it"
    raise QuantizationError(f"{name} got a quantized tensor{calling_module()}, which it cannot compute with; {remedy}")


class QTensor:
    """Integers with their quantization parameters.

    Not a torch.Tensor: torch functions on it are looked up in the operator table, and everything else is refused with
    an error that names the remedy.

    Attributes:
        storage: the device's integers; int8, or int32 for qint32
        qparams: scale, zero point, dtype and range
    """

    storage: Tensor
    qparams: QParams

    def __init__(self, storage: Tensor, qparams: QParams) -> None:
        if storage.dtype != qparams.dtype.storage_dtype:
            raise QuantizationError(
                f"device storage of {qparams.dtype!r} is {qparams.dtype.storage_dtype}, not {storage.dtype}"
            )
        self.storage = storage
        self.qparams = qparams

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        implementation = implementation_of(func)
        if implementation is None:
            _refuse(func)
        return implementation(*args, **(kwargs or {}))

    # Quantization parameters

    @property
    def dtype(self) -> QDType:
        """The user's dtype."""
        return self.qparams.dtype

    @property
    def is_quantized(self) -> bool:
        """True."""
        return True

    def qscheme(self) -> QScheme:
        """per_tensor_affine or per_channel_affine."""
        return self.qparams.qscheme

    def q_scale(self) -> float:
        """The scale of a per-tensor quantized tensor."""
        return float(self._per_tensor("q_scale").scale)

    def q_zero_point(self) -> int:
        """The zero point of a per-tensor quantized tensor, in its own dtype."""
        return int(self._per_tensor("q_zero_point").zero_point)

    def q_per_channel_scales(self) -> Tensor:
        """The scales, float32 [C]."""
        return self._per_channel("q_per_channel_scales").scale

    def q_per_channel_zero_points(self) -> Tensor:
        """The zero points, int64 [C], in the tensor's own dtype."""
        return self._per_channel("q_per_channel_zero_points").zero_point

    def q_per_channel_axis(self) -> int:
        """The axis that the scales run over."""
        axis = self._per_channel("q_per_channel_axis").ch_axis
        assert axis is not None
        return axis

    def _per_tensor(self, what: str) -> QParams:
        if self.qparams.per_channel:
            raise QuantizationError(f"{what}: this tensor is quantized per channel; use the q_per_channel_* methods")
        return self.qparams

    def _per_channel(self, what: str) -> QParams:
        if not self.qparams.per_channel:
            raise QuantizationError(f"{what}: this tensor is quantized per tensor; use q_scale and q_zero_point")
        return self.qparams

    # Values

    def int_repr(self) -> Tensor:
        """The integers in the user's dtype: int8, uint8 or int32."""
        offset = self.dtype.device_offset
        if offset == 0:
            return self.storage.clone()
        return (self.storage.to(torch.int16) + offset).to(self.dtype.repr_dtype)

    def dequantize(self) -> Tensor:
        """Rule 2: f32(scale * f32(q - zero_point))."""
        return dequantize(self)

    # Shape

    @property
    def shape(self) -> torch.Size:
        """Its extents."""
        return self.storage.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.storage.dim()

    @property
    def device(self) -> torch.device:
        """Where the integers are."""
        return self.storage.device

    @property
    def requires_grad(self) -> bool:
        """False: integers have no gradient."""
        return False

    def size(self, dim: int | None = None) -> Any:
        """Its extents, or one of them."""
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        """Number of axes."""
        return self.storage.dim()

    def numel(self) -> int:
        """Number of elements."""
        return self.storage.numel()

    def __len__(self) -> int:
        return len(self.storage)

    def is_contiguous(self, *args: Any, **kwargs: Any) -> bool:
        """Whether the integers lie in row-major order."""
        return self.storage.is_contiguous(*args, **kwargs)

    def view(self, *shape: Any) -> QTensor:
        """As reshape: quantized tensors are never views."""
        return self._call(torch.Tensor.reshape, *shape)

    def reshape(self, *shape: Any) -> QTensor:
        """The same values in another shape; one extent may be -1."""
        return self._call(torch.Tensor.reshape, *shape)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> QTensor:
        """Join the axes start_dim..end_dim into one."""
        return self._call(torch.Tensor.flatten, start_dim, end_dim)

    def unflatten(self, dim: int, sizes: Any) -> QTensor:
        """Split one axis into several."""
        return self._call(torch.Tensor.unflatten, dim, sizes)

    def squeeze(self, *dim: Any) -> QTensor:
        """Drop axes of extent 1."""
        return self._call(torch.Tensor.squeeze, *dim)

    def unsqueeze(self, dim: int) -> QTensor:
        """Insert an axis of extent 1."""
        return self._call(torch.Tensor.unsqueeze, dim)

    def permute(self, *dims: Any) -> QTensor:
        """Reorder the axes."""
        return self._call(torch.Tensor.permute, *dims)

    def transpose(self, dim0: int, dim1: int) -> QTensor:
        """Swap two axes."""
        return self._call(torch.Tensor.transpose, dim0, dim1)

    def contiguous(self, *args: Any, **kwargs: Any) -> QTensor:
        """Itself: storage is always row major."""
        return self

    def detach(self) -> QTensor:
        """Itself: integers have no gradient."""
        return self

    def clone(self, *args: Any, **kwargs: Any) -> QTensor:
        """A copy with storage of its own."""
        return self._call(torch.Tensor.clone)

    def to(self, *args: Any, **kwargs: Any) -> QTensor:
        """The same tensor on another device. Not a conversion of dtype: dequantize and quantize again for that."""
        device, dtype, non_blocking, _ = torch._C._nn._parse_to(*args, **kwargs)
        if dtype is not None:
            raise QuantizationError(f"to({dtype}) on a quantized tensor{calling_module()}; call dequantize() first")
        if device is None or device == self.device:
            return self
        return QTensor(self.storage.to(device, non_blocking=non_blocking), self.qparams)

    def cpu(self) -> QTensor:
        """On the CPU."""
        return self.to("cpu")

    # Arithmetic with shared parameters

    def mean(self, dim: Any = None, keepdim: bool = False) -> QTensor:
        """Mean over axes, with the same scale and zero point."""
        return self._call(torch.Tensor.mean, dim, keepdim)

    def relu(self) -> QTensor:
        """max(x, 0)."""
        return self._call(torch.relu)

    def relu_(self) -> QTensor:
        """max(x, 0), in place."""
        return self._call(torch.relu_)

    def clamp(self, min: float | None = None, max: float | None = None) -> QTensor:
        """Clamp to real bounds."""
        return self._call(torch.clamp, min, max)

    def _call(self, function: Any, *args: Any) -> QTensor:
        return self.__torch_function__(function, (QTensor,), (self, *args))

    def __add__(self, other: Any) -> NoReturn:
        _refuse(torch.add)

    def __sub__(self, other: Any) -> NoReturn:
        _refuse(torch.sub)

    def __mul__(self, other: Any) -> NoReturn:
        _refuse(torch.mul)

    def __truediv__(self, other: Any) -> NoReturn:
        _refuse(torch.div)

    def __matmul__(self, other: Any) -> NoReturn:
        _refuse(torch.matmul)

    def add(self, other: Any) -> NoReturn:
        """Refused; the error names FloatFunctional."""
        _refuse(torch.add)

    def mul(self, other: Any) -> NoReturn:
        """Refused; the error names FloatFunctional."""
        _refuse(torch.mul)

    __radd__ = __iadd__ = __add__
    __rsub__ = __isub__ = __sub__
    __rmul__ = __imul__ = __mul__
    __rtruediv__ = __truediv__
    __rmatmul__ = __matmul__

    def __getitem__(self, index: Any) -> QTensor:
        raise QuantizationError(
            f"indexing a quantized tensor{calling_module()} is not supported yet; insert a DeQuantStub before it"
        )

    def __repr__(self) -> str:
        per = f", ch_axis={self.qparams.ch_axis}" if self.qparams.per_channel else ""
        return (
            f"QTensor({self.dequantize()}, dtype={self.dtype!r}, scale={self.qparams.scale}, "
            f"zero_point={self.qparams.zero_point}{per})"
        )


def quantize(input: Tensor, qparams: QParams) -> QTensor:
    """Rule 1 with the given parameters, per tensor or per channel.

    Raises:
        QuantizationError: `input` is not a float tensor, or its extent along ch_axis is not the number of scales.
    """
    if isinstance(input, QTensor):
        raise QuantizationError(
            f"quantize got a tensor that is quantized already{calling_module()}; remove one of the two QuantStubs"
        )
    if not isinstance(input, Tensor) or not input.is_floating_point():
        raise QuantizationError(
            f"quantize{calling_module()} needs a float tensor, not {getattr(input, 'dtype', type(input))}"
        )
    if qparams.per_channel or qparams.dtype is qint32:
        return _quantize_in_python(input, qparams)
    storage = torch.ops.qsdk.quantize_per_tensor.default(
        input,
        inverse_scale(qparams.scale),
        qparams.scale,
        qparams.device_zero_point,
        qparams.device_min,
        qparams.device_max,
    )
    return QTensor(storage, qparams)


def _quantize_in_python(input: Tensor, qparams: QParams) -> QTensor:
    """Rule 1 for tensors that no device file holds as activations: per channel, or int32."""
    scale: Any = torch.as_tensor(qparams.scale, dtype=torch.float32, device=input.device)
    zero_point: Any = torch.as_tensor(qparams.device_zero_point, device=input.device)
    if qparams.ch_axis is not None:
        if not -input.dim() <= qparams.ch_axis < input.dim() or input.shape[qparams.ch_axis] != scale.numel():
            raise QuantizationError(
                f"{scale.numel()} scales along axis {qparams.ch_axis} do not fit a tensor of shape {list(input.shape)}"
            )
        scale, zero_point = (_along(v, qparams.ch_axis, input.dim()) for v in (scale, zero_point))
    scaled = input.detach().to(torch.float32) * (1.0 / scale)
    storage = round_clamp_int32(scaled, zero_point, qparams.device_min, qparams.device_max)
    return QTensor(storage.to(qparams.dtype.storage_dtype), qparams)


def _along(values: Tensor, axis: int, dim: int) -> Tensor:
    shape = [1] * dim
    shape[axis] = -1
    return values.reshape(shape)


def quantize_per_tensor(input: Tensor, scale: Any, zero_point: Any, dtype: Any) -> QTensor:
    """Rule 1: q = clamp(rne(f32(x * f32(1/scale))) + zero_point) over the whole range of `dtype`; NaN gives zero_point.

    Args:
        input: float tensor of any shape
        scale, zero_point: numbers or one-element tensors
        dtype: qint8, quint8 or qint32, ours or torch's
    """
    return quantize(input, QParams(scale, zero_point, to_qdtype(dtype)))


def quantize_per_channel(input: Tensor, scales: Tensor, zero_points: Tensor, axis: int, dtype: Any) -> QTensor:
    """Rule 1 with one scale and zero point per index of `axis`.

    Args:
        input: float tensor
        scales, zero_points: [C], C = input.shape[axis]
        axis: the channel axis
        dtype: qint8, quint8 or qint32, ours or torch's
    """
    return quantize(input, QParams(scales, zero_points, to_qdtype(dtype), ch_axis=axis))


def dequantize(input: QTensor) -> Tensor:
    """Rule 2: f32(scale * f32(q - zero_point)), float32."""
    qparams = input.qparams
    if qparams.dtype is not qint32 and not qparams.per_channel:
        result: Tensor = torch.ops.qsdk.dequantize.default(input.storage, qparams.scale, qparams.device_zero_point)
        return result
    scale = torch.as_tensor(qparams.scale, dtype=torch.float32, device=input.device)
    zero_point = torch.as_tensor(qparams.device_zero_point, device=input.device)
    if qparams.ch_axis is not None:
        scale, zero_point = (_along(v, qparams.ch_axis, input.dim()) for v in (scale, zero_point))
    return scale * (input.storage.to(torch.int64) - zero_point).to(torch.float32)
