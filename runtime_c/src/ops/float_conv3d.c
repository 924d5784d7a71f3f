/* float_conv3d.c - conv3d on float tensors. */
#include "float_convolution.h"

static const qrt_convolution_fields fields = QRT_CONVOLUTION_DYNAMIC_FIELDS(conv3d, 3, NULL);

qrt_status qrt_check_float_conv3d(qrt_verify *v, const qrt_node *node) {
  return qrt_check_float_convolution(v, node, &fields);
}

void qrt_prepare_float_conv3d(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_prepare_float_convolution(binder, node, &fields, step);
}
