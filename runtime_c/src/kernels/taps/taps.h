/* taps.h - what a window makes of channels that lie together: depthwise convolutions and pools of floats.
 *
 *   products:   for j < n: sum = +0, then + f32(a[t][j] * w[t][j]) for t = 0, 1, ... taps - 1; c[j] = canonical(sum +
 * bias[j]) mean:       for j < n: sum = +0, then + a[t][j]; c[j] = canonical(sum / divisor) largest:    for j < n: m =
 * -infinity, then a[t][j] > m ? a[t][j] : m; c[j] = m
 *
 * a[t] and w[t] point to n floats. Every NaN that is written is 0x7fc00000; largest leaves them out.
 */
#ifndef QRT_TAPS_H
#define QRT_TAPS_H

#include "../kernels.h"

typedef struct qrt_taps_kernel {
  const char *name; /* "f32__avx2_x8" */
  uint32_t isa;
  uint32_t xr;
  void (*products)(size_t taps, size_t n, const float *const *a, const float *const *w, const float *bias, float *c);
  void (*mean)(size_t taps, size_t n, const float *const *a, float divisor, float *c);
  void (*largest)(size_t taps, size_t n, const float *const *a, float *c);
} qrt_taps_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_taps_kernel qrt_taps_kernels[];
extern const size_t qrt_taps_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_taps_kernel *qrt_taps_select(uint32_t isa_mask);

#define QRT_TAPS_KERNEL(dtype, isa, xr)                                                                      \
  void qrt_taps_##dtype##__##isa##_x##xr##_products(size_t taps, size_t n, const float *const *a,            \
                                                    const float *const *w, const float *bias, float *c);     \
  void qrt_taps_##dtype##__##isa##_x##xr##_mean(size_t taps, size_t n, const float *const *a, float divisor, \
                                                float *c);                                                   \
  void qrt_taps_##dtype##__##isa##_x##xr##_largest(size_t taps, size_t n, const float *const *a, float *c);
#include "taps.inc"
#undef QRT_TAPS_KERNEL

#endif
