"""Float modules that are made of parts which calibration can observe, in place of PyTorch's own.

prepare puts them in; convert makes qsdk.nn.quantized modules of them.
"""

from qsdk.nn.quantizable.rnn import LSTM, LSTMCell

__all__ = ["LSTM", "LSTMCell"]
