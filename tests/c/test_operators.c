/* test_operators.c - as test_damage.c, for the operators beyond the first convolutional networks.
 *
 *   test_operators FOLDER   the files of tests/c/fixture.py
 */
#include "damage.h"

/* What every operator with a range and a multiplier is refused for. */
static void damage_range(patient *p, uint32_t options, const qrt_fb_field *least, const qrt_fb_field *most) {
  INT(position(p, options, least), -129, ERROR_FIELD, "output_min..output_max is -129..127");
  INT(position(p, options, most), 128, ERROR_FIELD, "-128..128");
  INT(position(p, options, most), -129, ERROR_FIELD, "output_min");
}

static void damage_multiplier(patient *p, uint32_t options, const qrt_fb_field *field) {
  for (size_t i = 0; i < sizeof bad_scales / sizeof *bad_scales; ++i) {
    FLOAT(position(p, options, field), bad_scales[i], ERROR_FIELD, field->name);
  }
  FLOAT(position(p, options, field), special(0x7f800000), ERROR_FIELD, field->name);
  FLOAT(position(p, options, field), special(0x7fc00000), ERROR_FIELD, field->name);
}

/* An operand of another type; too few of them; and the output's shape, one axis after the other. */
static void damage_operands(patient *p, uint32_t index, uint32_t operands, uint32_t rank) {
  uint32_t inputs = vector(p, operator_at(p, index), QRT_FIELD(Operator, inputs));
  uint32_t bias = input_of(p, find(p, QRT_FB_Operation_conv2d), 2); /* int32 */
  for (uint32_t i = 0; i < operands; ++i) {
    INT(inputs + 4 + 4 * i, (int32_t)bias, ERROR_FIELD, "int32 instead of");
  }
  INT(inputs, (int32_t)operands - 1, ERROR_FIELD, "inputs, not");
  for (uint32_t i = 0; i < rank; ++i) {
    uint32_t extent = shape_of(p, output_of(p, index)) + 4 * i;
    int32_t value = qrt_load_int(p->file.bytes + extent);
    INT(extent, value > 1 ? value - 1 : 2, ERROR_FIELD, value > 1 ? "shape[" : NULL); /* a larger one may overlap */
  }
}

static void damage_matmul(patient *p) {
  uint32_t index = find(p, QRT_FB_Operation_matmul), options = options_at(p, index);
  uint32_t inputs = vector(p, operator_at(p, index), QRT_FIELD(Operator, inputs)) + 4;
  uint32_t other = shape_of(p, input_of(p, index, 1));
  damage_operands(p, index, 2, 3);
  damage_range(p, options, QRT_FIELD(matmul, output_min), QRT_FIELD(matmul, output_max));
  damage_multiplier(p, options, QRT_FIELD(matmul, multiplier));
  INT(inputs + 4, (int32_t)input_of(p, index, 0), ERROR_FIELD, "3 columns times 8 rows");
  INT(inputs + 4, (int32_t)input_of(p, find(p, QRT_FB_Operation_lookup_table), 1), ERROR_FIELD, "0 scales");
  SHAPE(other, ERROR_FIELD, "shapes do not broadcast: 2 and 8", 8, 3, 2);
  SHAPE(other - 4, ERROR_FIELD, "rank 1, which is no matrix", 1, 48);
  SHAPE(other, ERROR_FIELD, "3 columns times 2 rows", 2, 2, 12);
}

