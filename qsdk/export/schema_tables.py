"""The tables of qsdk.fbs as data, for the writer and the verifier.

Made by schema/generate.py from schema/qsdk.fbs; edit those.
"""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """One field of a table.

    kind: bool, ubyte, int, uint, ulong, float, string, vector, table or union. element: of a vector, the
    scalar's kind or the name of the struct or table; of a table, union or enum, its name; else empty. slot:
    of a union, that of its value; the type byte has the slot before.
    """

    name: str
    slot: int
    kind: str
    element: str
    default: int | float | bool | None
    required: bool


IDENTIFIER = b"QSDK"
ROOT = "Model"

ENUMS: dict[str, dict[str, int]] = {
    "BagMode": {"sum": 0, "mean": 1, "max": 2},
    "DType": {"float32": 0, "int8": 1, "uint8": 2, "int32": 3, "int64": 4, "int4": 5},
    "TensorKind": {"activation": 0, "constant": 1, "state": 2},
}

# A union's member has the tag index + 1.
UNIONS: dict[str, tuple[str, ...]] = {
    "Operation": (
        "quantize_per_tensor",
        "dequantize",
        "conv2d",
        "linear",
        "clamp",
        "add",
        "mul",
        "lookup_table",
        "cat",
        "max_pool2d",
        "avg_pool2d",
        "adaptive_avg_pool2d",
        "mean",
        "reshape",
        "permute",
        "custom",
        "matmul",
        "softmax",
        "layer_norm",
        "batch_norm",
        "group_norm",
        "prelu",
        "conv_transpose2d",
        "conv3d",
        "conv_transpose3d",
        "linear_dynamic",
        "relu",
        "div",
        "slice",
        "sub",
        "pad",
        "upsample_nearest2d",
        "upsample_bilinear2d",
        "embedding",
        "embedding_bag",
        "sigmoid",
        "tanh",
        "lstm_dynamic",
        "gru_dynamic",
        "rnn_dynamic",
        "conv2d_dynamic",
        "conv3d_dynamic",
        "conv_transpose2d_dynamic",
        "conv_transpose3d_dynamic",
        "linear_weight_only",
        "conv2d_weight_only",
        "exp",
        "neg",
        "abs",
        "sqrt",
        "rsqrt",
        "silu",
        "hardsigmoid",
        "hardswish",
        "gelu",
        "elu",
        "leaky_relu",
        "lstm",
    ),
}

STRUCTS: dict[str, tuple[tuple[str, str], ...]] = {
    "Buffer": (("offset", "ulong"), ("size", "ulong")),
}

