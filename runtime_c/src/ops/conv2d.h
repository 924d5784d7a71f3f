/* conv2d.h - what conv2d.c, conv2d_depthwise.c and inverted_residual.c share. */
#ifndef QRT_CONV2D_H
#define QRT_CONV2D_H

#include "../kernels/dwconv/dwconv.h"
#include "op.h"
#include "pack.h"

typedef struct qrt_conv2d_shape {
  int64_t batch, in_h, in_w, in_c;
  int64_t out_h, out_w, out_c;
  int64_t kh, kw, groups;
  int64_t stride_h, stride_w, dilation_h, dilation_w;
  int64_t pad_top, pad_left;
} qrt_conv2d_shape;

/* A convolution by strips of lines, of all input channels. */
typedef struct qrt_conv2d {
  const qrt_gemm_kernel *kernel;
  qrt_conv2d_shape shape;
  size_t n;
  int padded;
  size_t strip; /* lines of the output at a time */
  size_t patch; /* bytes from one gathered patch to the next, 0: none are gathered */
  qrt_gemm_share share;
  const int8_t *input;
  const void *packed;
  int8_t *output;
  int32_t zero_point; /* of the input: what padding holds */
  qrt_output_range range;
} qrt_conv2d;

/* For an operator that asks for lines of the output, `most` at a time. Of `a`, kernel, shape and padded are given.
 * Weights are to be packed as *runs runs. The bytes of scratch that the lines take. */
uint64_t qrt_bind_conv2d_lines(qrt_conv2d *a, size_t most, size_t *runs);

/* Lines begin..end of an image of the output, to `output`. */
void qrt_run_conv2d_lines(const qrt_conv2d *a, void *scratch, size_t image, size_t begin, size_t end, int8_t *output);

/* What a depthwise kernel is to know of a convolution. */
static inline qrt_dwconv_shape qrt_depthwise_row(const qrt_conv2d_shape *shape, int32_t zero_point) {
  return (qrt_dwconv_shape){
      .channels = (size_t)shape->in_c,
      .kh = (size_t)shape->kh,
      .kw = (size_t)shape->kw,
      .in_w = (size_t)shape->in_w,
      .out_w = (size_t)shape->out_w,
      .stride = (size_t)shape->stride_w,
      .dilation = (size_t)shape->dilation_w,
      .pad_left = (size_t)shape->pad_left,
      .a_zero_point = zero_point,
  };
}

/* Weight, bias and multiplier, inputs 1 to 3 of the node, as a depthwise kernel wants them. NULL while counting. */
const void *qrt_pack_depthwise(qrt_binder *binder, const qrt_node *node, const qrt_dwconv_kernel *kernel,
                               const qrt_dwconv_shape *row);

/* conv2d_depthwise.c: one input and one output channel per group. */
void qrt_prepare_depthwise(qrt_binder *binder, const qrt_node *node, const qrt_conv2d_shape *shape, qrt_step *step);

#endif
