/* matmul.h - float matrix multiply micro-kernels, whose left matrix may be the patches of a convolution.
 *
 *   for i < m, j < n:
 *     sum     = +0, then + f32(a(i, k) * b(k, j)) for k = 0, 1, ... runs * run - 1, each sum rounded
 *     c[i][j] = canonical(bias ? sum + bias[j] : sum)
 *
 *   a(i, q * run + p) = a[i / width * y_stride + i % width * x_stride + q * run_stride + p]
 *   b(k, j)           = b[j / nr * panel + k * row + j % nr]
 *
 * m, n, runs, run >= 1. c[i] begins at c + i * c_stride. All strides count floats. Panels of b are whole: nr columns
 * can be read of each, the last one too. Nothing but the m x n outputs is written. Every NaN that is written is
 * 0x7fc00000.
 */
#ifndef QRT_MATMUL_H
#define QRT_MATMUL_H

#include "../kernels.h"

/* The left matrix. A convolution has a run for each row of its window, of kernel width times channels floats; its rows
 * are the output's pixels, `width` of them to a line. */
typedef struct qrt_matmul_rows {
  const float *a;
  size_t runs, run, run_stride;
  size_t width, x_stride, y_stride;
} qrt_matmul_rows;

/* A plain matrix with k columns, its rows `stride` floats apart. */
static inline qrt_matmul_rows qrt_matmul_matrix(const float *a, size_t k, size_t stride) {
  const qrt_matmul_rows rows = {a, 1, k, 0, SIZE_MAX, stride, 0};
  return rows;
}

/* Where row i begins. */
static inline const float *qrt_matmul_row(const qrt_matmul_rows *rows, size_t i) {
  if (rows->width == SIZE_MAX) return rows->a + i * rows->x_stride;
  return rows->a + i / rows->width * rows->y_stride + i % rows->width * rows->x_stride;
}

/* The right matrix: columns in panels of the kernel's nr. */
typedef struct qrt_matmul_columns {
  const float *b;
  size_t row, panel;
  const float *bias; /* NULL: none */
} qrt_matmul_columns;

typedef struct qrt_matmul_kernel {
  const char *name; /* "f32__avx2_4x16" */
  uint32_t isa;
  uint32_t mr, nr; /* the tile, which shapes need not fit */
  void (*run)(size_t m, size_t n, const qrt_matmul_rows *a, const qrt_matmul_columns *b, float *c, size_t c_stride);
} qrt_matmul_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_matmul_kernel qrt_matmul_kernels[];
extern const size_t qrt_matmul_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_matmul_kernel *qrt_matmul_select(uint32_t isa_mask);

#define QRT_MATMUL_KERNEL(dtype, isa, mr, nr)                                                  \
  void qrt_matmul_##dtype##__##isa##_##mr##x##nr(size_t m, size_t n, const qrt_matmul_rows *a, \
                                                 const qrt_matmul_columns *b, float *c, size_t c_stride);
#include "matmul.inc"
#undef QRT_MATMUL_KERNEL

#endif
