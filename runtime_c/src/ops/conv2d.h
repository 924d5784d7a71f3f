/* conv2d.h - the geometry of a convolution, for conv2d.c and conv2d_depthwise.c. */
#ifndef QRT_CONV2D_H
#define QRT_CONV2D_H

#include "op.h"

typedef struct qrt_conv2d_shape {
  int64_t batch, in_h, in_w, in_c;
  int64_t out_h, out_w, out_c;
  int64_t kh, kw, groups;
  int64_t stride_h, stride_w, dilation_h, dilation_w;
  int64_t pad_top, pad_left;
} qrt_conv2d_shape;

/* conv2d_depthwise.c: one input and one output channel per group. */
void qrt_prepare_depthwise(qrt_binder *binder, const qrt_node *node, const qrt_conv2d_shape *shape, qrt_step *step);

#endif