static void damage_softmax(patient *p) {
  uint32_t index = find(p, QRT_FB_Operation_softmax), options = options_at(p, index);
  uint32_t table = input_of(p, index, 1), entries = data_of(p, table);
  uint32_t inputs = vector(p, operator_at(p, index), QRT_FIELD(Operator, inputs)) + 4;
  damage_operands(p, index, 1, 0);
  SHAPE(shape_of(p, output_of(p, index)), ERROR_FIELD, "shape[0] is 8 instead of 2", 8, 2, 8);
  damage_range(p, options, QRT_FIELD(softmax, output_min), QRT_FIELD(softmax, output_max));
  damage_multiplier(p, options, QRT_FIELD(softmax, inverse_scale));
  INT(position(p, options, QRT_FIELD(softmax, dim)), -1, ERROR_FIELD, "dim is -1, not in 0..2");
  INT(position(p, options, QRT_FIELD(softmax, dim)), 3, ERROR_FIELD, "dim is 3");
  INT(inputs + 4, (int32_t)input_of(p, index, 0), ERROR_FIELD, "int8 instead of int32");
  INT(inputs + 4, (int32_t)input_of(p, find(p, QRT_FB_Operation_linear), 2), ERROR_FIELD, "10 elements instead of 256");
  INT(entries, (1 << 23) - 1, ERROR_FIELD, "table[0] is 8388607");
  INT(entries, 0, ERROR_FIELD, "table[0] is 0");
  INT(entries + 4 * 255, -1, ERROR_FIELD, "table[255] is -1");
  INT(entries + 4, (1 << 23) + 1, ERROR_FIELD, "table[1] is 8388609");
}

/* Operand i, signed factors: each of them checked, the last one too. */
static void damage_factors(patient *p, uint32_t index, uint32_t i) {
  qrt_tensor factors;
  uint32_t inputs = vector(p, operator_at(p, index), QRT_FIELD(Operator, inputs)) + 4;
  qrt_tensor_read(&p->model, input_of(p, index, i), &factors);
  uint32_t first = data_of(p, factors.index), last = first + 4 * (uint32_t)(factors.count - 1);
  char text[32];
  snprintf(text, sizeof text, "inputs[%u][%u]", i, (unsigned)factors.count - 1);
  FLOAT(last, 0x1.000002p60f, ERROR_FIELD, text);
  FLOAT(last, -0x1.000002p60f, ERROR_FIELD, text);
  FLOAT(last, special(0x7fc00000), ERROR_FIELD, text);
  FLOAT(last, special(0xff800000), ERROR_FIELD, text);
  FLOAT(last, 0x1p60f, OK, NULL);
  FLOAT(last, -0x1p60f, OK, NULL);
  FLOAT(last, -0.0f, OK, NULL);
  INT(inputs + 4 * i, (int32_t)input_of(p, index, 0), ERROR_FIELD, "int8 instead of float32");
  INT(inputs + 4 * i, (int32_t)input_of(p, find(p, QRT_FB_Operation_linear), 3), ERROR_FIELD, "instead of");
}

static void damage_layer_norm(patient *p) {
  uint32_t index = find(p, QRT_FB_Operation_layer_norm), options = options_at(p, index);
  uint32_t inputs = vector(p, operator_at(p, index), QRT_FIELD(Operator, inputs)) + 4;
  uint32_t weight = shape_of(p, input_of(p, index, 1));
  damage_operands(p, index, 3, 0);
  SHAPE(shape_of(p, output_of(p, index)), ERROR_FIELD, "shape[0] is 8 instead of 2", 8, 2, 8);
  damage_range(p, options, QRT_FIELD(layer_norm, output_min), QRT_FIELD(layer_norm, output_max));
  damage_multiplier(p, options, QRT_FIELD(layer_norm, eps));
  damage_factors(p, index, 1);
  damage_factors(p, index, 2);
  SHAPE(weight, ERROR_FIELD, "shape[0] is 4 instead of 8", 4, 16);
  SHAPE(weight - 4, ERROR_FIELD, "shape[0] is 64 instead of 8", 1, 64);
  SHAPE(weight - 4, ERROR_FIELD, NULL, 0); /* and then its buffer is too large */
  INT(inputs + 4, (int32_t)input_of(p, find(p, QRT_FB_Operation_conv2d), 1), ERROR_FIELD,
      "rank 4 for an input of rank 3");
}

