/* float_linear.c - fully connected layers on float; design rule 11. Few outputs are row sums, whose lanes run along the
 * row; more of them are a matrix product, whose lanes are outputs. */
#include "../floats.h"
#include "../kernels/rows/rows.h"
#include "float_pack.h"
#include "op.h"

typedef struct arguments {
  const qrt_matmul_kernel *kernel;
  const qrt_rows_kernel *rows; /* NULL: a matrix product */
  size_t m, n, k;
  const float *input, *weight, *bias;
  qrt_matmul_columns columns;
  float *output;
} arguments;

qrt_status qrt_check_float_linear(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, weight, output;
  int32_t shape[QRT_MAX_RANK];
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  QRT_TRY(qrt_expect_input(v, node, 1, QRT_FB_DType_float32, &weight));
  QRT_TRY(qrt_expect_rank(v, node, 1, &weight, 2));
  if (!input.rank || input.shape[input.rank - 1] != weight.shape[1]) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "the input's last axis does not have the weight's %d columns",
                         weight.shape[1]);
  }
  QRT_TRY(qrt_expect_factors(v, node, 1, 2, weight.shape));
  QRT_TRY(qrt_expect_factors(v, node, 2, 1, weight.shape));
  memcpy(shape, input.shape, sizeof shape);
  shape[input.rank - 1] = weight.shape[0];
  return qrt_expect_output(v, node, QRT_FB_DType_float32, input.rank, shape, &output);
}

static void run_rows(const arguments *a) {
  const float *input = a->input;
  float *output = a->output;
  for (size_t i = 0; i < a->m; ++i, input += a->k) {
    for (size_t j = 0; j < a->n; ++j) {
      *output++ = qrt_canonical(a->rows->dot(a->k, input, a->weight + j * a->k) + a->bias[j]);
    }
  }
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  (void)scratch;
  if (a->rows) {
    run_rows(a);
  } else {
    const qrt_matmul_rows rows = qrt_matmul_matrix(a->input, a->k, a->k);
    a->kernel->run(a->m, a->n, &rows, &a->columns, a->output, a->n);
  }
}

void qrt_prepare_float_linear(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, weight, bias, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &weight);
  qrt_node_input(node, 2, &bias);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  a.n = (size_t)weight.shape[0];
  a.k = (size_t)weight.shape[1];
  a.m = (size_t)output.count / a.n;
  a.input = qrt_bind_tensor(binder, &input);
  a.weight = qrt_bind_tensor(binder, &weight);
  a.bias = qrt_bind_tensor(binder, &bias);
  a.output = qrt_bind_output(binder, &output);
  if (a.n < QRT_ROW_SUMS) {
    a.rows = qrt_rows_select(binder->isa);
    step->kernel = a.rows->name;
  } else {
    a.kernel = qrt_matmul_select(binder->isa);
    a.columns = qrt_pack_columns(binder, a.kernel, a.n, a.k, a.weight, a.bias);
    step->kernel = a.kernel->name;
  }
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
