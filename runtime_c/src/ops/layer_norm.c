/* layer_norm.c - each row of the last axes to mean 0 and variance 1, then a factor and an offset per element; design
 * rule 9. */
#include "norm.h"
#include "op.h"

typedef struct arguments {
  size_t rows, count;
  const int8_t *input;
  const float *weight, *bias;
  int8_t *output;
  int32_t zero_point;
  float eps;
  qrt_output_range range;
} arguments;

qrt_status qrt_check_layer_norm(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, weight, output;
  QRT_TRY(qrt_expect_quantized(v, node, 0, &input));
  qrt_node_input(node, 1, &weight);
  if (weight.rank > input.rank) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[1] is tensors[%u], rank %u for an input of rank %u",
                         weight.index, weight.rank, input.rank);
  }
  const int32_t *shape = input.shape + (input.rank - weight.rank);
  QRT_TRY(qrt_expect_factors(v, node, 1, weight.rank, shape));
  QRT_TRY(qrt_expect_factors(v, node, 2, weight.rank, shape));
  if (weight.count > QRT_LIMIT_WINDOW) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "rows of more than 2^23 elements");
  }
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, input.rank, input.shape, &output));
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(layer_norm, eps)));
  return qrt_expect_range(v, node, QRT_FIELD(layer_norm, output_min), QRT_FIELD(layer_norm, output_max));
}

/* May be in place. */
static void normalize(const arguments *a, const int8_t *input, int8_t *output) {
  int64_t n = (int64_t)a->count;
  qrt_norm_sums sums = {0, 0};
  for (size_t i = 0; i < a->count; ++i) {
    qrt_norm_add(&sums, input[i] - a->zero_point);
  }
  float factor = qrt_norm_factor(&sums, n, a->eps);
  for (size_t i = 0; i < a->count; ++i) {
    output[i] = qrt_norm_value(&sums, n, factor, input[i] - a->zero_point, a->weight[i], a->bias[i], &a->range);
  }
}

static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  (void)scratch;
  for (size_t i = begin; i < end; ++i) {
    normalize(a, a->input + i * a->count, a->output + i * a->count);
  }
}

void qrt_prepare_layer_norm(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, weight, bias, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &weight);
  qrt_node_input(node, 2, &bias);
  qrt_node_output(node, &output);
  a.count = (size_t)weight.count;
  a.rows = (size_t)input.count / a.count;
  a.input = qrt_bind_tensor(binder, &input);
  a.weight = qrt_bind_tensor(binder, &weight);
  a.bias = qrt_bind_tensor(binder, &bias);
  a.output = qrt_bind_output(binder, &output);
  a.zero_point = input.zero_point;
  a.eps = QRT_NODE_FLOAT(node, layer_norm, eps);
  a.range = QRT_NODE_RANGE(node, layer_norm, &output);
  qrt_bind_units(binder, step, run, a.rows, (uint64_t)input.count * QRT_MACS_OF_A_VALUE);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
