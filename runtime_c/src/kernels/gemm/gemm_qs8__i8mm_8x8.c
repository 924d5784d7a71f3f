/* gemm_qs8__i8mm_8x8.c - 8 rows by 8 columns; smmla multiplies two rows by two columns, eight bytes deep, exactly.
 *
 *   int8 w[runs][ceil(run / 8)][8][8]
 */
#include "gemm_neon.h"

enum { NR = 8, KR = 8, STEP = 16, MOST_ROWS = 8, PAIRS = 4 };

size_t qrt_gemm_qs8__i8mm_8x8_packed_size(size_t n, size_t runs, size_t run) {
  return qrt_gemm_neon_size(n, NR, NR, qrt_gemm_depth(runs, run, KR));
}

static void pack_column(const int8_t *w, size_t runs, size_t run, size_t width, size_t at, int8_t *to) {
  for (size_t q = 0; q < runs; q++, w += run) {
    for (size_t p = 0; p < run; p += KR, to += width * KR) qrt_gemm_pack_group(w, run, p, KR, to + at * KR);
  }
}

void qrt_gemm_qs8__i8mm_8x8_pack(const qrt_gemm_weights *weights, void *packed) {
  qrt_gemm_neon_pack(weights, NR, NR, KR, packed, pack_column);
}

/* ---- tiles ---- */

QRT_INLINE int8x16_t low_halves(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s64(vzip1q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
}

QRT_INLINE int8x16_t high_halves(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s64(vzip2q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
}

/* One group of 8 of each pair of rows. */
QRT_INLINE void step(size_t pairs, const int8x16_t *x, const int8_t **w, int32x4_t acc[PAIRS][NR / 2]) {
#pragma GCC unroll 4
  for (size_t v = 0; v < NR / 2; v++, *w += 2 * KR) {
    const int8x16_t columns = vld1q_s8(*w);
#pragma GCC unroll 4
    for (size_t i = 0; i < pairs; i++) acc[i][v] = vmmlaq_s32(acc[i][v], x[i], columns);
  }
}

/* The group at byte `at` of each row, as far as the run's `n` bytes go; n < 8 only where rows are no longer. */
QRT_INLINE void load8(size_t rows, const int8_t *const *a, ptrdiff_t at, size_t n, int8x16_t *x) {
#pragma GCC unroll 4
  for (size_t i = 0; i < rows; i += 2) {
    const size_t second = i + 1 < rows ? i + 1 : i;
    x[i / 2] = vcombine_s8(qrt_load_neon(a[i] + at, n), qrt_load_neon(a[second] + at, n));
  }
}

QRT_INLINE void advance(size_t rows, const int8_t **a, size_t bytes) {
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++) a[i] += bytes;
}

/* `count` tiles of each panel, one below the other. The last of an odd number of rows is a pair with itself. */
QRT_INLINE void tiles(size_t rows, size_t count, qrt_gemm_walk *walk, const qrt_gemm_panels *p, int8_t *c) {
  const qrt_gemm_rows matrix = *p->rows;
  const size_t c_stride = p->c_stride, pairs = (rows + 1) / 2;
  qrt_gemm_walk place = *walk;
  for (size_t j = 0; j < p->count; j++) {
    const qrt_gemm_output output = qrt_gemm_output_make(p, j);
    int8_t *to = c + j * p->c_step;
    place = *walk;
    for (size_t tile = 0; tile < count; tile++, to += rows * c_stride) {
      const int8_t *a[MOST_ROWS], *w = p->w + j * p->bytes;
      int32x4_t acc[PAIRS][NR / 2], row[MOST_ROWS][4];
      int8x16_t x[PAIRS], y[PAIRS];
      qrt_gemm_take(&matrix, &place, rows, a);
#pragma GCC unroll 4
      for (size_t v = 0; v < NR / 2; v++) {
        const int32x2_t bias = vld1_s32(output.bias + 2 * v);
#pragma GCC unroll 4
        for (size_t i = 0; i < pairs; i++) acc[i][v] = vcombine_s32(bias, bias);
      }
      for (size_t q = matrix.runs;;) {
        size_t left = matrix.run;
        for (; left >= STEP; left -= STEP) {
#pragma GCC unroll 4
          for (size_t i = 0; i < rows; i += 2) {
            const int8x16_t first = vld1q_s8(a[i]), second = vld1q_s8(a[i + 1 < rows ? i + 1 : i]);
            x[i / 2] = low_halves(first, second);
            y[i / 2] = high_halves(first, second);
          }
          advance(rows, a, STEP);
          step(pairs, x, &w, acc);
          step(pairs, y, &w, acc);
        }
        if (left >= KR) {
          load8(rows, a, 0, KR, x);
          step(pairs, x, &w, acc);
          advance(rows, a, KR);
          left -= KR;
        }
        if (left > 0) {
          if (matrix.run < KR) {
            load8(rows, a, 0, left, x);
          } else {
            load8(rows, a, (ptrdiff_t)left - KR, KR, x);
          }
          step(pairs, x, &w, acc);
          advance(rows, a, left);
        }
        if (--q == 0) break;
        advance(rows, a, matrix.run_stride - matrix.run);
      }
#pragma GCC unroll 8
      for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 2
        for (size_t v = 0; v < 2; v++) {
          const int64x2_t left = vreinterpretq_s64_s32(acc[i / 2][2 * v]);
          const int64x2_t right = vreinterpretq_s64_s32(acc[i / 2][2 * v + 1]);
          row[i][v] = vreinterpretq_s32_s64(i % 2 ? vzip2q_s64(left, right) : vzip1q_s64(left, right));
        }
      }
      qrt_gemm_store(rows, 2, row, &output, to, c_stride);
    }
  }
  *walk = place;
}

#define TILES(rows)                                                                                  \
  static void tiles_##rows(size_t count, qrt_gemm_walk *walk, const qrt_gemm_panels *p, int8_t *c) { \
    tiles(rows, count, walk, p, c);                                                                  \
  }

TILES(1)
TILES(2)
TILES(3)
TILES(4)
TILES(5)
TILES(6)
TILES(7)
TILES(8)

static void run_panels(size_t m, const qrt_gemm_panels *p, int8_t *c) {
  static void (*const of[])(size_t, qrt_gemm_walk *, const qrt_gemm_panels *, int8_t *) = {
      NULL, tiles_1, tiles_2, tiles_3, tiles_4, tiles_5, tiles_6, tiles_7, tiles_8};
  const qrt_gemm_heights h = qrt_gemm_heights_of(m, MOST_ROWS);
  qrt_gemm_walk walk = qrt_gemm_first(p->rows);
  if (h.higher) of[h.height + 1](h.higher, &walk, p, c);
  of[h.height](h.count - h.higher, &walk, p, c + h.higher * (h.height + 1) * p->c_stride);
}

void qrt_gemm_qs8__i8mm_8x8(size_t m, size_t n, const qrt_gemm_rows *rows, const void *packed,
                            const qrt_output_range *output, int8_t *c, size_t c_stride) {
  qrt_gemm_neon_run(m, n, rows, NR, NR, KR, packed, output, c, c_stride, run_panels);
}
