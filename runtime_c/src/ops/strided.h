/* strided.h - an output that is the input walked through in other steps: what permute and slice share. */
#ifndef QRT_STRIDED_H
#define QRT_STRIDED_H

#include "op.h"

/* stride * n; wraps where no memory could hold the tensor, which binding only finds out at its end. */
static inline ptrdiff_t qrt_times(ptrdiff_t stride, int32_t n) {
  return (ptrdiff_t)((size_t)stride * (size_t)n);
}

/* Bytes from one position of each axis to the next. */
void qrt_row_major(const qrt_tensor *tensor, ptrdiff_t *stride);

/* Fills the step: output[i0, i1, ...] is the element of the input that lies at byte `first + sum i * stride`. A stride
 * may be 0 or negative; every element must lie inside the input. */
void qrt_bind_strided(qrt_binder *binder, const qrt_tensor *input, ptrdiff_t first, const ptrdiff_t *stride,
                      const qrt_tensor *output, qrt_step *step);

#endif
