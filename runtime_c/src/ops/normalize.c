/* normalize.c - values along an axis over their Euclidean norm; design rule 24. At most 2^23 of them, so that the sum
 * of squares is below 2^40. */
#include "../requantize.h"
#include "../sqrt.h"
#include "axis.h"
#include "op.h"

typedef struct arguments {
  qrt_axis axis;
  const int8_t *input;
  int8_t *output;
  int32_t zero_point;
  float eps, inverse_scale;
  qrt_output_range range;
} arguments;

qrt_status qrt_check_normalize(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t dim;
  QRT_TRY(qrt_expect_quantized(v, node, 0, &input));
  QRT_TRY(qrt_expect_int(v, node, QRT_FIELD(normalize, dim), 0, (int32_t)input.rank - 1, &dim));
  if (input.shape[dim] > QRT_LIMIT_WINDOW) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "dim: more than 2^23 elements");
  }
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(normalize, eps)));
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(normalize, inverse_scale)));
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, input.rank, input.shape, &output));
  return qrt_expect_range(v, node, QRT_FIELD(normalize, output_min), QRT_FIELD(normalize, output_max));
}

/* One norm. May be in place. */
static void normalize(const arguments *a, const int8_t *input, int8_t *output) {
  const size_t stride = a->axis.inner, end = a->axis.count * stride;
  int64_t squares = 0;
  for (size_t i = 0; i < end; i += stride) {
    const int32_t q = input[i] - a->zero_point;
    squares += q * q;
  }
  float norm = squares ? qrt_sqrt((float)squares) : 0;
  norm = norm > a->eps ? norm : a->eps;
  const float factor = a->inverse_scale / norm;
  for (size_t i = 0; i < end; i += stride) {
    output[i] = qrt_round_clamp((float)(input[i] - a->zero_point) * factor, &a->range);
  }
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  (void)scratch;
  for (size_t i = 0; i < a->axis.outer; ++i) {
    for (size_t j = 0; j < a->axis.inner; ++j) {
      size_t at = i * a->axis.count * a->axis.inner + j;
      normalize(a, a->input + at, a->output + at);
    }
  }
}

void qrt_prepare_normalize(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  a.axis = qrt_axis_of(&input, QRT_NODE_INT(node, normalize, dim));
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.zero_point = input.zero_point;
  a.eps = QRT_NODE_FLOAT(node, normalize, eps);
  a.inverse_scale = QRT_NODE_FLOAT(node, normalize, inverse_scale);
  a.range = QRT_NODE_RANGE(node, normalize, &output);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
