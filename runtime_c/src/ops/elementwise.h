/* elementwise.h - up to three operands of any types whose shapes are stretched to one, and the walk over them. add, sub
 * and mul have a faster one for two int8 operands: broadcast.h. */
#ifndef QRT_ELEMENTWISE_H
#define QRT_ELEMENTWISE_H

#include "op.h"

#define QRT_ELEMENTWISE_MOST 3 /* operands */

/* The innermost axis is a run of `count` elements, `step` bytes apart in each operand (0: one value for all). */
typedef struct qrt_elementwise {
  uint32_t operands;
  const uint8_t *input[QRT_ELEMENTWISE_MOST];
  size_t step[QRT_ELEMENTWISE_MOST];
  uint8_t *output;
  size_t element; /* bytes, of the output */
  size_t count;
  uint32_t rank; /* of the other axes */
  size_t extent[QRT_MAX_RANK];
  size_t stride[QRT_ELEMENTWISE_MOST][QRT_MAX_RANK]; /* bytes */
} qrt_elementwise;

typedef void qrt_elementwise_run(const void *context, size_t count, const uint8_t *const *input, const size_t *step,
                                 uint8_t *output);

/* All inputs of the node are operands: the output has the shape that they are stretched to, and this type. */
qrt_status qrt_check_elementwise(qrt_verify *v, const qrt_node *node, uint32_t dtype, qrt_tensor *output);

void qrt_bind_elementwise(const qrt_binder *binder, const qrt_node *node, qrt_elementwise *e);

/* Calls run() for each run. */
void qrt_run_elementwise(const qrt_elementwise *e, qrt_elementwise_run *run, const void *context);

#endif
