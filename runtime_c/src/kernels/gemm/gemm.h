/* gemm.h - int8 matrix multiply micro-kernels, whose left matrix may be the patches of a convolution.
 *
 *   for i < m, j < n:
 *     acc     = bias[j] + sum_{q<runs, p<run} (a(i, q, p) - a_zero_point) * w[j][q][p]          modulo 2^32
 *     c[i][j] = requantize(acc, multiplier[j], output)
 *
 * Without an output range (NULL) a kernel ends with the sums: c then points to int32_t, c[i][j] = acc, and multipliers
 * do not matter. c_stride counts bytes.
 *
 * run_floats, where a kernel has it, makes floats of the sums before it writes them:
 *
 *     x       = f32(f32(f32(acc - zero_point * sum[j]) * f32(scale * multiplier[j])) + bias[j])
 *     c[i][j] = relu ? x > 0 ? x : 0 : x;  acc modulo 2^32, NaN as 0x7fc00000
 *
 *   a(i, q, p) = a[i / width * y_stride + i % width * x_stride + q * run_stride + p]
 *
 * m, n, runs, run >= 1, and run >= kr unless runs is 1. c[i] begins at c + i * c_stride. Reads never pass the last byte
 * of a run (which may end at a guard page), and nothing but the m x n outputs is written. Kernels go through all rows
 * with a panel of columns before they turn to the next: how many rows stay in the cache is the caller's business.
 *
 * w, bias and multiplier reach the kernel only through `packed`, which pack() of the same row fills once, at load.
 * Unless layout is 0, columns from j on, j being a multiple of nr, are packed at packed + packed_size(j, runs, run),
 * and may be computed alone.
 */
#ifndef QRT_GEMM_H
#define QRT_GEMM_H

#include "../kernels.h"

/* The left matrix. A convolution has a run for each row of its window, of kernel width times channels bytes; its rows
 * are the output's pixels, `width` of them to a line. */
typedef struct qrt_gemm_rows {
  const int8_t *a;
  size_t runs, run, run_stride;
  size_t width, x_stride, y_stride;
} qrt_gemm_rows;

/* A plain matrix with k columns, its rows `stride` bytes apart. */
static inline qrt_gemm_rows qrt_gemm_matrix(const int8_t *a, size_t k, size_t stride) {
  const qrt_gemm_rows rows = {a, 1, k, 0, SIZE_MAX, stride, 0};
  return rows;
}

/* Where row i begins, for i = 0, 1, 2, ... */
typedef struct qrt_gemm_walk {
  const int8_t *row;
  size_t x;
} qrt_gemm_walk;

static inline qrt_gemm_walk qrt_gemm_first(const qrt_gemm_rows *rows) {
  const qrt_gemm_walk walk = {rows->a, 0};
  return walk;
}

static inline const int8_t *qrt_gemm_next(const qrt_gemm_rows *rows, qrt_gemm_walk *walk) {
  const int8_t *row = walk->row;
  walk->row += rows->x_stride;
  if (++walk->x == rows->width) {
    walk->row += rows->y_stride - rows->width * rows->x_stride;
    walk->x = 0;
  }
  return row;
}

/* Where the next `count` rows begin; `count` is a constant. Most often they lie in one line. */
static inline __attribute__((always_inline)) void qrt_gemm_next_rows(size_t count, const qrt_gemm_rows *rows,
                                                                     qrt_gemm_walk *walk, const int8_t **next) {
  if (rows->width - walk->x > count) {
#pragma GCC unroll 8
    for (size_t i = 0; i < count; i++) next[i] = walk->row + i * rows->x_stride;
    walk->row += count * rows->x_stride;
    walk->x += count;
  } else {
#pragma GCC unroll 8
    for (size_t i = 0; i < count; i++) next[i] = qrt_gemm_next(rows, walk);
  }
}

/* Weights as they lie in the file: w is [n][runs][run]. */
typedef struct qrt_gemm_weights {
  size_t n, runs, run;
  const int8_t *w;
  const int32_t *bias;
  const float *multiplier;
  int32_t a_zero_point;
  int sums; /* will be asked for, or floats; else int8 */
} qrt_gemm_weights;

/* What makes floats of sums. sum and bias are those of the columns that are computed. */
typedef struct qrt_gemm_floats {
  const int32_t *sum; /* of the column's weights */
  const float *bias;
  const qrt_quantization *rows; /* scale and zero point of row i: rows[i * step] */
  size_t step;                  /* 0: the same for all; 1 */
  int32_t relu;
} qrt_gemm_floats;

/* Rises whenever a pack function of this family writes something else than before. */
enum { QRT_GEMM_LAYOUT = 6 };

typedef struct qrt_gemm_kernel {
  const char *name; /* "qs8__avx2_6x16" */
  uint32_t isa;
  uint32_t layout;     /* version of the packed form, as a file may hold it; 0: it holds pointers and stays in memory */
  uint32_t mr, nr, kr; /* the tile, which shapes need not fit */
  size_t (*packed_size)(size_t n, size_t runs, size_t run);    /* bytes; the block is 64-byte aligned */
  void (*pack)(const qrt_gemm_weights *weights, void *packed); /* the weights stay valid for as long as packed is used,
                                                                  so a kernel may keep pointers to them */
  void (*run)(size_t m, size_t n, const qrt_gemm_rows *a, const void *packed, const qrt_output_range *output, int8_t *c,
              size_t c_stride);
  /* NULL: nothing better than sums, made floats afterwards; see convert.h */
  void (*run_floats)(size_t m, size_t n, const qrt_gemm_rows *a, const void *packed, const qrt_gemm_floats *floats,
                     float *c, size_t c_stride);
} qrt_gemm_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_gemm_kernel qrt_gemm_kernels[];
extern const size_t qrt_gemm_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_gemm_kernel *qrt_gemm_select(uint32_t isa_mask);

/* May a file's packed form be used? Not if a flag in it, which tells how weights may be multiplied or sums rounded,
 * contradicts them. */
int qrt_gemm_usable(const qrt_gemm_kernel *kernel, const void *packed, size_t n, size_t runs, size_t run);
int qrt_gemm_qs8__neon_4x8_usable(const void *packed, size_t n, size_t runs, size_t run);
int qrt_gemm_qs8__neondot_5x16_usable(const void *packed, size_t n, size_t runs, size_t run);
int qrt_gemm_qs8__i8mm_4x16_usable(const void *packed, size_t n, size_t runs, size_t run);

#define QRT_GEMM_KERNEL(dtype, isa, mr, nr, kr, floats)                                                              \
  size_t qrt_gemm_##dtype##__##isa##_##mr##x##nr##_packed_size(size_t n, size_t runs, size_t run);                   \
  void qrt_gemm_##dtype##__##isa##_##mr##x##nr##_pack(const qrt_gemm_weights *weights, void *packed);                \
  void qrt_gemm_##dtype##__##isa##_##mr##x##nr(size_t m, size_t n, const qrt_gemm_rows *a, const void *packed,       \
                                               const qrt_output_range *output, int8_t *c, size_t c_stride);          \
  void qrt_gemm_##dtype##__##isa##_##mr##x##nr##_floats(size_t m, size_t n, const qrt_gemm_rows *a,                  \
                                                        const void *packed, const qrt_gemm_floats *floats, float *c, \
                                                        size_t c_stride);
#include "gemm.inc"
#undef QRT_GEMM_KERNEL

#endif
