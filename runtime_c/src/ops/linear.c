/* linear.c - fully connected layers on int8: one matrix multiplication; design rule 3. */
#include "../kernels/gemm/gemm.h"
#include "op.h"
#include "pack.h"

typedef struct arguments {
  const qrt_gemm_kernel *kernel;
  size_t m, n;
  qrt_gemm_rows input;
  const void *packed;
  int8_t *output;
  qrt_output_range range;
  qrt_gemm_share share;
} arguments;

qrt_status qrt_check_linear(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, weight, output;
  int32_t shape[QRT_MAX_RANK];
  QRT_TRY(qrt_expect_quantized(v, node, 0, &input));
  QRT_TRY(qrt_expect_weight(v, node, 1, &weight));
  QRT_TRY(qrt_expect_rank(v, node, 1, &weight, 2));
  if (!input.rank || input.shape[input.rank - 1] != weight.shape[1]) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "the input's last axis does not have the weight's %d columns",
                         weight.shape[1]);
  }
  QRT_TRY(qrt_expect_bias_and_multiplier(v, node, weight.shape[0]));
  memcpy(shape, input.shape, sizeof shape);
  shape[input.rank - 1] = weight.shape[0];
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, input.rank, shape, &output));
  return qrt_expect_range(v, node, QRT_FIELD(linear, output_min), QRT_FIELD(linear, output_max));
}

static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  (void)scratch;
  const qrt_gemm_columns columns = qrt_columns_of(&a->share, a->kernel, a->packed, a->n, 1, a->input.run, begin, end);
  const size_t first = a->share.columns ? 0 : begin, rows = a->share.columns ? a->m : end - begin;
  qrt_gemm_rows input = a->input;
  input.a += first * input.x_stride;
  a->kernel->run(rows, columns.count, &input, columns.packed, &a->range, a->output + first * a->n + columns.begin,
                 a->n);
}

void qrt_prepare_linear(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, weight, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &weight);
  qrt_node_output(node, &output);
  a.kernel = qrt_gemm_select(binder->isa);
  a.n = (size_t)weight.shape[0];
  a.m = (size_t)output.count / a.n;
  size_t k = (size_t)weight.shape[1];
  a.input = qrt_gemm_matrix(qrt_bind_tensor(binder, &input), k, k);
  a.output = qrt_bind_output(binder, &output);
  a.range = QRT_NODE_RANGE(node, linear, &output);
  size_t stride;
  a.packed = qrt_pack_gemm(binder, node, a.kernel, 1, a.n, 1, k, &stride);
  a.share = qrt_share_gemm(binder, a.kernel, a.m, 1, a.n);
  enum { STREAMED = 2 }; /* weights that are used once take as long as several multiplications */
  qrt_bind_units(binder, step, run, a.share.units, (uint64_t)a.m * a.n * k * STREAMED);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
