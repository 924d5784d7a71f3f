"""What quantized modules share: their place in the model, output parameters, weights and constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from qsdk import dispatch
from qsdk.errors import QsdkError, QuantizationError
from qsdk.qtensor import QParams, QTensor, qint8, qint32, quantize, quint8, to_qdtype, to_qscheme
from qsdk.reference import constants


def place_of(module: nn.Module) -> str:
    """How messages name a module: its path in the model and its class."""
    name = module.__dict__.get("_qualified_name")
    return f"layer '{name}' ({type(module).__name__})" if name else f"a {type(module).__name__}"


def observed_qparams(observer: Any, place: str) -> QParams:
    """The parameters that an output's observer (or fake quantize) chose.

    Raises:
        QuantizationError: it has seen no data, or data that is not finite, or it is per channel or of qint32; starts
            with `place`.
    """
    qparams = _observed_qparams(observer, place)
    if qparams.per_channel or qparams.dtype is qint32:
        raise QuantizationError(
            f"{place}: its output would be {qparams.dtype!r} with {to_qscheme(observer.qscheme)!r}, but outputs are "
            "qsdk.qint8 or qsdk.quint8, per tensor; change the activation observer of its qconfig"
        )
    dispatch.need_activation(qparams.dtype, place)
    return qparams


def _observed_qparams(observer: Any, place: str) -> QParams:
    if not hasattr(observer, "calculate_qparams"):
        raise QuantizationError(f"{place} has no observer; call prepare on the float model before convert")
    calibrated = getattr(observer, "calibrated", None)
    if calibrated is None:
        low = getattr(observer, "min_val", None)
        calibrated = not isinstance(low, Tensor) or (low.numel() > 0 and not bool((low == float("inf")).any()))
    if not calibrated:
        raise QuantizationError(
            f"{place} has seen no calibration data; run the prepared model on representative inputs before convert, or "
            "set the layer's qconfig to None"
        )
    scale, zero_point = _chosen(observer, place)
    if not bool(torch.isfinite(torch.as_tensor(scale)).all()):
        raise QuantizationError(
            f"{place} has seen NaN or infinite calibration data (scale {scale}); remove it from the calibration inputs"
        )
    per_channel = to_qscheme(observer.qscheme).per_channel
    try:
        return QParams(
            scale,
            zero_point,
            to_qdtype(observer.dtype),
            observer.quant_min,
            observer.quant_max,
            ch_axis=observer.ch_axis if per_channel else None,
        )
    except QsdkError as error:
        raise QuantizationError(f"{place}: {error}") from None


def _chosen(observer: Any, place: str) -> tuple[Tensor, Tensor]:
    """Scale and zero point; those that a fake quantize used last, because training saw these."""
    if all(hasattr(observer, name) for name in ("fake_quant_enabled", "scale", "zero_point")):
        scale, zero_point = observer.scale, observer.zero_point
    else:
        try:
            scale, zero_point = observer.calculate_qparams()
        except QsdkError as error:
            raise QuantizationError(f"{place}: {error}") from None
    return torch.as_tensor(scale).detach(), torch.as_tensor(zero_point).detach()


def quantized_weight(module: nn.Module, weight: Tensor, place: str) -> tuple[Tensor, Tensor]:
    """int8 weights [O, ...] and their scales float32 [O], by the weight observer of the module's qconfig."""
    qparams = weight_qparams(module, weight_observer(module, place), weight, place)
    if qparams.dtype is not qint8 or bool((torch.as_tensor(qparams.zero_point) != 0).any()):
        raise QuantizationError(
            f"{place}: weights are {qparams.dtype!r} with zero points that are not all 0; use a symmetric qscheme with "
            "qint8 for weights"
        )
    if qparams.ch_axis not in (None, 0):
        raise QuantizationError(f"{place}: weights are quantized along axis {qparams.ch_axis}; use ch_axis=0")
    quantized = quantize_weight(weight, qparams)
    return quantized.storage, torch.as_tensor(qparams.scale).expand(weight.shape[0]).to(weight.device).clone()


def weight_observer(module: nn.Module, place: str) -> Any:
    """What chooses a weight's parameters: the fake quantize that trained it, else what the module's qconfig makes."""
    observer = getattr(module, "weight_fake_quant", None)
    if observer is not None:
        return observer
    try:
        return module.qconfig.weight()  # type: ignore[operator, union-attr]
    except QsdkError as error:
        raise QuantizationError(f"{place}, weight: {error}") from None