static void damage_batch_norm(patient *p) {
  uint32_t index = find(p, QRT_FB_Operation_batch_norm), options = options_at(p, index);
  uint32_t input = shape_of(p, input_of(p, index, 0));
  damage_operands(p, index, 3, 0);
  SHAPE(shape_of(p, output_of(p, index)), ERROR_FIELD, "shape[0] is 4 instead of 2", 4, 2, 2, 8);
  SHAPE(input, ERROR_FIELD, "shape[0] is 8 instead of 2", 2, 4, 8, 2);
  SHAPE(input - 4, ERROR_FIELD, "rank 1, too low for channels", 1, 128);
  damage_range(p, options, QRT_FIELD(batch_norm, output_min), QRT_FIELD(batch_norm, output_max));
  damage_factors(p, index, 1);
  damage_factors(p, index, 2);
}

static void damage_group_norm(patient *p) {
  uint32_t index = find(p, QRT_FB_Operation_group_norm), options = options_at(p, index);
  damage_operands(p, index, 3, 0);
  SHAPE(shape_of(p, output_of(p, index)), ERROR_FIELD, "shape[0] is 4 instead of 2", 4, 2, 2, 8);
  damage_range(p, options, QRT_FIELD(group_norm, output_min), QRT_FIELD(group_norm, output_max));
  damage_multiplier(p, options, QRT_FIELD(group_norm, eps));
  damage_factors(p, index, 1);
  damage_factors(p, index, 2);
  INT(position(p, options, QRT_FIELD(group_norm, num_groups)), 0, ERROR_FIELD, "num_groups is 0");
  INT(position(p, options, QRT_FIELD(group_norm, num_groups)), -1, ERROR_FIELD, "num_groups is -1");
  INT(position(p, options, QRT_FIELD(group_norm, num_groups)), 9, ERROR_FIELD, "num_groups is 9, not in 1..8");
  INT(position(p, options, QRT_FIELD(group_norm, num_groups)), 3, ERROR_FIELD, "8 channels in 3 groups");
  INT(position(p, options, QRT_FIELD(group_norm, num_groups)), 8, OK, NULL);
}

static void damage_prelu(patient *p) {
  uint32_t index = find(p, QRT_FB_Operation_prelu), options = options_at(p, index);
  damage_operands(p, index, 2, 0);
  SHAPE(shape_of(p, output_of(p, index)), ERROR_FIELD, "shape[0] is 4 instead of 2", 4, 2, 2, 8);
  damage_range(p, options, QRT_FIELD(prelu, output_min), QRT_FIELD(prelu, output_max));
  damage_multiplier(p, options, QRT_FIELD(prelu, multiplier));
  damage_factors(p, index, 1);
}

/* What convolutions have in common. `axes` of them; `paddings` numbers of padding; a weight of three groups would not
 * fit. */
typedef struct window {
  uint32_t code, axes, paddings;
  const qrt_fb_field *stride, *padding, *dilation, *groups, *least, *most;
} window;

#define WINDOW(table, axes, paddings) \
  {QRT_FB_Operation_##table,          \
   axes,                              \
   paddings,                          \
   QRT_FIELD(table, stride),          \
   QRT_FIELD(table, padding),         \
   QRT_FIELD(table, dilation),        \
   QRT_FIELD(table, groups),          \
   QRT_FIELD(table, output_min),      \
   QRT_FIELD(table, output_max)}

