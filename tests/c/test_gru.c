/* test_gru.c - as test_damage.c, for gated recurrent units on int8.
 *
 *   test_gru FOLDER   the files of tests/c/fixture.py
 */
#include "damage_float.h"

enum { INPUT, HIDDEN, WEIGHT_IH, BIAS_IH, MULTIPLIER_IH, WEIGHT_HH, RESET_TABLE = 8, NEW_TABLE = 11 };

static void damage_operands_of(patient *p, uint32_t index) {
  uint32_t inputs = vector(p, operator_at(p, index), QRT_FIELD(Operator, inputs)) + 4;
  int32_t bias = (int32_t)input_of(p, index, BIAS_IH), weight = (int32_t)input_of(p, index, WEIGHT_IH);
  for (uint32_t i = INPUT; i <= HIDDEN; ++i) {
    INT(inputs + 4 * i, bias, ERROR_FIELD, "int32 instead of int8");
    INT(inputs + 4 * i, weight, ERROR_FIELD, "0 scales instead of one");
  }
  INT(inputs - 4, 11, ERROR_FIELD, "11 inputs, not 12");
  for (uint32_t i = WEIGHT_IH; i <= WEIGHT_HH; i += WEIGHT_HH - WEIGHT_IH) {
    INT(inputs + 4 * i, bias, ERROR_FIELD, "int32 instead of int8");
    INT(inputs + 4 * i, (int32_t)input_of(p, index, INPUT), ERROR_FIELD, "not a constant");
    INT(inputs + 4 * i, (int32_t)input_of(p, index, RESET_TABLE), ERROR_FIELD, "rank 1 instead of 2");
    INT(inputs + 4 * (i + 1), weight, ERROR_FIELD, "int8 instead of int32");
    INT(inputs + 4 * (i + 2), weight, ERROR_FIELD, "int8 instead of float32");
    for (size_t k = 0; k < sizeof bad_scales / sizeof *bad_scales; ++k) {
      FLOAT(data_of(p, input_of(p, index, i + 2)) + 4 * 5, bad_scales[k], ERROR_FIELD, "multiplier[5]");
    }
  }
  INT(inputs + 4 * WEIGHT_IH, (int32_t)input_of(p, index, WEIGHT_HH), ERROR_FIELD, "6 by 2 instead of 6 by 4");
  INT(inputs + 4 * WEIGHT_HH, weight, ERROR_FIELD, "6 by 4 instead of 6 by 2");
  for (uint32_t i = RESET_TABLE; i <= NEW_TABLE; ++i) {
    INT(inputs + 4 * i, bias, ERROR_FIELD, "int32 instead of int8");
    INT(inputs + 4 * i, weight, ERROR_FIELD, "rank 2 instead of 1");
    INT(inputs + 4 * i, (int32_t)input_of(p, index, INPUT), ERROR_FIELD, "not a constant");
    INT(shape_of(p, input_of(p, index, i)), 255, ERROR_FIELD, NULL);
  }
}

static void damage_shapes(patient *p, uint32_t index) {
  uint32_t x = shape_of(p, input_of(p, index, INPUT)), h = shape_of(p, input_of(p, index, HIDDEN));
  SHAPE(x, ERROR_FIELD, "3 by 2 for 4 in a batch", 2, 4, 3);
  SHAPE(x, ERROR_FIELD, "6 by 4 instead of 6 by 2", 4, 3, 2);
  SHAPE(x - 4, ERROR_FIELD, "rank 2 instead of 3", 2, 6, 4);
  SHAPE(h, ERROR_FIELD, "2 by 3 for 3 in a batch", 2, 3);
  SHAPE(h - 4, ERROR_FIELD, "rank 1 instead of 2", 1, 6);
}

/* Their shapes, and the parameters of the states. */
static void damage_outputs(patient *p, uint32_t index) {
  qrt_node node;
  qrt_node_read(&p->model, index, &node);
  for (uint32_t i = 0; i < 2; ++i) {
    uint32_t output = qrt_node_output_index(&node, i), table = tensor_at(p, output);
    INT(shape_of(p, output), 1, ERROR_FIELD, "shape[0] is 1 instead of");
    INT(shape_of(p, output) - 4, 1, ERROR_FIELD, "rank 1 instead of");
    FLOAT(vector(p, table, QRT_FIELD(Tensor, scale)) + 4, 0.5f, ERROR_FIELD, "must have the same scale and zero point");
    INT(vector(p, table, QRT_FIELD(Tensor, zero_point)) + 4, 9, ERROR_FIELD, "must have the same scale and zero point");
  }
  INT(vector(p, operator_at(p, index), QRT_FIELD(Operator, outputs)), 1, ERROR_FIELD, "1 outputs instead of 2");
}

static void damage_options(patient *p, uint32_t index) {
  uint32_t options = options_at(p, index), zero_point = vector(p, options, QRT_FIELD(gru, zero_point));
  uint32_t least = vector(p, options, QRT_FIELD(gru, output_min));
  uint32_t most = vector(p, options, QRT_FIELD(gru, output_max));
  uint32_t multiplier = vector(p, options, QRT_FIELD(gru, multiplier));
  BYTE(position(p, options, QRT_FIELD(gru, reverse)), 2, ERROR_FIELD, "reverse");
  INT(zero_point, 10, ERROR_FIELD, "zero_point has 10 elements instead of 11");
  INT(least, 7, ERROR_FIELD, "output_min has 7 elements instead of 8");
  INT(most, 7, ERROR_FIELD, "output_max has 7 elements instead of 8");
  INT(multiplier, 8, ERROR_FIELD, "multiplier has 8 elements instead of 9");
  for (uint32_t i = 1; i <= 11; ++i) {
    INT(zero_point + 4 * i, 128, ERROR_FIELD, "is 128, not in -128..127");
    INT(zero_point + 4 * i, -129, ERROR_FIELD, "is -129, not in -128..127");
  }
  INT(least + 4 * 3, 101, ERROR_FIELD, "output_min[2]..output_max[2] is 101..100");
  INT(least + 4 * 8, 121, ERROR_FIELD, "output_min[7]..output_max[7] is 121..120");
  for (uint32_t i = 1; i <= 8; ++i) {
    INT(least + 4 * i, -129, ERROR_FIELD, "output_min[");
    INT(most + 4 * i, 128, ERROR_FIELD, "output_max[");
    INT(most + 4 * i, -128, OK, NULL);
  }
  for (uint32_t i = 1; i <= 9; ++i) {
    for (size_t k = 0; k < sizeof bad_scales / sizeof *bad_scales; ++k) {
      FLOAT(multiplier + 4 * i, bad_scales[k], ERROR_FIELD, "is not within 2^-60 and 2^60");
    }
    FLOAT(multiplier + 4 * i, special(0x7fc00000), ERROR_FIELD, "is not within 2^-60 and 2^60");
  }
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: test_gru FOLDER\n");
    return 2;
  }
  blob file = load(argv[1], "gru.qsdk");
  patient p = admit(&file);
  STATUS(qrt_model_open(&p.model, p.file.bytes, p.file.size, &error), OK, NULL);
  uint32_t index = find(&p, QRT_FB_Operation_gru);
  test_every_isa(&p.model);
  damage_offsets(&p);
  damage_operands_of(&p, index);
  damage_shapes(&p, index);
  damage_outputs(&p, index);
  damage_options(&p, index);
  CHECK(memcmp(p.file.bytes, file.bytes, file.size) == 0);
  free(p.file.bytes);
  free(file.bytes);
  return finish();
}
