"""Quantized tensors: the wrapper that eager models pass between modules. Its parameters live in qparams.py.

A QTensor holds integers as devices hold them; what users see (int_repr, q_zero_point) is in their own dtype. What can
be computed on QTensors stands in the operator table, qsdk/ops.py; this file only looks functions up there.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import torch
from torch import Tensor

from qsdk.dispatch import call
from qsdk.errors import QuantizationError
from qsdk.qparams import (
    QDType,
    QParams,
    QScheme,
    per_channel_affine,
    per_channel_affine_float_qparams,
    per_channel_symmetric,
    per_tensor_affine,
    per_tensor_symmetric,
    qint8,
    qint32,
    quint8,
    to_qdtype,
    to_qscheme,
)
from qsdk.reference import ops as _reference_ops  # noqa: F401  (defines torch.ops.qsdk)
from qsdk.reference.constants import inverse_scale
from qsdk.reference.rounding import round_clamp_int32

__all__ = [
    "QDType",
    "QParams",
    "QScheme",
    "QTensor",
    "calling_module",
    "dequantize",
    "implementation_of",
    "per_channel_affine",
    "per_channel_affine_float_qparams",
    "per_channel_symmetric",
    "per_tensor_affine",
    "per_tensor_symmetric",
    "qint32",
    "qint8",
    "quantize",
    "quantize_per_channel",
    "quantize_per_tensor",
    "quint8",
    "register_implementation",
    "to_qdtype",
    "to_qscheme",
]

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

    def cuda(self, device: Any = "cuda") -> QTensor:
        """On a CUDA device."""
        return self.to(device)

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
        """As torch.Tensor's, with storage of its own; per channel with integers, slices and an ellipsis only."""
        qparams = self.qparams
        if qparams.per_channel:
            items = self._per_axis(index)
            axis = self.q_per_channel_axis() % self.dim()
            scale, zero_point = qparams.scale[items[axis]], qparams.zero_point[items[axis]]
            new_axis = None if isinstance(items[axis], int) else axis - sum(isinstance(i, int) for i in items[:axis])
            qparams = QParams(scale, zero_point, qparams.dtype, qparams.quant_min, qparams.quant_max, new_axis)
        return QTensor(self.storage[index].clone(memory_format=torch.contiguous_format), qparams)

    def _per_axis(self, index: Any) -> list[Any]:
        """One integer or slice for each axis."""
        items = list(index) if isinstance(index, tuple) else [index]
        if not all(isinstance(item, (int, slice)) or item is Ellipsis for item in items):
            raise QuantizationError(
                f"index {index} of a tensor that is quantized per channel{calling_module()}; use integers and slices, "
                "or dequantize() first"
            )
        if Ellipsis not in items:
            items.append(Ellipsis)
        place = items.index(Ellipsis)
        missing = self.dim() - (len(items) - 1)
        if missing < 0:
            raise QuantizationError(f"index {index} has more axes than a tensor of shape {list(self.shape)}")
        return items[:place] + [slice(None)] * missing + items[place + 1 :]

    def select(self, dim: int, index: int) -> QTensor:
        """The part at `index` of one axis, without that axis."""
        return self[(slice(None),) * (dim % self.dim()) + (index,)]

    def narrow(self, dim: int, start: int, length: int) -> QTensor:
        """The part from `start` of one axis."""
        return self[(slice(None),) * (dim % self.dim()) + (slice(start, start + length),)]

    def split(self, split_size: Any, dim: int = 0) -> tuple[QTensor, ...]:
        """Parts of the given size, or sizes, of one axis."""
        extent = self.shape[dim]
        sizes = [split_size] * -(-extent // split_size) if isinstance(split_size, int) else list(split_size)
        starts = [sum(sizes[:position]) for position in range(len(sizes))]
        return tuple(self.narrow(dim, start, size) for start, size in zip(starts, sizes, strict=True))

    def chunk(self, chunks: int, dim: int = 0) -> tuple[QTensor, ...]:
        """At most `chunks` parts of equal size, but for the last."""
        return self.split(-(-self.shape[dim] // chunks), dim)

    # Comparison: of the real values, element by element, with quantized tensors, float tensors and numbers

    def __eq__(self, other: object) -> Any:
        return _compare(torch.eq, self, other)

    def __ne__(self, other: object) -> Any:
        return _compare(torch.ne, self, other)

    def __lt__(self, other: Any) -> Any:
        return _compare(torch.lt, self, other)

    def __le__(self, other: Any) -> Any:
        return _compare(torch.le, self, other)

    def __gt__(self, other: Any) -> Any:
        return _compare(torch.gt, self, other)

    def __ge__(self, other: Any) -> Any:
        return _compare(torch.ge, self, other)

    __hash__ = object.__hash__

    def equal(self, other: Any) -> bool:
        """Whether both are quantized alike and have the same integers, as torch.equal."""
        return isinstance(other, QTensor) and self.qparams == other.qparams and torch.equal(self.storage, other.storage)

    def __reduce__(self) -> Any:
        # Plain values, which torch.load(weights_only=True) accepts.
        q = self.qparams
        return _rebuild, (self.storage, q.scale, q.zero_point, q.dtype.value, q.quant_min, q.quant_max, q.ch_axis)

    def __repr__(self) -> str:
        per = f", ch_axis={self.qparams.ch_axis}" if self.qparams.per_channel else ""
        return (
            f"QTensor({self.dequantize()}, dtype={self.dtype!r}, scale={self.qparams.scale}, "
            f"zero_point={self.qparams.zero_point}{per})"
        )


def _rebuild(
    storage: Tensor, scale: Any, zero_point: Any, dtype: str, quant_min: int, quant_max: int, ch_axis: int | None
) -> QTensor:
    return QTensor(storage, QParams(scale, zero_point, QDType[dtype], quant_min, quant_max, ch_axis))


torch.serialization.add_safe_globals([_rebuild])


def _real(value: Any) -> Any:
    return dequantize(value) if isinstance(value, QTensor) else value


def _compare(function: Callable[..., Any], left: Any, right: Any) -> Any:
    """A bool tensor; NotImplemented for what is no tensor and no number."""
    if not all(isinstance(v, (QTensor, Tensor, int, float)) for v in (left, right)):
        return NotImplemented
    return function(_real(left), _real(right))


def _equal(left: Any, right: Any) -> bool:
    return isinstance(left, QTensor) and left.equal(right)


for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    for _function in (getattr(torch, _name), getattr(torch.Tensor, _name), getattr(torch.Tensor, f"__{_name}__")):
        register_implementation([_function], functools.partial(_compare, getattr(torch, _name)))
register_implementation([torch.equal, torch.Tensor.equal], _equal)
register_implementation([torch.select], QTensor.select)
register_implementation([torch.narrow], QTensor.narrow)
register_implementation([torch.split], QTensor.split)
register_implementation([torch.chunk], QTensor.chunk)


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
    storage = call(
        torch.ops.qsdk.quantize_per_tensor.default,
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
        result: Tensor = call(
            torch.ops.qsdk.dequantize.default, input.storage, qparams.scale, qparams.device_zero_point
        )
        return result
    scale = torch.as_tensor(qparams.scale, dtype=torch.float32, device=input.device)
    zero_point = torch.as_tensor(qparams.device_zero_point, device=input.device)
    if qparams.ch_axis is not None:
        scale, zero_point = (_along(v, qparams.ch_axis, input.dim()) for v in (scale, zero_point))
    return scale * (input.storage.to(torch.int64) - zero_point).to(torch.float32)