static void damage_window(patient *p, const window *w) {
  uint32_t index = find(p, w->code), options = options_at(p, index);
  uint32_t weight = shape_of(p, input_of(p, index, 1)), multiplier = data_of(p, input_of(p, index, 3));
  uint32_t inputs = vector(p, operator_at(p, index), QRT_FIELD(Operator, inputs)) + 4;
  damage_operands(p, index, 2, w->axes + 2);
  damage_range(p, options, w->least, w->most);
  for (uint32_t i = 0; i < w->axes; ++i) {
    uint32_t stride = vector(p, options, w->stride) + 4 + 4 * i, dilation = vector(p, options, w->dilation) + 4 + 4 * i;
    INT(stride, 0, ERROR_FIELD, "stride[");
    INT(stride, -1, ERROR_FIELD, "stride[");
    INT(stride, INT32_MIN, ERROR_FIELD, "stride[");
    INT(stride, (1 << 20) + 1, ERROR_FIELD, "stride[");
    INT(stride, qrt_load_int(p->file.bytes + stride) + 1, ERROR_FIELD, "shape[");
    INT(dilation, 0, ERROR_FIELD, "dilation[");
    INT(dilation, INT32_MAX, ERROR_FIELD, "dilation[");
    INT(dilation, 1 << 20, ERROR_FIELD, "shape[");
  }
  for (uint32_t i = 0; i < w->paddings; ++i) {
    uint32_t padding = vector(p, options, w->padding) + 4 + 4 * i;
    INT(padding, -1, ERROR_FIELD, "padding[");
    INT(padding, INT32_MAX, ERROR_FIELD, "padding[");
    INT(padding, 1 << 20, ERROR_FIELD, "shape[");
  }
  INT(vector(p, options, w->stride), (int32_t)w->axes - 1, ERROR_FIELD, "stride has");
  INT(vector(p, options, w->dilation), (int32_t)w->axes - 1, ERROR_FIELD, "dilation has");
  INT(vector(p, options, w->padding), (int32_t)w->paddings - 1, ERROR_FIELD, "padding has");
  INT(position(p, options, w->groups), 0, ERROR_FIELD, "groups is 0");
  INT(position(p, options, w->groups), -1, ERROR_FIELD, "groups is -1");
  INT(position(p, options, w->groups), 1, ERROR_FIELD, "groups: 1 do not fit");
  INT(position(p, options, w->groups), 5, ERROR_FIELD, "groups: 5 do not fit");
  INT(weight - 4, (int32_t)w->axes + 1, ERROR_FIELD, NULL);
  INT(inputs + 4, (int32_t)input_of(p, find(p, QRT_FB_Operation_linear), 1), ERROR_FIELD, "rank 2 instead of");
  INT(inputs + 4, (int32_t)input_of(p, index, 0), ERROR_FIELD, "not a constant");
  INT(inputs + 8, (int32_t)input_of(p, find(p, QRT_FB_Operation_linear), 2), ERROR_FIELD, "10 elements instead of");
  INT(inputs + 12, (int32_t)input_of(p, find(p, QRT_FB_Operation_linear), 3), ERROR_FIELD, "10 elements instead of");
  FLOAT(multiplier, 0.0f, ERROR_FIELD, "multiplier[0]");
}

static void damage_conv_transpose2d(patient *p) {
  static const window w = WINDOW(conv_transpose2d, 2, 2);
  uint32_t options = options_at(p, find(p, QRT_FB_Operation_conv_transpose2d));
  uint32_t stride = vector(p, options, QRT_FIELD(conv_transpose2d, stride)) + 4;
  uint32_t output_padding = vector(p, options, QRT_FIELD(conv_transpose2d, output_padding)) + 4;
  damage_window(p, &w);
  INT(output_padding - 4, 1, ERROR_FIELD, "output_padding has 1");
  INT(output_padding, -1, ERROR_FIELD, "output_padding[0] is -1");
  INT(output_padding + 4, 1, ERROR_FIELD, "shape[2] is 4 instead of 5");
  INT(output_padding, 2, ERROR_FIELD, "output_padding: 2 is not below stride or dilation");
  SHAPE(stride, ERROR_LIMIT, "stride: a product above 4096", 64, 65);
  SHAPE(stride, ERROR_LIMIT, "stride: a product above 4096", 1 << 20, 1 << 20);
  SHAPE(stride, ERROR_FIELD, "shape[", 64, 64);
}

