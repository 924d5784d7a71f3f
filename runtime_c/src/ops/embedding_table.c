/* embedding_table.c - see embedding_table.h. */
#include "embedding_table.h"

qrt_status qrt_expect_embedding_table(qrt_verify *v, const qrt_node *node, uint32_t first, int32_t dim, int32_t bits,
                                      int32_t *rows) {
  qrt_tensor weight, weight_scale;
  if (bits != 8 && bits != 4) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "bits is %d, not 8 or 4", bits);
  }
  QRT_TRY(qrt_expect_input(v, node, first, QRT_FB_DType_uint8, &weight));
  QRT_TRY(qrt_expect_constant(v, node, first, &weight));
  QRT_TRY(qrt_expect_rank(v, node, first, &weight, 2));
  if (dim < 1 || weight.shape[1] != (bits == 8 ? dim : dim / 2 + dim % 2)) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "embedding_dim: %d values of %d bits do not take %d bytes", dim,
                         bits, weight.shape[1]);
  }
  QRT_TRY(qrt_expect_multipliers(v, node, first + 1, weight.shape[0], &weight_scale));
  *rows = weight.shape[0];
  return qrt_expect_factors(v, node, first + 2, 1, rows);
}

void qrt_bind_embedding_table(const qrt_binder *binder, const qrt_node *node, uint32_t first, int32_t dim, int32_t bits,
                              qrt_embedding_table *table) {
  qrt_tensor weight, weight_scale, weight_zero_point;
  qrt_node_input(node, first, &weight);
  qrt_node_input(node, first + 1, &weight_scale);
  qrt_node_input(node, first + 2, &weight_zero_point);
  table->rows = weight.shape[0];
  table->dim = (size_t)dim;
  table->bits = bits;
  table->values = qrt_bind_tensor(binder, &weight);
  table->scale = qrt_bind_tensor(binder, &weight_scale);
  table->zero_point = qrt_bind_tensor(binder, &weight_zero_point);
}

void qrt_embedding_row(const qrt_embedding_table *table, int64_t index, float *row) {
  const float scale = table->scale[index], zero_point = table->zero_point[index];
  const size_t dim = table->dim;
  if (table->bits == 8) {
    const uint8_t *values = table->values + (size_t)index * dim;
    for (size_t j = 0; j < dim; ++j) {
      row[j] = scale * ((float)values[j] - zero_point);
    }
    return;
  }
  const uint8_t *values = table->values + (size_t)index * (dim / 2 + dim % 2);
  for (size_t j = 0; j < dim; ++j) {
    const int value = values[j / 2] >> (j % 2 * 4) & 15;
    row[j] = scale * ((float)value - zero_point);
  }
}
