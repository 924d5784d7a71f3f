"""The C runtime from Python. The only room that touches cffi: it calls C and turns each status into an error."""

from __future__ import annotations

import functools
import mmap
import os
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from qsdk.errors import ArenaError, FileFormatError, IndexRangeError, QsdkError, RuntimeStatusError
from qsdk.runtime.artifacts import runner_path

try:
    from qsdk.runtime._qrt import ffi, lib
except ImportError as error:  # pragma: no cover
    raise ImportError("qsdk's C runtime is not built; run 'pip install .' in the source tree") from error

__all__ = ["Session", "available_isas", "cycles_per_nanosecond", "peak_macs_per_cycle", "runner_path"]

_ALIGNMENT: int = lib.QRT_ALIGNMENT
_DTYPES: dict[int, np.dtype[Any]] = {
    lib.QRT_FLOAT32: np.dtype(np.float32),
    lib.QRT_INT8: np.dtype(np.int8),
    lib.QRT_UINT8: np.dtype(np.uint8),
    lib.QRT_INT32: np.dtype(np.int32),
    lib.QRT_INT64: np.dtype(np.int64),
    lib.QRT_BOOL: np.dtype(np.bool_),
}
_ERRORS: dict[int, type[QsdkError]] = {
    lib.QRT_ERROR_ALIGNMENT: ArenaError,
    lib.QRT_ERROR_ARENA: ArenaError,
    lib.QRT_ERROR_FORMAT: FileFormatError,
    lib.QRT_ERROR_VERSION: FileFormatError,
    lib.QRT_ERROR_FIELD: FileFormatError,
    lib.QRT_ERROR_OPERATOR: FileFormatError,
    lib.QRT_ERROR_LIMIT: FileFormatError,
    lib.QRT_ERROR_CHECKSUM: FileFormatError,
    lib.QRT_ERROR_INDEX: IndexRangeError,
}


def _text(pointer: Any) -> str:
    return bytes(ffi.string(pointer)).decode("utf-8", "replace")


def _check(status: int, error: Any) -> None:
    if status != lib.QRT_OK:
        message = _text(error.message) or _text(lib.qrt_status_text(status))
        raise _ERRORS.get(status, RuntimeStatusError)(f"{_text(lib.qrt_status_name(status))}: {message}")


def available_isas() -> list[str]:
    """Instruction sets that this build and this CPU share, best first; the last is 'scalar'."""
    names: list[str] = []
    while (name := lib.qrt_isa_name(len(names))) != ffi.NULL:
        names.append(_text(name))
    return names


def cycles_per_nanosecond() -> float:
    """The CPU's frequency in GHz now, by a chain of additions. Takes milliseconds."""
    return float(lib.qsdk_cycles_per_nanosecond())


def peak_macs_per_cycle(isa: str) -> float | None:
    """Products of 8-bit numbers that an instruction set's fastest instructions make in a cycle of this CPU, measured.

    No kernel can be faster. None where no measurement is known.

    Raises:
        QsdkError: this build or this CPU does not have the instruction set.
    """
    if isa not in available_isas():
        raise QsdkError(f"instruction set '{isa}': this build and CPU have {', '.join(available_isas())}")
    # The clock is measured right before and after: the frequency may change between them.
    before = cycles_per_nanosecond()
    products = float(lib.qsdk_peak(isa.encode()))
    return products / max(before, cycles_per_nanosecond()) or None


def _tap(taps: list[np.ndarray]) -> Any:
    """A C callback that copies each operator's output to `taps`; it has to live as long as the session."""

    def keep(_: Any, event: Any) -> None:
        taps.append(np.frombuffer(ffi.buffer(event.output, event.output_size), np.uint8).copy())

    return ffi.callback("void(void *, const qrt_event *)", keep)


def _aligned(size: int) -> np.ndarray:
    """`size` bytes at an address that is a multiple of 64."""
    size = max(size, 1)  # an empty slice has no address to speak of
    block = np.zeros(size + _ALIGNMENT, np.uint8)
    start = -block.ctypes.data % _ALIGNMENT
    return block[start : start + size]


