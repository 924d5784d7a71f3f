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
  uint32_t add = find(p, QRT_FB_Operation_add_float);
  uint32_t weight = input_of(p, find(p, QRT_FB_Operation_linear_dynamic), 1);
  damage_operands(p, find(p, QRT_FB_Operation_relu), weight, 1, 2);
  damage_operands(p, add, weight, 2, 2);
  INT(vector(p, operator_at(p, add), QRT_FIELD(Operator, inputs)) + 8,
      (int32_t)input_of(p, find(p, QRT_FB_Operation_linear_dynamic), 0), ERROR_FIELD,
      "shapes do not broadcast: 12 and 8");
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
  CHECK(memcmp(p.file.bytes, file.bytes, file.size) == 0);
  free(p.file.bytes);
  free(file.bytes);
  return finish();
}
