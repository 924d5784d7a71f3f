/* test_float.c - as test_damage.c, for operators on float tensors that quantize nothing; and their runs on every
 * instruction set.
 *
 *   test_float FOLDER   the files of tests/c/fixture.py
 */
#include "damage_float.h"

/* A vector of 8 floats, and one of 20. */
static uint32_t short_vector(const patient *p) {
  return input_of(p, find(p, QRT_FB_Operation_add), 1);
}

static uint32_t long_vector(const patient *p) {
  return input_of(p, find(p, QRT_FB_Operation_linear), 2);
}

static uint32_t inputs_at(const patient *p, uint32_t index) {
  return vector(p, operator_at(p, index), QRT_FIELD(Operator, inputs)) + 4;
}

/* An operand of another type, wherever it stands; too many of them; the output's shape. The type is changed in the
 * tensor, so that everything else about the operand stays right. */
static void damage_operator(patient *p, uint32_t code, uint32_t constants, uint32_t rank) {
  uint32_t index = find(p, code);
  for (uint32_t i = 1; i <= constants; ++i) {
    uint32_t tensor = tensor_at(p, input_of(p, index, i));
    BYTE(position(p, tensor, QRT_FIELD(Tensor, dtype)), QRT_FB_DType_int32, ERROR_FIELD, "int32 instead of float32");
  }
  INT(inputs_at(p, index) - 4, (int32_t)constants + 0, ERROR_FIELD, "inputs, not");
  for (uint32_t i = 0; i < rank; ++i) {
    uint32_t extent = shape_of(p, output_of(p, index)) + 4 * i;
    int32_t value = qrt_load_int(p->file.bytes + extent);
    INT(extent, value > 1 ? value - 1 : 2, ERROR_FIELD, value > 1 ? "shape[" : NULL); /* a larger one may overlap */
  }
  BYTE(position(p, tensor_at(p, output_of(p, index)), QRT_FIELD(Tensor, dtype)), QRT_FB_DType_int32, ERROR_FIELD, NULL);
}

static void damage_functions(patient *p) {
  static const uint32_t codes[] = {
      QRT_FB_Operation_relu, QRT_FB_Operation_sigmoid,     QRT_FB_Operation_tanh,      QRT_FB_Operation_exp,
      QRT_FB_Operation_neg,  QRT_FB_Operation_abs,         QRT_FB_Operation_sqrt,      QRT_FB_Operation_rsqrt,
      QRT_FB_Operation_silu, QRT_FB_Operation_hardsigmoid, QRT_FB_Operation_hardswish, QRT_FB_Operation_gelu,
      QRT_FB_Operation_elu,  QRT_FB_Operation_leaky_relu,  QRT_FB_Operation_clamp,
  };
  for (size_t i = 0; i < sizeof codes / sizeof *codes; ++i) {
    damage_operator(p, codes[i], 0, 2);
  }
  BYTE(position(p, options_at(p, find(p, QRT_FB_Operation_gelu)), QRT_FIELD(gelu, approximate)), 2, ERROR_FIELD,
       "approximate");
  uint32_t alpha = position(p, options_at(p, find(p, QRT_FB_Operation_elu)), QRT_FIELD(elu, alpha));
  FLOAT(alpha, -0x1.000002p60f, ERROR_FIELD, "alpha is not within");
  FLOAT(alpha, special(0x7fc00000), ERROR_FIELD, "alpha is not within");
  uint32_t slope =
      position(p, options_at(p, find(p, QRT_FB_Operation_leaky_relu)), QRT_FIELD(leaky_relu, negative_slope));
  FLOAT(slope, special(0x7f800000), ERROR_FIELD, "negative_slope is not within");
  uint32_t clamp = options_at(p, find(p, QRT_FB_Operation_clamp));
  FLOAT(position(p, clamp, QRT_FIELD(clamp, min)), 3.0f, ERROR_FIELD, "min is above max");
  FLOAT(position(p, clamp, QRT_FIELD(clamp, max)), special(0x7fc00000), ERROR_FIELD, "min is above max");
}

static void damage_arithmetic(patient *p) {
  static const uint32_t codes[] = {QRT_FB_Operation_add, QRT_FB_Operation_sub,     QRT_FB_Operation_mul,
                                   QRT_FB_Operation_div, QRT_FB_Operation_maximum, QRT_FB_Operation_minimum};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; ++i) {
    damage_operator(p, codes[i], 1, 2);
    INT(inputs_at(p, find(p, codes[i])) + 4, (int32_t)long_vector(p), ERROR_FIELD, "shapes do not broadcast: 8 and 20");
  }
}

