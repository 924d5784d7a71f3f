/* float_layer_norm.c - each row of a float tensor's last axes to mean 0 and variance 1, then a factor and an offset per
 * element; design rule 11. */
#include "../kernels/rows/rows.h"
#include "op.h"

typedef struct arguments {
  const qrt_rows_kernel *kernel;
  size_t rows, count;
  const float *input, *weight, *bias;
  float *output;
  float eps;
} arguments;

qrt_status qrt_check_float_layer_norm(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, weight, output;
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
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
  QRT_TRY(qrt_expect_eps(v, node, QRT_FIELD(layer_norm, eps)));
  return qrt_expect_output(v, node, QRT_FB_DType_float32, input.rank, input.shape, &output);
}

/* Rows begin..end; may be in place. */
static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  (void)scratch;
  const size_t at = begin * a->count;
  a->kernel->normalize(end - begin, a->count, a->input + at, a->weight, a->bias, a->eps, a->output + at);
}

void qrt_prepare_float_layer_norm(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, weight, bias, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &weight);
  qrt_node_input(node, 2, &bias);
  qrt_node_output(node, &output);
  a.kernel = qrt_rows_select(binder->isa);
  a.count = (size_t)weight.count;
  a.rows = (size_t)input.count / a.count;
  a.input = qrt_bind_tensor(binder, &input);
  a.weight = qrt_bind_tensor(binder, &weight);
  a.bias = qrt_bind_tensor(binder, &bias);
  a.output = qrt_bind_output(binder, &output);
  a.eps = QRT_NODE_FLOAT(node, layer_norm, eps);
  qrt_bind_units(binder, step, run, a.rows, input.size * QRT_MACS_OF_A_BYTE);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
