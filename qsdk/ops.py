"""The operator table: one row per operator. Importing it teaches QTensors the functions in it.

An operator has one name, ATen's, from here through schema/qsdk.fbs to its C file. A row says how PyTorch spells it,
what it means (its rule and its reference), where its quantization parameters come from, and how the file stores it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from qsdk import aten, qtensor, spellings
from qsdk.nn.quantized import functional as qF
from qsdk.spellings import Form

_qsdk = torch.ops.qsdk
_aten = torch.ops.aten


@dataclass(frozen=True)
class OperatorRow:
    """One operator.

    Attributes:
        name: its name everywhere
        rule: number of its rule in docs/numerics.md
        reference: the torch operator that defines it, on plain tensors in torch's layout
        floating: what it is instead where its first operand is float32; None: no other than `reference`
        function: what modules call: checks operands, computes constants and calls `reference` once; None: nobody calls
            it, export makes it of others
        modules: float modules that it stands for
        functions: torch functions that it stands for, each with the QTensor-level function that answers it
        methods: tensor methods likewise, by name
        forms: torch functions, and tensor methods by name, each with the float module that graph mode makes of a call
        functional: functions and methods likewise, each with the FloatFunctional method that it becomes
        aten: PyTorch's own operators on float32 tensors that it stands for, each with what is called in its stead
        qparams: 'own' if calibration observes its output, 'shared' if the output keeps its input's parameters, 'float'
            if input and output are float, 'none' if the output is no number
        channels_last: operands whose axis 1, the channels, comes last in the file; its output's does too. Empty: the
            operator is the same in every layout
        in_place: whether its output may take the place of an input in the arena
    """

    name: str
    rule: int
    reference: Any
    function: Callable[..., Any] | None
    floating: Any = None
    modules: tuple[type[nn.Module], ...] = ()
    functions: Mapping[Any, Callable[..., Any]] = field(default_factory=dict)
    methods: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    forms: Mapping[Any, Form] = field(default_factory=dict)
    functional: Mapping[Any, str] = field(default_factory=dict)
    aten: Mapping[Any, Callable[..., Any]] = field(default_factory=dict)
    qparams: str = "own"
    channels_last: tuple[str, ...] = ()
    in_place: bool = False

    def definition(self, dtype: str) -> Any:
        """The torch operator that defines it for a first operand of this dtype, a name of the schema's."""
        return self.floating if self.floating is not None and dtype == "float32" else self.reference


def to_channels_last(rank: int) -> tuple[int, ...]:
    """The permutation from the reference's layout, NCHW or OIHW, to the file's, NHWC or OHWI; any rank from 2 on."""
    return (0, *range(2, rank), 1)


def from_channels_last(rank: int) -> tuple[int, ...]:
    """The inverse of to_channels_last."""
    return (0, rank - 1, *range(1, rank - 1))


def _function(name: str, function: Callable[..., Any], *spellings: Any, call: Any = None) -> OperatorRow:
    """The row of a function of each element, for float tensors alone."""
    reference = getattr(_qsdk, name).default
    calls = dict.fromkeys(spellings, call or reference)
    return OperatorRow(name, 11, reference, function, aten=calls, qparams="float", in_place=True)