static void damage_linear(patient *p) {
  uint32_t index = find(p, QRT_FB_Operation_linear), inputs = inputs_at(p, index), weight = input_of(p, index, 1);
  damage_operator(p, QRT_FB_Operation_linear, 2, 2);
  INT(inputs + 4, (int32_t)long_vector(p), ERROR_FIELD, "rank 1 instead of 2");
  INT(inputs + 4, (int32_t)input_of(p, index, 0), ERROR_FIELD, "not a constant");
  INT(inputs + 8, (int32_t)short_vector(p), ERROR_FIELD, "shape[0] is 8 instead of 20");
  SHAPE(shape_of(p, weight), ERROR_FIELD, "does not have the weight's 10 columns", 16, 10);
  FLOAT(data_of(p, weight) + 4 * (20 * 8 - 1), special(0x7f800000), ERROR_FIELD, "inputs[1][159]");
  FLOAT(data_of(p, weight), -0x1.000002p60f, ERROR_FIELD, "inputs[1][0]");
  FLOAT(data_of(p, long_vector(p)) + 4 * 19, special(0x7fc00000), ERROR_FIELD, "inputs[2][19]");
}

static void damage_matmul(patient *p) {
  uint32_t index = find(p, QRT_FB_Operation_matmul);
  damage_operator(p, QRT_FB_Operation_matmul, 1, 2);
  INT(inputs_at(p, index) + 4, (int32_t)short_vector(p), ERROR_FIELD, "rank 1, which is no matrix");
  SHAPE(shape_of(p, input_of(p, index, 1)), ERROR_FIELD, "8 columns times 4 rows", 4, 4);
}

static void damage_rows(patient *p) {
  uint32_t softmax = find(p, QRT_FB_Operation_softmax), norm = find(p, QRT_FB_Operation_layer_norm);
  uint32_t mean = find(p, QRT_FB_Operation_mean), inputs = inputs_at(p, norm);
  damage_operator(p, QRT_FB_Operation_softmax, 0, 2);
  INT(position(p, options_at(p, softmax), QRT_FIELD(softmax, dim)), 0, ERROR_FIELD, "dim is 0, not in 1..1");
  damage_operator(p, QRT_FB_Operation_layer_norm, 2, 2);
  INT(inputs + 4, (int32_t)long_vector(p), ERROR_FIELD, "shape[0] is 20 instead of 8");
  INT(inputs + 8, (int32_t)input_of(p, norm, 0), ERROR_FIELD, "not a constant");
  FLOAT(data_of(p, input_of(p, norm, 2)) + 28, special(0xff800000), ERROR_FIELD, "inputs[2][7]");
  uint32_t eps = position(p, options_at(p, norm), QRT_FIELD(layer_norm, eps));
  FLOAT(eps, -1e-5f, ERROR_FIELD, "eps is not within 0 and 2^60");
  FLOAT(eps, special(0x7fc00000), ERROR_FIELD, "eps is not within 0 and 2^60");
  damage_operator(p, QRT_FB_Operation_mean, 0, 1);
  INT(vector(p, options_at(p, mean), QRT_FIELD(mean, dim)) + 4, 2, ERROR_FIELD, "not in 0..1");
  INT(vector(p, options_at(p, mean), QRT_FIELD(mean, dim)), 0, ERROR_FIELD, "dim: 0 axes of 2");
  BYTE(position(p, options_at(p, mean), QRT_FIELD(mean, keepdim)), 1, ERROR_FIELD, "rank 1 instead of 2");
}

/* The options of convolutions are checked by what integers and floats share; here, that floats go that way. */
static void damage_convolution(patient *p, uint32_t code, const qrt_fb_field *stride, const qrt_fb_field *groups,
                               uint32_t rank) {
  uint32_t index = find(p, code), options = options_at(p, index), weight = input_of(p, index, 1);
  damage_operator(p, code, 2, rank);
  INT(inputs_at(p, index) + 4, (int32_t)input_of(p, index, 0), ERROR_FIELD, NULL);
  INT(inputs_at(p, index) + 8, (int32_t)long_vector(p), ERROR_FIELD, "shape[0] is 20");
  INT(vector(p, options, stride) + 4, 0, ERROR_FIELD, "stride");
  INT(position(p, options, groups), 5, ERROR_FIELD, "groups");
  FLOAT(data_of(p, weight), special(0x7fc00000), ERROR_FIELD, "inputs[1][0]");
  FLOAT(data_of(p, input_of(p, index, 2)), special(0x7f800000), ERROR_FIELD, "inputs[2][0]");
}

