/* rows.h - sums over rows of floats, and what is made of them; rule 11 of the numerics contract.
 *
 * A row sum over n values keeps 16 sums from +0, of the values whose position is 0, 1, ... 15 modulo 16, each in
 * ascending order, and adds these by halves: 0 + 8, 1 + 9, ..., then 0 + 4, ..., then 0 + 2 and 1 + 3, then 0 + 1.
 *
 *   dot:         the row sum of a[i] * b[i]
 *   sums:        for j < m: c[j] = the row sum of a[i * stride + j] over i < n
 *   softmax:     of each row: e[i] = exp(a[i] - max a), c[i] = e[i] / the row sum of e
 *   normalize:   of each row: d[i] = a[i] - row sum / n, v = the row sum of d[i] * d[i] / n, r = 1 / sqrt(v + eps)
 *                c[i] = (d[i] * r) * weight[i] + bias[i]
 *
 * The last two have m rows of n elements, one behind the other. m, n >= 1. a and c may be the same memory for softmax
 * and normalize. Every NaN that these two write is 0x7fc00000; the others leave that to the caller.
 */
#ifndef QRT_ROWS_H
#define QRT_ROWS_H

#include "../kernels.h"

enum { QRT_ROW_SUMS = 16 };

typedef struct qrt_rows_kernel {
  const char *name; /* "f32__avx2_x8" */
  uint32_t isa;
  uint32_t xr;
  float (*dot)(size_t n, const float *a, const float *b);
  void (*sums)(size_t n, size_t m, const float *a, size_t stride, float *c);
  void (*softmax)(size_t m, size_t n, const float *a, float *c);
  void (*normalize)(size_t m, size_t n, const float *a, const float *weight, const float *bias, float eps, float *c);
} qrt_rows_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_rows_kernel qrt_rows_kernels[];
extern const size_t qrt_rows_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_rows_kernel *qrt_rows_select(uint32_t isa_mask);

#define QRT_ROWS_KERNEL(dtype, isa, xr)                                                                       \
  float qrt_rows_##dtype##__##isa##_x##xr##_dot(size_t n, const float *a, const float *b);                    \
  void qrt_rows_##dtype##__##isa##_x##xr##_sums(size_t n, size_t m, const float *a, size_t stride, float *c); \
  void qrt_rows_##dtype##__##isa##_x##xr##_softmax(size_t m, size_t n, const float *a, float *c);             \
  void qrt_rows_##dtype##__##isa##_x##xr##_normalize(size_t m, size_t n, const float *a, const float *weight, \
                                                     const float *bias, float eps, float *c);
#include "rows.inc"
#undef QRT_ROWS_KERNEL

#endif
