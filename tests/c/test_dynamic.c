/* test_dynamic.c - as test_damage.c, for operators on float activations; and their runs on every instruction set.
 *
 *   test_dynamic FOLDER   the files of tests/c/fixture.py
 */
#include "damage_float.h"

static void damage_linear(patient *p) {
  uint32_t index = find(p, QRT_FB_Operation_linear_dynamic), options = options_at(p, index);
  damage_operands(p, index, input_of(p, index, 1), 1, 2);
  damage_projection(p, index, 1);
  BYTE(position(p, options, QRT_FIELD(linear_dynamic, per_token)), 2, ERROR_FIELD, "per_token");
  BYTE(position(p, options, QRT_FIELD(linear_dynamic, relu)), 2, ERROR_FIELD, "relu");
}

static void damage_elementwise(patient *p) {
  uint32_t weight = input_of(p, find(p, QRT_FB_Operation_linear_dynamic), 1);
  damage_operands(p, find(p, QRT_FB_Operation_relu), weight, 1, 2);
}

/* What convolutions of floats have in common with others is damaged in test_operators.c: here are operands, and each
 * option once. */
static void damage_convolution(patient *p, uint32_t code, uint32_t axes, uint32_t paddings, const qrt_fb_field *stride,
                               const qrt_fb_field *padding, const qrt_fb_field *dilation, const qrt_fb_field *groups) {
  uint32_t index = find(p, code), options = options_at(p, index);
  uint32_t inputs = vector(p, operator_at(p, index), QRT_FIELD(Operator, inputs)) + 4;
  uint32_t weight = input_of(p, index, 1), scale = input_of(p, index, 2);
  damage_operands(p, index, weight, 1, axes + 2);
  INT(inputs + 4, (int32_t)scale, ERROR_FIELD, "float32 instead of int8");
  INT(inputs + 4, (int32_t)input_of(p, find(p, QRT_FB_Operation_linear_dynamic), 1), ERROR_FIELD, "rank 2 instead of");
  INT(inputs + 8, (int32_t)weight, ERROR_FIELD, "int8 instead of float32");
  INT(inputs + 12, (int32_t)weight, ERROR_FIELD, "int8 instead of float32");
  INT(inputs + 12, (int32_t)input_of(p, index, 0), ERROR_FIELD, "not a constant");
  INT(inputs + 12, (int32_t)input_of(p, find(p, QRT_FB_Operation_linear_dynamic), 3), ERROR_FIELD,
      "12 elements instead of");
  for (size_t i = 0; i < sizeof bad_scales / sizeof *bad_scales; ++i) {
    FLOAT(data_of(p, scale) + 4, bad_scales[i], ERROR_FIELD, "multiplier[1]");
  }
  INT(vector(p, options, stride) + 4, 0, ERROR_FIELD, "stride[0] is 0");
  INT(vector(p, options, stride), (int32_t)axes - 1, ERROR_FIELD, "stride has");
  INT(vector(p, options, padding) + 4 * paddings, -1, ERROR_FIELD, "is -1");
  INT(vector(p, options, padding), (int32_t)paddings - 1, ERROR_FIELD, "padding has");
  INT(vector(p, options, dilation) + 4, INT32_MAX, ERROR_FIELD, "dilation[0]");
  INT(vector(p, options, dilation), (int32_t)axes - 1, ERROR_FIELD, "dilation has");
  INT(position(p, options, groups), 1, ERROR_FIELD, "groups: 1 do not fit");
  INT(position(p, options, groups), 0, ERROR_FIELD, "groups is 0");
}

#define DAMAGE_CONVOLUTION(p, table, axes, paddings)                                                                   \
  damage_convolution(p, QRT_FB_Operation_##table, axes, paddings, QRT_FIELD(table, stride), QRT_FIELD(table, padding), \
                     QRT_FIELD(table, dilation), QRT_FIELD(table, groups))

static void damage_convolutions(patient *p) {
  DAMAGE_CONVOLUTION(p, conv2d_dynamic, 2, 4);
  DAMAGE_CONVOLUTION(p, conv3d_dynamic, 3, 6);
  DAMAGE_CONVOLUTION(p, conv_transpose2d_dynamic, 2, 2);
  DAMAGE_CONVOLUTION(p, conv_transpose3d_dynamic, 3, 3);
  uint32_t options = options_at(p, find(p, QRT_FB_Operation_conv_transpose2d_dynamic));
  INT(vector(p, options, QRT_FIELD(conv_transpose2d_dynamic, output_padding)) + 4, 2, ERROR_FIELD,
      "output_padding: 2 is not below stride or dilation");
  options = options_at(p, find(p, QRT_FB_Operation_conv_transpose3d_dynamic));
  SHAPE(vector(p, options, QRT_FIELD(conv_transpose3d_dynamic, stride)) + 4, ERROR_LIMIT,
        "stride: a product above 4096", 64, 64, 2);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: test_dynamic FOLDER\n");
    return 2;
  }
  blob file = load(argv[1], "dynamic.qsdk");
  patient p = admit(&file);
  STATUS(qrt_model_open(&p.model, p.file.bytes, p.file.size, &error), OK, NULL);
  test_every_isa(&p.model);
  damage_offsets(&p);
  damage_linear(&p);
  damage_elementwise(&p);
  damage_convolutions(&p);
  CHECK(memcmp(p.file.bytes, file.bytes, file.size) == 0);
  free(p.file.bytes);
  free(file.bytes);
  return finish();
}
