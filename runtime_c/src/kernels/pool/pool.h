/* pool.h - int8 pooling over one window of all channels.
 *
 *   max:  for j < channels:
 *           c[j] = max over r < rows, t < columns of a[r * row_stride + t * column_stride + j]
 *   avg:  for j < channels:
 *           sum  = sum over r < rows, t < columns of (a[r * row_stride + t * column_stride + j] - a_zero_point)
 *           c[j] = round_clamp(f32(f32(sum) * multiplier), output)
 *
 * The window is what is left of it inside the input; rows and columns are at least 1 (max) or may be 0 (avg, sum 0).
 * rows * columns <= 2^23, so that sum stays inside int32. Strides are in bytes.
 */
#ifndef QRT_POOL_H
#define QRT_POOL_H

#include "../kernels.h"

typedef struct qrt_pool_window {
  const int8_t *a;
  size_t rows, columns;
  size_t row_stride, column_stride;
  size_t channels;
} qrt_pool_window;

typedef struct qrt_pool_kernel {
  const char *name; /* "qs8__avx2_c16" */
  uint32_t isa;
  uint32_t cr;
  void (*max)(const qrt_pool_window *window, int8_t *c);
  void (*avg)(const qrt_pool_window *window, int32_t a_zero_point, float multiplier, const qrt_output_range *output,
              int8_t *c);
} qrt_pool_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_pool_kernel qrt_pool_kernels[];
extern const size_t qrt_pool_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_pool_kernel *qrt_pool_select(uint32_t isa_mask);

#define QRT_POOL_KERNEL(dtype, isa, cr)                                                                               \
  void qrt_pool_##dtype##__##isa##_c##cr##_max(const qrt_pool_window *window, int8_t *c);                             \
  void qrt_pool_##dtype##__##isa##_c##cr##_avg(const qrt_pool_window *window, int32_t a_zero_point, float multiplier, \
                                               const qrt_output_range *output, int8_t *c);
#include "pool.inc"
#undef QRT_POOL_KERNEL

#endif