class Session:
    """A verified file, bound to kernels and memory. One thread at a time.

    Args:
        source: a path, or the file's bytes. A file is mapped, not read, and used where it lies: while the session lives
            it must not be written to. Replacing it, as export does, is harmless.
        threads: that share a run, no more than there are cores without other work: all wait for the last one, at every
            operator. Outputs do not depend on their number. They are the session's own, and end with it.
        isa: use nothing above this instruction set; None: the QRT_ISA environment variable, else the best there is.
        taps: when given, every run appends the output of every operator, in order, as bytes (uint8 arrays).
        times: when given, every run appends the nanoseconds that each operator took (an int64 array).

    Raises:
        QsdkError: both taps and times; taps would be part of the times.
        FileFormatError: the file is damaged or of another version; the message names the field.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | bytes,
        threads: int = 1,
        isa: str | None = None,
        taps: list[np.ndarray] | None = None,
        times: list[np.ndarray] | None = None,
    ) -> None:
        if taps is not None and times is not None:
            raise QsdkError("a session has taps or times, not both: copying outputs would be part of the times")
        if not isinstance(threads, int) or not 0 <= threads <= lib.QRT_MAX_THREADS:
            raise QsdkError(f"threads is {threads!r}; give a number from 1 to {lib.QRT_MAX_THREADS}")
        self._file = _file(source)
        self._model = ffi.new("qrt_model *")
        self._error = ffi.new("qrt_error *")
        self._call(lib.qrt_model_open, self._model, ffi.from_buffer(self._file), len(self._file))
        isa_name = ffi.NULL if isa is None else ffi.new("char[]", isa.encode())
        self._on_operator = ffi.NULL if taps is None else _tap(taps)
        self._times, self._watch = times, ffi.NULL
        if times is not None:
            self._spent = np.zeros(lib.qrt_model_operator_count(self._model), np.int64)
            self._watch = ffi.new("qsdk_stopwatch *", {"spent": ffi.from_buffer("int64_t[]", self._spent)})
            self._on_operator = ffi.addressof(lib, "qsdk_stopwatch_event")
        workers = ffi.new("qrt_workers *")
        config = ffi.new(
            "qrt_config *",
            {
                "size": ffi.sizeof("qrt_config"),
                "isa": isa_name,
                "threads": threads,
                "workers": workers,
                "on_operator": self._on_operator,
                "user": self._watch,
            },
        )
        size = ffi.new("size_t *")
        self._call(lib.qrt_arena_size, self._model, config, size)
        self.arena_size: int = size[0]
        self._call(lib.qrt_scratch_size, self._model, config, size)
        self.scratch_size: int = size[0]
        self._arena = _aligned(self.arena_size)
        if threads > 1:
            self._start(workers, threads)
        handle = ffi.new("qrt_session **")
        self._call(lib.qrt_session_open, handle, self._model, config, ffi.from_buffer(self._arena), self.arena_size)
        self._session = handle[0]
        # Bound once: a small network takes hardly longer than a call in Python.
        if times is None:
            self._run = functools.partial(lib.qrt_session_run, self._session, self._error)
        else:
            self._run = functools.partial(lib.qsdk_stopwatch_run, self._session, self._watch, self._error)
        self.inputs = self._describe(lib.qrt_model_input_count, lib.qrt_model_input)
        self.outputs = self._describe(lib.qrt_model_output_count, lib.qrt_model_output)
        self._output_views = [
            self._view(lib.qrt_session_output(self._session, i), t) for i, t in enumerate(self.outputs)
        ]

    def _start(self, workers: Any, threads: int) -> None:
        memory = _aligned(lib.qrt_workers_size(threads))
        self._call(lib.qrt_workers_open, workers, threads, ffi.from_buffer(memory), memory.size)
        # Arguments live until the threads have ended.
        weakref.finalize(self, lambda workers, _: lib.qrt_workers_close(workers), workers, memory)

    def _call(self, function: Any, *arguments: Any) -> None:
        _check(function(*arguments, self._error), self._error)

    def _describe(self, count: Any, describe: Any) -> list[TensorSpec]:
        specs = []
        info = ffi.new("qrt_tensor_info *")
        for index in range(count(self._model)):
            self._call(describe, self._model, index, info)
            shape = tuple(info.shape[i] for i in range(info.rank))
            specs.append(
                TensorSpec(_text(info.name), _DTYPES[info.dtype], shape, info.size, info.scale, info.zero_point)
            )
        return specs

    @staticmethod
    def _view(pointer: Any, spec: TensorSpec) -> np.ndarray:
        array = np.frombuffer(ffi.buffer(pointer, spec.size), spec.dtype).reshape(spec.shape)
        array.flags.writeable = False
        return array

    def set_input(self, index: int, value: Any) -> None:
        """Copy one input in. `value`: array or CPU tensor of exactly the input's shape and dtype."""
        if not 0 <= index < len(self.inputs):
            raise QsdkError(f"input {index}: the model has {len(self.inputs)}")
        spec = self.inputs[index]
        array = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
        if array.dtype != spec.dtype:
            raise QsdkError(f"input {index} ('{spec.name}') has dtype {array.dtype}, the model takes {spec.dtype}")
        if array.shape != spec.shape:
            raise QsdkError(
                f"input {index} ('{spec.name}') has shape {list(array.shape)}, the model takes {list(spec.shape)}"
            )
        array = np.ascontiguousarray(array)
        self._call(lib.qrt_session_set_input, self._session, index, ffi.from_buffer(array), spec.size)

    def invoke(self) -> None:
        """Run once. Uses the inputs up: set them again before the next run whose answer matters.

        Raises:
            IndexRangeError: an index in an input selects what is not there; the outputs mean nothing then.
        """
        status = self._run()
        if status:
            _check(status, self._error)
        if self._times is not None:
            self._times.append(self._spent.copy())

    def output(self, index: int) -> np.ndarray:
        """A read-only view of an output, valid until the next invoke."""
        if not 0 <= index < len(self.outputs):
            raise QsdkError(f"output {index}: the model has {len(self.outputs)}")
        return self._output_views[index]

    def run(self, *inputs: Any) -> list[np.ndarray]:
        """Set all inputs, run, and return copies of the outputs.

        Raises:
            QsdkError: an input has the wrong shape or dtype.
            IndexRangeError: an index in an input selects what is not there.
        """
        if len(inputs) != len(self.inputs):
            raise QsdkError(f"the model takes {len(self.inputs)} inputs, {len(inputs)} were given")
        for index, value in enumerate(inputs):
            self.set_input(index, value)
        self.invoke()
        return [view.copy() for view in self._output_views]

    def kernels(self) -> list[str]:
        """The kernel of each operator, in order; '' for one that only moves bytes."""
        count = lib.qrt_model_operator_count(self._model)
        return [_text(lib.qrt_session_kernel(self._session, i)) for i in range(count)]

    def packed(self) -> list[PackedWeights]:
        """Weights as this session's kernels want them, in the order of the operators; data are copies."""
        found: list[PackedWeights] = []
        packed = ffi.new("qrt_packed *")
        while lib.qrt_session_packed(self._session, len(found), packed, ffi.NULL) == lib.QRT_OK:
            data = np.frombuffer(ffi.buffer(packed.data, packed.size), np.uint8).copy()
            found.append(
                PackedWeights(
                    packed.operator_index,
                    packed.tensor,
                    _text(packed.pack_id),
                    packed.layout_version,
                    bool(packed.in_file),
                    data,
                )
            )
        return found

    def checksum(self) -> None:
        """Compare the file with the CRC-32 it carries.

        Raises:
            FileFormatError: a byte has changed.
        """
        self._call(lib.qrt_model_checksum, self._model)

    def self_test(self) -> int:
        """Run the file's test vectors; returns how many.

        Raises:
            RuntimeStatusError: an output differs, or the file has no vectors.
        """
        count = ffi.new("uint32_t *")
        self._call(lib.qrt_session_self_test, self._session, count)
        return int(count[0])


