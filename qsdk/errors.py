"""The errors that qsdk raises. Each message names the layer or the file field at fault and says what to do."""


class QsdkError(Exception):
    """Base of every error that qsdk raises on purpose."""


class QuantizationError(QsdkError):
    """A model, a tensor or calibration data cannot be quantized as asked."""


class CaptureError(QsdkError):
    """A model could not be captured as a graph of operators."""


class UnsupportedOperatorError(QsdkError):
    """A layer or function has no quantized counterpart, or a setting of it has none."""


class IndexRangeError(QsdkError, IndexError):
    """An index given at run time points outside a table, or offsets outside the indices."""


class FileFormatError(QsdkError):
    """A .qsdk file is damaged, of another version, or inconsistent; the message names the field."""


class RuntimeStatusError(QsdkError):
    """The runtime refused a call; the message carries its status and its own words."""


class ArenaError(RuntimeStatusError):
    """The activation arena is missing, misaligned or too small."""