static void damage_volumes(patient *p) {
  static const window conv3d = WINDOW(conv3d, 3, 6), transposed = WINDOW(conv_transpose3d, 3, 3);
  uint32_t options = options_at(p, find(p, QRT_FB_Operation_conv_transpose3d));
  uint32_t stride = vector(p, options, QRT_FIELD(conv_transpose3d, stride)) + 4;
  uint32_t output_padding = vector(p, options, QRT_FIELD(conv_transpose3d, output_padding)) + 4;
  damage_window(p, &conv3d);
  damage_window(p, &transposed);
  INT(output_padding - 4, 2, ERROR_FIELD, "output_padding has 2");
  INT(output_padding + 8, -1, ERROR_FIELD, "output_padding[2] is -1");
  INT(output_padding + 8, 1, ERROR_FIELD, "output_padding: 1 is not below stride or dilation");
  SHAPE(stride, ERROR_LIMIT, "stride: a product above 4096", 64, 64, 2);
}

static void damage_slice(patient *p) {
  uint32_t index = find(p, QRT_FB_Operation_slice), options = options_at(p, index);
  uint32_t start = vector(p, options, QRT_FIELD(slice, start)), step = vector(p, options, QRT_FIELD(slice, step));
  uint32_t output = shape_of(p, output_of(p, index));
  damage_operands(p, index, 1, 0);
  INT(start, 3, ERROR_FIELD, "start has 3 elements instead of 4");
  INT(step, 3, ERROR_FIELD, "step has 3 elements instead of 4");
  INT(start + 4, -1, ERROR_FIELD, "start[0] is -1, not in 0..");
  INT(start + 4, 1, ERROR_FIELD, "axis 0: 2 elements from 1 on, 1 apart, of 2");
  INT(start + 8, 2, ERROR_FIELD, "axis 1: 4 elements from 2 on, -1 apart, of 4");
  INT(start + 12, 2, ERROR_FIELD, "axis 2: 2 elements from 2 on, 0 apart, of 2");
  INT(start + 12, 0, OK, NULL);
  INT(step + 4, INT32_MIN, ERROR_FIELD, "step[0] is -2147483648, not in -2147483647..");
  INT(step + 8, -INT32_MAX, ERROR_FIELD, "axis 1: 4 elements from 3 on, -2147483647 apart, of 4");
  INT(step + 8, INT32_MAX, ERROR_FIELD, "axis 1: 4 elements from 3 on, 2147483647 apart, of 4");
  INT(step + 8, 0, OK, NULL);
  INT(step + 16, 2, ERROR_FIELD, "axis 3: 8 elements from 0 on, 2 apart, of 8");
  SHAPE(output, ERROR_FIELD, "axis 1: 8 elements from 3 on, -1 apart, of 4", 2, 8, 1, 8);
  SHAPE(output - 4, ERROR_FIELD, "rank 4 instead of 3", 3, 2, 4, 16);
  FLOAT(vector(p, tensor_at(p, output_of(p, index)), QRT_FIELD(Tensor, scale)) + 4, 0.5f, ERROR_FIELD,
        "must have the same scale and zero point");
}

static void damage_sub(patient *p) {
  uint32_t index = find(p, QRT_FB_Operation_sub), options = options_at(p, index);
  damage_operands(p, index, 2, 0);
  SHAPE(shape_of(p, output_of(p, index)), ERROR_FIELD, "shape[0] is 4 instead of 2", 4, 2, 2, 8);
  SHAPE(shape_of(p, input_of(p, index, 1)), ERROR_FIELD, "instead of", 4, 2, 2, 8);
  damage_range(p, options, QRT_FIELD(sub, output_min), QRT_FIELD(sub, output_max));
  damage_multiplier(p, options, QRT_FIELD(sub, input_multiplier));
  damage_multiplier(p, options, QRT_FIELD(sub, other_multiplier));
}