static void damage_windows(patient *p) {
  damage_convolution(p, QRT_FB_Operation_conv2d, QRT_FIELD(conv2d, stride), QRT_FIELD(conv2d, groups), 4);
  damage_convolution(p, QRT_FB_Operation_conv3d, QRT_FIELD(conv3d, stride), QRT_FIELD(conv3d, groups), 5);
  damage_convolution(p, QRT_FB_Operation_conv_transpose2d, QRT_FIELD(conv_transpose2d, stride),
                     QRT_FIELD(conv_transpose2d, groups), 4);
  damage_convolution(p, QRT_FB_Operation_conv_transpose3d, QRT_FIELD(conv_transpose3d, stride),
                     QRT_FIELD(conv_transpose3d, groups), 5);
  uint32_t norm = find(p, QRT_FB_Operation_batch_norm);
  damage_operator(p, QRT_FB_Operation_batch_norm, 2, 4);
  INT(inputs_at(p, norm) + 8, (int32_t)short_vector(p), ERROR_FIELD, "shape[0] is 8 instead of 4");
  FLOAT(data_of(p, input_of(p, norm, 1)) + 12, special(0x7fc00000), ERROR_FIELD, "inputs[1][3]");
  uint32_t group = options_at(p, find(p, QRT_FB_Operation_group_norm));
  damage_operator(p, QRT_FB_Operation_group_norm, 2, 4);
  INT(position(p, group, QRT_FIELD(group_norm, num_groups)), 3, ERROR_FIELD, "num_groups: 3 do not divide 4");
  INT(position(p, group, QRT_FIELD(group_norm, num_groups)), 0, ERROR_FIELD, "num_groups");
  FLOAT(position(p, group, QRT_FIELD(group_norm, eps)), -1.0f, ERROR_FIELD, "eps is not within");
  damage_operator(p, QRT_FB_Operation_prelu, 1, 4);
  FLOAT(data_of(p, input_of(p, find(p, QRT_FB_Operation_prelu), 1)), special(0x7fc00000), ERROR_FIELD, "inputs[1][0]");
  uint32_t nearest = options_at(p, find(p, QRT_FB_Operation_upsample_nearest2d));
  damage_operator(p, QRT_FB_Operation_upsample_nearest2d, 0, 4);
  FLOAT(position(p, nearest, QRT_FIELD(upsample_nearest2d, scale_height)), 0.0f, ERROR_FIELD, "scale_height");
  uint32_t around = options_at(p, find(p, QRT_FB_Operation_pad));
  INT(vector(p, around, QRT_FIELD(pad, before)) + 8, 2, ERROR_FIELD, "axis 1: 2 elements do not become 4, 2 before");
  INT(position(p, around, QRT_FIELD(pad, mode)), 4, ERROR_FIELD, "mode");
  uint32_t largest = options_at(p, find(p, QRT_FB_Operation_max_pool2d));
  damage_operator(p, QRT_FB_Operation_max_pool2d, 0, 4);
  INT(vector(p, largest, QRT_FIELD(max_pool2d, dilation)) + 4, 0, ERROR_FIELD, "dilation");
  uint32_t average = options_at(p, find(p, QRT_FB_Operation_avg_pool2d));
  damage_operator(p, QRT_FB_Operation_avg_pool2d, 0, 4);
  INT(position(p, average, QRT_FIELD(avg_pool2d, divisor_override)), -1, ERROR_FIELD, "divisor_override");
  uint32_t adaptive = options_at(p, find(p, QRT_FB_Operation_adaptive_avg_pool2d));
  damage_operator(p, QRT_FB_Operation_adaptive_avg_pool2d, 0, 4);
  INT(vector(p, adaptive, QRT_FIELD(adaptive_avg_pool2d, output_size)) + 4, 0, ERROR_FIELD, "output_size");
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: test_float FOLDER\n");
    return 2;
  }
  blob file = load(argv[1], "float.qsdk");
  patient p = admit(&file);
  STATUS(qrt_model_open(&p.model, p.file.bytes, p.file.size, &error), OK, NULL);
  test_every_isa(&p.model);
  damage_functions(&p);
  damage_arithmetic(&p);
  damage_linear(&p);
  damage_matmul(&p);
  damage_rows(&p);
  damage_windows(&p);
  CHECK(memcmp(p.file.bytes, file.bytes, file.size) == 0);
  free(p.file.bytes);
  free(file.bytes);
  return finish();
}
