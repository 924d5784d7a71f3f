/* transpose.h - columns of four-byte elements into rows.
 *
 *   for i < rows, j < columns: c[i * columns + j] = a[i] of column j, which begins j * a_stride bytes behind a
 *
 * a_stride may be negative, and nothing need be aligned. rows, columns >= 1.
 */
#ifndef QRT_TRANSPOSE_H
#define QRT_TRANSPOSE_H

#include "../kernels.h"

typedef struct qrt_transpose_kernel {
  const char *name; /* "x32__avx2_8x8" */
  uint32_t isa;
  uint32_t mr, nr; /* the square, which shapes need not fit */
  void (*run)(size_t rows, size_t columns, const uint8_t *a, ptrdiff_t a_stride, uint8_t *c);
} qrt_transpose_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_transpose_kernel qrt_transpose_kernels[];
extern const size_t qrt_transpose_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_transpose_kernel *qrt_transpose_select(uint32_t isa_mask);

#define QRT_TRANSPOSE_KERNEL(dtype, isa, mr, nr)                                                                       \
  void qrt_transpose_##dtype##__##isa##_##mr##x##nr(size_t rows, size_t columns, const uint8_t *a, ptrdiff_t a_stride, \
                                                    uint8_t *c);
#include "transpose.inc"
#undef QRT_TRANSPOSE_KERNEL

#endif