class PackedWeights(NamedTuple):
    """One tensor's weights as a kernel wants them: qrt.h's qrt_packed. `data` is uint8."""

    operator: int
    tensor: int
    pack_id: str
    layout_version: int
    in_file: bool
    data: np.ndarray


class TensorSpec:
    """An input or output of a session. size in bytes; scale is 0 when the tensor is not quantized."""

    def __init__(
        self, name: str, dtype: np.dtype, shape: Sequence[int], size: int, scale: float, zero_point: int
    ) -> None:
        self.name = name
        self.dtype = dtype
        self.shape = tuple(shape)
        self.size = size
        self.scale = scale
        self.zero_point = zero_point

    def __repr__(self) -> str:
        qparams = f"scale={self.scale}, zero_point={self.zero_point}"
        return f"TensorSpec({self.name!r}, {self.dtype}, {list(self.shape)}, {qparams})"


def _file(source: str | os.PathLike[str] | bytes) -> np.ndarray:
    """A file's bytes at an address that the runtime takes: a copy of given bytes, or a path's file, mapped."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        copy = _aligned(len(source))[: len(source)]
        copy[:] = np.frombuffer(source, np.uint8)
        return copy
    try:
        with open(source, "rb") as stream:
            if os.fstat(stream.fileno()).st_size == 0:  # which cannot be mapped
                return _aligned(1)[:0]
            return np.frombuffer(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileFormatError(f"cannot read {source}: {reason}") from error