_ROWS = (
    OperatorRow(
        name="quantize_per_tensor",
        rule=1,
        reference=_qsdk.quantize_per_tensor.default,
        function=qF.quantize,
    ),
    OperatorRow(
        name="dequantize",
        rule=2,
        reference=_qsdk.dequantize.default,
        function=qF.dequantize,
        functions={torch.dequantize: qF.dequantize},
        methods={"dequantize": qF.dequantize},
    ),
    OperatorRow(
        name="conv2d",
        rule=3,
        reference=_qsdk.conv2d.default,
        floating=_qsdk.conv2d.float,
        function=qF.conv2d,
        modules=(nn.Conv1d, nn.Conv2d),
        channels_last=("input", "weight"),
        forms={F.conv1d: spellings.conv(nn.Conv1d), F.conv2d: spellings.conv(nn.Conv2d)},
        aten={_aten.convolution.default: aten.convolution},
    ),
    OperatorRow(
        name="conv3d",
        rule=3,
        reference=_qsdk.conv3d.default,
        floating=_qsdk.conv3d.float,
        function=qF.conv3d,
        modules=(nn.Conv3d,),
        channels_last=("input", "weight"),
        forms={F.conv3d: spellings.conv(nn.Conv3d)},
    ),
    OperatorRow(
        name="conv_transpose2d",
        rule=3,
        reference=_qsdk.conv_transpose2d.default,
        floating=_qsdk.conv_transpose2d.float,
        function=qF.conv_transpose_bound,
        modules=(nn.ConvTranspose1d, nn.ConvTranspose2d),
        channels_last=("input", "weight"),
        forms={
            F.conv_transpose1d: spellings.conv_transpose(nn.ConvTranspose1d),
            F.conv_transpose2d: spellings.conv_transpose(nn.ConvTranspose2d),
        },
    ),
    OperatorRow(
        name="conv_transpose3d",
        rule=3,
        reference=_qsdk.conv_transpose3d.default,
        floating=_qsdk.conv_transpose3d.float,
        function=qF.conv_transpose_bound,
        modules=(nn.ConvTranspose3d,),
        channels_last=("input", "weight"),
        forms={F.conv_transpose3d: spellings.conv_transpose(nn.ConvTranspose3d)},
    ),
    OperatorRow(
        name="linear",
        rule=3,
        reference=_qsdk.linear.default,
        floating=_qsdk.linear.float,
        function=qF.linear,
        modules=(nn.Linear,),
        forms={F.linear: spellings.linear},
        aten={
            _aten.mm.default: aten.linear,
            _aten.addmm.default: aten.linear_and_bias,
            _aten.mv.default: aten.linear_of_vector,
            _aten.sum.dim_IntList: aten.sum,
            _aten.sum.default: aten.sum,
        },
    ),
    OperatorRow(
        name="embedding",
        rule=16,
        reference=_qsdk.embedding.default,
        function=qF.embedding,
        modules=(nn.Embedding,),
        functions={F.embedding: qF.embedding},
        forms={F.embedding: spellings.embedding},
    ),
    OperatorRow(
        name="embedding_bag",
        rule=16,
        reference=_qsdk.embedding_bag.default,
        function=qF.embedding_bag,
        modules=(nn.EmbeddingBag,),
        functions={F.embedding_bag: qF.embedding_bag},
    ),
    OperatorRow(
        name="matmul",
        rule=15,
        reference=_qsdk.matmul.default,
        floating=_qsdk.matmul.float,
        function=qF.matmul,
        functions={qF.matmul: qF.matmul},
        functional={
            torch.matmul: "matmul",
            torch.bmm: "matmul",
            operator.matmul: "matmul",
            "matmul": "matmul",
            "bmm": "matmul",
        },
        aten={
            **dict.fromkeys((_aten.mm.default, _aten.bmm.default), aten.matmul),
            **dict.fromkeys((_aten.addmm.default, _aten.baddbmm.default), aten.matmul_and_add),
        },
    ),
    OperatorRow(
        name="batch_norm",
        rule=14,
        reference=_qsdk.batch_norm.default,
        floating=_qsdk.batch_norm.float,
        function=qF.batch_norm_bound,
        modules=(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
        channels_last=("input",),
        in_place=True,
        forms={F.batch_norm: spellings.batch_norm, torch.batch_norm: spellings.torch_batch_norm},
        aten=dict.fromkeys(
            (_aten.native_batch_norm.default, _aten._native_batch_norm_legit_no_training.default), aten.batch_norm
        ),
    ),
    OperatorRow(
        name="layer_norm",
        rule=9,
        reference=_qsdk.layer_norm.default,
        floating=_qsdk.layer_norm.float,
        function=qF.layer_norm_bound,
        modules=(nn.LayerNorm,),
        in_place=True,
        forms={F.layer_norm: spellings.layer_norm, torch.layer_norm: spellings.layer_norm},
        aten={_aten.native_layer_norm.default: aten.layer_norm},
    ),
    OperatorRow(
        name="group_norm",
        rule=9,
        reference=_qsdk.group_norm.default,
        floating=_qsdk.group_norm.float,
        function=qF.group_norm_bound,
        modules=(nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
        channels_last=("input",),
        in_place=True,
        forms={
            F.group_norm: spellings.group_norm,
            torch.group_norm: spellings.group_norm,
            F.instance_norm: spellings.instance_norm,
            torch.instance_norm: spellings.torch_instance_norm,
        },
        aten={_aten.native_group_norm.default: aten.group_norm},
    ),
    OperatorRow(
        name="softmax",
        rule=9,
        reference=_qsdk.softmax.default,
        floating=_qsdk.softmax.float,
        function=qF.softmax_bound,
        modules=(nn.Softmax,),
        functions={qF.softmax: qF.softmax},
        in_place=True,
        functional={spellings.masked_softmax: "masked_softmax"},
        forms={
            F.softmax: spellings.plain(nn.Softmax, "dim", "_stacklevel", "dtype"),
            **dict.fromkeys((torch.softmax, "softmax"), spellings.plain(nn.Softmax, "dim", "dtype")),
        },
        aten={
            **dict.fromkeys((_aten._softmax.default, _aten._safe_softmax.default), aten.softmax),
            _aten._log_softmax.default: aten.log_softmax,
        },
    ),
    OperatorRow(
        name="prelu",
        rule=17,
        reference=_qsdk.prelu.default,
        floating=_qsdk.prelu.float,
        function=qF.prelu_bound,
        modules=(nn.PReLU,),
        channels_last=("input",),
        in_place=True,
        forms={F.prelu: spellings.prelu, torch.prelu: spellings.prelu},
        aten={_aten._prelu_kernel.default: aten.prelu},
    ),
    OperatorRow(
        name="clamp",
        rule=7,
        reference=_qsdk.clamp.default,
        floating=_qsdk.clamp.float,
        function=qF.clamp,
        modules=(nn.ReLU, nn.ReLU6, nn.Hardtanh),
        functions={
            torch.relu: qF.relu,
            torch.relu_: qF.relu_,
            F.relu: qF.relu,
            F.relu6: qF.relu6,
            F.hardtanh: qF.hardtanh,
            torch.clamp: qF.clamp,
            torch.clip: qF.clamp,
            torch.clamp_: qF.clamp_,
            torch.clip_: qF.clamp_,
        },
        methods={
            "relu": qF.relu,
            "relu_": qF.relu_,
            "clamp": qF.clamp,
            "clip": qF.clamp,
            "clamp_": qF.clamp_,
            "clip_": qF.clamp_,
        },
        qparams="shared",
        in_place=True,
        forms={
            **dict.fromkeys((F.relu, torch.relu, "relu"), spellings.plain(nn.ReLU, "inplace")),
            F.relu6: spellings.plain(nn.ReLU6, "inplace"),
        },
        aten={
            **dict.fromkeys((_aten.clamp.default, _aten.clamp_.default), aten.clamp),
            **dict.fromkeys((_aten.clamp_min.default, _aten.clamp_min_.default), aten.clamp_min),
            **dict.fromkeys((_aten.clamp_max.default, _aten.clamp_max_.default), aten.clamp_max),
            **dict.fromkeys((_aten.hardtanh.default, _aten.hardtanh_.default), aten.hardtanh),
        },
    ),
    OperatorRow(
        name="add",
        rule=4,
        reference=_qsdk.add.default,
        floating=_qsdk.add.float,
        function=qF.add,
        functions={qF.add: qF.add},
        in_place=True,
        functional=dict.fromkeys((operator.add, torch.add, "add"), "add"),
        aten=dict.fromkeys((_aten.add.Tensor, _aten.add_.Tensor, _aten.add.Scalar, _aten.add_.Scalar), aten.add),
    ),
    OperatorRow(
        name="sub",
        rule=4,
        reference=_qsdk.sub.default,
        floating=_qsdk.sub.float,
        function=qF.sub,
        functions={qF.sub: qF.sub},
        in_place=True,
        functional=dict.fromkeys((operator.sub, torch.sub, torch.subtract, "sub", "subtract"), "sub"),
        aten={
            **dict.fromkeys((_aten.sub.Tensor, _aten.sub_.Tensor, _aten.sub.Scalar, _aten.sub_.Scalar), aten.sub),
            **dict.fromkeys((_aten.rsub.Tensor, _aten.rsub.Scalar), aten.rsub),
        },
    ),
    OperatorRow(
        name="mul",
        rule=5,
        reference=_qsdk.mul.default,
        floating=_qsdk.mul.float,
        function=qF.mul,
        functions={qF.mul: qF.mul},
        in_place=True,
        functional=dict.fromkeys((operator.mul, torch.mul, torch.multiply, "mul", "multiply"), "mul"),
        aten={
            **dict.fromkeys((_aten.mul.Tensor, _aten.mul_.Tensor, _aten.mul.Scalar, _aten.mul_.Scalar), aten.mul),
            _aten.pow.Tensor_Scalar: aten.power,
            _aten.glu.default: aten.glu,
            **dict.fromkeys((_aten.linalg_vector_norm.default, _aten.norm.ScalarOpt_dim), aten.vector_norm),
        },
    ),
    OperatorRow(
        name="lookup_table",
        rule=6,
        reference=_qsdk.lookup_table.default,
        function=qF.lookup_table,
        modules=(
            nn.ELU,
            nn.GELU,
            nn.Hardsigmoid,
            nn.Hardswish,
            nn.LeakyReLU,
            nn.Mish,
            nn.SiLU,
            nn.Sigmoid,
            nn.Tanh,
        ),
        functions={qF.unary: qF.unary},
        in_place=True,
        functional={
            spelling: name
            for name in qF.UNARY
            for spelling in (
                getattr(torch, name),
                name,
                *((torch.absolute, "absolute", operator.abs) if name == "abs" else ()),
            )
        },
        forms={
            F.elu: spellings.plain(nn.ELU, "alpha", "inplace"),
            F.gelu: spellings.plain(nn.GELU, "approximate"),
            F.hardsigmoid: spellings.plain(nn.Hardsigmoid, "inplace"),
            F.hardswish: spellings.plain(nn.Hardswish, "inplace"),
            F.leaky_relu: spellings.plain(nn.LeakyReLU, "negative_slope", "inplace"),
            F.mish: spellings.plain(nn.Mish, "inplace"),
            F.silu: spellings.plain(nn.SiLU, "inplace"),
            **dict.fromkeys((torch.sigmoid, F.sigmoid, "sigmoid"), spellings.plain(nn.Sigmoid)),
            **dict.fromkeys((torch.tanh, F.tanh, "tanh"), spellings.plain(nn.Tanh)),
        },
    ),
    OperatorRow(
        name="cat",
        rule=7,
        reference=_qsdk.cat.default,
        function=qF.cat,
        functions={
            torch.cat: qF.cat,
            torch.concat: qF.cat,
            torch.concatenate: qF.cat,
            torch.stack: qF.stack,
            qF.cat: qF.cat,
        },
        aten={_aten.cat.default: _qsdk.cat.default},
        qparams="shared",
        functional=dict.fromkeys((torch.cat, torch.concat, torch.concatenate), "cat"),
    ),
    OperatorRow(
        name="max_pool2d",
        rule=7,
        reference=_qsdk.max_pool2d.default,
        floating=_qsdk.max_pool2d.float,
        function=qF.max_pool2d,
        modules=(
            *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
            *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
        ),
        functions={
            F.adaptive_max_pool1d: qF.adaptive_max_pool1d,
            F.adaptive_max_pool2d: qF.adaptive_max_pool2d,
            torch.amax: qF.amax,
            torch.amin: qF.amin,
            torch.max_pool1d: qF.max_pool1d,
            F.max_pool1d: qF.max_pool1d,
            F.max_pool1d_with_indices: qF.max_pool1d,
            torch.max_pool2d: qF.max_pool2d,
            F.max_pool2d: qF.max_pool2d,
            F.max_pool2d_with_indices: qF.max_pool2d,
            F.adaptive_max_pool3d: qF.adaptive_max_pool3d,
            torch.max_pool3d: qF.max_pool3d,
            F.max_pool3d: qF.max_pool3d,
            F.max_pool3d_with_indices: qF.max_pool3d,
        },
        forms={F.adaptive_max_pool3d: spellings.plain(nn.AdaptiveMaxPool3d, "output_size", "return_indices")},
        methods={"amax": qF.amax, "amin": qF.amin},
        qparams="shared",
        channels_last=("input",),
        aten={
            _aten.max_pool2d_with_indices.default: aten.max_pool2d,
            _aten.amax.default: aten.amax,
            _aten.amin.default: aten.amin,
            _aten.max_pool3d_with_indices.default: aten.max_pool3d,
        },
    ),
    OperatorRow(
        name="avg_pool2d",
        rule=8,
        reference=_qsdk.avg_pool2d.default,
        floating=_qsdk.avg_pool2d.float,
        function=qF.avg_pool2d,
        modules=(nn.AvgPool1d, nn.AvgPool2d),
        functions={F.avg_pool1d: qF.avg_pool1d, torch.avg_pool1d: qF.avg_pool1d, F.avg_pool2d: qF.avg_pool2d},
        qparams="shared",
        channels_last=("input",),
        aten={_aten.avg_pool2d.default: aten.avg_pool2d},
    ),
    OperatorRow(
        name="adaptive_avg_pool2d",
        rule=8,
        reference=_qsdk.adaptive_avg_pool2d.default,
        floating=_qsdk.adaptive_avg_pool2d.float,
        function=qF.adaptive_avg_pool2d,
        modules=(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d),
        functions={
            F.adaptive_avg_pool1d: qF.adaptive_avg_pool1d,
            torch.adaptive_avg_pool1d: qF.adaptive_avg_pool1d,
            F.adaptive_avg_pool2d: qF.adaptive_avg_pool2d,
        },
        qparams="shared",
        channels_last=("input",),
        aten={_aten._adaptive_avg_pool2d.default: aten.adaptive_avg_pool2d},
    ),
    OperatorRow(
        name="mean",
        rule=8,
        reference=_qsdk.mean.default,
        floating=_qsdk.mean.float,
        function=qF.mean,
        modules=(nn.AvgPool3d, nn.AdaptiveAvgPool3d),
        functions={
            torch.mean: qF.mean,
            qF.sum: qF.sum,
            F.avg_pool3d: qF.avg_pool3d,
            F.adaptive_avg_pool3d: qF.adaptive_avg_pool3d,
        },
        forms={
            F.avg_pool3d: spellings.plain(
                nn.AvgPool3d,
                *("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
            ),
            F.adaptive_avg_pool3d: spellings.plain(nn.AdaptiveAvgPool3d, "output_size"),
        },
        methods={"mean": qF.mean},
        qparams="shared",
        aten={
            _aten.mean.dim: aten.mean,
            _aten.mean.default: aten.mean_of_all,
            _aten.avg_pool3d.default: aten.avg_pool3d,
            _aten._adaptive_avg_pool3d.default: aten.adaptive_avg_pool3d,
        },
        functional=dict.fromkeys((torch.sum, "sum"), "sum"),
    ),
    OperatorRow(
        name="reshape",
        rule=7,
        reference=_qsdk.reshape.default,
        function=qF.reshape,
        modules=(nn.Flatten, nn.Unflatten),
        functions={
            torch.reshape: qF.reshape,
            torch.flatten: qF.flatten,
            torch.ravel: qF.flatten,
            torch.unflatten: qF.unflatten,
            torch.squeeze: qF.squeeze,
            torch.unsqueeze: qF.unsqueeze,
            torch.clone: qF.clone,
        },
        methods={
            "view": qF.reshape,
            "view_as": qF.reshape_as,
            "reshape": qF.reshape,
            "reshape_as": qF.reshape_as,
            "flatten": qF.flatten,
            "ravel": qF.flatten,
            "unflatten": qF.unflatten,
            "squeeze": qF.squeeze,
            "unsqueeze": qF.unsqueeze,
            "clone": qF.clone,
        },
        qparams="shared",
        in_place=True,
    ),
    OperatorRow(
        name="permute",
        rule=7,
        reference=_qsdk.permute.default,
        function=qF.permute,
        functions={
            torch.permute: qF.permute,
            torch.transpose: qF.transpose,
            torch.swapaxes: qF.transpose,
            torch.swapdims: qF.transpose,
            torch.movedim: qF.movedim,
            torch.moveaxis: qF.movedim,
            torch.t: qF.t,
        },
        methods={
            "permute": qF.permute,
            "transpose": qF.transpose,
            "swapaxes": qF.transpose,
            "swapdims": qF.transpose,
            "movedim": qF.movedim,
            "moveaxis": qF.movedim,
            "t": qF.t,
        },
        qparams="shared",
    ),
    OperatorRow(
        name="slice",
        rule=7,
        reference=_qsdk.slice.default,
        function=qF.slice_positions,
        modules=(nn.ChannelShuffle, nn.PixelShuffle, nn.PixelUnshuffle),
        functions={
            torch.broadcast_to: qF.expand,
            torch.channel_shuffle: qF.channel_shuffle,
            torch.flip: qF.flip,
            torch.fliplr: qF.fliplr,
            torch.flipud: qF.flipud,
            torch.pixel_shuffle: qF.pixel_shuffle,
            torch.pixel_unshuffle: qF.pixel_unshuffle,
            torch.repeat_interleave: qF.repeat_interleave,
            torch.roll: qF.roll,
            torch.rot90: qF.rot90,
            torch.tile: qF.tile,
        },
        methods={
            "broadcast_to": qF.expand,
            "expand": qF.expand,
            "expand_as": qF.expand_as,
            "flip": qF.flip,
            "fliplr": qF.fliplr,
            "flipud": qF.flipud,
            "repeat": qF.repeat,
            "repeat_interleave": qF.repeat_interleave,
            "roll": qF.roll,
            "rot90": qF.rot90,
            "tile": qF.tile,
        },
        qparams="shared",
    ),
    OperatorRow(
        name="pad",
        rule=7,
        reference=_qsdk.pad.default,
        function=qF.pad,
        modules=(
            *(nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d, nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d),
            *(nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d),
            *(nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d),
            *(nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d),
        ),
        functions={F.pad: qF.pad},
        qparams="shared",
    ),
    OperatorRow(
        name="upsample_nearest2d",
        rule=19,
        reference=_qsdk.upsample_nearest2d.default,
        function=qF.interpolate,
        modules=(nn.Upsample, nn.UpsamplingNearest2d),
        functions={F.interpolate: qF.interpolate},
        qparams="shared",
        channels_last=("input",),
        aten={_aten.upsample_nearest2d.default: aten.upsample_nearest2d},
    ),
    OperatorRow(
        name="upsample_bilinear2d",
        rule=19,
        reference=_qsdk.upsample_bilinear2d.default,
        function=qF.interpolate,
        modules=(nn.UpsamplingBilinear2d,),
        qparams="shared",
        channels_last=("input",),
        aten={_aten.upsample_bilinear2d.default: aten.upsample_bilinear2d},
    ),
    OperatorRow(
        name="linear_dynamic",
        rule=10,
        reference=_qsdk.linear_dynamic.default,
        function=qF.linear_dynamic,
        qparams="float",
    ),
    OperatorRow(
        name="conv2d_dynamic",
        rule=10,
        reference=_qsdk.conv2d_dynamic.default,
        function=qF.conv_dynamic,
        qparams="float",
        channels_last=("input", "weight"),
    ),
    OperatorRow(
        name="conv3d_dynamic",
        rule=10,
        reference=_qsdk.conv3d_dynamic.default,
        function=qF.conv_dynamic,
        qparams="float",
        channels_last=("input", "weight"),
    ),
    OperatorRow(
        name="conv_transpose2d_dynamic",
        rule=10,
        reference=_qsdk.conv_transpose2d_dynamic.default,
        function=qF.conv_transpose_dynamic,
        qparams="float",
        channels_last=("input", "weight"),
    ),
    OperatorRow(
        name="conv_transpose3d_dynamic",
        rule=10,
        reference=_qsdk.conv_transpose3d_dynamic.default,
        function=qF.conv_transpose_dynamic,
        qparams="float",
        channels_last=("input", "weight"),
    ),
    OperatorRow(
        name="rnn_dynamic",
        rule=18,
        reference=_qsdk.rnn_dynamic.default,
        function=qF.rnn_dynamic,
        modules=(nn.RNNCell,),
        qparams="float",
    ),
    OperatorRow(
        name="lstm_dynamic",
        rule=18,
        reference=_qsdk.lstm_dynamic.default,
        function=qF.lstm_dynamic,
        modules=(nn.LSTM, nn.LSTMCell),
        qparams="float",
    ),
    OperatorRow(
        name="gru_dynamic",
        rule=18,
        reference=_qsdk.gru_dynamic.default,
        function=qF.gru_dynamic,
        modules=(nn.GRU, nn.GRUCell),
        qparams="float",
    ),
    _function("relu", torch.relu, _aten.relu.default, _aten.relu_.default),
    _function("sigmoid", torch.sigmoid, _aten.sigmoid.default, _aten.sigmoid_.default),
    _function("tanh", torch.tanh, _aten.tanh.default, _aten.tanh_.default),
    _function("exp", torch.exp, _aten.exp.default, _aten.exp_.default),
    _function("neg", torch.neg, _aten.neg.default, _aten.neg_.default),
    _function("abs", torch.abs, _aten.abs.default, _aten.abs_.default),
    _function("sqrt", torch.sqrt, _aten.sqrt.default, _aten.sqrt_.default),
    _function("rsqrt", torch.rsqrt, _aten.rsqrt.default, _aten.rsqrt_.default),
    _function("silu", F.silu, _aten.silu.default, _aten.silu_.default),
    _function("hardsigmoid", F.hardsigmoid, _aten.hardsigmoid.default, _aten.hardsigmoid_.default),
    _function("hardswish", F.hardswish, _aten.hardswish.default, _aten.hardswish_.default),
    _function("gelu", F.gelu, _aten.gelu.default, call=aten.gelu),
    _function("elu", F.elu, _aten.elu.default, _aten.elu_.default, call=aten.elu),
    _function("leaky_relu", F.leaky_relu, _aten.leaky_relu.default, _aten.leaky_relu_.default, call=aten.leaky_relu),
    OperatorRow(
        name="lstm",
        rule=21,
        reference=_qsdk.lstm.default,
        function=qF.lstm,
    ),
    OperatorRow(
        name="gru",
        rule=21,
        reference=_qsdk.gru.default,
        function=qF.gru,
    ),
    OperatorRow(
        name="linear_weight_only",
        rule=20,
        reference=_qsdk.linear_weight_only.default,
        function=qF.linear_weight_only,
        qparams="float",
    ),
    OperatorRow(
        name="conv2d_weight_only",
        rule=20,
        reference=_qsdk.conv2d_weight_only.default,
        function=qF.conv2d_weight_only,
        qparams="float",
        channels_last=("input",),
    ),
    OperatorRow(
        name="div",
        rule=11,
        reference=_qsdk.div.default,
        function=torch.div,
        aten={
            **dict.fromkeys((_aten.div.Tensor, _aten.div_.Tensor, _aten.div.Scalar, _aten.div_.Scalar), aten.div),
            _aten.reciprocal.default: aten.reciprocal,
        },
        qparams="float",
        in_place=True,
    ),
    OperatorRow(
        name="maximum",
        rule=7,
        reference=_qsdk.maximum.default,
        floating=_qsdk.maximum.float,
        function=qF.maximum,
        functions={torch.maximum: qF.maximum, qF.maximum: qF.maximum},
        methods={"maximum": qF.maximum},
        in_place=True,
        functional=dict.fromkeys((torch.maximum, "maximum"), "maximum"),
        aten=dict.fromkeys(
            (_aten.maximum.default, _aten.clamp_min.Tensor, _aten.clamp_min_.Tensor), _qsdk.maximum.float
        ),
    ),
    OperatorRow(
        name="minimum",
        rule=7,
        reference=_qsdk.minimum.default,
        floating=_qsdk.minimum.float,
        function=qF.minimum,
        functions={torch.minimum: qF.minimum, qF.minimum: qF.minimum},
        methods={"minimum": qF.minimum},
        in_place=True,
        functional=dict.fromkeys((torch.minimum, "minimum"), "minimum"),
        aten={_aten.minimum.default: _qsdk.minimum.float},
    ),
    *(
        OperatorRow(
            name=name,
            rule=22,
            reference=getattr(_qsdk, name).default,
            function=getattr(qF, name),
            functions={getattr(torch, spelling): getattr(qF, spelling) for spelling in spellings_},
            methods={
                method: getattr(qF, spelling) for spelling in spellings_ for method in (spelling, f"__{spelling}__")
            },
            qparams="none",
        )
        for name, spellings_ in (("eq", ("eq",)), ("ne", ("ne",)), ("lt", ("lt", "gt")), ("le", ("le", "ge")))
    ),
    OperatorRow(
        name="where",
        rule=7,
        reference=_qsdk.where.default,
        function=qF.where,
        functions={torch.where: qF.where, qF.where: qF.where, torch.masked_fill: qF.masked_fill},
        methods={"masked_fill": qF.masked_fill},
        in_place=True,
        functional={torch.where: "where", **dict.fromkeys((torch.masked_fill, "masked_fill"), "masked_fill")},
    ),
    OperatorRow(
        name="topk",
        rule=23,
        reference=_qsdk.topk.default,
        function=qF.topk,
        functions={
            torch.topk: qF.topk,
            torch.max: qF.max,
            torch.min: qF.min,
            torch.argmax: qF.argmax,
            torch.argmin: qF.argmin,
        },
        methods={"topk": qF.topk, "max": qF.max, "min": qF.min, "argmax": qF.argmax, "argmin": qF.argmin},
        qparams="shared",
    ),
    OperatorRow(
        name="index_select",
        rule=7,
        reference=_qsdk.index_select.default,
        function=qF.index_select,
        functions={torch.index_select: qF.index_select},
        methods={"index_select": qF.index_select},
        qparams="shared",
        aten={
            _aten.index.Tensor: aten.index,
            _aten._embedding_bag.default: aten.embedding_bag,
            _aten._embedding_bag_forward_only.default: aten.embedding_bag,
        },
    ),
    OperatorRow(
        name="gather",
        rule=7,
        reference=_qsdk.gather.default,
        function=qF.gather,
        functions={torch.gather: qF.gather},
        methods={"gather": qF.gather},
        qparams="shared",
    ),
    OperatorRow(
        name="normalize",
        rule=24,
        reference=_qsdk.normalize.default,
        function=qF.normalize,
        functions={qF.normalize: qF.normalize},
        in_place=True,
        functional={F.normalize: "normalize"},
    ),
    OperatorRow(
        name="inverted_residual",
        rule=3,  # and 4, of the addition
        reference=_qsdk.inverted_residual.default,
        function=None,
        channels_last=("input", "weight", "project_weight", "expand_weight"),
    ),
)

OPERATORS: dict[str, OperatorRow] = {row.name: row for row in _ROWS}

# Reference operator -> row: what a recorded call is.
BY_REFERENCE: dict[Any, OperatorRow] = {row.reference: row for row in _ROWS}
BY_REFERENCE |= {row.floating: row for row in _ROWS if row.floating is not None}

# PyTorch's operator on float tensors -> what is called in its stead; the first of them whose operands fit.
BY_ATEN: dict[Any, tuple[Callable[..., Any], ...]] = {}
for _row in _ROWS:
    for _spelling, _call in _row.aten.items():
        BY_ATEN[_spelling] = (*BY_ATEN.get(_spelling, ()), _call)

# Those that move elements of any dtype.
MOVERS = frozenset(s for row in _ROWS if row.qparams == "shared" and row.floating is None for s in row.aten)

# What graph mode looks calls up in: functions, and tensor methods by name.
FORMS: dict[Any, Form] = {spelling: form for row in _ROWS for spelling, form in row.forms.items()}
FORMS |= dict.fromkeys((F.dropout, torch.dropout), spellings.dropout(nn.Dropout))
FORMS |= dict.fromkeys((F.dropout2d, torch.feature_dropout), spellings.dropout(nn.Dropout2d))
FORMS |= {F.dropout1d: spellings.dropout(nn.Dropout1d), F.dropout3d: spellings.dropout(nn.Dropout3d)}
FUNCTIONALS: dict[Any, str] = {spelling: method for row in _ROWS for spelling, method in row.functional.items()}

# Functions that leave a quantized tensor as it is.
IDENTITIES: dict[Any, Callable[..., Any]] = dict.fromkeys(
    (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d), qF.dropout
)

for _row in _ROWS:
    for _function, _implementation in _row.functions.items():
        qtensor.register_implementation([_function], _implementation, passes=_row.qparams == "shared")
    for _method, _implementation in _row.methods.items():
        qtensor.register_implementation(
            [getattr(torch.Tensor, _method)], _implementation, passes=_row.qparams == "shared"
        )
for _function, _implementation in IDENTITIES.items():
    qtensor.register_implementation([_function], _implementation, passes=True)