static void damage_pad(patient *p) {
  uint32_t index = find(p, QRT_FB_Operation_pad), options = options_at(p, index);
  uint32_t before = vector(p, options, QRT_FIELD(pad, before)), output = shape_of(p, output_of(p, index));
  uint32_t mode = position(p, options, QRT_FIELD(pad, mode)), value = position(p, options, QRT_FIELD(pad, value));
  damage_operands(p, index, 1, 0);
  INT(before, 3, ERROR_FIELD, "before has 3 elements instead of 4");
  INT(before + 4, -1, ERROR_FIELD, "before[0] is -1");
  INT(before + 4, 1, ERROR_FIELD, "axis 0: 2 elements do not become 2, 1 before them");
  INT(before + 16, INT32_MAX, ERROR_FIELD, "axis 3: 8 elements do not become 8, 2147483647 before them");
  INT(mode, -1, ERROR_FIELD, "mode is -1, not in 0..3");
  INT(mode, 4, ERROR_FIELD, "mode is 4");
  INT(mode, 3, OK, NULL);
  INT(value, -129, ERROR_FIELD, "value is -129, not in -128..127");
  INT(value, 128, ERROR_FIELD, "value is 128");
  SHAPE(output, ERROR_FIELD, "axis 1: 4 elements do not become 2", 4, 2, 2, 8);
  SHAPE(output - 4, ERROR_FIELD, "rank 4 instead of 3", 3, 2, 4, 16);
  FLOAT(vector(p, tensor_at(p, output_of(p, index)), QRT_FIELD(Tensor, scale)) + 4, 0.5f, ERROR_FIELD,
        "must have the same scale and zero point");
}

static void damage_upsample(patient *p, uint32_t code, const qrt_fb_field *size, const qrt_fb_field *height,
                            const qrt_fb_field *width) {
  uint32_t index = find(p, code), options = options_at(p, index), output_size = vector(p, options, size);
  damage_operands(p, index, 1, 4);
  damage_multiplier(p, options, height);
  damage_multiplier(p, options, width);
  INT(output_size, 1, ERROR_FIELD, "output_size has 1 elements instead of 2");
  INT(output_size + 4, 0, ERROR_FIELD, "output_size[0] is 0");
  INT(output_size + 4, 7, ERROR_FIELD, "shape[1] is");
  INT(output_size + 8, (1 << 20) + 1, ERROR_FIELD, "output_size[1] is 1048577");
  FLOAT(vector(p, tensor_at(p, output_of(p, index)), QRT_FIELD(Tensor, scale)) + 4, 0.5f, ERROR_FIELD,
        "must have the same scale and zero point");
}

/* Each of its weights, with bias and multipliers. */
static void damage_block_weights(patient *p, uint32_t index) {
  const uint32_t inputs = vector(p, operator_at(p, index), QRT_FIELD(Operator, inputs)) + 4;
  const uint32_t linear = find(p, QRT_FB_Operation_linear), conv = find(p, QRT_FB_Operation_conv2d);
  for (uint32_t first = 1; first < 10; first += 3) {
    const uint32_t at = inputs + 4 * first, multiplier = input_of(p, index, first + 2);
    INT(at, (int32_t)input_of(p, index, 0), ERROR_FIELD, "not a constant");
    INT(at, (int32_t)input_of(p, linear, 1), ERROR_FIELD, "rank 2 instead of 4");
    INT(at + 4, (int32_t)input_of(p, linear, 2), ERROR_FIELD, "10 elements instead of");
    INT(at + 4, (int32_t)multiplier, ERROR_FIELD, "float32 instead of int32");
    INT(at + 8, (int32_t)input_of(p, linear, 3), ERROR_FIELD, "10 elements instead of");
    INT(at + 8, (int32_t)input_of(p, index, first + 1), ERROR_FIELD, "int32 instead of float32");
    FLOAT(data_of(p, multiplier), 0.0f, ERROR_FIELD, "multiplier[0]");
  }
  const uint32_t depthwise = shape_of(p, input_of(p, index, 1)), project = shape_of(p, input_of(p, index, 4));
  const uint32_t expand = shape_of(p, input_of(p, index, 7));
  SHAPE(depthwise, ERROR_FIELD, "whose shape[0] is 9 instead of 12", 9, 3, 4, 1);
  SHAPE(depthwise, ERROR_FIELD, "whose shape[3] is 3 instead of 1", 12, 3, 1, 3);
  SHAPE(project, ERROR_FIELD, "whose shape[1] is 2 instead of 1", 8, 2, 1, 6);
  SHAPE(project, ERROR_FIELD, "whose shape[2] is 2 instead of 1", 8, 1, 2, 6);
  SHAPE(project, ERROR_FIELD, "whose shape[3] is 8 instead of 12", 12, 1, 1, 8);
  SHAPE(expand, ERROR_FIELD, "whose shape[3] is 4 instead of 8", 12, 2, 1, 4);
  INT(inputs + 4 * 7, (int32_t)input_of(p, conv, 1), ERROR_FIELD, "whose shape[3] is 3 instead of 8");
}

