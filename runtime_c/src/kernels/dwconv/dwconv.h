/* dwconv.h - int8 depthwise convolution micro-kernels. A kernel computes rows of the output, of all channels. For each
 * of `count` rows, `rows` and c having moved on by kh pointers and by out_w * channels bytes:
 *
 *   for x < out_w, j < channels:
 *     acc = bias[j]
 *     for r < kh, t < kw:
 *       column = x * stride + t * dilation - pad_left
 *       if rows[r] != NULL and 0 <= column < in_w:
 *         acc += (rows[r][column * channels + j] - a_zero_point) * w[j][r][t]     modulo 2^32
 *     c[x * channels + j] = requantize(acc, multiplier[j], output)
 *
 * rows[r] is the start of an input row, or NULL where the kernel row lies in the padding. A whole column of taps may
 * lie in the padding too. Reads never leave the rows; nothing but the out_w * channels outputs is written.
 */
#ifndef QRT_DWCONV_H
#define QRT_DWCONV_H

#include "../kernels.h"

/* Weights as they lie in the file: w is [channels][kh][kw]. */
typedef struct qrt_dwconv_weights {
  size_t channels, kh, kw;
  const int8_t *w;
  const int32_t *bias;
  const float *multiplier;
  int32_t a_zero_point;
} qrt_dwconv_weights;

typedef struct qrt_dwconv_shape {
  size_t channels, kh, kw;
  size_t in_w, out_w;
  size_t stride, dilation, pad_left; /* along the width */
  int32_t a_zero_point;
} qrt_dwconv_shape;

/* Rises whenever a pack function of this family writes something else than before. */
enum { QRT_DWCONV_LAYOUT = 3 };

typedef struct qrt_dwconv_kernel {
  const char *name; /* "qs8__avx2_c16" */
  uint32_t isa;
  uint32_t layout; /* version of the packed form, as a file may hold it; 0: it holds pointers and stays in memory */
  uint32_t cr;     /* channels per step; for tests, which choose sizes around it */
  size_t (*packed_size)(size_t channels, size_t kh, size_t kw);
  void (*pack)(const qrt_dwconv_weights *weights, void *packed); /* as in gemm.h */
  void (*run)(const qrt_dwconv_shape *shape, size_t count, const int8_t *const *rows, const void *packed,
              const qrt_output_range *output, int8_t *c);
} qrt_dwconv_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_dwconv_kernel qrt_dwconv_kernels[];
extern const size_t qrt_dwconv_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_dwconv_kernel *qrt_dwconv_select(uint32_t isa_mask);

/* May a file's packed form be used? Not if a flag in it, which tells how its numbers may be computed with, contradicts
 * them. */
int qrt_dwconv_usable(const qrt_dwconv_kernel *kernel, const void *packed, size_t channels, size_t kh, size_t kw);
int qrt_dwconv_qs8__neon_c16_usable(const void *packed, size_t channels, size_t kh, size_t kw);
int qrt_dwconv_qs8__neondot_c16_usable(const void *packed, size_t channels, size_t kh, size_t kw);

#define QRT_DWCONV_KERNEL(dtype, isa, cr)                                                                          \
  size_t qrt_dwconv_##dtype##__##isa##_c##cr##_packed_size(size_t channels, size_t kh, size_t kw);                 \
  void qrt_dwconv_##dtype##__##isa##_c##cr##_pack(const qrt_dwconv_weights *weights, void *packed);                \
  void qrt_dwconv_##dtype##__##isa##_c##cr(const qrt_dwconv_shape *shape, size_t count, const int8_t *const *rows, \
                                           const void *packed, const qrt_output_range *output, int8_t *c);
#include "dwconv.inc"
#undef QRT_DWCONV_KERNEL

#endif
