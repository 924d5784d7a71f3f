/* test_weight_only.c - as test_damage.c, for weights of 8 and 4 bits under float activations.
 *
 *   test_weight_only FOLDER   the files of tests/c/fixture.py
 */
#include "damage_float.h"

/* The second linear layer, which has 4 bits and groups. */
static uint32_t grouped_linear(const patient *p) {
  return find(p, QRT_FB_Operation_linear_weight_only) + 1;
}

static void damage_weights(patient *p, uint32_t index, int32_t bits, const qrt_fb_field *bits_field,
                           const qrt_fb_field *group_size, const qrt_fb_field *relu) {
  uint32_t options = options_at(p, index), inputs = vector(p, operator_at(p, index), QRT_FIELD(Operator, inputs)) + 4;
  uint32_t weight = input_of(p, index, 1), scale = input_of(p, index, 2);
  int32_t rows = qrt_load_int(p->file.bytes + shape_of(p, weight));
  int32_t columns = qrt_load_int(p->file.bytes + shape_of(p, weight) + 4);
  int32_t groups = qrt_load_int(p->file.bytes + shape_of(p, scale) + 4);
  INT(position(p, options, bits_field), 3, ERROR_FIELD, "bits is 3, not 8 or 4");
  INT(position(p, options, bits_field), 12 - bits, ERROR_FIELD, "instead of");
  INT(position(p, options, group_size), -32, ERROR_FIELD, "group_size is -32");
  INT(position(p, options, group_size), 31, ERROR_FIELD, "group_size is 31, not a multiple of 32");
  BYTE(position(p, options, relu), 2, ERROR_FIELD, "relu");
  INT(inputs + 4, (int32_t)scale, ERROR_FIELD, "float32 instead of");
  INT(inputs + 8, (int32_t)weight, ERROR_FIELD, "instead of float32");
  INT(inputs + 8, (int32_t)input_of(p, index, 0), ERROR_FIELD, "not a constant");
  INT(inputs + 8, (int32_t)input_of(p, index, 3), ERROR_FIELD, "rank 1 instead of 2");
  INT(inputs + 12, (int32_t)weight, ERROR_FIELD, "instead of float32");
  INT(inputs + 12, (int32_t)input_of(p, index, 0), ERROR_FIELD, "not a constant");
  SHAPE(shape_of(p, weight) - 4, ERROR_FIELD, "rank 1 instead of 2", 1, rows * columns);
  SHAPE(shape_of(p, weight), ERROR_FIELD, "rows of", rows / 2, 2 * columns);
  SHAPE(shape_of(p, scale), ERROR_FIELD, "scales instead of", 1, rows * groups);
  for (size_t i = 0; i < sizeof bad_scales / sizeof *bad_scales; ++i) {
    FLOAT(data_of(p, scale) + 4 * (uint32_t)(rows * groups - 1), bad_scales[i], ERROR_FIELD, "inputs[2], scale");
  }
  FLOAT(data_of(p, scale), special(0x7f800000), ERROR_FIELD, "inputs[2], scale 0");
  FLOAT(data_of(p, scale), special(0x7fc00000), ERROR_FIELD, "inputs[2], scale 0");
}

static void damage_linear(patient *p, uint32_t index, int32_t bits) {
  damage_operands(p, index, input_of(p, find(p, QRT_FB_Operation_linear_weight_only), 1), 1, 2);
  damage_weights(p, index, bits, QRT_FIELD(linear_weight_only, bits), QRT_FIELD(linear_weight_only, group_size),
                 QRT_FIELD(linear_weight_only, relu));
}

static void damage_convolution(patient *p) {
  uint32_t index = find(p, QRT_FB_Operation_conv2d_weight_only), options = options_at(p, index);
  uint32_t kernel = vector(p, options, QRT_FIELD(conv2d_weight_only, kernel_size)) + 4;
  uint32_t stride = vector(p, options, QRT_FIELD(conv2d_weight_only, stride)) + 4;
  uint32_t padding = vector(p, options, QRT_FIELD(conv2d_weight_only, padding)) + 4;
  uint32_t dilation = vector(p, options, QRT_FIELD(conv2d_weight_only, dilation)) + 4;
  uint32_t groups = position(p, options, QRT_FIELD(conv2d_weight_only, groups));
  damage_operands(p, index, input_of(p, find(p, QRT_FB_Operation_linear_weight_only), 1), 1, 4);
  damage_weights(p, index, 4, QRT_FIELD(conv2d_weight_only, bits), QRT_FIELD(conv2d_weight_only, group_size),
                 QRT_FIELD(conv2d_weight_only, relu));
  for (uint32_t at = 0; at < 8; at += 4) {
    INT(kernel + at, 0, ERROR_FIELD, "kernel_size[");
    INT(kernel + at, -1, ERROR_FIELD, "kernel_size[");
    INT(kernel + at, 1 << 20, ERROR_FIELD, "rows of 6 bytes for");
    INT(stride + at, 0, ERROR_FIELD, "stride[");
    INT(stride + at, 4, ERROR_FIELD, "shape[");
    INT(dilation + at, 0, ERROR_FIELD, "dilation[");
    INT(dilation + at, 1 << 20, ERROR_FIELD, "shape[");
  }
  SHAPE(kernel, ERROR_FIELD, "rows of 6 bytes for 9223372036854775807 values", 1 << 20, 1 << 20);
  SHAPE(kernel, ERROR_FIELD, "shape[", 2, 3);
  for (uint32_t at = 0; at < 16; at += 4) {
    INT(padding + at, -1, ERROR_FIELD, "padding[");
    INT(padding + at, INT32_MAX, ERROR_FIELD, "padding[");
    INT(padding + at, 1 << 20, ERROR_FIELD, "shape[");
  }
  INT(kernel - 4, 1, ERROR_FIELD, "kernel_size has 1");
  INT(stride - 4, 1, ERROR_FIELD, "stride has 1");
  INT(padding - 4, 3, ERROR_FIELD, "padding has 3");
  INT(dilation - 4, 1, ERROR_FIELD, "dilation has 1");
  INT(groups, 0, ERROR_FIELD, "groups is 0");
  INT(groups, 3, ERROR_FIELD, "groups: 3 do not fit 4 channels");
  INT(groups, 4, ERROR_FIELD, "rows of 6 bytes for 6 values");
  INT(shape_of(p, input_of(p, index, 0)) - 4, 3, ERROR_FIELD, NULL);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: test_weight_only FOLDER\n");
    return 2;
  }
  blob file = load(argv[1], "weight_only.qsdk");
  patient p = admit(&file);
  STATUS(qrt_model_open(&p.model, p.file.bytes, p.file.size, &error), OK, NULL);
  test_every_isa(&p.model);
  damage_offsets(&p);
  damage_linear(&p, find(&p, QRT_FB_Operation_linear_weight_only), 8);
  damage_linear(&p, grouped_linear(&p), 4);
  damage_convolution(&p);
  CHECK(memcmp(p.file.bytes, file.bytes, file.size) == 0);
  free(p.file.bytes);
  free(file.bytes);
  return finish();
}
