/* test_embedding.c - embedding tables: as test_damage.c, and what a run does with indices that select nothing.
 *
 *   test_embedding FOLDER   the files of tests/c/fixture.py
 */
#include "damage.h"

enum { EMBEDDING, WEIGHTED_BAG, FIXED_BAG, FIXED_EMBEDDING }; /* the fixture's operators */
enum { TOKENS, INDICES, OFFSETS, WEIGHTS };                   /* and inputs */

static uint32_t inputs_of(const patient *p, uint32_t index) {
  return vector(p, operator_at(p, index), QRT_FIELD(Operator, inputs)) + 4;
}

/* weight, weight_scale and weight_zero_point from operand `first` on. */
static void damage_table(patient *p, uint32_t index, uint32_t first) {
  uint32_t inputs = inputs_of(p, index) + 4 * first, weight = input_of(p, index, first);
  uint32_t scale = input_of(p, index, first + 1), zero_point = input_of(p, index, first + 2);
  int32_t rows = qrt_load_int(p->file.bytes + shape_of(p, weight));
  int32_t columns = qrt_load_int(p->file.bytes + shape_of(p, weight) + 4);
  INT(inputs, (int32_t)scale, ERROR_FIELD, "float32 instead of uint8");
  INT(inputs + 4, (int32_t)weight, ERROR_FIELD, "uint8 instead of float32");
  INT(inputs + 8, (int32_t)weight, ERROR_FIELD, "uint8 instead of float32");
  INT(shape_of(p, scale), rows - 1, ERROR_FIELD, "buffer");
  SHAPE(shape_of(p, weight), ERROR_FIELD, "bytes", columns, rows);
  SHAPE(shape_of(p, weight) - 4, ERROR_FIELD, "rank 1 instead of 2", 1, rows * columns);
  BYTE(position(p, tensor_at(p, weight), QRT_FIELD(Tensor, kind)), 0, ERROR_UNSUPPORTED, "uint8 is not supported");
  for (size_t i = 0; i < sizeof bad_scales / sizeof *bad_scales; ++i) {
    FLOAT(data_of(p, scale) + 4 * (uint32_t)(rows - 1), bad_scales[i], ERROR_FIELD, "multiplier[");
  }
  FLOAT(data_of(p, zero_point), special(0x7f800000), ERROR_FIELD, "[0] is not within -2^60");
  FLOAT(data_of(p, zero_point), special(0x7fc00000), ERROR_FIELD, "[0] is not within -2^60");
  FLOAT(data_of(p, zero_point) + 4, -0x1.000002p60f, ERROR_FIELD, "[1] is not within -2^60");
}

static void damage_embedding(patient *p) {
  uint32_t options = options_at(p, EMBEDDING), shape = shape_of(p, output_of(p, EMBEDDING));
  uint32_t dim = position(p, options, QRT_FIELD(embedding, embedding_dim));
  uint32_t bits = position(p, options, QRT_FIELD(embedding, bits));
  damage_table(p, EMBEDDING, 1);
  INT(inputs_of(p, EMBEDDING), (int32_t)input_of(p, WEIGHTED_BAG, 5), ERROR_FIELD, "float32 instead of int32 or int64");
  INT(inputs_of(p, EMBEDDING) - 4, 3, ERROR_FIELD, "3 inputs, not");
  INT(dim, 4, ERROR_FIELD, "embedding_dim");
  INT(dim, 0, ERROR_FIELD, "embedding_dim");
  INT(dim, INT32_MIN, ERROR_FIELD, "embedding_dim");
  INT(dim, INT32_MAX, ERROR_FIELD, "embedding_dim");
  INT(bits, 4, ERROR_FIELD, "embedding_dim: 5 values of 4 bits do not take 5 bytes");
  INT(bits, 5, ERROR_FIELD, "bits is 5");
  INT(bits, 0, ERROR_FIELD, "bits is 0");
  for (uint32_t i = 0; i < 3; ++i) {
    INT(shape + 4 * i, 1, ERROR_FIELD, "shape[");
  }
  LONG(data_of(p, input_of(p, FIXED_EMBEDDING, 0)), 2, ERROR_INDEX, "inputs[0][0] is 2, but the table has 2 rows");
  LONG(data_of(p, input_of(p, FIXED_EMBEDDING, 0)) + 8, UINT64_MAX, ERROR_INDEX, "inputs[0][1] is -1");
}