def weight_qparams(module: nn.Module, observer: Any, weight: Tensor, place: str) -> QParams:
    """The parameters that a module's weight_observer chooses; those that training used, if it trained the weight.

    Raises:
        QuantizationError: the weight is not finite; starts with `place`.
    """
    if not bool(torch.isfinite(weight).all()):
        raise QuantizationError(f"{place} has weights that are NaN or infinite")
    # A fake quantize keeps the parameters that training saw; observing once more would move its average.
    trained = observer is getattr(module, "weight_fake_quant", None)
    if not trained or not getattr(observer, "calibrated", True):
        observer.to(weight.device)
        observer(weight.detach().to(torch.float32))
    return _observed_qparams(observer, f"{place}, weight")


def quantize_weight(weight: Tensor, qparams: QParams) -> QTensor:
    """Rule 1 on a weight tensor; layers keep one scale per output channel even where all are equal."""
    return quantize(weight.detach().to(torch.float32), qparams)


class QuantizedModule(nn.Module):
    """A module that computes on QTensors. convert stores its path in the model, for messages."""

    _qualified_name: str

    def __init__(self) -> None:
        super().__init__()
        self._qualified_name = ""
        self._bound: dict[Any, Any] = {}  # constants made of its parameters, until parameters or device change

    def _kept(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` gave for this key; the same objects every time. Its ValueError says what is out of range."""
        if key not in self._bound:
            try:
                self._bound[key] = make()
            except ValueError as error:
                raise QuantizationError(
                    f"{place_of(self)}: {error}; check its parameters and the calibration data"
                ) from None
        return self._bound[key]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__.get("_buffers", ()):
            self._bound.clear()
        super().__setattr__(name, value)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_bound": {}}

    def _load_from_state_dict(self, *args: Any) -> None:
        self._bound.clear()
        super()._load_from_state_dict(*args)

    def need_qtensor(self, value: Any) -> QTensor:
        """`value`, if it is a QTensor.

        Raises:
            QuantizationError: it is not; names this layer and QuantStub.
        """
        if isinstance(value, QTensor):
            return value
        kind = f"a {value.dtype} tensor" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise QuantizationError(
            f"{place_of(self)} is quantized but got {kind}; insert a QuantStub before it in the float model, or set "
            "its qconfig to None to leave it in float"
        )

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self._bound.clear()
        before = dict(self._buffers)
        result = super()._apply(fn, recurse)
        # half() and double() convert float buffers; scales, biases and factors are float32 by definition.
        for name, buffer in before.items():
            after = self._buffers[name]
            if buffer is not None and after is not None and after.dtype != buffer.dtype:
                self._buffers[name] = buffer.to(after.device)
        return result


class ObservedOutputModule(QuantizedModule):
    """A quantized module whose output has a scale and zero point of its own."""

    output_qparams: QParams

    def __init__(self, output_qparams: QParams | None = None) -> None:
        super().__init__()
        self.output_qparams = output_qparams or QParams(1.0, 0, quint8)

    def _take_output(self, source: nn.Module) -> None:
        """Path and output parameters of a prepared and calibrated float module."""
        self._qualified_name = source.__dict__.get("_qualified_name", "")
        self.output_qparams = observed_qparams(getattr(source, "activation_post_process", None), place_of(source))

    @property
    def scale(self) -> float:
        """Scale of the output."""
        return float(self.output_qparams.scale)

    @scale.setter
    def scale(self, value: Any) -> None:
        self._set_output(scale=float(value))

    @property
    def zero_point(self) -> int:
        """Zero point of the output, in the user's dtype."""
        return int(self.output_qparams.zero_point)

    @zero_point.setter
    def zero_point(self, value: Any) -> None:
        self._set_output(zero_point=int(value))

    def _set_output(self, **changes: Any) -> None:
        old = self.output_qparams
        fields = {
            "scale": old.scale,
            "zero_point": old.zero_point,
            "dtype": old.dtype,
            "quant_min": old.quant_min,
            "quant_max": old.quant_max,
        }
        self.output_qparams = QParams(**{**fields, **changes})

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        qparams = self.output_qparams
        destination[prefix + "scale"] = torch.tensor(qparams.scale, dtype=torch.float32)
        destination[prefix + "zero_point"] = torch.tensor(qparams.zero_point)
        destination[prefix + "quant_range"] = torch.tensor([qparams.quant_min, qparams.quant_max])
        destination[prefix + "signed"] = torch.tensor(qparams.dtype is qint8)

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        # The keys are taken out of the dictionary while the base class looks at it, because it would call them
        # unexpected; they are put back because the caller may load it again.
        names = ("scale", "zero_point", "quant_range", "signed")
        values = {name: state_dict.pop(prefix + name) for name in names if prefix + name in state_dict}
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        state_dict.update({prefix + name: value for name, value in values.items()})
        missing_keys.extend(prefix + name for name in ("scale", "zero_point") if name not in values)
        if "scale" not in values or "zero_point" not in values:
            return
        old = self.output_qparams
        dtype, low, high = old.dtype, old.quant_min, old.quant_max
        if "signed" in values:
            dtype = qint8 if bool(values["signed"]) else quint8
        if "quant_range" in values:
            low, high = (int(v) for v in values["quant_range"])
        try:
            self.output_qparams = QParams(float(values["scale"]), int(values["zero_point"]), dtype, low, high)
        except QsdkError as error:
            error_msgs.append(f"{place_of(self)}: {error}")

    def extra_repr(self) -> str:
        """Output parameters."""
        return f"scale={self.scale}, zero_point={self.zero_point}, dtype={self.output_qparams.dtype!r}"


class BindingModule(ObservedOutputModule):
    """A quantized module whose constants depend on its parameters and on its input's scale and zero point.

    They are made when an input with new parameters first arrives.
    """

    def _bind(self, input: QParams) -> Any:
        """The constants for inputs with these parameters; a ValueError says what is out of range."""
        raise NotImplementedError

    def bound_constants(self, input: QParams) -> Any:
        """The constants for inputs with these parameters; the same objects every time."""
        output = self.output_qparams
        key = (input.scale, input.device_zero_point, output.scale, output.device_zero_point)
        return self._kept(key, lambda: self._bind(input))


class WeightModule(QuantizedModule):
    """A quantized module with int8 weights, symmetric per output channel, and a float bias.

    Buffers:
        qweight: int8 [O, ...]
        weight_scale: float32 [O]
        float_bias: float32 [O], or None
    """

    qweight: Tensor
    weight_scale: Tensor
    float_bias: Tensor | None
    _relu = False  # a fused ReLU follows

    def _init_weight(self, shape: tuple[int, ...], bias: bool) -> None:
        self.register_buffer("qweight", torch.zeros(shape, dtype=torch.int8))
        self.register_buffer("weight_scale", torch.ones(shape[0]))
        self.register_buffer("float_bias", torch.zeros(shape[0]) if bias else None)

    def weight(self) -> QTensor:
        """The weights, quantized per output channel."""
        zero_points = torch.zeros_like(self.weight_scale, dtype=torch.int64)
        return QTensor(self.qweight, QParams(self.weight_scale, zero_points, qint8, ch_axis=0))

    def bias(self) -> Tensor | None:
        """The float bias."""
        return self.float_bias

    def set_weight_bias(self, weight: QTensor, bias: Tensor | None) -> None:
        """Replace weights (qint8, symmetric, per tensor or along axis 0) and bias."""
        qparams = weight.qparams
        if (
            qparams.dtype is not qint8
            or qparams.ch_axis not in (None, 0)
            or bool((torch.as_tensor(qparams.zero_point) != 0).any())
        ):
            raise QuantizationError(f"{place_of(self)}: weights have to be qsdk.qint8 and symmetric, along axis 0")
        if weight.shape != self.qweight.shape:
            raise QuantizationError(
                f"{place_of(self)}: weights of shape {list(weight.shape)}, but the layer needs "
                f"{list(self.qweight.shape)}"
            )
        self.qweight = weight.storage.clone()
        self.weight_scale = torch.as_tensor(qparams.scale, dtype=torch.float32).expand(weight.shape[0]).clone()
        self.float_bias = None if bias is None else bias.detach().to(torch.float32).clone()

    def _operator_weight(self) -> Tensor:
        """The weights in the shape that the operator takes."""
        return self.qweight

    def _take_weight(self, source: nn.Module, weight: Tensor, bias: Tensor | None) -> None:
        """Path and weights of a float module; `weight` is [O, ...], quantized by its qconfig's observer."""
        self._qualified_name = source.__dict__.get("_qualified_name", "")
        self.qweight, self.weight_scale = quantized_weight(source, weight, place_of(source))
        self.float_bias = None if bias is None else bias.detach().to(torch.float32).clone()


class WeightedModule(WeightModule, BindingModule):
    """A weight module whose output is quantized: rule 3."""

    def __init__(self, weight_shape: tuple[int, ...], bias: bool, output_qparams: QParams | None = None) -> None:
        BindingModule.__init__(self, output_qparams)
        self._init_weight(weight_shape, bias)

    def _bind(self, input: QParams) -> tuple[Tensor, Tensor, Tensor]:
        """Weight, bias int32 and multiplier float32."""
        weight, _, bias, multiplier = constants.requantize_constants(
            self._operator_weight(),
            self.weight_scale,
            self.float_bias,
            input.scale,
            int(input.device_zero_point),
            self.output_qparams.scale,
        )
        return weight, bias, multiplier

    def _take_float(self, source: nn.Module, weight: Tensor, bias: Tensor | None) -> None:
        """Weights and output parameters from a prepared float module."""
        self._take_output(source)
        self._take_weight(source, weight, bias)
