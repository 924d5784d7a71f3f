/* vmul.h - int8 elementwise multiplication.
 *
 *   for i < n:
 *     b'   = b_stride ? b[i] : b[0]
 *     c[i] = round_clamp(f32(f32((a[i] - a_zero_point) * (b' - b_zero_point)) * multiplier), output)
 *
 * b_stride is 0 (one value for all) or 1. c may be a, and also b when b_stride is 1 (in place).
 */
#ifndef QRT_VMUL_H
#define QRT_VMUL_H

#include "../kernels.h"

typedef struct qrt_vmul_params {
  int32_t a_zero_point, b_zero_point;
  float multiplier;
  qrt_output_range output;
} qrt_vmul_params;

typedef struct qrt_vmul_kernel {
  const char *name;
  uint32_t isa;
  uint32_t xr;
  void (*run)(size_t n, const int8_t *a, const int8_t *b, size_t b_stride, const qrt_vmul_params *params, int8_t *c);
} qrt_vmul_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_vmul_kernel qrt_vmul_kernels[];
extern const size_t qrt_vmul_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_vmul_kernel *qrt_vmul_select(uint32_t isa_mask);

#define QRT_VMUL_KERNEL(dtype, isa, xr)                                                               \
  void qrt_vmul_##dtype##__##isa##_x##xr(size_t n, const int8_t *a, const int8_t *b, size_t b_stride, \
                                         const qrt_vmul_params *params, int8_t *c);
#include "vmul.inc"
#undef QRT_VMUL_KERNEL

#endif
