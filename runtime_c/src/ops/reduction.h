/* reduction.h - reductions over adjacent axes. */
#ifndef QRT_REDUCTION_H
#define QRT_REDUCTION_H

#include "op.h"

/* The input as three axes; the middle one goes away. */
typedef struct qrt_reduction {
  size_t outer, count, inner;
} qrt_reduction;

/* dim names adjacent, ascending axes of input 0, at most 2^23 elements in all; the output has its type, and its shape
 * without them, or with 1 in their place if keepdim. */
qrt_status qrt_check_reduction(qrt_verify *v, const qrt_node *node, const qrt_fb_field *dim,
                               const qrt_fb_field *keepdim, const qrt_tensor *input);

qrt_reduction qrt_reduction_read(const qrt_node *node, const qrt_fb_field *dim, const qrt_tensor *input);

#endif
