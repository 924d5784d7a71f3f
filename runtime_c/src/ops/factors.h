/* factors.h - the two operands of a matrix product, whose leading axes broadcast. */
#ifndef QRT_FACTORS_H
#define QRT_FACTORS_H

#include "op.h"

/* The leading axes of the output, and from one of their positions to the next in the matrices of each operand. */
typedef struct qrt_batches {
  size_t count; /* of matrices in the output */
  uint32_t rank;
  size_t extent[QRT_MAX_RANK];
  size_t input[QRT_MAX_RANK], other[QRT_MAX_RANK];
} qrt_batches;

/* Two matrices, or stacks of them, that can be multiplied; *rank and shape are those of the product. */
qrt_status qrt_check_factors(qrt_verify *v, const qrt_node *node, const qrt_tensor *input, const qrt_tensor *other,
                             uint32_t *rank, int32_t *shape);

void qrt_bind_batches(const qrt_tensor *input, const qrt_tensor *other, const qrt_tensor *output, qrt_batches *batches);

/* Which of an operand's matrices belongs to output matrix i; stride is batches->input or batches->other. */
size_t qrt_batch_of(const qrt_batches *batches, const size_t *stride, size_t i);

#endif
