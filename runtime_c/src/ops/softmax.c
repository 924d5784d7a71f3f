/* softmax.c - exponentials, from a table of integers, over their sum along one axis, of those that a mask leaves;
 * design rule 9. */
#include "../requantize.h"
#include "axis.h"
#include "broadcast.h"

#define ONE (1 << 23) /* what the table has for exp(0) */

typedef struct arguments {
  qrt_axis axis;
  const int8_t *input;
  const int32_t *table;
  const uint8_t *mask; /* or NULL */
  uint32_t rank;
  size_t extent[QRT_MAX_RANK], stride[QRT_MAX_RANK]; /* of the input without dim, and the mask's elements along them */
  size_t mask_step;                                  /* along dim */
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

static qrt_status check_mask(qrt_verify *v, const qrt_node *node, const qrt_tensor *input) {
  qrt_tensor mask, output;
  uint32_t rank = 0;
  int32_t shape[QRT_MAX_RANK];
  QRT_TRY(qrt_expect_input(v, node, 2, QRT_FB_DType_bool, &mask));
  QRT_TRY(qrt_broadcast_shape(v, node, input, &mask, &rank, shape));
  return qrt_expect_output(v, node, QRT_FB_DType_int8, rank, shape, &output);
}

qrt_status qrt_check_softmax(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t dim;
  QRT_TRY(qrt_expect_quantized(v, node, 0, &input));
  QRT_TRY(check_table(v, node));
  QRT_TRY(qrt_expect_int(v, node, QRT_FIELD(softmax, dim), 0, (int32_t)input.rank - 1, &dim));
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(softmax, inverse_scale)));
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, input.rank, input.shape, &output));
  if (node->input_count > 2) {
    QRT_TRY(check_mask(v, node, &input));
  }
  return qrt_expect_range(v, node, QRT_FIELD(softmax, output_min), QRT_FIELD(softmax, output_max));
}

/* One sum, over `count` elements that are `stride` apart. May be in place. */
static void normalize(const arguments *a, const int8_t *input, int8_t *output) {
  const size_t count = a->axis.count, stride = a->axis.inner;
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

/* The same over the elements whose mask is not 0. */
static void normalize_masked(const arguments *a, const int8_t *input, const uint8_t *mask, int8_t *output) {
  const size_t count = a->axis.count, stride = a->axis.inner, step = a->mask_step;
  int32_t largest = -128;
  int64_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    largest = mask[i * step] && input[i * stride] > largest ? input[i * stride] : largest;
  }
  for (size_t i = 0; i < count; ++i) {
    sum += mask[i * step] ? a->table[largest - input[i * stride]] : 0;
  }
  float factor = sum ? a->inverse_scale / (float)sum : 0;
  for (size_t i = 0; i < count; ++i) {
    const int32_t entry = mask[i * step] ? a->table[largest - input[i * stride]] : 0;
    output[i * stride] = qrt_round_clamp((float)entry * factor, &a->range);
  }
}

/* The mask of row `i` of outer * inner. */
static const uint8_t *mask_of(const arguments *a, size_t i) {
  const uint8_t *mask = a->mask;
  for (uint32_t axis = a->rank; axis-- > 0; i /= a->extent[axis]) {
    mask += i % a->extent[axis] * a->stride[axis];
  }
  return mask;
}

static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  (void)scratch;
  for (size_t i = begin; i < end; ++i) {
    for (size_t j = 0; j < a->axis.inner; ++j) {
      size_t at = i * a->axis.count * a->axis.inner + j;
      if (a->mask) {
        normalize_masked(a, a->input + at, mask_of(a, i * a->axis.inner + j), a->output + at);
      } else {
        normalize(a, a->input + at, a->output + at);
      }
    }
  }
}

static void bind_mask(const qrt_binder *binder, const qrt_node *node, const qrt_tensor *input, uint32_t dim,
                      arguments *a) {
  qrt_tensor mask;
  size_t stride[QRT_MAX_RANK];
  qrt_node_input(node, 2, &mask);
  a->mask = qrt_bind_tensor(binder, &mask);
  qrt_broadcast_strides(&mask, input->rank, stride);
  a->mask_step = stride[dim];
  for (uint32_t i = 0; i < input->rank; ++i) {
    if (i != dim) {
      a->extent[a->rank] = (size_t)input->shape[i];
      a->stride[a->rank++] = stride[i];
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
  memset(&a, 0, sizeof a);
  a.axis = qrt_axis_of(&input, dim);
  a.input = qrt_bind_tensor(binder, &input);
  a.table = qrt_bind_tensor(binder, &table);
  a.output = qrt_bind_output(binder, &output);
  a.inverse_scale = QRT_NODE_FLOAT(node, softmax, inverse_scale);
  a.range = QRT_NODE_RANGE(node, softmax, &output);
  if (node->input_count > 2) {
    bind_mask(binder, node, &input, (uint32_t)dim, &a);
  }
  qrt_bind_units(binder, step, run, a.axis.outer, (uint64_t)input.count * QRT_MACS_OF_A_VALUE);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
