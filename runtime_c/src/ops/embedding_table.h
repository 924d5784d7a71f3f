/* embedding_table.h - tables of rows with a scale and a float zero point each, 8 or 4 bits a value, and the indices
 * that select from them; design rule 16. What embedding and embedding_bag share. */
#ifndef QRT_EMBEDDING_TABLE_H
#define QRT_EMBEDDING_TABLE_H

#include "op.h"

typedef struct qrt_embedding_table {
  int64_t rows;
  size_t dim; /* values in a row */
  int32_t bits;
  const uint8_t *values;
  const float *scale, *zero_point;
} qrt_embedding_table;

/* Integers of 4 or 8 bytes. */
typedef struct qrt_indices {
  const uint8_t *data;
  size_t count;
  uint32_t size;
} qrt_indices;

static inline int64_t qrt_index_at(const qrt_indices *indices, size_t i) {
  const uint8_t *at = indices->data + i * indices->size;
  return indices->size == 4 ? qrt_load_int(at) : (int64_t)qrt_load64(at);
}

/* Reads input `i`, which must be int32 or int64. */
qrt_status qrt_expect_indices(qrt_verify *v, const qrt_node *node, uint32_t i, qrt_tensor *tensor);
void qrt_bind_indices(const qrt_binder *binder, const qrt_tensor *tensor, qrt_indices *indices);

/* A constant's, for a check at load. */
void qrt_constant_indices(const qrt_node *node, const qrt_tensor *tensor, qrt_indices *indices);

/* Checks the operands from `first` on: weight uint8, weight_scale and weight_zero_point float32; `dim` values in a row,
 * of 8 or 4 bits. *rows gets their number. */
qrt_status qrt_expect_embedding_table(qrt_verify *v, const qrt_node *node, uint32_t first, int32_t dim, int32_t bits,
                                      int32_t *rows);
void qrt_bind_embedding_table(const qrt_binder *binder, const qrt_node *node, uint32_t first, int32_t dim, int32_t bits,
                              qrt_embedding_table *table);

/* Is element `position` of input 0, `index`, a row? */
qrt_status qrt_check_index(qrt_verify *v, const qrt_node *node, int64_t rows, size_t position, int64_t index);

/* f32(scale * f32(f32(q) - zero_point)) of a row that exists. */
void qrt_embedding_row(const qrt_embedding_table *table, int64_t index, float *row);

#endif
