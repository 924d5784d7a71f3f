"""Dynamically quantized modules: int8 weights, float in and out; inputs are quantized by the range that they have.

Made by quantize_dynamic, or from a float module that has a qconfig, by from_float.
"""

from qsdk.nn.quantized.dynamic.attention import MultiheadAttention
from qsdk.nn.quantized.dynamic.conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from qsdk.nn.quantized.dynamic.linear import Linear
from qsdk.nn.quantized.dynamic.rnn import GRU, LSTM, GRUCell, LSTMCell, RNNCell

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "GRU",
    "GRUCell",
    "LSTM",
    "LSTMCell",
    "Linear",
    "MultiheadAttention",
    "RNNCell",
]
