/* addition.h - what add and sub share: a sum of two rescaled operands. */
#ifndef QRT_ADDITION_H
#define QRT_ADDITION_H

#include "broadcast.h"

/* Where an operation keeps its options, and the sign of the second operand. */
typedef struct qrt_addition_fields {
  const qrt_fb_field *input_multiplier, *other_multiplier, *output_min, *output_max;
  float sign;
} qrt_addition_fields;

qrt_status qrt_check_addition(qrt_verify *v, const qrt_node *node, const qrt_addition_fields *fields);
void qrt_prepare_addition(qrt_binder *binder, const qrt_node *node, const qrt_addition_fields *fields, qrt_step *step);

#endif
