/* broadcast.h - two operands whose shapes are stretched to one, as numpy does it; and the walk that add, sub and mul
 * share.
 */
#ifndef QRT_BROADCAST_H
#define QRT_BROADCAST_H

#include "op.h"

/* The innermost axis is a run of `count` elements that lie together in both operands or, in the second, are one value
 * (b_step 0). Strides and b_step are bytes. Where the first operand is the one that repeats, the operands are exchanged
 * (`swapped`): the operations are commutative (sub adds a negative multiple), so whoever calls exchanges their
 * parameters, too. */
typedef struct qrt_broadcast {
  const int8_t *a, *b;
  int8_t *output;
  size_t element; /* bytes */
  size_t count;
  size_t b_step;
  int32_t swapped;
  uint32_t rank; /* of the other axes */
  size_t extent[QRT_MAX_RANK];
  size_t a_stride[QRT_MAX_RANK], b_stride[QRT_MAX_RANK];
} qrt_broadcast;

/* The shape that two shapes broadcast to, aligned at their last axes; *rank axes. */
qrt_status qrt_broadcast_shape(qrt_verify *v, const qrt_node *node, const qrt_tensor *a, const qrt_tensor *b,
                               uint32_t *rank, int32_t *shape);

/* Elements from one position of each of `rank` axes to the next; 0 along an axis that repeats. */
void qrt_broadcast_strides(const qrt_tensor *tensor, uint32_t rank, size_t *stride);

/* Checks both operands (int8, quantized) and the output's shape. */
qrt_status qrt_check_broadcast(qrt_verify *v, const qrt_node *node, qrt_tensor *output);

/* The same for float32. */
qrt_status qrt_check_broadcast_float(qrt_verify *v, const qrt_node *node);

void qrt_bind_broadcast(const qrt_binder *binder, const qrt_node *node, qrt_broadcast *broadcast);

/* Calls run(context, count, a, b, b_step, output) for each run. */
typedef void qrt_broadcast_run(const void *context, size_t count, const int8_t *a, const int8_t *b, size_t b_step,
                               int8_t *output);
void qrt_run_broadcast(const qrt_broadcast *broadcast, qrt_broadcast_run *run, const void *context);

/* A single run is units of QRT_UNIT elements; more runs are one unit. */
size_t qrt_broadcast_units(const qrt_broadcast *broadcast);
void qrt_run_broadcast_units(const qrt_broadcast *broadcast, qrt_broadcast_run *run, const void *context, size_t begin,
                             size_t end);

#endif
