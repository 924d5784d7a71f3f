/* softmax.c - exponentials, from a table of integers, over their sum along one axis; design rule 9. */
#include "../requantize.h"
#include "op.h"

#define ONE (1 << 23) /* what the table has for exp(0) */

typedef struct arguments {
  size_t outer, count, inner; /* the input, as three axes; the sum runs over the middle one */
  const int8_t *input;
  const int32_t *table;
  int8_t *output;
  float inverse_scale;
  qrt_output_range range;
} arguments;

/* The first entry is that of the maximum, so that no sum is 0. */
static qrt_status check_table(qrt_verify *v, const qrt_node *node) {
  qrt_tensor table;
  QRT_TRY(qrt_expect_vector(v, node, 1, QRT_FB_DType_int32, 256, &table));
  QRT_TRY(qrt_expect_budget(v, node, table.size));
  const uint8_t *entries = qrt_tensor_data(node->model, &table);
  for (uint32_t i = 0; i < 256; ++i) {
    int32_t entry = qrt_load_int(entries + 4 * i);
    if (entry < (i ? 0 : ONE) || entry > ONE) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "table[%u] is %d; the first is 2^23, all are in 0..2^23", i,
                           entry);
    }
  }
  return QRT_OK;
}

qrt_status qrt_check_softmax(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t dim;
  QRT_TRY(qrt_expect_quantized(v, node, 0, &input));
  QRT_TRY(check_table(v, node));
  QRT_TRY(qrt_expect_int(v, node, QRT_FIELD(softmax, dim), 0, (int32_t)input.rank - 1, &dim));
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(softmax, inverse_scale)));
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, input.rank, input.shape, &output));
  return qrt_expect_range(v, node, QRT_FIELD(softmax, output_min), QRT_FIELD(softmax, output_max));
}

/* One sum, over `count` elements that are `stride` apart. May be in place. */
static void normalize(const arguments *a, size_t count, size_t stride, const int8_t *input, int8_t *output) {
  int32_t largest = -128;
  int64_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    largest = input[i * stride] > largest ? input[i * stride] : largest;
  }
  for (size_t i = 0; i < count; ++i) {
    sum += a->table[largest - input[i * stride]];
  }
  float factor = a->inverse_scale / (float)sum;
  for (size_t i = 0; i < count; ++i) {
    output[i * stride] = qrt_round_clamp((float)a->table[largest - input[i * stride]] * factor, &a->range);
  }
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  (void)scratch;
  for (size_t i = 0; i < a->outer; ++i) {
    for (size_t j = 0; j < a->inner; ++j) {
      size_t at = i * a->count * a->inner + j;
      normalize(a, a->count, a->inner, a->input + at, a->output + at);
    }
  }
}

void qrt_prepare_softmax(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, table, output;
  arguments a;
  int32_t dim = QRT_NODE_INT(node, softmax, dim);
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &table);
  qrt_node_output(node, &output);
  a.outer = a.count = a.inner = 1;
  for (int32_t i = 0; i < (int32_t)input.rank; ++i) {
    *(i < dim ? &a.outer : i > dim ? &a.inner : &a.count) *= (size_t)input.shape[i];
  }
  a.input = qrt_bind_tensor(binder, &input);
  a.table = qrt_bind_tensor(binder, &table);
  a.output = qrt_bind_output(binder, &output);
  a.inverse_scale = QRT_NODE_FLOAT(node, softmax, inverse_scale);
  a.range = QRT_NODE_RANGE(node, softmax, &output);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
