"""float.qsdk: a program of every operator on float tensors that quantizes nothing."""

from __future__ import annotations

import numpy as np
from fixture import Draft
from fixture_dynamic import with_vectors

from qsdk.export.plan import plan
from qsdk.export.program import Program, SeededInput


def every_float_operator() -> Program:
    d = Draft()

    def tensor(*shape: int) -> int:
        return d.tensor(shape, dtype="float32")

    def normal(*shape: int) -> int:
        return d.constant(d.random.normal(0, 1, shape).astype(np.float32))

    x = tensor(3, 8)
    outputs = []
    for kind in ("relu", "sigmoid", "tanh", "exp", "neg", "abs", "sqrt", "rsqrt", "silu", "hardsigmoid", "hardswish"):
        outputs.append(d.op(kind, [x], tensor(3, 8)))
    outputs.append(d.op("gelu", [x], tensor(3, 8), approximate=True))
    outputs.append(d.op("elu", [x], tensor(3, 8), alpha=0.5))
    outputs.append(d.op("leaky_relu", [x], tensor(3, 8), negative_slope=0.25))
    outputs.append(d.op("clamp", [x], tensor(3, 8), min=-1.0, max=2.0))
    for kind in ("add", "sub", "mul", "div", "maximum", "minimum"):
        outputs.append(d.op(kind, [x, normal(8)], tensor(3, 8)))
    outputs.append(d.op("linear", [x, normal(20, 8), normal(20)], tensor(3, 20)))
    outputs.append(d.op("matmul", [x, normal(8, 2)], tensor(3, 2)))
    outputs.append(d.op("softmax", [x], tensor(3, 8), dim=1))
    outputs.append(d.op("layer_norm", [x, normal(8), normal(8)], tensor(3, 8), eps=1e-5))
    outputs.append(d.op("mean", [x], tensor(3), dim=(1,)))
    image = d.op("reshape", [x], tensor(1, 2, 3, 4))
    outputs.append(image)
    flat = {"stride": (1, 1), "padding": (1, 0, 0, 1), "dilation": (1, 1), "groups": 2}
    outputs.append(d.op("conv2d", [image, normal(6, 2, 2, 2), normal(6)], tensor(1, 2, 3, 6), **flat))
    flat |= {"padding": (1, 0), "output_padding": (0, 1), "stride": (2, 2)}
    outputs.append(d.op("conv_transpose2d", [image, normal(6, 2, 2, 2), normal(6)], tensor(1, 2, 7, 6), **flat))
    outputs.append(d.op("batch_norm", [image, normal(4), normal(4)], tensor(1, 2, 3, 4)))
    outputs.append(d.op("group_norm", [image, normal(4), normal(4)], tensor(1, 2, 3, 4), num_groups=2, eps=1e-5))
    outputs.append(d.op("prelu", [image, normal(4)], tensor(1, 2, 3, 4)))
    twice = {"output_size": (4, 6), "scale_height": 0.5, "scale_width": 0.5}
    outputs.append(d.op("upsample_nearest2d", [image], tensor(1, 4, 6, 4), **twice))
    around = {"before": (0, 1, 1, 0), "mode": 1, "value": 0}
    outputs.append(d.op("pad", [image], tensor(1, 4, 5, 4), **around))
    window = {"kernel_size": (2, 2), "stride": (1, 1), "padding": (0, 0)}
    outputs.append(d.op("max_pool2d", [image], tensor(1, 1, 2, 4), dilation=(1, 1), ceil_mode=False, **window))
    outputs.append(d.op("avg_pool2d", [image], tensor(1, 1, 2, 4), **window))
    outputs.append(d.op("adaptive_avg_pool2d", [image], tensor(1, 2, 2, 4), output_size=(2, 2)))
    cube = d.op("reshape", [x], tensor(1, 2, 2, 3, 2))
    outputs.append(cube)
    deep = {"stride": (1, 1, 1), "padding": (0, 0, 1, 0, 0, 1), "dilation": (1, 1, 2), "groups": 1}
    outputs.append(d.op("conv3d", [cube, normal(3, 2, 1, 2, 2), normal(3)], tensor(1, 1, 2, 3, 3), **deep))
    deep |= {"padding": (0, 0, 1), "output_padding": (0, 0, 0), "stride": (2, 1, 2)}
    outputs.append(d.op("conv_transpose3d", [cube, normal(3, 2, 1, 2, 2), normal(3)], tensor(1, 4, 2, 5, 3), **deep))
    # A reader at the end, so that the input does not die early; nothing is in place, and shapes may change.
    outputs.append(d.op("reshape", [x], tensor(24)))
    program = plan(Program(tuple(d.tensors), tuple(d.operators), (x,), tuple(outputs), name="float"))
    return with_vectors(program, (SeededInput(-4.0, 8.0 / 2**24),))
