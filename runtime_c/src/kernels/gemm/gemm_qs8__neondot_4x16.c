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

/* One group of each row, in `lane` of its vector, times one of each column. */
QRT_INLINE void step(size_t rows, size_t vectors, const int8x16_t *a, const int lane, const int8_t *w,
                     int32x4_t acc[MOST_ROWS][MOST_VECTORS]) {
  if (rows == 1 && vectors == 4) {
    int8x16_t column[4];
    qrt_gemm_load64(w, column);
#pragma GCC unroll 4
    for (size_t v = 0; v < 4; v++) acc[0][v] = dot(acc[0][v], column[v], a[0], lane);
    return;
  }
#pragma GCC unroll 4
  for (size_t v = 0; v < vectors; v += 2) {
    const int8x16_t w0 = vld1q_s8(w + 16 * v), w1 = vld1q_s8(w + 16 * (v + 1));
#pragma GCC unroll 8
    for (size_t i = 0; i < rows; i++) {
      acc[i][v] = dot(acc[i][v], w0, a[i], lane);
      acc[i][v + 1] = dot(acc[i][v + 1], w1, a[i], lane);
    }
  }
}

/* The n <= 4 bytes at byte `at` of each row and zeros behind them, once in every lane. */
QRT_INLINE void load4(size_t rows, const int8_t *const *a, size_t at, size_t n, int8x16_t *x) {
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++) {
    int32_t group = 0;
    memcpy(&group, a[i] + at, n);
    x[i] = vreinterpretq_s8_s32(vdupq_n_s32(group));
  }
}

/* `count` tiles of each panel, one below the other. `tiny`: runs are shorter than a group. */
QRT_INLINE void tiles(size_t rows, size_t vectors, int tiny, size_t count, qrt_gemm_walk *walk,
                      const qrt_gemm_panels *p, int8_t *c) {
  const qrt_gemm_rows matrix = *p->rows;
  const size_t c_stride = p->c_stride, group = 16 * vectors;
  qrt_gemm_walk place = *walk;
  for (size_t j = 0; j < p->count; j++) {
    const qrt_gemm_output output = qrt_gemm_output_make(p, j);
    int8_t *to = c + j * p->c_step;
    place = *walk;
    for (size_t left = count; left > 0; left--, to += rows * c_stride) {
      const int8_t *a[MOST_ROWS], *w = p->w + j * p->bytes;
      int32x4_t acc[MOST_ROWS][MOST_VECTORS];
      int8x16_t x[MOST_ROWS];
      qrt_gemm_take(&matrix, &place, rows, a);
#pragma GCC unroll 4
      for (size_t v = 0; v < vectors; v++) {
        const int32x4_t bias = vld1q_s32(output.bias + 4 * v);
#pragma GCC unroll 8
        for (size_t i = 0; i < rows; i++) acc[i][v] = bias;
      }
      for (size_t q = 0, from = 0; q < matrix.runs; q++, from += matrix.run_stride) {
        const size_t end = from + matrix.run;
        size_t at = from;
        if (tiny) {
          load4(rows, a, at, matrix.run, x);
          step(rows, vectors, x, 0, w, acc);
          w += group;
          continue;
        }
        for (; at + STEP <= end; at += STEP, w += 4 * group) {
#pragma GCC unroll 8
          for (size_t i = 0; i < rows; i++) x[i] = vld1q_s8(a[i] + at);
          step(rows, vectors, x, 0, w, acc);
          step(rows, vectors, x, 1, w + group, acc);
          step(rows, vectors, x, 2, w + 2 * group, acc);
          step(rows, vectors, x, 3, w + 3 * group, acc);
        }
        if (at + STEP / 2 <= end) {
#pragma GCC unroll 8
          for (size_t i = 0; i < rows; i++) x[i] = vcombine_s8(vld1_s8(a[i] + at), vdup_n_s8(0));
          step(rows, vectors, x, 0, w, acc);
          step(rows, vectors, x, 1, w + group, acc);
          at += STEP / 2;
          w += 2 * group;
        }
        for (; at < end; at += KR, w += group) {
          load4(rows, a, at < end - KR ? at : end - KR, KR, x);
          step(rows, vectors, x, 0, w, acc);
        }
      }
      qrt_gemm_store(rows, vectors, acc, &output, to, c_stride);
    }
  }
  *walk = place;
}

#define TILES(name, rows, vectors, tiny)                                                             \
  static void tiles_##name(size_t count, qrt_gemm_walk *walk, const qrt_gemm_panels *p, int8_t *c) { \
    tiles(rows, vectors, tiny, count, walk, p, c);                                                   \
  }

TILES(1x16, 1, 4, 0)
TILES(2x16, 2, 4, 0)
TILES(3x16, 3, 4, 0)
TILES(4x16, 4, 4, 0)
TILES(1x16_tiny, 1, 4, 1)
TILES(1x8, 1, 2, 0)
TILES(2x8, 2, 2, 0)
TILES(3x8, 3, 2, 0)
TILES(4x8, 4, 2, 0)
TILES(5x8, 5, 2, 0)
TILES(6x8, 6, 2, 0)
TILES(7x8, 7, 2, 0)
TILES(8x8, 8, 2, 0)
TILES(1x8_tiny, 1, 2, 1)

typedef void (*tiles_function)(size_t, qrt_gemm_walk *, const qrt_gemm_panels *, int8_t *);

static void run_panels(size_t m, const qrt_gemm_panels *p, int8_t *c) {
  static const tiles_function of_16[] = {NULL, tiles_1x16, tiles_2x16, tiles_3x16, tiles_4x16};
  static const tiles_function of_8[] = {NULL,      tiles_1x8, tiles_2x8, tiles_3x8, tiles_4x8,
                                        tiles_5x8, tiles_6x8, tiles_7x8, tiles_8x8};
  const tiles_function *of = p->width == NR ? of_16 : of_8;
  const qrt_gemm_heights h = qrt_gemm_heights_of(m, p->width == NR ? 4 : 8);
  qrt_gemm_walk walk = qrt_gemm_first(p->rows);
  if (p->rows->run < KR) {
    (p->width == NR ? tiles_1x16_tiny : tiles_1x8_tiny)(m, &walk, p, c);
    return;
  }
  if (h.higher) of[h.height + 1](h.higher, &walk, p, c);
  of[h.height](h.count - h.higher, &walk, p, c + h.higher * (h.height + 1) * p->c_stride);
}

void qrt_gemm_qs8__neondot_4x16(size_t m, size_t n, const qrt_gemm_rows *rows, const void *packed,
                                const qrt_output_range *output, int8_t *c, size_t c_stride) {
  qrt_gemm_neon_run(m, n, rows, NR, LEAST, KR, packed, output, c, c_stride, run_panels);
}
