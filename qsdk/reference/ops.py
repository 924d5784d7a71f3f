"""Every reference operator, as torch.ops.qsdk.<name>: exact semantics on plain tensors in torch's NCHW layout.

A floating-point argument is a Python float that holds an exact binary32 value. An argument named as an option of the
file's operator is that option; `<operand>_zero_point`, `<operand>_scale`, `output_scale` and `output_zero_point`
describe tensors.
"""

from qsdk.reference.conv import conv2d, conv3d, conv_transpose2d, conv_transpose3d, linear, matmul
from qsdk.reference.dynamic import (
    conv2d_dynamic,
    conv3d_dynamic,
    conv_transpose2d_dynamic,
    conv_transpose3d_dynamic,
    linear_dynamic,
)
from qsdk.reference.elementwise import add, clamp, dequantize, lookup_table, mul, prelu, quantize_per_tensor, sub
from qsdk.reference.embedding import embedding, embedding_bag
from qsdk.reference.floats import (
    abs,
    add_float,
    clamp_float,
    div,
    elu,
    exp,
    gelu,
    hardsigmoid,
    hardswish,
    leaky_relu,
    mul_float,
    neg,
    relu,
    rsqrt,
    sigmoid,
    silu,
    sqrt,
    sub_float,
    tanh,
)
from qsdk.reference.lstm import lstm
from qsdk.reference.norm import batch_norm, group_norm, layer_norm, softmax
from qsdk.reference.pool import adaptive_avg_pool2d, avg_pool2d, max_pool2d, mean
from qsdk.reference.recurrent import gru_dynamic, lstm_dynamic, rnn_dynamic
from qsdk.reference.resize import pad, upsample_bilinear2d, upsample_nearest2d
from qsdk.reference.shape import cat, permute, reshape, slice
from qsdk.reference.sums import layer_norm_float, linear_float, matmul_float, mean_float, softmax_float
from qsdk.reference.weight_only import conv2d_weight_only, linear_weight_only
from qsdk.reference.windows import (
    adaptive_avg_pool2d_float,
    avg_pool2d_float,
    batch_norm_float,
    conv2d_float,
    conv3d_float,
    conv_transpose2d_float,
    conv_transpose3d_float,
    group_norm_float,
    max_pool2d_float,
    prelu_float,
)

__all__ = [
    "group_norm_float",
    "prelu_float",
    "adaptive_avg_pool2d_float",
    "avg_pool2d_float",
    "batch_norm_float",
    "conv2d_float",
    "conv3d_float",
    "conv_transpose2d_float",
    "conv_transpose3d_float",
    "max_pool2d_float",
    "abs",
    "adaptive_avg_pool2d",
    "add",
    "add_float",
    "avg_pool2d",
    "batch_norm",
    "cat",
    "clamp",
    "clamp_float",
    "conv2d",
    "conv2d_dynamic",
    "conv2d_weight_only",
    "conv3d",
    "conv3d_dynamic",
    "conv_transpose2d",
    "conv_transpose2d_dynamic",
    "conv_transpose3d",
    "conv_transpose3d_dynamic",
    "dequantize",
    "div",
    "elu",
    "embedding",
    "embedding_bag",
    "exp",
    "gelu",
    "group_norm",
    "gru_dynamic",
    "hardsigmoid",
    "hardswish",
    "layer_norm",
    "layer_norm_float",
    "leaky_relu",
    "linear",
    "linear_dynamic",
    "linear_float",
    "linear_weight_only",
    "lookup_table",
    "lstm",
    "lstm_dynamic",
    "matmul",
    "matmul_float",
    "max_pool2d",
    "mean",
    "mean_float",
    "mul",
    "mul_float",
    "neg",
    "pad",
    "permute",
    "prelu",
    "quantize_per_tensor",
    "relu",
    "reshape",
    "rnn_dynamic",
    "rsqrt",
    "sigmoid",
    "silu",
    "slice",
    "softmax",
    "softmax_float",
    "sqrt",
    "sub",
    "sub_float",
    "tanh",
    "upsample_bilinear2d",
    "upsample_nearest2d",
]
