/* windows.h - the geometry of convolutions, transposed ones too: which pixels of the input meet a pixel of the output.
 *
 * A transposed convolution adds input[i] * weight[t] to output[i * stride - padding + t * dilation]. Seen from the
 * output, pixels that are `stride` apart meet the same taps, those for which the division has no rest, and neighbours
 * among them meet neighbours of the input. So each of the stride * stride (* stride) phases is a convolution of stride
 * 1 with some of the taps, and nothing is multiplied with zeros that lie between pixels. */
#ifndef QRT_WINDOWS_H
#define QRT_WINDOWS_H

#include "convolution.h"

enum { QRT_AXES = 3 }; /* depth, height, width */

/* One axis as the options have it. */
typedef struct qrt_axis {
  int64_t in, kernel, stride, before, after, dilation;
  int64_t output_padding; /* -1: not transposed */
} qrt_axis;

/* Of one phase, along one axis: pixels first, first + step, ... of the output, `count` of them. Tap t of the i-th reads
 * the input at begin + i * stride + t * dilation, which is padding if it is outside; its weight is first_tap +
 * t * tap_step. */
typedef struct qrt_span {
  int64_t first, step, count;
  int64_t begin, stride, dilation;
  int64_t taps, first_tap, tap_step;
} qrt_span;

/* Along one axis: 0 if there is none, or too much. */
int32_t qrt_output_extent(const qrt_axis *x);
int64_t qrt_phase_count(const qrt_axis *x);
qrt_span qrt_phase_of(const qrt_axis *x, int64_t phase);

/* Options that a check has accepted, as depth, height and width. */
void qrt_read_axes(const qrt_node *node, const qrt_convolution_fields *fields, const qrt_tensor *input,
                   const qrt_tensor *weight, qrt_axis *x);

/* The options, for operands of the right rank; *shape is the output's. */
qrt_status qrt_check_windows(qrt_verify *v, const qrt_node *node, const qrt_convolution_fields *fields,
                             const qrt_tensor *input, const qrt_tensor *weight, int32_t *shape);

/* Whether windows are single pixels, all of them inside the input. */
static inline int qrt_inside(const qrt_span *s, int64_t in) {
  return s->taps == 1 && s->begin >= 0 && s->begin + (s->count - 1) * s->stride < in;
}

/* The weights of a phase's taps, which lie apart in the file: copied together. NULL while
 * counting. `k` is their number for one output. */
const void *qrt_select_taps(qrt_binder *binder, const qrt_tensor *weight, const qrt_axis *x, const qrt_span *s,
                            size_t k);

#endif
