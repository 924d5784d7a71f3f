/* gemm_qs8__i8mm_4x16.c - 4 rows by 16 columns; smmla multiplies two rows by two columns, eight bytes deep, exactly.
 * What is left of n goes into a panel of 8 columns with tiles of 8 rows.
 *
 *   int8 w[runs][ceil(run / 8)][16 or 8][8]
 *
 * Instructions per inner step of 16 in depth, 4 x 16 x 16 multiply-adds: 32 smmla, 12 loads, 4 zips, 3 for the loop.
 */
#include "gemm_neon.h"

enum { NR = 16, LEAST = 8, KR = 8, STEP = 16, MOST_16 = 4, MOST_8 = 8, PAIRS = 4, MOST_TWOS = 8 };

size_t qrt_gemm_qs8__i8mm_4x16_packed_size(size_t n, size_t runs, size_t run) {
  return qrt_gemm_neon_size(n, NR, LEAST, qrt_gemm_depth(runs, run, KR));
}

static void pack_column(const int8_t *w, size_t runs, size_t run, size_t width, size_t at, int8_t *to) {
  for (size_t q = 0; q < runs; q++, w += run) {
    for (size_t p = 0; p < run; p += KR, to += width * KR) qrt_gemm_pack_group(w, run, p, KR, to + at * KR);
  }
}

void qrt_gemm_qs8__i8mm_4x16_pack(const qrt_gemm_weights *weights, void *packed) {
  qrt_gemm_neon_pack(weights, NR, LEAST, KR, packed, pack_column);
}

int qrt_gemm_qs8__i8mm_4x16_usable(const void *packed, size_t n, size_t runs, size_t run) {
  return qrt_gemm_neon_usable(packed, n, NR, LEAST, qrt_gemm_depth(runs, run, KR));
}

/* ---- sums ---- */