/* Each element of both windows; what is between the convolutions must be as small as a tensor. */
static void damage_block_windows(patient *p, uint32_t options) {
  const uint32_t stride = vector(p, options, QRT_FIELD(inverted_residual, stride)) + 4;
  const uint32_t padding = vector(p, options, QRT_FIELD(inverted_residual, padding)) + 4;
  const uint32_t dilation = vector(p, options, QRT_FIELD(inverted_residual, dilation)) + 4;
  INT(stride - 4, 2, ERROR_FIELD, "stride has 2 elements instead of 4");
  INT(padding - 4, 4, ERROR_FIELD, "padding has 4 elements instead of 8");
  INT(dilation - 4, 1, ERROR_FIELD, "dilation has 1 elements instead of 2");
  for (uint32_t i = 0; i < 4; ++i) {
    INT(stride + 4 * i, 0, ERROR_FIELD, "stride[");
    INT(stride + 4 * i, (1 << 20) + 1, ERROR_FIELD, "stride[");
    INT(stride + 4 * i, 2, ERROR_FIELD, "shape[");
  }
  for (uint32_t i = 0; i < 8; ++i) {
    INT(padding + 4 * i, -1, ERROR_FIELD, "padding[");
    INT(padding + 4 * i, (1 << 20) + 1, ERROR_FIELD, "padding[");
    INT(padding + 4 * i, 2, ERROR_FIELD, "shape[");
  }
  for (uint32_t i = 0; i < 2; ++i) {
    INT(dilation + 4 * i, 0, ERROR_FIELD, "dilation[");
    INT(dilation + 4 * i, INT32_MAX, ERROR_FIELD, "dilation[");
    INT(dilation + 4 * i, 1 << 20, ERROR_FIELD, "what is convolved has an extent of 0");
  }
  const int32_t most = 1 << 20;
  SHAPE(padding, ERROR_LIMIT, "what is expanded has more than", most, most, most, most, 1, 1, 1, 1);
  SHAPE(padding, ERROR_LIMIT, "what is convolved has more than", 0, 0, 0, 0, most, most, most, most);
}

