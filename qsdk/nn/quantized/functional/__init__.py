"""Functions on QTensors. Each computes constants, checks its operands and calls one reference operator.

Calls always go through qsdk.dispatch, so a dispatch mode sees every operator exactly once, on exactly the tensors that
QTensors store. Functions with quantization parameters of their own take them as plain numbers and strings, so that
torch.fx can record a call as one node.
"""

from qsdk.nn.quantized.functional.common import need_qtensor, need_rank
from qsdk.nn.quantized.functional.elementwise import (
    add,
    add_scalar,
    cat,
    clamp,
    hardtanh,
    lookup_table,
    matmul,
    mul,
    mul_scalar,
    relu,
    relu6,
    relu_,
    requantize,
)
from qsdk.nn.quantized.functional.norm import (
    batch_norm_bound,
    group_norm_bound,
    layer_norm_bound,
    prelu_bound,
    softmax_bound,
)
from qsdk.nn.quantized.functional.pool import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    avg_pool1d,
    avg_pool2d,
    max_pool1d,
    max_pool2d,
    mean,
)
from qsdk.nn.quantized.functional.shape import (
    clone,
    dropout,
    flatten,
    permute,
    reshape,
    squeeze,
    transpose,
    unflatten,
    unsqueeze,
)
from qsdk.nn.quantized.functional.weighted import (
    bind_constants,
    conv1d,
    conv2d,
    conv3d,
    conv_bound,
    conv_transpose_bound,
    linear,
    linear_bound,
)
from qsdk.qtensor import dequantize, quantize

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "add",
    "add_scalar",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm_bound",
    "bind_constants",
    "cat",
    "clamp",
    "clone",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_bound",
    "conv_transpose_bound",
    "dequantize",
    "dropout",
    "flatten",
    "group_norm_bound",
    "hardtanh",
    "layer_norm_bound",
    "linear",
    "linear_bound",
    "lookup_table",
    "matmul",
    "max_pool1d",
    "max_pool2d",
    "mean",
    "mul",
    "mul_scalar",
    "need_qtensor",
    "need_rank",
    "permute",
    "prelu_bound",
    "quantize",
    "relu",
    "relu6",
    "relu_",
    "requantize",
    "reshape",
    "softmax_bound",
    "squeeze",
    "transpose",
    "unflatten",
    "unsqueeze",
]
