/* interleave.h - planes of bytes into pixels.
 *
 *   for i < n, j < channels: c[i * channels + j] = a[j * a_stride + i]
 */
#ifndef QRT_INTERLEAVE_H
#define QRT_INTERLEAVE_H

#include "../kernels.h"

typedef struct qrt_interleave_kernel {
  const char *name; /* "x8__avx2_x16" */
  uint32_t isa;
  uint32_t xr; /* pixels per step */
  void (*run)(size_t n, size_t channels, const uint8_t *a, size_t a_stride, uint8_t *c);
} qrt_interleave_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_interleave_kernel qrt_interleave_kernels[];
extern const size_t qrt_interleave_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_interleave_kernel *qrt_interleave_select(uint32_t isa_mask);

#define QRT_INTERLEAVE_KERNEL(dtype, isa, xr)                                                                \
  void qrt_interleave_##dtype##__##isa##_x##xr(size_t n, size_t channels, const uint8_t *a, size_t a_stride, \
                                               uint8_t *c);
#include "interleave.inc"
#undef QRT_INTERLEAVE_KERNEL

#endif