static void damage_inverted_residual(patient *p) {
  const uint32_t index = find(p, QRT_FB_Operation_inverted_residual), options = options_at(p, index);
  const uint32_t inputs = vector(p, operator_at(p, index), QRT_FIELD(Operator, inputs));
  const uint32_t zero_point = vector(p, options, QRT_FIELD(inverted_residual, zero_point));
  const uint32_t least = vector(p, options, QRT_FIELD(inverted_residual, output_min));
  const uint32_t most = vector(p, options, QRT_FIELD(inverted_residual, output_max));
  const uint32_t multiplier = vector(p, options, QRT_FIELD(inverted_residual, residual_multiplier));
  const uint32_t output = shape_of(p, output_of(p, index));
  INT(inputs, 6, ERROR_FIELD, "6 inputs, not");
  INT(inputs, 8, ERROR_FIELD, "8 inputs, not 7 or 10");
  INT(inputs, 9, ERROR_FIELD, "9 inputs, not 7 or 10");
  INT(inputs, 7, ERROR_FIELD, "stride has 4 elements instead of 2");
  INT(inputs + 4, (int32_t)input_of(p, index, 2), ERROR_FIELD, "int32 instead of int8");
  INT(inputs + 4, (int32_t)input_of(p, index, 1), ERROR_FIELD, "0 scales instead of one");
  damage_block_weights(p, index);
  damage_block_windows(p, options);
  SHAPE(output, ERROR_FIELD, "shape[1] is 2 instead of 4", 2, 2, 4, 8);
  SHAPE(output - 4, ERROR_FIELD, "rank 3 instead of 4", 3, 8, 2, 8);
  INT(multiplier, 1, ERROR_FIELD, "residual_multiplier has 1 elements instead of 0 or 2");
  INT(multiplier, 0, ERROR_FIELD, "zero_point has 3 elements instead of 2");
  INT(zero_point, 2, ERROR_FIELD, "zero_point has 2 elements instead of 3");
  INT(least, 3, ERROR_FIELD, "output_min has 3 elements instead of 4");
  INT(most, 3, ERROR_FIELD, "output_max has 3 elements instead of 4");
  for (uint32_t i = 1; i <= 4; ++i) {
    INT(least + 4 * i, -129, ERROR_FIELD, "output_min[");
    INT(most + 4 * i, 128, ERROR_FIELD, "output_max[");
  }
  for (uint32_t i = 1; i <= 3; ++i) {
    INT(zero_point + 4 * i, 128, ERROR_FIELD, "is 128, not in -128..127");
    INT(zero_point + 4 * i, -129, ERROR_FIELD, "is -129, not in -128..127");
  }
  INT(least + 4, 101, ERROR_FIELD, "output_min[0]..output_max[0] is 101..100");
  for (uint32_t i = 1; i <= 2; ++i) {
    for (size_t k = 0; k < sizeof bad_scales / sizeof *bad_scales; ++k) {
      FLOAT(multiplier + 4 * i, bad_scales[k], ERROR_FIELD, "is not within 2^-60 and 2^60");
    }
    FLOAT(multiplier + 4 * i, special(0x7fc00000), ERROR_FIELD, "is not within 2^-60 and 2^60");
  }
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: test_operators FOLDER\n");
    return 2;
  }
  blob file = load(argv[1], "every_operator.qsdk");
  patient p = admit(&file);
  damage_matmul(&p);
  damage_softmax(&p);
  damage_layer_norm(&p);
  damage_batch_norm(&p);
  damage_group_norm(&p);
  damage_prelu(&p);
  damage_conv_transpose2d(&p);
  damage_volumes(&p);
  damage_slice(&p);
  damage_sub(&p);
  damage_pad(&p);
  damage_inverted_residual(&p);
  damage_upsample(&p, QRT_FB_Operation_upsample_nearest2d, QRT_FIELD(upsample_nearest2d, output_size),
                  QRT_FIELD(upsample_nearest2d, scale_height), QRT_FIELD(upsample_nearest2d, scale_width));
  damage_upsample(&p, QRT_FB_Operation_upsample_bilinear2d, QRT_FIELD(upsample_bilinear2d, output_size),
                  QRT_FIELD(upsample_bilinear2d, scale_height), QRT_FIELD(upsample_bilinear2d, scale_width));
  CHECK(memcmp(p.file.bytes, file.bytes, file.size) == 0);
  free(p.file.bytes);
  free(file.bytes);
  return finish();
}
