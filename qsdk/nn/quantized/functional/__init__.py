"""Functions on QTensors. Each computes constants, checks its operands and calls one reference operator.

Calls always go through qsdk.dispatch, so a dispatch mode sees every operator exactly once, on exactly the tensors that
QTensors store. Functions with quantization parameters of their own take them as plain numbers and strings, so that
torch.fx can record a call as one node.
"""

from qsdk.nn.quantized.functional.common import need_qtensor
from qsdk.nn.quantized.functional.elementwise import (
    add,
    add_scalar,
    cat,
    clamp,
    hardtanh,
    lookup_table,
    mul,
    mul_scalar,
    relu,
    relu6,
    relu_,
    requantize,
)
from qsdk.nn.quantized.functional.pool import adaptive_avg_pool2d, avg_pool2d, max_pool2d, mean
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
from qsdk.nn.quantized.functional.weighted import bind_constants, conv2d, conv2d_bound, linear, linear_bound
from qsdk.qtensor import dequantize, quantize

__all__ = [
    "adaptive_avg_pool2d",
    "add",
    "add_scalar",
    "avg_pool2d",
    "bind_constants",
    "cat",
    "clamp",
    "clone",
    "conv2d",
    "conv2d_bound",
    "dequantize",
    "dropout",
    "flatten",
    "hardtanh",
    "linear",
    "linear_bound",
    "lookup_table",
    "max_pool2d",
    "mean",
    "mul",
    "mul_scalar",
    "need_qtensor",
    "permute",
    "quantize",
    "relu",
    "relu6",
    "relu_",
    "requantize",
    "reshape",
    "squeeze",
    "transpose",
    "unflatten",
    "unsqueeze",
]
