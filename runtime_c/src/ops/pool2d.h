/* pool2d.h - windows over height and width: what max_pool2d, avg_pool2d and adaptive_avg_pool2d share. */
#ifndef QRT_POOL2D_H
#define QRT_POOL2D_H

#include "../kernels/pool/pool.h"
#include "op.h"

/* Where an operation keeps its options; dilation may be NULL. */
typedef struct qrt_pool2d_fields {
  const qrt_fb_field *kernel_size, *stride, *padding, *dilation, *ceil_mode;
} qrt_pool2d_fields;

/* Along one axis. */
typedef struct qrt_pool2d_axis {
  int64_t in, out, kernel, stride, padding, dilation;
} qrt_pool2d_axis;

typedef struct qrt_pool2d_shape {
  size_t batch, channels;
  qrt_pool2d_axis h, w;
} qrt_pool2d_shape;

/* Checks the operands' type, the options and the output's shape (not its qparams). */
qrt_status qrt_check_pool2d(qrt_verify *v, const qrt_node *node, const qrt_pool2d_fields *fields, uint32_t dtype,
                            qrt_tensor *input, qrt_tensor *output);

void qrt_pool2d_read(const qrt_node *node, const qrt_pool2d_fields *fields, qrt_pool2d_shape *shape);

/* Window `i` of an axis: [begin, end) as PyTorch counts it, padding on the far side included, and the part of it that
 * lies inside the input: `taps` of them, the first at `first`, `dilation` apart. */
typedef struct qrt_pool2d_span {
  int64_t begin, end;
  int64_t first, taps;
} qrt_pool2d_span;

static inline qrt_pool2d_span qrt_pool2d_window(const qrt_pool2d_axis *axis, int64_t i) {
  qrt_pool2d_span span;
  int64_t last = axis->in + axis->padding;
  span.begin = i * axis->stride - axis->padding;
  span.end = span.begin + axis->kernel < last ? span.begin + axis->kernel : last;
  int64_t skipped = span.begin < 0 ? (-span.begin + axis->dilation - 1) / axis->dilation : 0;
  span.first = span.begin + skipped * axis->dilation;
  int64_t inside = span.first < axis->in ? (axis->in - 1 - span.first) / axis->dilation + 1 : 0;
  span.taps = axis->kernel - skipped < inside ? axis->kernel - skipped : inside;
  return span;
}

/* Calls visit(context, window, rows, columns, output) for each pixel of rows begin..end of the output, of all images.
 */
typedef void qrt_pool2d_visit(const void *context, const qrt_pool_window *window, const qrt_pool2d_span *rows,
                              const qrt_pool2d_span *columns, int8_t *output);

void qrt_run_pool2d(const qrt_pool2d_shape *shape, const int8_t *input, int8_t *output, qrt_pool2d_visit *visit,
                    const void *context, size_t begin, size_t end);

/* Rows as units. */
void qrt_bind_pool2d(const qrt_binder *binder, const qrt_pool2d_shape *shape, qrt_step *step,
                     void (*run_units)(const void *arguments, void *scratch, size_t begin, size_t end));

#endif
