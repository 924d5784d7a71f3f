"""Float modules that are made of parts which calibration can observe, in place of PyTorch's own.

prepare puts them in; convert makes quantized modules of them, or of their parts.
"""

from qsdk.nn.quantizable.attention import MultiheadAttention
from qsdk.nn.quantizable.rnn import GRU, LSTM, GRUCell, LSTMCell
from qsdk.nn.quantizable.transformer import (
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
    swappable,
)

__all__ = [
    "GRU",
    "GRUCell",
    "LSTM",
    "LSTMCell",
    "MultiheadAttention",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "swappable",
]
