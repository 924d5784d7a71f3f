/* linear_dynamic.c - fully connected layers, float in and out; design rule 10. */
#include "dynamic.h"

typedef struct arguments {
  qrt_projection projection;
  size_t m;
  const float *input;
  float *output;
  int per_token, relu;
  qrt_gemm_share share;
} arguments;

qrt_status qrt_check_linear_dynamic(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, weight, output;
  int32_t shape[QRT_MAX_RANK];
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  if (!input.rank) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[0] is tensors[%u], which has no axis", input.index);
  }
  qrt_node_input(node, 1, &weight);
  QRT_TRY(qrt_expect_projection(v, node, 1, weight.shape[0], input.shape[input.rank - 1]));
  memcpy(shape, input.shape, sizeof shape);
  shape[input.rank - 1] = weight.shape[0];
  return qrt_expect_output(v, node, QRT_FB_DType_float32, input.rank, shape, &output);
}

/* Some rows, or some columns. Every thread finds the range of the whole input, which takes less than to wait for it. */
static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  const qrt_projection *p = &a->projection;
  const qrt_gemm_columns columns = qrt_columns_of(&a->share, p->gemm, p->packed, p->n, 1, p->k, begin, end);
  const size_t first = a->share.columns ? 0 : begin, rows = a->share.columns ? a->m : end - begin;
  qrt_quantization whole;
  if (!a->per_token) {
    whole = qrt_choose_quantization(p->convert, a->m * p->k, a->input);
  }
  qrt_project_columns(p, &columns, a->per_token ? NULL : &whole, rows, a->input + first * p->k, a->relu, scratch,
                      a->output + first * p->n);
}

/* Rows where each thread gets enough of them: then none quantizes what another has. */
static qrt_gemm_share share_of(const qrt_binder *binder, const qrt_gemm_kernel *kernel, size_t m, size_t n) {
  enum { TILES = 4 };
  const qrt_gemm_share by_rows = {0, m};
  return m >= (size_t)TILES * kernel->mr * binder->threads ? by_rows : qrt_share_gemm(binder, kernel, m, 1, n);
}

void qrt_prepare_linear_dynamic(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  a.m = (size_t)input.count / (size_t)input.shape[input.rank - 1];
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.per_token = QRT_NODE_BOOL(node, linear_dynamic, per_token);
  a.relu = QRT_NODE_BOOL(node, linear_dynamic, relu);
  qrt_bind_projection(binder, node, 1, a.m, &a.projection);
  const size_t n = a.projection.n;
  a.share = share_of(binder, a.projection.gemm, a.m, n);
  enum { STREAMED = 2 }; /* see linear.c */
  qrt_bind_units(binder, step, run, a.share.units, (uint64_t)a.m * n * a.projection.k * STREAMED);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.projection.gemm->name;
}
