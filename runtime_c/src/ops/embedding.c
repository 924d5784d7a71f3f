/* embedding.c - rows of a table; design rule 16. */
#include "embedding_table.h"

typedef struct arguments {
  qrt_embedding_table table;
  qrt_indices indices;
  float *output;
} arguments;

qrt_status qrt_check_embedding(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t shape[QRT_MAX_RANK], rows = 0, dim = QRT_NODE_INT(node, embedding, embedding_dim);
  QRT_TRY(qrt_expect_indices(v, node, 0, &input));
  QRT_TRY(qrt_expect_embedding_table(v, node, 1, dim, QRT_NODE_INT(node, embedding, bits), &rows));
  if (input.rank == QRT_MAX_RANK) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "inputs[0] has %u axes already", input.rank);
  }
  memcpy(shape, input.shape, sizeof shape);
  shape[input.rank] = dim;
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_float32, input.rank + 1, shape, &output));
  return qrt_expect_constant_indices(v, node, 0, rows);
}

static qrt_status check(qrt_verify *v, const qrt_node *node, const void *pointer) {
  const arguments *a = pointer;
  return qrt_check_indices(v, node, 0, a->table.rows, &a->indices);
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  (void)scratch;
  for (size_t i = 0; i < a->indices.count; ++i) {
    qrt_embedding_row(&a->table, qrt_index_at(&a->indices, i), a->output + i * a->table.dim);
  }
}

void qrt_prepare_embedding(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  qrt_bind_indices(binder, &input, &a.indices);
  qrt_bind_embedding_table(binder, node, 1, QRT_NODE_INT(node, embedding, embedding_dim),
                           QRT_NODE_INT(node, embedding, bits), &a.table);
  a.output = qrt_bind_output(binder, &output);
  step->check = check;
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
