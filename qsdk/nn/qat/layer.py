"""What layers with a fake quantized weight share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import Self

from qsdk.errors import QuantizationError
from qsdk.nn.quantized.base import place_of

if TYPE_CHECKING:
    _Base = nn.Module
else:
    _Base = object


class FakeQuantizedLayer(_Base):
    """Mixed into a layer of torch.nn, which then computes with its weight fake quantized.

    Args:
        args, kwargs: the layer's own
        qconfig: its `weight` makes the fake quantize

    Raises:
        QuantizationError: there is no qconfig.
    """

    _FLOAT: type[nn.Module]  # what from_float takes
    _FOLDED: type[nn.Module] | None = None  # what to_float gives, if that is another
    _ARGUMENTS: tuple[str, ...]  # attributes of the layer that its constructor takes
    _relu = False

    weight: Any
    bias: Any
    weight_fake_quant: nn.Module
    qconfig: Any

    def __init__(self, *args: Any, qconfig: Any = None, **kwargs: Any) -> None:
        if not qconfig:
            raise QuantizationError(f"{type(self).__name__} needs a qconfig; pass get_default_qat_qconfig()")
        super().__init__(*args, **kwargs)
        self.qconfig = qconfig
        self.weight_fake_quant = qconfig.weight().to(self.weight.device)

    def _apply_weight(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The layer's function, with this weight and bias."""
        raise NotImplementedError

    def forward(self, input: Tensor) -> Tensor:
        """As the float layer, and ReLU if fused."""
        result = self._apply_weight(input, self.weight_fake_quant(self.weight), self.bias)
        return F.relu(result) if self._relu else result

    def folded(self) -> tuple[Tensor, Tensor | None]:
        """The weight that is fake quantized, and the bias; with batch norm folded in, if there is one."""
        return self.weight, self.bias

    @classmethod
    def _arguments(cls, layer: Any) -> dict[str, Any]:
        arguments = {name: getattr(layer, name) for name in cls._ARGUMENTS}
        return {**arguments, "bias": layer.bias is not None} if "bias" in layer._parameters else arguments

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From the float or fused module of the same name, with a qconfig; takes its parameters over.

        Raises:
            QuantizationError: another module, or its qconfig does not fit; names the layer.
        """
        if not isinstance(mod, cls._FLOAT):
            raise QuantizationError(
                f"{cls.__name__}.from_float takes a {cls._FLOAT.__name__}, not {place_of(mod)}; change the mapping"
            )
        layer: Any = mod[0] if isinstance(mod, nn.Sequential) else mod
        try:
            result = cls(**cls._arguments(layer), qconfig=getattr(mod, "qconfig", None))
            result._take(mod, layer)
        except QuantizationError as error:
            raise QuantizationError(f"{place_of(mod)}: {error}") from None
        return result.train(mod.training)

    def _take(self, mod: nn.Module, layer: Any) -> None:
        """The parameters of a float layer, which is `mod` or the first of its parts."""
        for name in layer._parameters:
            setattr(self, name, getattr(layer, name))
        self.weight_fake_quant.to(layer.weight.device)

    def to_float(self) -> nn.Module:
        """The float or fused module with the same weights, not quantized and with batch norm folded in."""
        weight, bias = self.folded()
        kind = self._FOLDED or self._FLOAT
        first, *rest = getattr(kind, "_PARTS", (kind,))
        layer = first(**self._arguments(self))
        for name, value in (("weight", weight), ("bias", bias)):
            if name in layer._parameters and value is not None:
                setattr(layer, name, nn.Parameter(value.detach().clone()))
        result: nn.Module = kind(layer, *(part() for part in rest)) if rest else layer
        return result.train(self.training)
