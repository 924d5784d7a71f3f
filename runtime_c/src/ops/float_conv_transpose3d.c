/* float_conv_transpose3d.c - conv_transpose3d on float tensors. */
#include "float_convolution.h"

static const qrt_convolution_fields fields =
    QRT_CONVOLUTION_DYNAMIC_FIELDS(conv_transpose3d, 3, QRT_FIELD(conv_transpose3d, output_padding));

qrt_status qrt_check_float_conv_transpose3d(qrt_verify *v, const qrt_node *node) {
  return qrt_check_float_convolution(v, node, &fields);
}

void qrt_prepare_float_conv_transpose3d(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_prepare_float_convolution(binder, node, &fields, step);
}
