/* linear_dynamic.c - fully connected layers, float in and out; design rule 10. */
#include "dynamic.h"

typedef struct arguments {
  qrt_projection projection;
  size_t m;
  const float *input;
  float *output;
  int per_token, relu;
  qrt_gemm_share share;
  /* Where operators that follow each other read the same input: it is quantized once, and stays until the last of them
   * has run. */
  int follows;         /* one that has quantized it */
  qrt_quantization *q; /* of the whole input, or of each row */
  int8_t *rows;
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

/* Rows begin..end. */
static void run_shared(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  const qrt_projection *p = &a->projection;
  const qrt_gemm_columns all = {0, p->n, p->packed};
  qrt_quantization whole;
  (void)scratch;
  if (!a->per_token) {
    whole = a->follows ? *a->q : qrt_choose_quantization(p->convert, a->m * p->k, a->input);
  }
  if (!a->follows) {
    qrt_quantize_rows(p, a->per_token ? NULL : &whole, end - begin, a->input + begin * p->k, a->q + begin,
                      a->rows + begin * p->k);
    if (!a->per_token && begin == 0) {
      *a->q = whole;
    }
  }
  for (size_t i = begin; i < end; i += QRT_PROJECTION_ROWS) {
    const size_t count = end - i < QRT_PROJECTION_ROWS ? end - i : QRT_PROJECTION_ROWS;
    qrt_multiply_rows(p, &all, a->per_token ? a->q + i : &whole, (size_t)a->per_token, count, a->rows + i * p->k,
                      a->relu, a->output + i * p->n, p->n);
  }
}

/* Rows where each thread gets enough of them: then none quantizes what another has. */
static int has_rows(const qrt_binder *binder, const arguments *a) {
  enum { TILES = 4 };
  return a->m >= (size_t)TILES * a->projection.gemm->mr * binder->threads;
}

/* Does operator `index` quantize the same input? */
static int is_alike(const qrt_node *node, uint32_t index) {
  qrt_node other;
  if (index >= node->model->operator_count) {
    return 0;
  }
  qrt_node_read(node->model, index, &other);
  return other.code == node->code && qrt_node_input_index(&other, 0) == qrt_node_input_index(node, 0) &&
         QRT_NODE_BOOL(&other, linear_dynamic, per_token) == QRT_NODE_BOOL(node, linear_dynamic, per_token);
}

/* Memory for quantized rows that outlives the operator. The decision is the same for all operators that are alike. */
static int bind_shared(qrt_binder *binder, const qrt_node *node, arguments *a) {
  a->follows = node->index > 0 && is_alike(node, node->index - 1);
  if (QRT_COMPACT || !has_rows(binder, a) || !(a->follows || is_alike(node, node->index + 1))) {
    return 0;
  }
  const size_t count = a->per_token ? a->m : 1;
  const uint64_t rows_at = ((uint64_t)count * sizeof *a->q + QRT_ALIGNMENT - 1) / QRT_ALIGNMENT * QRT_ALIGNMENT;
  if (!a->follows) {
    binder->shared = qrt_bind_memory(binder, rows_at + (uint64_t)a->m * a->projection.k);
  }
  if (binder->shared) {
    a->q = binder->shared;
    a->rows = (int8_t *)binder->shared + rows_at;
  }
  return 1;
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
  const int shared = bind_shared(binder, node, &a);
  const qrt_gemm_share by_rows = {0, a.m};
  a.share = has_rows(binder, &a) ? by_rows : qrt_share_gemm(binder, a.projection.gemm, a.m, 1, n);
  enum { STREAMED = 2 }; /* see linear.c */
  qrt_bind_units(binder, step, shared ? run_shared : run, a.share.units, (uint64_t)a.m * n * a.projection.k * STREAMED);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.projection.gemm->name;
}
