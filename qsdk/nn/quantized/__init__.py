"""Quantized modules: they compute on QTensors with the exact integer semantics of qsdk.reference."""

from qsdk.nn.quantized import dynamic, functional, weight_only
from qsdk.nn.quantized.activation import (
    ELU,
    GELU,
    Dropout,
    Hardsigmoid,
    Hardswish,
    LeakyReLU,
    Mish,
    PReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from qsdk.nn.quantized.boundary import DeQuantize, Quantize, Requantize
from qsdk.nn.quantized.conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from qsdk.nn.quantized.embedding import Embedding, EmbeddingBag
from qsdk.nn.quantized.functional_modules import FloatFunctional, QFunctional
from qsdk.nn.quantized.linear import Linear
from qsdk.nn.quantized.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    LayerNorm,
)
from qsdk.nn.quantized.rnn import GRU, LSTM

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "DeQuantize",
    "Dropout",
    "ELU",
    "Embedding",
    "EmbeddingBag",
    "FloatFunctional",
    "GELU",
    "GRU",
    "GroupNorm",
    "Hardsigmoid",
    "Hardswish",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LSTM",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "Mish",
    "PReLU",
    "QFunctional",
    "Quantize",
    "ReLU6",
    "Requantize",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "dynamic",
    "functional",
    "weight_only",
]