static void damage_bag(patient *p) {
  uint32_t options = options_at(p, WEIGHTED_BAG), inputs = inputs_of(p, WEIGHTED_BAG);
  uint32_t fixed = options_at(p, FIXED_BAG), offsets = data_of(p, input_of(p, FIXED_BAG, 1));
  damage_table(p, WEIGHTED_BAG, 2);
  INT(inputs, (int32_t)input_of(p, WEIGHTED_BAG, 5), ERROR_FIELD, "float32 instead of int32 or int64");
  INT(inputs, (int32_t)input_of(p, EMBEDDING, 0), ERROR_FIELD, NULL);
  INT(inputs + 4, (int32_t)input_of(p, WEIGHTED_BAG, 5), ERROR_FIELD, "float32 instead of int32 or int64");
  INT(inputs + 20, (int32_t)input_of(p, WEIGHTED_BAG, 3), ERROR_FIELD, "8 weights for 6 indices");
  INT(inputs + 20, (int32_t)input_of(p, WEIGHTED_BAG, 0), ERROR_FIELD, "int64 instead of float32");
  INT(inputs - 4, 4, ERROR_FIELD, "4 inputs, not");
  BYTE(position(p, options, QRT_FIELD(embedding_bag, mode)), QRT_FB_BagMode_mean, ERROR_FIELD,
       "only a sum has weights");
  BYTE(position(p, fixed, QRT_FIELD(embedding_bag, mode)), QRT_FB_BagMode_END, ERROR_FIELD, "mode: 3");
  BYTE(position(p, options, QRT_FIELD(embedding_bag, include_last_offset)), 0, ERROR_FIELD, "shape[0]");
  BYTE(position(p, options, QRT_FIELD(embedding_bag, include_last_offset)), 2, ERROR_FIELD, "include_last_offset");
  INT(position(p, options, QRT_FIELD(embedding_bag, padding_idx)), -2, ERROR_FIELD, "padding_idx is -2, not in -1..7");
  INT(position(p, options, QRT_FIELD(embedding_bag, padding_idx)), 8, ERROR_FIELD, "padding_idx is 8");
  INT(position(p, options, QRT_FIELD(embedding_bag, bits)), 8, ERROR_FIELD, "embedding_dim");
  INT(position(p, options, QRT_FIELD(embedding_bag, embedding_dim)), 7, ERROR_FIELD, "embedding_dim");
  INT(shape_of(p, output_of(p, WEIGHTED_BAG)), 2, ERROR_FIELD, "shape[0]");
  INT(offsets, 1, ERROR_INDEX, "inputs[1][0]: offsets do not begin at 0");
  INT(offsets + 4, 6, ERROR_INDEX, "inputs[1][2]");
  INT(offsets + 4, -1, ERROR_INDEX, "inputs[1][1]");
  INT(offsets + 8, 7, ERROR_INDEX, "inputs[1][2]: offsets do not begin at 0, ascend and stay within 6 indices");
}

/* Integers have no scale, and no seed of theirs is out of order. */
static void damage_integers(patient *p) {
  uint32_t vectors = vector(p, p->model.root, QRT_FIELD(Model, test_vectors)) + 4;
  uint32_t first = qrt_flat_element(p->file.bytes, vectors, 0);
  uint32_t seeded = vector(p, first, QRT_FIELD(TestVector, seeded)) + 4;
  uint32_t tokens = qrt_flat_element(p->file.bytes, seeded, TOKENS);
  uint32_t offsets = qrt_flat_element(p->file.bytes, seeded, OFFSETS);
  INT(position(p, tokens, QRT_FIELD(SeededInput, least)), 10, ERROR_FIELD, "seeded[0]: least is above most");
  BYTE(position(p, offsets, QRT_FIELD(SeededInput, ascending)), 2, ERROR_FIELD, "ascending");
  BYTE(position(p, tensor_at(p, 0), QRT_FIELD(Tensor, dtype)), QRT_FB_DType_uint8, ERROR_UNSUPPORTED, "uint8");
  BYTE(position(p, tensor_at(p, 0), QRT_FIELD(Tensor, dtype)), QRT_FB_DType_int4, ERROR_UNSUPPORTED, "int4");
  BYTE(position(p, tensor_at(p, 0), QRT_FIELD(Tensor, dtype)), QRT_FB_DType_float32, ERROR_FIELD, NULL);
}

/* ---- runs ---- */

static void set(qrt_session *session, uint32_t index, const void *data, size_t size) {
  STATUS(qrt_session_set_input(session, index, data, size, &error), OK, NULL);
}

