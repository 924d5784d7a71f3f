/* indices.h - integers in a tensor that select parts of another one, and the check of each. */
#ifndef QRT_INDICES_H
#define QRT_INDICES_H

#include "op.h"

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

/* Is every element of input `i` within 0..extent-1? */
qrt_status qrt_check_indices(qrt_verify *v, const qrt_node *node, uint32_t i, int64_t extent,
                             const qrt_indices *indices);

/* The same of element `position`, which is `index`. */
qrt_status qrt_check_index(qrt_verify *v, const qrt_node *node, uint32_t i, int64_t extent, size_t position,
                           int64_t index);

/* As qrt_check_indices, at load, if input `i` is a constant. */
qrt_status qrt_expect_constant_indices(qrt_verify *v, const qrt_node *node, uint32_t i, int64_t extent);

#endif
