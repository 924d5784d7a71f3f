/* gemm_qs8__neondot_4x16.c - 4 rows by 16 columns; depth in groups of four bytes, whose products sdot sums exactly.
 * What is left of n goes into a panel of 8 columns with tiles of 8 rows.
 *
 *   int8 w[runs][ceil(run / 4)][16 or 8][4]
 */
#include "gemm_neon.h"

enum { NR = 16, LEAST = 8, KR = 4, STEP = 16, MOST_ROWS = 8, MOST_VECTORS = 4 };

/* ---- packing ---- */

size_t qrt_gemm_qs8__neondot_4x16_packed_size(size_t n, size_t runs, size_t run) {
  return qrt_gemm_neon_size(n, NR, LEAST, qrt_gemm_depth(runs, run, KR));
}

static void pack_column(const int8_t *w, size_t runs, size_t run, size_t width, size_t at, int8_t *to) {
  for (size_t q = 0; q < runs; q++, w += run) {
    for (size_t p = 0; p < run; p += KR, to += width * KR) qrt_gemm_pack_group(w, run, p, KR, to + at * KR);
  }
}

void qrt_gemm_qs8__neondot_4x16_pack(const qrt_gemm_weights *weights, void *packed) {
  qrt_gemm_neon_pack(weights, NR, LEAST, KR, packed, pack_column);
}

/* ---- tiles ---- */

/* acc += the products with one of the four groups in each row's vector. */
QRT_INLINE int32x4_t dot(int32x4_t acc, int8x16_t w, int8x16_t a, const int lane) {
  switch (lane) {
    case 0:
      return vdotq_laneq_s32(acc, w, a, 0);
    case 1:
      return vdotq_laneq_s32(acc, w, a, 1);
    case 2:
      return vdotq_laneq_s32(acc, w, a, 2);
    default:
      return vdotq_laneq_s32(acc, w, a, 3);
  }
}

QRT_INLINE void step(size_t rows, size_t vectors, const int8x16_t *a, const int lane, const int8_t **w,
                     int32x4_t acc[MOST_ROWS][MOST_VECTORS]) {
#pragma GCC unroll 4
  for (size_t v = 0; v < vectors; v += 2) {
    const int8x16_t w0 = vld1q_s8(*w + 16 * v), w1 = vld1q_s8(*w + 16 * (v + 1));
#pragma GCC unroll 8
    for (size_t i = 0; i < rows; i++) {
      acc[i][v] = dot(acc[i][v], w0, a[i], lane);
      acc[i][v + 1] = dot(acc[i][v + 1], w1, a[i], lane);
    }
  }
  *w += 16 * vectors;
}

/* The n <= 4 bytes at byte `at` of each row and zeros behind them, once in every lane. */
QRT_INLINE void load4(size_t rows, const int8_t *const *a, ptrdiff_t at, size_t n, int8x16_t *x) {
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++) {
    int32_t group = 0;
    if (n == KR) {
      memcpy(&group, a[i] + at, sizeof group);
    } else {
      memcpy(&group, a[i] + at, n);
    }
    x[i] = vreinterpretq_s8_s32(vdupq_n_s32(group));
  }
}

/* `count` tiles, one below the other. */
QRT_INLINE void tiles(size_t rows, size_t vectors, size_t count, qrt_gemm_walk *walk, const qrt_gemm_panel *p,
                      int8_t *c) {
  const qrt_gemm_output output = qrt_gemm_output_make(p);
  const qrt_gemm_rows matrix = *p->rows;
  const size_t c_stride = p->c_stride;
  qrt_gemm_walk at = *walk;
  for (; count > 0; count--, c += rows * c_stride) {
    const int8_t *a[MOST_ROWS], *w = p->w;
    int32x4_t acc[MOST_ROWS][MOST_VECTORS];
    int8x16_t x[MOST_ROWS];
    qrt_gemm_take(&matrix, &at, rows, a);
#pragma GCC unroll 4
    for (size_t v = 0; v < vectors; v++) {
      const int32x4_t bias = vld1q_s32(output.bias + 4 * v);
#pragma GCC unroll 8
      for (size_t i = 0; i < rows; i++) acc[i][v] = bias;
    }
    for (size_t q = matrix.runs;;) {
      size_t left = matrix.run;
      for (; left >= STEP; left -= STEP) {
#pragma GCC unroll 8
        for (size_t i = 0; i < rows; i++) {
          x[i] = vld1q_s8(a[i]);
          a[i] += STEP;
        }
        step(rows, vectors, x, 0, &w, acc);
        step(rows, vectors, x, 1, &w, acc);
        step(rows, vectors, x, 2, &w, acc);
        step(rows, vectors, x, 3, &w, acc);
      }
      for (; left >= KR; left -= KR) {
        load4(rows, a, 0, KR, x);
        step(rows, vectors, x, 0, &w, acc);
#pragma GCC unroll 8
        for (size_t i = 0; i < rows; i++) a[i] += KR;
      }
      if (left > 0) {
        if (matrix.run < KR) {
          load4(rows, a, 0, left, x);
        } else {
          load4(rows, a, (ptrdiff_t)left - KR, KR, x);
        }
        step(rows, vectors, x, 0, &w, acc);
#pragma GCC unroll 8
        for (size_t i = 0; i < rows; i++) a[i] += left;
      }
      if (--q == 0) break;
#pragma GCC unroll 8
      for (size_t i = 0; i < rows; i++) a[i] += matrix.run_stride - matrix.run;
    }
    qrt_gemm_store(rows, vectors, acc, &output, c, c_stride);
  }
  *walk = at;
}

#define TILES(rows, vectors)                                                                                    \
  static void tiles_##rows##x##vectors(size_t count, qrt_gemm_walk *walk, const qrt_gemm_panel *p, int8_t *c) { \
    tiles(rows, vectors, count, walk, p, c);                                                                    \
  }

TILES(1, 4)
TILES(2, 4)
TILES(3, 4)
TILES(4, 4)
TILES(1, 2)
TILES(2, 2)
TILES(3, 2)
TILES(4, 2)
TILES(5, 2)
TILES(6, 2)
TILES(7, 2)
TILES(8, 2)

typedef void (*tiles_function)(size_t, qrt_gemm_walk *, const qrt_gemm_panel *, int8_t *);

static void run_panel(size_t m, size_t width, const qrt_gemm_panel *p, int8_t *c) {
  static const tiles_function of_16[] = {NULL, tiles_1x4, tiles_2x4, tiles_3x4, tiles_4x4};
  static const tiles_function of_8[] = {NULL,      tiles_1x2, tiles_2x2, tiles_3x2, tiles_4x2,
                                        tiles_5x2, tiles_6x2, tiles_7x2, tiles_8x2};
  const tiles_function *of = width == NR ? of_16 : of_8;
  const qrt_gemm_heights h = qrt_gemm_heights_of(m, width == NR ? 4 : 8);
  qrt_gemm_walk walk = qrt_gemm_first(p->rows);
  if (h.higher) of[h.height + 1](h.higher, &walk, p, c);
  of[h.height](h.count - h.higher, &walk, p, c + h.higher * (h.height + 1) * p->c_stride);
}

void qrt_gemm_qs8__neondot_4x16(size_t m, size_t n, const qrt_gemm_rows *rows, const void *packed,
                                const qrt_output_range *output, int8_t *c, size_t c_stride) {
  qrt_gemm_neon_run(m, n, rows, NR, LEAST, KR, packed, output, c, c_stride, run_panel);
}