/* Good inputs, then one bad one. */
static void run_with(qrt_session *session, int32_t token, int64_t index, int64_t offset, qrt_status expected,
                     const char *text, int line) {
  const int32_t tokens[6] = {0, 9, 3, token, 5, 9};
  const int64_t indices[6] = {0, 7, 2, 3, index, INT64_MIN}, offsets[4] = {0, 1, offset, 5};
  const float weights[6] = {1, 2, 3, 4, 5, special(0x7fc00000)};
  set(session, TOKENS, tokens, sizeof tokens);
  set(session, INDICES, indices, sizeof indices);
  set(session, OFFSETS, offsets, sizeof offsets);
  set(session, WEIGHTS, weights, sizeof weights);
  check_status(qrt_session_run(session, &error), expected, error.message, text, line);
}

#define RUN(token, index, offset, expected, text) \
  run_with(session, token, index, offset, QRT_##expected, text, __LINE__)

static void test_indices(const qrt_model *model) {
  for (uint32_t i = 0; qrt_isa_name(i); ++i) {
    qrt_config config = {.size = sizeof config, .isa = qrt_isa_name(i)};
    qrt_session *session;
    uint32_t count;
    void *arena = open_session(model, &config, &session);
    STATUS(qrt_session_self_test(session, &count, &error), OK, NULL);
    CHECK(count == 2);
    /* The last index is in no bag of the first, whose last offset is 5, but in one of the second, whose offsets are
     * constants. */
    RUN(0, 0, 2, ERROR_INDEX, "operators[2] embedding_bag: inputs[0][5] is -9223372036854775808, but the table has 8");
    RUN(10, 0, 2, ERROR_INDEX, "operators[0] embedding: inputs[0][3] is 10, but the table has 10 rows");
    RUN(-1, 0, 2, ERROR_INDEX, "inputs[0][3] is -1");
    RUN(INT32_MIN, 0, 2, ERROR_INDEX, "inputs[0][3] is -2147483648");
    RUN(0, 8, 2, ERROR_INDEX, "operators[1] embedding_bag: inputs[0][4] is 8, but the table has 8 rows");
    RUN(0, INT64_C(1) << 32, 2, ERROR_INDEX, "inputs[0][4] is 4294967296");
    RUN(0, 0, 6, ERROR_INDEX, "operators[1] embedding_bag: inputs[1][3]");
    RUN(0, 0, 7, ERROR_INDEX, "inputs[1][2]");
    RUN(0, 0, 0, ERROR_INDEX, "inputs[1][2]");
    RUN(0, 0, INT64_MIN, ERROR_INDEX, "inputs[1][2]");
    STATUS(qrt_session_self_test(session, NULL, &error), OK, NULL);
    free(arena);
  }
}

/* A vector whose inputs go too far fails as a run does. */
static void test_seeds(patient *p) {
  uint32_t vectors = vector(p, p->model.root, QRT_FIELD(Model, test_vectors)) + 4;
  uint32_t first = qrt_flat_element(p->file.bytes, vectors, 0);
  uint32_t tokens = qrt_flat_element(p->file.bytes, vector(p, first, QRT_FIELD(TestVector, seeded)) + 4, TOKENS);
  uint32_t at = position(p, tokens, QRT_FIELD(SeededInput, most));
  int32_t before = qrt_load_int(p->file.bytes + at), far = INT32_MAX;
  qrt_model model;
  qrt_session *session;
  memcpy(p->file.bytes + at, &far, sizeof far);
  STATUS(qrt_model_open(&model, p->file.bytes, p->file.size, &error), OK, NULL);
  void *arena = open_session(&model, NULL, &session);
  STATUS(qrt_session_self_test(session, NULL, &error), ERROR_INDEX, "inputs[0][0]");
  free(arena);
  memcpy(p->file.bytes + at, &before, sizeof before);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: test_embedding FOLDER\n");
    return 2;
  }
  blob file = load(argv[1], "embedding.qsdk");
  patient p = admit(&file);
  STATUS(qrt_model_open(&p.model, p.file.bytes, p.file.size, &error), OK, NULL);
  damage_embedding(&p);
  damage_bag(&p);
  damage_integers(&p);
  test_indices(&p.model);
  test_seeds(&p);
  CHECK(memcmp(p.file.bytes, file.bytes, file.size) == 0);
  free(p.file.bytes);
  free(file.bytes);
  return finish();
}
