/* conv_transpose2d_dynamic.c - transposed convolution over height and width, float in and out; design rule 10. */
#include "convolution.h"

static const qrt_convolution_fields fields =
    QRT_CONVOLUTION_DYNAMIC_FIELDS(conv_transpose2d_dynamic, 2, QRT_FIELD(conv_transpose2d_dynamic, output_padding));

qrt_status qrt_check_conv_transpose2d_dynamic(qrt_verify *v, const qrt_node *node) {
  return qrt_check_convolution(v, node, &fields);
}

void qrt_prepare_conv_transpose2d_dynamic(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_prepare_convolution(binder, node, &fields, step);
}
