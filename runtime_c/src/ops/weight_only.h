/* weight_only.h - what linear_weight_only and conv2d_weight_only share: operands 1 to 3, weight, weight_scale and bias;
 * design rule 20. */
#ifndef QRT_WEIGHT_ONLY_H
#define QRT_WEIGHT_ONLY_H

#include "../kernels/wgemm/wgemm.h"
#include "op.h"

/* Where an operation keeps its options. */
typedef struct qrt_weight_only_fields {
  const qrt_fb_field *bits, *group_size, *relu;
} qrt_weight_only_fields;

#define QRT_WEIGHT_ONLY_FIELDS(table) {QRT_FIELD(table, bits), QRT_FIELD(table, group_size), QRT_FIELD(table, relu)}

/* k values to n values, `groups` times with weights of their own. */
typedef struct qrt_weight_only {
  const qrt_wgemm_kernel *kernel;
  qrt_wgemm_shape shape;
  const uint8_t *packed;
  size_t stride; /* from one group's to the next */
} qrt_weight_only;

/* *n gets the number of rows of the weight, each of k values. */
qrt_status qrt_expect_weight_only(qrt_verify *v, const qrt_node *node, const qrt_weight_only_fields *fields, int64_t k,
                                  int32_t *n);

void qrt_bind_weight_only(qrt_binder *binder, const qrt_node *node, const qrt_weight_only_fields *fields, size_t k,
                          size_t groups, qrt_weight_only *w);

#endif
