"""Float modules that fake quantize their weights, for quantization-aware training."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import Self

from qsdk.errors import QuantizationError


def make_weight_fake_quant(kind: type[nn.Module], qconfig: Any) -> nn.Module:
    """The weight's fake quantize of a qconfig.

    Raises:
        QuantizationError: there is no qconfig.
    """
    if not qconfig:
        raise QuantizationError(f"{kind.__name__} needs a qconfig; pass get_default_qat_qconfig()")
    made: nn.Module = qconfig.weight()
    return made


def conv2d_arguments(conv: nn.Conv2d) -> tuple[Any, ...]:
    """The arguments that make a convolution of the same geometry."""
    return (
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        conv.groups,
        conv.bias is not None,
        conv.padding_mode,
    )


class Conv2d(nn.Conv2d):
    """conv(x, fake_quant(weight)); arguments as torch.nn.Conv2d, and a qconfig."""

    weight_fake_quant: nn.Module
    qconfig: Any
    _relu = False

    def __init__(self, *args: Any, qconfig: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.qconfig = qconfig
        self.weight_fake_quant = make_weight_fake_quant(type(self), qconfig).to(self.weight.device)

    def forward(self, input: Tensor) -> Tensor:
        """[N, C, H, W] to [N, O, OH, OW]."""
        result = self._conv_forward(input, self.weight_fake_quant(self.weight), self.bias)
        return F.relu(result) if self._relu else result

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From nn.Conv2d or ConvReLU2d with a qconfig; takes its parameters over."""
        conv: Any = mod[0] if isinstance(mod, nn.Sequential) else mod
        result = cls(*conv2d_arguments(conv), qconfig=getattr(mod, "qconfig", None))
        result.weight, result.bias = conv.weight, conv.bias
        result.weight_fake_quant.to(conv.weight.device)
        return result


class Linear(nn.Linear):
    """linear(x, fake_quant(weight)); arguments as torch.nn.Linear, and a qconfig."""

    weight_fake_quant: nn.Module
    qconfig: Any
    _relu = False

    def __init__(self, *args: Any, qconfig: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.qconfig = qconfig
        self.weight_fake_quant = make_weight_fake_quant(type(self), qconfig).to(self.weight.device)

    def forward(self, input: Tensor) -> Tensor:
        """[..., in_features] to [..., out_features]."""
        result = F.linear(input, self.weight_fake_quant(self.weight), self.bias)
        return F.relu(result) if self._relu else result

    @classmethod
    def from_float(cls, mod: nn.Module) -> Self:
        """From nn.Linear or LinearReLU with a qconfig; takes its parameters over."""
        linear: Any = mod[0] if isinstance(mod, nn.Sequential) else mod
        qconfig = getattr(mod, "qconfig", None)
        result = cls(linear.in_features, linear.out_features, linear.bias is not None, qconfig=qconfig)
        result.weight, result.bias = linear.weight, linear.bias
        result.weight_fake_quant.to(linear.weight.device)
        return result


__all__ = ["Conv2d", "Linear"]
