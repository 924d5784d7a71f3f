/* gemm.h - int8 matrix multiply micro-kernels. A kernel computes one mr x n strip; tiling over m, and gathering a
 * convolution's patches into rows, belong to ops/.
 *
 *   for i < m, j < n:
 *     acc     = bias[j] + sum_{p<k} (a[i][p] - a_zero_point) * w[j][p]          modulo 2^32
 *     c[i][j] = requantize(acc, multiplier[j], output)
 *
 * 1 <= m <= mr; k >= 1; n >= 1. a[i] begins at a + i * a_stride, c[i] at c + i * c_stride. Reads never pass the last
 * byte of a row of a (the row may end at a guard page), and nothing but the m x n outputs is written.
 *
 * w, bias and multiplier reach the kernel only through `packed`, which pack() of the same row fills once, at load.
 */
#ifndef QRT_GEMM_H
#define QRT_GEMM_H

#include "../kernels.h"

/* Weights as they lie in the file: w is [n][k]. */
typedef struct qrt_gemm_weights {
  size_t n, k;
  const int8_t *w;
  const int32_t *bias;
  const float *multiplier;
  int32_t a_zero_point;
} qrt_gemm_weights;

typedef struct qrt_gemm_kernel {
  const char *name; /* "qs8__avx2_4x16" */
  uint32_t isa;
  uint32_t mr, nr, kr;
  size_t (*packed_size)(size_t n, size_t k);                   /* bytes; the block is 64-byte aligned */
  void (*pack)(const qrt_gemm_weights *weights, void *packed); /* the weights stay valid for as long as packed is used,
                                                                  so a kernel may keep pointers to them */
  void (*run)(size_t m, size_t n, size_t k, const int8_t *a, size_t a_stride, const void *packed,
              const qrt_output_range *output, int8_t *c, size_t c_stride);
} qrt_gemm_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_gemm_kernel qrt_gemm_kernels[];
extern const size_t qrt_gemm_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_gemm_kernel *qrt_gemm_select(uint32_t isa_mask);

#define QRT_GEMM_KERNEL(dtype, isa, mr, nr, kr)                                                                \
  size_t qrt_gemm_##dtype##__##isa##_##mr##x##nr##_packed_size(size_t n, size_t k);                            \
  void qrt_gemm_##dtype##__##isa##_##mr##x##nr##_pack(const qrt_gemm_weights *weights, void *packed);          \
  void qrt_gemm_##dtype##__##isa##_##mr##x##nr(size_t m, size_t n, size_t k, const int8_t *a, size_t a_stride, \
                                               const void *packed, const qrt_output_range *output, int8_t *c,  \
                                               size_t c_stride);
#include "gemm.inc"
#undef QRT_GEMM_KERNEL

#endif
