/* float_conv2d.c - conv2d on float tensors. */
#include "float_convolution.h"

static const qrt_convolution_fields fields = QRT_CONVOLUTION_DYNAMIC_FIELDS(conv2d, 2, NULL);

qrt_status qrt_check_float_conv2d(qrt_verify *v, const qrt_node *node) {
  return qrt_check_float_convolution(v, node, &fields);
}

void qrt_prepare_float_conv2d(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_prepare_float_convolution(binder, node, &fields, step);
}
