"""QTensor: integers with their quantization parameters. Its parameters live in qparams.py."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from qsdk.errors import QuantizationError
from qsdk.qparams import QDType, QParams, QScheme
from qsdk.qtensor.table import implementation_of, refuse, register_name

# What a QTensor answers as its integers do.
_OF_STORAGE = frozenset({
    "data_ptr", "dim", "element_size", "get_device", "is_complex", "is_contiguous", "is_cpu", "is_cuda",
    "is_floating_point", "is_meta", "is_pinned", "is_shared", "itemsize", "layout", "nbytes", "ndim", "ndimension",
    "nelement", "numel", "size", "storage_offset", "stride",
})  # fmt: skip


class QTensor:
    """Integers with their quantization parameters.

    Not a torch.Tensor: torch's functions and methods on it are looked up in one table (qsdk/qtensor/table.py), and
    those that are not there are refused with an error that names the remedy. It is never a view of another one.

    Attributes:
        storage: the device's integers; int8, int32 for qint32, and uint8 for embedding tables
        qparams: scale, zero point, dtype and range
    """

    storage: Tensor
    qparams: QParams

    def __init__(self, storage: Tensor, qparams: QParams) -> None:
        if storage.dtype != qparams.storage_dtype:
            raise QuantizationError(
                f"device storage of {qparams.dtype!r} is {qparams.storage_dtype}, not {storage.dtype}"
            )
        self.storage = storage
        self.qparams = qparams

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        implementation = implementation_of(func)
        if implementation is None:
            refuse(func)
        return implementation(*args, **(kwargs or {}))

    def __getattr__(self, name: str) -> Any:
        """A method of torch.Tensor: as the table has it, or refused when it is called."""
        if name in _OF_STORAGE:
            return getattr(self.storage, name)
        function = None if name.startswith("__") else getattr(torch.Tensor, name, None)
        if not callable(function):
            raise AttributeError(f"a quantized tensor has no attribute '{name}'; dequantize() gives a float tensor")
        implementation = implementation_of(function)
        if implementation is None:
            return functools.partial(refuse, function)
        return types.MethodType(implementation, self)

    def __dir__(self) -> list[str]:
        functions = {name: getattr(torch.Tensor, name, None) for name in dir(torch.Tensor)}
        answered = [name for name, function in functions.items() if callable(function) and implementation_of(function)]
        return sorted({*super().__dir__(), *_OF_STORAGE, *answered})

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
        """per_tensor_affine, per_channel_affine or per_channel_affine_float_qparams."""
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
        """The zero points [C], in the tensor's own dtype: int64, or float32 of embedding tables."""
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

    def int_repr(self) -> Tensor:
        """The integers in the user's dtype: int8, uint8 or int32; 4-bit values in a uint8 each."""
        offset = self.qparams.device_offset
        if offset == 0:
            return self.storage.clone()
        return (self.storage.to(torch.int16) + offset).to(self.dtype.repr_dtype)

    # Properties; methods are in the table

    @property
    def shape(self) -> torch.Size:
        """Its extents."""
        return self.storage.shape

    @property
    def device(self) -> torch.device:
        """Where the integers are."""
        return self.storage.device

    @property
    def requires_grad(self) -> bool:
        """False: integers have no gradient."""
        return False

    @property
    def grad(self) -> None:
        """None: integers have no gradient."""
        return None

    @property
    def T(self) -> QTensor:
        """All axes in reverse order."""
        return self.permute(*reversed(range(self.dim())))

    @property
    def mT(self) -> QTensor:
        """The last two axes swapped."""
        return self.transpose(-2, -1)

    def __len__(self) -> int:
        return len(self.storage)

    __hash__ = object.__hash__

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

_ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor")
_SPECIAL_METHODS = (
    *(f"__{side}{name}__" for side in ("", "r", "i") for name in _ARITHMETIC),
    *("__neg__", "__pos__", "__abs__", "__invert__", "__bool__", "__float__", "__int__", "__contains__", "__iter__"),
    *("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__getitem__", "__setitem__", "__array__"),
)


def _special(name: str) -> Callable[..., Any]:
    """Python looks these up on the class, so that __getattr__ never sees them."""
    function = getattr(torch.Tensor, name)

    def method(self: QTensor, *args: Any, **kwargs: Any) -> Any:
        return self.__torch_function__(function, (QTensor,), (self, *args), kwargs)

    return method


for _name in _SPECIAL_METHODS:
    if hasattr(torch.Tensor, _name):
        setattr(QTensor, _name, _special(_name))

for _method in (
    *(QTensor.int_repr, QTensor.qscheme, QTensor.q_scale, QTensor.q_zero_point),
    *(QTensor.q_per_channel_scales, QTensor.q_per_channel_zero_points, QTensor.q_per_channel_axis),
):
    register_name(_method.__name__, _method)
