/* embedding_table.h - tables of rows with a scale and a float zero point each, 8 or 4 bits a value, design rule 16.
 * What embedding and embedding_bag share. */
#ifndef QRT_EMBEDDING_TABLE_H
#define QRT_EMBEDDING_TABLE_H

#include "indices.h"

typedef struct qrt_embedding_table {
  int64_t rows;
  size_t dim; /* values in a row */
  int32_t bits;
  const uint8_t *values;
  const float *scale, *zero_point;
} qrt_embedding_table;

/* Checks the operands from `first` on: weight uint8, weight_scale and weight_zero_point float32; `dim` values in a row,
 * of 8 or 4 bits. *rows gets their number. */
qrt_status qrt_expect_embedding_table(qrt_verify *v, const qrt_node *node, uint32_t first, int32_t dim, int32_t bits,
                                      int32_t *rows);
void qrt_bind_embedding_table(const qrt_binder *binder, const qrt_node *node, uint32_t first, int32_t dim, int32_t bits,
                              qrt_embedding_table *table);

/* f32(scale * f32(f32(q) - zero_point)) of a row that exists. */
void qrt_embedding_row(const qrt_embedding_table *table, int64_t index, float *row);

#endif
