/* topk.c - the k largest or smallest values along an axis, and where they are; design rule 23. */
#include "../floats.h"
#include "axis.h"
#include "op.h"

typedef struct arguments {
  qrt_axis axis;
  size_t k;
  int largest;
  size_t element; /* bytes; 1: int8, 4: float32 */
  const uint8_t *input;
  uint8_t *values;
  int64_t *indices;
} arguments;

qrt_status qrt_check_topk(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, values, indices;
  int32_t dim, k, shape[QRT_MAX_RANK];
  qrt_node_input(node, 0, &input);
  if (input.dtype != QRT_FB_DType_int8 && input.dtype != QRT_FB_DType_float32) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[0] is tensors[%u], %s instead of int8 or float32",
                         input.index, qrt_dtype_name(input.dtype));
  }
  QRT_TRY(qrt_expect_int(v, node, QRT_FIELD(topk, dim), 0, (int32_t)input.rank - 1, &dim));
  QRT_TRY(qrt_expect_int(v, node, QRT_FIELD(topk, k), 1, input.shape[dim], &k));
  memcpy(shape, input.shape, sizeof shape);
  shape[dim] = k;
  QRT_TRY(qrt_expect_output_at(v, node, 0, input.dtype, input.rank, shape, &values));
  QRT_TRY(qrt_expect_output_at(v, node, 1, QRT_FB_DType_int64, input.rank, shape, &indices));
  return qrt_expect_same_qparams(v, node, &input, &values);
}

/* In the order of the values wanted, the first of them the largest. NaN is the infinity that comes last, -0 is 0. */
static int32_t key_at(const arguments *a, const uint8_t *at) {
  int32_t key = (int8_t)*at;
  if (a->element == 4) {
    float x = qrt_load_float(at);
    key = x == 0 ? 0 : x == x ? qrt_float_bits(x) : a->largest ? QRT_FLOAT_INFINITY | INT32_MIN : QRT_FLOAT_INFINITY;
    key = key < 0 ? key ^ INT32_MAX : key;
  }
  return a->largest ? key : ~key;
}

/* The best position behind `last` (SIZE_MAX: the first one) in the order of keys, equals in that of positions. */
static size_t next(const arguments *a, const uint8_t *input, size_t last) {
  const size_t stride = a->axis.inner * a->element;
  const int32_t bound = last == SIZE_MAX ? 0 : key_at(a, input + last * stride);
  int32_t best_key = 0;
  size_t best = SIZE_MAX;
  for (size_t i = 0; i < a->axis.count; ++i) {
    const int32_t key = key_at(a, input + i * stride);
    const int behind = last == SIZE_MAX || key < bound || (key == bound && i > last);
    if (behind && (best == SIZE_MAX || key > best_key)) {
      best = i;
      best_key = key;
    }
  }
  return best;
}

static void copy_value(const arguments *a, const uint8_t *from, uint8_t *to) {
  if (a->element == 1) {
    *to = *from;
  } else {
    float x = qrt_canonical(qrt_load_float(from));
    memcpy(to, &x, sizeof x);
  }
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  (void)scratch;
  for (size_t i = 0; i < a->axis.outer; ++i) {
    for (size_t j = 0; j < a->axis.inner; ++j) {
      const uint8_t *input = a->input + (i * a->axis.count * a->axis.inner + j) * a->element;
      size_t at = SIZE_MAX;
      for (size_t n = 0; n < a->k; ++n) {
        const size_t to = (i * a->k + n) * a->axis.inner + j;
        at = next(a, input, at);
        copy_value(a, input + at * a->axis.inner * a->element, a->values + to * a->element);
        a->indices[to] = (int64_t)at;
      }
    }
  }
}

void qrt_prepare_topk(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, values, indices;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output_at(node, 0, &values);
  qrt_node_output_at(node, 1, &indices);
  a.axis = qrt_axis_of(&input, QRT_NODE_INT(node, topk, dim));
  a.k = (size_t)QRT_NODE_INT(node, topk, k);
  a.largest = QRT_NODE_BOOL(node, topk, largest);
  a.element = qrt_dtype_size(input.dtype);
  a.input = qrt_bind_tensor(binder, &input);
  a.values = qrt_bind_output(binder, &values);
  a.indices = qrt_bind_output(binder, &indices);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
