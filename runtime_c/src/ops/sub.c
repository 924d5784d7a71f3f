/* sub.c - elementwise difference of int8 tensors; design rule 4. */
#include "addition.h"

static const qrt_addition_fields fields = {
    QRT_FIELD(sub, input_multiplier),
    QRT_FIELD(sub, other_multiplier),
    QRT_FIELD(sub, output_min),
    QRT_FIELD(sub, output_max),
    -1.0f,
};

qrt_status qrt_check_sub(qrt_verify *v, const qrt_node *node) {
  return qrt_check_addition(v, node, &fields);
}

void qrt_prepare_sub(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_prepare_addition(binder, node, &fields, step);
}
