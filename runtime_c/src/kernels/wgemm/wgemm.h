/* wgemm.h - float activations times weights of 8 or 4 bits; rule 20 of the numerics contract.
 *
 *   for i < m, j < n:
 *     acc = +0
 *     for k ascending: acc = acc + a[i][k] * (scale[j][k / group] * w[j][k])
 *     x = acc + bias[j];  c[i][j] = relu ? x > 0 ? x : 0 : x
 *
 * Each operation is one of binary32; every NaN that is written is 0x7fc00000. Strides count floats. Nothing but the
 * m x n outputs is written.
 *
 * Weights reach the kernel only through `packed`, which pack() of the same row fills once, at load.
 */
#ifndef QRT_WGEMM_H
#define QRT_WGEMM_H

#include "../kernels.h"

/* Weights as they lie in the file. 8 bits: int8 [n][k]. 4 bits: [n][ceil(k / 2)] bytes of two values, the low one
 * first, each stored plus 8. */
typedef struct qrt_wgemm_weights {
  size_t n, k, group; /* group: even, or at least k */
  int bits;
  const void *w;
  const float *scale; /* [n][ceil(k / group)] */
  const float *bias;
} qrt_wgemm_weights;

typedef struct qrt_wgemm_shape {
  size_t n, k, group;
  int bits, relu;
} qrt_wgemm_shape;

typedef struct qrt_wgemm_kernel {
  const char *name; /* "f32__avx2_2x32" */
  uint32_t isa;
  uint32_t mr, nr;
  uint32_t layout; /* version of what pack() writes, with the name; 0: only for this process */
  size_t (*packed_size)(size_t n, size_t k, size_t group, int bits); /* bytes; the block is 64-byte aligned */
  void (*pack)(const qrt_wgemm_weights *weights,
               void *packed); /* the weights stay valid for as long as packed is used */
  void (*run)(const qrt_wgemm_shape *shape, size_t m, const float *a, size_t a_stride, const void *packed, float *c,
              size_t c_stride);
} qrt_wgemm_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_wgemm_kernel qrt_wgemm_kernels[];
extern const size_t qrt_wgemm_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_wgemm_kernel *qrt_wgemm_select(uint32_t isa_mask);

#define QRT_WGEMM_KERNEL(dtype, isa, mr, nr)                                                                 \
  size_t qrt_wgemm_##dtype##__##isa##_##mr##x##nr##_packed_size(size_t n, size_t k, size_t group, int bits); \
  void qrt_wgemm_##dtype##__##isa##_##mr##x##nr##_pack(const qrt_wgemm_weights *weights, void *packed);      \
  void qrt_wgemm_##dtype##__##isa##_##mr##x##nr(const qrt_wgemm_shape *shape, size_t m, const float *a,      \
                                                size_t a_stride, const void *packed, float *c, size_t c_stride);
#include "wgemm.inc"
#undef QRT_WGEMM_KERNEL

#endif
