/* embedding_bag.c - sums, means and maxima of rows of a table, bag by bag; design rule 16. */
#include "../floats.h"
#include "embedding_table.h"

typedef struct arguments {
  qrt_embedding_table table;
  qrt_indices indices, offsets;
  size_t bags;
  int64_t padding; /* the index that is left out; -1: none */
  int32_t mode;
  const float *weights; /* NULL: none */
  float *output;
} arguments;

/* ---- check ---- */

static int64_t bound(const arguments *a, size_t bag) {
  return bag < a->offsets.count ? qrt_index_at(&a->offsets, bag) : (int64_t)a->indices.count;
}

static qrt_status check_offsets(qrt_verify *v, const qrt_node *node, const arguments *a) {
  int64_t before = 0;
  for (size_t i = 0; i <= a->bags; ++i) {
    const int64_t offset = bound(a, i);
    if (offset < before || offset > (int64_t)a->indices.count || (i == 0 && offset != 0)) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_INDEX,
                           "inputs[1][%zu]: offsets do not begin at 0, ascend and stay within %zu indices", i,
                           a->indices.count);
    }
    before = offset;
  }
  return QRT_OK;
}

/* Of those that are in a bag; the offsets are good. */
static qrt_status check_indices(qrt_verify *v, const qrt_node *node, const arguments *a) {
  const size_t end = (size_t)bound(a, a->bags);
  for (size_t i = 0; i < end; ++i) {
    const int64_t index = qrt_index_at(&a->indices, i);
    if (index != a->padding) {
      QRT_TRY(qrt_check_index(v, node, 0, a->table.rows, i, index));
    }
  }
  return QRT_OK;
}

static qrt_status check(qrt_verify *v, const qrt_node *node, const void *pointer) {
  QRT_TRY(check_offsets(v, node, pointer));
  return check_indices(v, node, pointer);
}

/* What of the indices and offsets is in the file. */
static qrt_status check_constants(qrt_verify *v, const qrt_node *node, const qrt_tensor *input,
                                  const qrt_tensor *offsets, arguments *a) {
  if (offsets->kind != QRT_FB_TensorKind_constant) {
    return QRT_OK;
  }
  qrt_constant_indices(node, offsets, &a->offsets);
  a->indices.count = (size_t)input->count;
  QRT_TRY(qrt_expect_budget(v, node, offsets->size));
  QRT_TRY(check_offsets(v, node, a));
  if (input->kind != QRT_FB_TensorKind_constant) {
    return QRT_OK;
  }
  qrt_constant_indices(node, input, &a->indices);
  QRT_TRY(qrt_expect_budget(v, node, input->size));
  return check_indices(v, node, a);
}

static qrt_status check_weights(qrt_verify *v, const qrt_node *node, const qrt_tensor *input, int32_t mode) {
  qrt_tensor weights;
  QRT_TRY(qrt_expect_input(v, node, 5, QRT_FB_DType_float32, &weights));
  QRT_TRY(qrt_expect_rank(v, node, 5, &weights, 1));
  if (weights.shape[0] != input->shape[0] || mode != QRT_FB_BagMode_sum) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "%d weights for %d indices, mode %d; only a sum has weights",
                         weights.shape[0], input->shape[0], mode);
  }
  return QRT_OK;
}

qrt_status qrt_check_embedding_bag(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, offsets, output;
  int32_t rows = 0, dim = QRT_NODE_INT(node, embedding_bag, embedding_dim), padding;
  int32_t mode = QRT_NODE_BYTE(node, embedding_bag, mode);
  int32_t last_offset = QRT_NODE_BOOL(node, embedding_bag, include_last_offset);
  QRT_TRY(qrt_expect_indices(v, node, 0, &input));
  QRT_TRY(qrt_expect_rank(v, node, 0, &input, 1));
  QRT_TRY(qrt_expect_indices(v, node, 1, &offsets));
  QRT_TRY(qrt_expect_rank(v, node, 1, &offsets, 1));
  QRT_TRY(qrt_expect_embedding_table(v, node, 2, dim, QRT_NODE_INT(node, embedding_bag, bits), &rows));
  QRT_TRY(qrt_expect_int(v, node, QRT_FIELD(embedding_bag, padding_idx), -1, rows - 1, &padding));
  if (mode >= QRT_FB_BagMode_END) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "mode: %d is unknown", mode);
  }
  if (node->input_count > 5) {
    QRT_TRY(check_weights(v, node, &input, mode));
  }
  int32_t shape[2] = {offsets.shape[0] - last_offset, dim};
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_float32, 2, shape, &output));
  arguments a;
  memset(&a, 0, sizeof a);
  a.bags = (size_t)shape[0];
  a.table.rows = rows;
  a.padding = padding;
  return check_constants(v, node, &input, &offsets, &a);
}

/* ---- run ---- */

/* acc with one more row, which is the bag's `number`-th. */
static void accumulate(const arguments *a, size_t number, float weight, const float *row, float *acc) {
  for (size_t j = 0; j < a->table.dim; ++j) {
    if (a->mode == QRT_FB_BagMode_max) {
      acc[j] = number && acc[j] > row[j] ? acc[j] : row[j];
    } else {
      acc[j] = acc[j] + (a->weights ? row[j] * weight : row[j]);
    }
  }
}

static void run_bag(const arguments *a, size_t begin, size_t end, float *row, float *acc) {
  size_t count = 0;
  for (size_t j = 0; j < a->table.dim; ++j) {
    acc[j] = 0;
  }
  for (size_t i = begin; i < end; ++i) {
    const int64_t index = qrt_index_at(&a->indices, i);
    if (index != a->padding) {
      qrt_embedding_row(&a->table, index, row);
      accumulate(a, count++, a->weights ? a->weights[i] : 1, row, acc);
    }
  }
  for (size_t j = 0; j < a->table.dim; ++j) {
    acc[j] = qrt_canonical(a->mode == QRT_FB_BagMode_mean && count ? acc[j] / (float)count : acc[j]);
  }
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  for (size_t b = 0; b < a->bags; ++b) {
    run_bag(a, (size_t)bound(a, b), (size_t)bound(a, b + 1), scratch, a->output + b * a->table.dim);
  }
}

void qrt_prepare_embedding_bag(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, offsets, weights, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &offsets);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  qrt_bind_indices(binder, &input, &a.indices);
  qrt_bind_indices(binder, &offsets, &a.offsets);
  qrt_bind_embedding_table(binder, node, 2, QRT_NODE_INT(node, embedding_bag, embedding_dim),
                           QRT_NODE_INT(node, embedding_bag, bits), &a.table);
  a.bags = (size_t)output.shape[0];
  a.padding = QRT_NODE_INT(node, embedding_bag, padding_idx);
  a.mode = QRT_NODE_BYTE(node, embedding_bag, mode);
  if (node->input_count > 5) {
    qrt_node_input(node, 5, &weights);
    a.weights = qrt_bind_tensor(binder, &weights);
  }
  a.output = qrt_bind_output(binder, &output);
  qrt_bind_scratch(binder, (uint64_t)a.table.dim * sizeof(float));
  step->check = check;
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