QRT_INLINE int8x16_t low_halves(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s64(vzip1q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
}

QRT_INLINE int8x16_t high_halves(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s64(vzip2q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
}

/* One group of 8 of each pair of rows times those of all columns, by two; w moves past them. */
QRT_INLINE void step(size_t pairs, size_t twos, const int8x16_t *x, const int8_t **w, int32x4_t acc[PAIRS][MOST_TWOS]) {
#pragma GCC unroll 8
  for (size_t v = 0; v < twos; v += 2) {
    int8x16_t columns[2];
    qrt_gemm_load32(w, columns);
#pragma GCC unroll 4
    for (size_t i = 0; i < pairs; i++) acc[i][v] = vmmlaq_s32(acc[i][v], x[i], columns[0]);
#pragma GCC unroll 4
    for (size_t i = 0; i < pairs; i++) acc[i][v + 1] = vmmlaq_s32(acc[i][v + 1], x[i], columns[1]);
  }
}

/* The group at byte `at` of each row, as far as the run's `n` bytes go; n < 8 only where rows are no longer. */
QRT_INLINE void load8(size_t rows, const int8_t *const *a, size_t at, size_t n, int8x16_t *x) {
#pragma GCC unroll 4
  for (size_t i = 0; i < rows; i += 2) {
    const size_t second = i + 1 < rows ? i + 1 : i;
    x[i / 2] = vcombine_s8(qrt_load_neon(a[i] + at, n), qrt_load_neon(a[second] + at, n));
  }
}

/* acc += all products of a tile. */
QRT_INLINE void sums(size_t rows, size_t twos, const int8_t *const *a, const qrt_gemm_rows *matrix, const int8_t *w,
                     int32x4_t acc[PAIRS][MOST_TWOS]) {
  const size_t pairs = (rows + 1) / 2;
  int8x16_t x[PAIRS], y[PAIRS];
  const size_t run = matrix->run, whole = run / STEP * STEP;
  for (size_t q = matrix->runs, from = 0; q > 0; q--, from += matrix->run_stride) {
    const size_t end = from + whole;
    size_t at = from;
    if (whole) {
      do {
#pragma GCC unroll 4
        for (size_t i = 0; i < rows; i += 2) {
          const int8x16_t first = vld1q_s8(a[i] + at), second = vld1q_s8(a[i + 1 < rows ? i + 1 : i] + at);
          x[i / 2] = low_halves(first, second);
          y[i / 2] = high_halves(first, second);
        }
        step(pairs, twos, x, &w, acc);
        step(pairs, twos, y, &w, acc);
        at += STEP;
      } while (at < end);
    }
    if (run - whole >= KR) {
      load8(rows, a, at, KR, x);
      step(pairs, twos, x, &w, acc);
    }
    if (run % KR) {
      if (run < KR) {
        load8(rows, a, at, run, x);
      } else {
        load8(rows, a, from + run - KR, KR, x);
      }
      step(pairs, twos, x, &w, acc);
    }
  }
}

/* ---- tiles ---- */

/* What belongs to a panel's columns in the order of sums: two of them, for the first row and for the second. */
typedef struct pair_columns {
  int32_t bias[2 * NR];
  float multiplier[2 * NR];
} pair_columns;

static void make_pair_columns(size_t width, const qrt_gemm_output *output, pair_columns *to) {
  for (size_t j = 0; j < width; j += 2) {
    const int32x2_t bias = vld1_s32(output->bias + j);
    const float32x2_t multiplier = vld1_f32(output->multiplier + j);
    vst1q_s32(to->bias + 2 * j, vcombine_s32(bias, bias));
    vst1q_f32(to->multiplier + 2 * j, vcombine_f32(multiplier, multiplier));
  }
}

/* Columns 4 * v to 4 * v + 3 of the first or second row of a pair. */
QRT_INLINE int32x4_t four(const int32x4_t acc[MOST_TWOS], size_t second, size_t v) {
  const int64x2_t left = vreinterpretq_s64_s32(acc[2 * v]), right = vreinterpretq_s64_s32(acc[2 * v + 1]);
  return vreinterpretq_s32_s64(second ? vzip2q_s64(left, right) : vzip1q_s64(left, right));
}

/* 8 columns of both rows of a pair, two by two; small ones, see requantize_neon.h. */
QRT_INLINE int16x8_t requantize(const int32x4_t acc[4], const float *multiplier, const qrt_range_neon *range) {
  float32x4_t x[4];
#pragma GCC unroll 4
  for (size_t v = 0; v < 4; v++) x[v] = vmulq_f32(vcvtq_f32_s32(acc[v]), vld1q_f32(multiplier + 4 * v));
  return vreinterpretq_s16_s8(qrt_round_clamp16_small_neon(x, range));
}

QRT_INLINE int8_t *store_columns(size_t twos, int8x16_t x, int8_t *c, size_t c_stride) {
  if (twos == MOST_TWOS) {
    vst1q_s8(c, x);
  } else {
    vst1_s8(c, vget_low_s8(x));
  }
  return qrt_gemm_below(c, c_stride);
}

/* All columns, of which there are 2 * twos, of small results in a range without a bound above; what follows in the
 * output. */
QRT_INLINE int8_t *store(size_t rows, size_t twos, int32x4_t acc[PAIRS][MOST_TWOS], const float *multiplier,
                         const qrt_range_neon *range, int8_t *c, size_t c_stride) {
#pragma GCC unroll 4
  for (size_t i = 0; i < rows; i += 2) {
    const int16x8_t left = requantize(acc[i / 2], multiplier, range);
    const int16x8_t right = twos == MOST_TWOS ? requantize(acc[i / 2] + 4, multiplier + 16, range) : left;
    const int8x16_t first = vreinterpretq_s8_s16(vuzp1q_s16(left, right));
    const int8x16_t second = vreinterpretq_s8_s16(vuzp2q_s16(left, right));
    c = store_columns(twos, first, c, c_stride);
    if (i + 1 < rows) c = store_columns(twos, second, c, c_stride);
  }
  return c;
}

/* `count` tiles of each panel, one below the other. The last of an odd number of rows is a pair with itself. */
QRT_INLINE void tiles(size_t rows, size_t twos, size_t count, qrt_gemm_walk *walk, const qrt_gemm_panels *p,
                      int8_t *c) {
  const qrt_gemm_rows matrix = *p->rows;
  const size_t c_stride = p->c_stride;
  qrt_gemm_walk place = *walk;
  qrt_gemm_output output = qrt_gemm_output_make(p);
  for (size_t j = 0; j < p->count; j++) {
    qrt_gemm_turn((const char *)p->bias + j * p->bytes, 2 * twos, p->special, &output);
    const int8_t *const weights = p->w + j * p->bytes;
    int8_t *to = c + j * p->c_step;
    pair_columns columns;
    make_pair_columns(2 * twos, &output, &columns);
    place = *walk;
    for (size_t left = count; left > 0; left--) {
      const int8_t *a[MOST_8];
      int32x4_t acc[PAIRS][MOST_TWOS];
      qrt_gemm_next_rows(rows, &matrix, &place, a);
#pragma GCC unroll 4
      for (size_t i = 0; i < rows; i += 2) {
#pragma GCC unroll 8
        for (size_t v = 0; v < twos; v += 2) qrt_gemm_load_sums(columns.bias + 4 * v, acc[i / 2] + v);
      }
      sums(rows, twos, a, &matrix, weights, acc);
      if (__builtin_expect(output.special, 0)) {
        int32x4_t row[MOST_8][4];
#pragma GCC unroll 8
        for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 4
          for (size_t v = 0; v < twos / 2; v++) row[i][v] = four(acc[i / 2], i % 2, v);
        }
        to = qrt_gemm_store(rows, twos / 2, row, &output, to, c_stride);
      } else {
        to = store(rows, twos, acc, columns.multiplier, &output.range, to, c_stride);
      }
    }
  }
  *walk = place;
}

#define TILES(rows, width)                                                                                     \
  static void tiles_##rows##x##width(size_t count, qrt_gemm_walk *walk, const qrt_gemm_panels *p, int8_t *c) { \
    tiles(rows, width / 2, count, walk, p, c);                                                                 \
  }

