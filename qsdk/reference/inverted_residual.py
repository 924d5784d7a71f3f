"""Inverted residual blocks (MobileNetV2): several operators as one. Rules 3 and 4.

    expanded = conv2d(input)            where there is an expansion; else the input
    convolved = conv2d(expanded)        depthwise
    projected = conv2d(convolved)       of 1x1
    output = add(input, projected)      where residual_multiplier has its two factors; else projected

Each step is the operator of that name. stride and padding are of the expansion, if there is one, then of the depthwise
convolution, whose dilation is `dilation`; zero_point has those of expanded, if it is there, convolved, and projected,
if it is not the output; output_min and output_max are of these and of the output.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from qsdk.reference.conv import conv2d, convolution_shape
from qsdk.reference.elementwise import add
from qsdk.reference.registry import fake, operator


@operator(
    "(Tensor input, Tensor weight, Tensor bias, Tensor multiplier, Tensor project_weight, Tensor project_bias, "
    "Tensor project_multiplier, Tensor? expand_weight, Tensor? expand_bias, Tensor? expand_multiplier, int[] stride, "
    "int[] padding, int[] dilation, int[] zero_point, int[] output_min, int[] output_max, "
    "float[] residual_multiplier, int input_zero_point, int output_zero_point) -> Tensor"
)
def inverted_residual(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    multiplier: Tensor,
    project_weight: Tensor,
    project_bias: Tensor,
    project_multiplier: Tensor,
    expand_weight: Tensor | None,
    expand_bias: Tensor | None,
    expand_multiplier: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    zero_point: Sequence[int],
    output_min: Sequence[int],
    output_max: Sequence[int],
    residual_multiplier: Sequence[float],
    input_zero_point: int,
    output_zero_point: int,
) -> Tensor:
    """input int8 [N,I,H,W]; weight int8 [C,1,KH,KW]; project_weight [O,C,1,1]; expand_weight [C,I,EH,EW]; each with its
    bias int32 and multiplier float32. padding is top, left, bottom, right. Returns int8 [N,O,OH,OW]."""
    tails = list(zip((*zero_point, output_zero_point), output_min, output_max, strict=True))
    value, before = input, input_zero_point
    if expand_weight is not None and expand_bias is not None and expand_multiplier is not None:
        constants = expand_weight, expand_bias, expand_multiplier
        value = conv2d(value, *constants, stride[:2], padding[:4], (1, 1), 1, before, 1.0, *tails.pop(0))
        before, stride, padding = zero_point[0], stride[2:], padding[4:]
    tail = tails.pop(0)
    value = conv2d(value, weight, bias, multiplier, stride, padding, dilation, len(weight), before, 1.0, *tail)
    constants, before, tail = (project_weight, project_bias, project_multiplier), tail[0], tails.pop(0)
    value = conv2d(value, *constants, (1, 1), (0, 0, 0, 0), (1, 1), 1, before, 1.0, *tail)
    if residual_multiplier:
        own, other = residual_multiplier
        value = add(input, value, own, other, input_zero_point, tail[0], 1.0, *tails.pop(0))
    return value


@fake("inverted_residual")
def _(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    multiplier: Tensor,
    project_weight: Tensor,
    project_bias: Tensor,
    project_multiplier: Tensor,
    expand_weight: Tensor | None,
    expand_bias: Tensor | None,
    expand_multiplier: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    *rest: object,
) -> Tensor:
    expanded = input
    if expand_weight is not None:
        expanded = input.new_empty(convolution_shape(input, expand_weight, stride[:2], padding[:4], (1, 1)))
    batch, _, height, width = convolution_shape(expanded, weight, stride[-2:], padding[-4:], dilation)
    return input.new_empty((batch, len(project_weight), height, width), dtype=torch.int8)
