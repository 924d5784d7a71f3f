/* vadd.h - int8 elementwise addition, and with negative multipliers subtraction.
 *
 *   for i < n:
 *     b'   = b_stride ? b[i] : b[0]
 *     x    = f32(f32(a[i] - a_zero_point) * a_multiplier) + f32(f32(b' - b_zero_point) * b_multiplier)
 *     c[i] = round_clamp(x, output)
 *
 * b_stride is 0 (one value for all) or 1. c may be a, and also b when b_stride is 1 (in place).
 */
#ifndef QRT_VADD_H
#define QRT_VADD_H

#include "../kernels.h"

typedef struct qrt_vadd_params {
  int32_t a_zero_point, b_zero_point;
  float a_multiplier, b_multiplier;
  qrt_output_range output;
} qrt_vadd_params;

typedef struct qrt_vadd_kernel {
  const char *name; /* "qs8__avx2_x16" */
  uint32_t isa;
  uint32_t xr; /* elements per step */
  void (*run)(size_t n, const int8_t *a, const int8_t *b, size_t b_stride, const qrt_vadd_params *params, int8_t *c);
} qrt_vadd_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_vadd_kernel qrt_vadd_kernels[];
extern const size_t qrt_vadd_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_vadd_kernel *qrt_vadd_select(uint32_t isa_mask);

#define QRT_VADD_KERNEL(dtype, isa, xr)                                                               \
  void qrt_vadd_##dtype##__##isa##_x##xr(size_t n, const int8_t *a, const int8_t *b, size_t b_stride, \
                                         const qrt_vadd_params *params, int8_t *c);
#include "vadd.inc"
#undef QRT_VADD_KERNEL

#endif