TABLES: dict[str, tuple[Field, ...]] = {
    "Model": (
        Field("version", 0, "uint", "", 0, False),
        Field("numerics", 1, "uint", "", 0, False),
        Field("crc32", 2, "uint", "", 0, False),
        Field("producer", 3, "string", "", None, False),
        Field("name", 4, "string", "", None, False),
        Field("tensors", 5, "vector", "Tensor", None, True),
        Field("operators", 6, "vector", "Operator", None, True),
        Field("inputs", 7, "vector", "int", None, True),
        Field("outputs", 8, "vector", "int", None, True),
        Field("buffers", 9, "vector", "Buffer", None, True),
        Field("data_offset", 10, "ulong", "", 0, False),
        Field("data_size", 11, "ulong", "", 0, False),
        Field("regions", 12, "vector", "Region", None, True),
        Field("packed", 13, "vector", "PackedSection", None, False),
        Field("test_vectors", 14, "vector", "TestVector", None, False),
    ),
    "Operator": (
        Field("name", 0, "string", "", None, False),
        Field("inputs", 1, "vector", "int", None, False),
        Field("outputs", 2, "vector", "int", None, False),
        Field("operation", 4, "union", "Operation", None, True),
        Field("live", 5, "vector", "int", None, False),
    ),
    "PackedSection": (
        Field("tensor", 0, "int", "", 0, False),
        Field("pack_id", 1, "string", "", None, False),
        Field("layout_version", 2, "int", "", 0, False),
        Field("buffer", 3, "int", "", 0, False),
        Field("operator", 4, "int", "", -1, False),
    ),
    "Region": (
        Field("name", 0, "string", "", None, False),
        Field("size", 1, "ulong", "", 0, False),
        Field("peak_live", 2, "ulong", "", 0, False),
    ),
    "SeededInput": (
        Field("minimum", 0, "float", "", 0.0, False),
        Field("step", 1, "float", "", 0.0, False),
        Field("least", 2, "int", "", 0, False),
        Field("most", 3, "int", "", 0, False),
        Field("ascending", 4, "bool", "", False, False),
    ),
    "Tensor": (
        Field("name", 0, "string", "", None, False),
        Field("kind", 1, "ubyte", "TensorKind", 0, False),
        Field("dtype", 2, "ubyte", "DType", 1, False),
        Field("shape", 3, "vector", "int", None, False),
        Field("scale", 4, "vector", "float", None, False),
        Field("zero_point", 5, "vector", "int", None, False),
        Field("channel_axis", 6, "int", "", -1, False),
        Field("buffer", 7, "int", "", -1, False),
        Field("offset", 8, "ulong", "", 0, False),
        Field("region", 9, "ubyte", "", 0, False),
        Field("dynamic_axis", 10, "int", "", -1, False),
    ),
    "TestVector": (
        Field("seed", 0, "ulong", "", 0, False),
        Field("seeded", 1, "vector", "SeededInput", None, False),
        Field("output_crc", 2, "vector", "uint", None, False),
        Field("inputs", 3, "vector", "int", None, False),
        Field("outputs", 4, "vector", "int", None, False),
    ),
    "abs": (),
    "adaptive_avg_pool2d": (
        Field("output_size", 0, "vector", "int", None, False),
        Field("rescale", 1, "float", "", 1.0, False),
        Field("output_min", 2, "int", "", -128, False),
        Field("output_max", 3, "int", "", 127, False),
    ),
    "add": (
        Field("input_multiplier", 0, "float", "", 0.0, False),
        Field("other_multiplier", 1, "float", "", 0.0, False),
        Field("output_min", 2, "int", "", -128, False),
        Field("output_max", 3, "int", "", 127, False),
    ),
    "avg_pool2d": (
        Field("kernel_size", 0, "vector", "int", None, False),
        Field("stride", 1, "vector", "int", None, False),
        Field("padding", 2, "vector", "int", None, False),
        Field("ceil_mode", 3, "bool", "", False, False),
        Field("count_include_pad", 4, "bool", "", True, False),
        Field("divisor_override", 5, "int", "", 0, False),
        Field("rescale", 6, "float", "", 1.0, False),
        Field("output_min", 7, "int", "", -128, False),
        Field("output_max", 8, "int", "", 127, False),
    ),
    "batch_norm": (Field("output_min", 0, "int", "", -128, False), Field("output_max", 1, "int", "", 127, False)),
    "cat": (Field("dim", 0, "int", "", 0, False),),
    "clamp": (
        Field("output_min", 0, "int", "", -128, False),
        Field("output_max", 1, "int", "", 127, False),
        Field("min", 2, "float", "", 0.0, False),
        Field("max", 3, "float", "", 0.0, False),
    ),
    "conv2d": (
        Field("stride", 0, "vector", "int", None, False),
        Field("padding", 1, "vector", "int", None, False),
        Field("dilation", 2, "vector", "int", None, False),
        Field("groups", 3, "int", "", 1, False),
        Field("output_min", 4, "int", "", -128, False),
        Field("output_max", 5, "int", "", 127, False),
    ),
    "conv2d_dynamic": (
        Field("stride", 0, "vector", "int", None, False),
        Field("padding", 1, "vector", "int", None, False),
        Field("dilation", 2, "vector", "int", None, False),
        Field("groups", 3, "int", "", 1, False),
    ),
    "conv2d_weight_only": (
        Field("kernel_size", 0, "vector", "int", None, False),
        Field("stride", 1, "vector", "int", None, False),
        Field("padding", 2, "vector", "int", None, False),
        Field("dilation", 3, "vector", "int", None, False),
        Field("groups", 4, "int", "", 1, False),
        Field("bits", 5, "int", "", 8, False),
        Field("group_size", 6, "int", "", 0, False),
        Field("relu", 7, "bool", "", False, False),
    ),
    "conv3d": (
        Field("stride", 0, "vector", "int", None, False),
        Field("padding", 1, "vector", "int", None, False),
        Field("dilation", 2, "vector", "int", None, False),
        Field("groups", 3, "int", "", 1, False),
        Field("output_min", 4, "int", "", -128, False),
        Field("output_max", 5, "int", "", 127, False),
    ),
    "conv3d_dynamic": (
        Field("stride", 0, "vector", "int", None, False),
        Field("padding", 1, "vector", "int", None, False),
        Field("dilation", 2, "vector", "int", None, False),
        Field("groups", 3, "int", "", 1, False),
    ),
    "conv_transpose2d": (
        Field("stride", 0, "vector", "int", None, False),
        Field("padding", 1, "vector", "int", None, False),
        Field("output_padding", 2, "vector", "int", None, False),
        Field("dilation", 3, "vector", "int", None, False),
        Field("groups", 4, "int", "", 1, False),
        Field("output_min", 5, "int", "", -128, False),
        Field("output_max", 6, "int", "", 127, False),
    ),
    "conv_transpose2d_dynamic": (
        Field("stride", 0, "vector", "int", None, False),
        Field("padding", 1, "vector", "int", None, False),
        Field("output_padding", 2, "vector", "int", None, False),
        Field("dilation", 3, "vector", "int", None, False),
        Field("groups", 4, "int", "", 1, False),
    ),
    "conv_transpose3d": (
        Field("stride", 0, "vector", "int", None, False),
        Field("padding", 1, "vector", "int", None, False),
        Field("output_padding", 2, "vector", "int", None, False),
        Field("dilation", 3, "vector", "int", None, False),
        Field("groups", 4, "int", "", 1, False),
        Field("output_min", 5, "int", "", -128, False),
        Field("output_max", 6, "int", "", 127, False),
    ),
    "conv_transpose3d_dynamic": (
        Field("stride", 0, "vector", "int", None, False),
        Field("padding", 1, "vector", "int", None, False),
        Field("output_padding", 2, "vector", "int", None, False),
        Field("dilation", 3, "vector", "int", None, False),
        Field("groups", 4, "int", "", 1, False),
    ),
    "custom": (Field("name", 0, "string", "", None, False), Field("options", 1, "vector", "ubyte", None, False)),
    "dequantize": (),
    "div": (),
    "elu": (Field("alpha", 0, "float", "", 0.0, False),),
    "embedding": (Field("embedding_dim", 0, "int", "", 0, False), Field("bits", 1, "int", "", 8, False)),
    "embedding_bag": (
        Field("mode", 0, "ubyte", "BagMode", 0, False),
        Field("include_last_offset", 1, "bool", "", False, False),
        Field("padding_idx", 2, "int", "", -1, False),
        Field("embedding_dim", 3, "int", "", 0, False),
        Field("bits", 4, "int", "", 8, False),
    ),
    "exp": (),
    "gelu": (Field("approximate", 0, "bool", "", False, False),),
    "group_norm": (
        Field("num_groups", 0, "int", "", 1, False),
        Field("eps", 1, "float", "", 0.0, False),
        Field("output_min", 2, "int", "", -128, False),
        Field("output_max", 3, "int", "", 127, False),
    ),
    "gru_dynamic": (Field("reverse", 0, "bool", "", False, False), Field("per_step", 1, "bool", "", False, False)),
    "hardsigmoid": (),
    "hardswish": (),
    "layer_norm": (
        Field("eps", 0, "float", "", 0.0, False),
        Field("output_min", 1, "int", "", -128, False),
        Field("output_max", 2, "int", "", 127, False),
    ),
    "leaky_relu": (Field("negative_slope", 0, "float", "", 0.0, False),),
    "linear": (Field("output_min", 0, "int", "", -128, False), Field("output_max", 1, "int", "", 127, False)),
    "linear_dynamic": (Field("per_token", 0, "bool", "", False, False), Field("relu", 1, "bool", "", False, False)),
    "linear_weight_only": (
        Field("bits", 0, "int", "", 8, False),
        Field("group_size", 1, "int", "", 0, False),
        Field("relu", 2, "bool", "", False, False),
    ),
    "lookup_table": (),
    "lstm": (
        Field("reverse", 0, "bool", "", False, False),
        Field("zero_point", 1, "vector", "int", None, False),
        Field("output_min", 2, "vector", "int", None, False),
        Field("output_max", 3, "vector", "int", None, False),
        Field("multiplier", 4, "vector", "float", None, False),
    ),
    "lstm_dynamic": (Field("reverse", 0, "bool", "", False, False), Field("per_step", 1, "bool", "", False, False)),
    "matmul": (
        Field("multiplier", 0, "float", "", 0.0, False),
        Field("output_min", 1, "int", "", -128, False),
        Field("output_max", 2, "int", "", 127, False),
    ),
    "max_pool2d": (
        Field("kernel_size", 0, "vector", "int", None, False),
        Field("stride", 1, "vector", "int", None, False),
        Field("padding", 2, "vector", "int", None, False),
        Field("dilation", 3, "vector", "int", None, False),
        Field("ceil_mode", 4, "bool", "", False, False),
    ),
    "mean": (
        Field("dim", 0, "vector", "int", None, False),
        Field("keepdim", 1, "bool", "", False, False),
        Field("rescale", 2, "float", "", 1.0, False),
        Field("output_min", 3, "int", "", -128, False),
        Field("output_max", 4, "int", "", 127, False),
    ),
    "mul": (
        Field("multiplier", 0, "float", "", 0.0, False),
        Field("output_min", 1, "int", "", -128, False),
        Field("output_max", 2, "int", "", 127, False),
    ),
    "neg": (),
    "pad": (
        Field("before", 0, "vector", "int", None, False),
        Field("mode", 1, "int", "", 0, False),
        Field("value", 2, "int", "", 0, False),
    ),
    "permute": (Field("dims", 0, "vector", "int", None, False),),
    "prelu": (
        Field("multiplier", 0, "float", "", 0.0, False),
        Field("output_min", 1, "int", "", -128, False),
        Field("output_max", 2, "int", "", 127, False),
    ),
    "quantize_per_tensor": (
        Field("inverse_scale", 0, "float", "", 0.0, False),
        Field("output_min", 1, "int", "", -128, False),
        Field("output_max", 2, "int", "", 127, False),
    ),
    "relu": (),
    "reshape": (),
    "rnn_dynamic": (
        Field("relu", 0, "bool", "", False, False),
        Field("reverse", 1, "bool", "", False, False),
        Field("per_step", 2, "bool", "", False, False),
    ),
    "rsqrt": (),
    "sigmoid": (),
    "silu": (),
    "slice": (Field("start", 0, "vector", "int", None, False), Field("step", 1, "vector", "int", None, False)),
    "softmax": (
        Field("dim", 0, "int", "", 0, False),
        Field("inverse_scale", 1, "float", "", 0.0, False),
        Field("output_min", 2, "int", "", -128, False),
        Field("output_max", 3, "int", "", 127, False),
    ),
    "sqrt": (),
    "sub": (
        Field("input_multiplier", 0, "float", "", 0.0, False),
        Field("other_multiplier", 1, "float", "", 0.0, False),
        Field("output_min", 2, "int", "", -128, False),
        Field("output_max", 3, "int", "", 127, False),
    ),
    "tanh": (),
    "upsample_bilinear2d": (
        Field("output_size", 0, "vector", "int", None, False),
        Field("align_corners", 1, "bool", "", False, False),
        Field("scale_height", 2, "float", "", 0.0, False),
        Field("scale_width", 3, "float", "", 0.0, False),
    ),
    "upsample_nearest2d": (
        Field("output_size", 0, "vector", "int", None, False),
        Field("scale_height", 1, "float", "", 0.0, False),
        Field("scale_width", 2, "float", "", 0.0, False),
    ),
}
