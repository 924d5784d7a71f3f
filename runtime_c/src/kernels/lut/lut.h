/* lut.h - bytes through a function of one byte.
 *
 *   lookup:  for i < n: c[i] = table[a[i] + 128]
 *   clamp:   for i < n: c[i] = min(max(a[i], min), max)
 *
 * c may be a (in place).
 */
#ifndef QRT_LUT_H
#define QRT_LUT_H

#include "../kernels.h"

typedef struct qrt_lut_kernel {
  const char *name; /* "qs8__scalar_x1" */
  uint32_t isa;
  uint32_t xr;
  void (*lookup)(size_t n, const int8_t *a, const int8_t *table, int8_t *c);
  void (*clamp)(size_t n, const int8_t *a, int32_t min, int32_t max, int8_t *c);
} qrt_lut_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_lut_kernel qrt_lut_kernels[];
extern const size_t qrt_lut_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_lut_kernel *qrt_lut_select(uint32_t isa_mask);

#define QRT_LUT_KERNEL(dtype, isa, xr)                                                                       \
  void qrt_lut_##dtype##__##isa##_x##xr##_lookup(size_t n, const int8_t *a, const int8_t *table, int8_t *c); \
  void qrt_lut_##dtype##__##isa##_x##xr##_clamp(size_t n, const int8_t *a, int32_t min, int32_t max, int8_t *c);
#include "lut.inc"
#undef QRT_LUT_KERNEL

#endif