TILES(1, 16)
TILES(2, 16)
TILES(3, 16)
TILES(4, 16)
TILES(1, 8)
TILES(2, 8)
TILES(3, 8)
TILES(4, 8)
TILES(5, 8)
TILES(6, 8)
TILES(7, 8)
TILES(8, 8)

/* The first 8 bytes of a times a group of each of 16 columns: the lower halves of the sums. What lies behind them in a
 * makes of the upper halves something that nobody needs. w moves past the groups. */
QRT_INLINE void row(int8x16_t a, const int8_t **w, int32x4_t acc[MOST_TWOS]) {
  __asm__("ld1 {v16.16b-v19.16b}, [%0], #64\nld1 {v20.16b-v23.16b}, [%0], #64\n"
          "smmla %1.4s, %9.16b, v16.16b\nsmmla %2.4s, %9.16b, v17.16b\nsmmla %3.4s, %9.16b, v18.16b\n"
          "smmla %4.4s, %9.16b, v19.16b\nsmmla %5.4s, %9.16b, v20.16b\nsmmla %6.4s, %9.16b, v21.16b\n"
          "smmla %7.4s, %9.16b, v22.16b\nsmmla %8.4s, %9.16b, v23.16b"
          : "+r"(*w), "+w"(acc[0]), "+w"(acc[1]), "+w"(acc[2]), "+w"(acc[3]), "+w"(acc[4]), "+w"(acc[5]), "+w"(acc[6]),
            "+w"(acc[7])
          : "w"(a), "m"(*(const int8_t (*)[NR * KR]) * w)
          : "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23");
}

/* A single row whose depth is one run of at least 8, through panels of 16 columns that are whole: here what is done
 * once for each counts. */
static void one_row(const qrt_gemm_panels *p, int8_t *c) {
  const int8_t *const a = p->rows->a;
  const size_t run = p->rows->run, bytes = p->bytes, c_step = p->c_step;
  const int special = p->special;
  qrt_gemm_output output = qrt_gemm_output_make(p);
  const char *panel = (const char *)p->bias;
  for (size_t left = p->count; left > 0; left--, panel += bytes) {
    qrt_gemm_turn(panel, NR, special, &output);
    const int8_t *w = (const int8_t *)(output.multiplier + NR);
    int32x4_t acc[MOST_TWOS], sum[1][4];
    const int8_t *from = a;
#pragma GCC unroll 8
    for (size_t v = 0; v < MOST_TWOS; v++) acc[v] = vcombine_s32(vld1_s32(output.bias + 2 * v), vdup_n_s32(0));
    for (size_t steps = run / (4 * STEP); steps > 0; steps--) {
#pragma GCC unroll 2
      for (size_t i = 0; i < 2; i++) {
        int8x16_t two[2];
        qrt_gemm_load32(&from, two);
        row(two[0], &w, acc);
        row(high_halves(two[0], two[0]), &w, acc);
        row(two[1], &w, acc);
        row(high_halves(two[1], two[1]), &w, acc);
      }
    }
    for (size_t at = run / (4 * STEP) * (4 * STEP); at < run; at += KR) {
      const int8x8_t x = vld1_s8(a + (at + KR <= run ? at : run - KR));
      row(vcombine_s8(x, x), &w, acc);
    }
#pragma GCC unroll 4
    for (size_t v = 0; v < 4; v++) sum[0][v] = four(acc, 0, v);
    c = qrt_gemm_store(1, 4, sum, &output, c, c_step);
  }
}

static void run_panels(size_t m, const qrt_gemm_panels *p, int8_t *c) {
  static const qrt_gemm_tiles of_16[] = {NULL, tiles_1x16, tiles_2x16, tiles_3x16, tiles_4x16};
  static const qrt_gemm_tiles of_8[] = {NULL,      tiles_1x8, tiles_2x8, tiles_3x8, tiles_4x8,
                                        tiles_5x8, tiles_6x8, tiles_7x8, tiles_8x8};
  if (m == 1 && p->rows->runs == 1 && p->rows->run >= KR && p->columns == NR) {
    one_row(p, c);
  } else {
    qrt_gemm_run_tiles(m, p->width == NR ? of_16 : of_8, p->width == NR ? MOST_16 : MOST_8, p, c);
  }
}

void qrt_gemm_qs8__i8mm_4x16(size_t m, size_t n, const qrt_gemm_rows *rows, const void *packed,
                             const qrt_output_range *output, int8_t *c, size_t c_stride) {
  qrt_gemm_neon_run(m, n, rows, NR, LEAST, KR, 0, packed, output, c, c_stride, run_panels);
}
