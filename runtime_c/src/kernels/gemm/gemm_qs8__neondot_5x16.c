/* gemm_qs8__neondot_5x16.c - 5 rows by 16 columns; depth in groups of four bytes, whose products sdot sums exactly.
 * What is left of n goes into a panel of 8 columns with tiles of 8 rows.
 *
 *   int8 w[runs][ceil(run / 4)][16 or 8][4]
 *
 * Instructions per inner step of 32 in depth, 5 x 16 x 32 multiply-adds: 160 sdot, 13 loads, 2 for the loop.
 */
#include "gemm_tile_neondot.h"

enum { NR = 16, LEAST = 8, KR = 4, STEP = 16, MOST_16 = 5, MOST_8 = 8, MOST_VECTORS = 4 };

/* ---- packing ---- */

size_t qrt_gemm_qs8__neondot_5x16_packed_size(size_t n, size_t runs, size_t run) {
  return qrt_gemm_neon_size(n, NR, LEAST, qrt_gemm_depth(runs, run, KR));
}

static void pack_column(const int8_t *w, size_t runs, size_t run, size_t width, size_t at, int8_t *to) {
  for (size_t q = 0; q < runs; q++, w += run) {
    for (size_t p = 0; p < run; p += KR, to += width * KR) qrt_gemm_pack_group(w, run, p, KR, to + at * KR);
  }
}

void qrt_gemm_qs8__neondot_5x16_pack(const qrt_gemm_weights *weights, void *packed) {
  qrt_gemm_neon_pack(weights, NR, LEAST, KR, packed, pack_column);
}

int qrt_gemm_qs8__neondot_5x16_usable(const void *packed, size_t n, size_t runs, size_t run) {
  return qrt_gemm_neon_usable(packed, n, NR, LEAST, qrt_gemm_depth(runs, run, KR));
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

/* One group of each row, in `lane` of its vector, times one of each column; w moves past them. */
QRT_INLINE void step(size_t rows, size_t vectors, const int8x16_t *a, const int lane, const int8_t **w,
                     int32x4_t acc[MOST_8][MOST_VECTORS]) {
#pragma GCC unroll 4
  for (size_t v = 0; v < vectors; v += 2) {
    int8x16_t columns[2];
    qrt_gemm_load32(w, columns);
#pragma GCC unroll 8
    for (size_t i = 0; i < rows; i++) acc[i][v] = dot(acc[i][v], columns[0], a[i], lane);
#pragma GCC unroll 8
    for (size_t i = 0; i < rows; i++) acc[i][v + 1] = dot(acc[i][v + 1], columns[1], a[i], lane);
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
  const size_t c_stride = p->c_stride, whole = matrix.run / STEP * STEP, left = matrix.run - whole;
  qrt_gemm_walk place = *walk;
  qrt_gemm_output output = qrt_gemm_output_make(p);
  for (size_t j = 0; j < p->count; j++) {
    qrt_gemm_turn((const char *)p->bias + j * p->bytes, 4 * vectors, p->special, &output);
    const int8_t *const weights = p->w + j * p->bytes;
    int8_t *to = c + j * p->c_step;
    place = *walk;
    for (size_t tile = count; tile > 0; tile--) {
      const int8_t *a[MOST_8], *w = weights;
      int32x4_t acc[MOST_8][MOST_VECTORS];
      int8x16_t x[MOST_8];
      qrt_gemm_next_rows(rows, &matrix, &place, a);
#pragma GCC unroll 8
      for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v += 2) qrt_gemm_load_sums(output.bias + 4 * v, acc[i] + v);
      }
      for (size_t q = matrix.runs, from = 0; q > 0; q--, from += matrix.run_stride) {
        const size_t end = from + whole;
        size_t at = from;
        if (tiny) {
          load4(rows, a, at, matrix.run, x);
          step(rows, vectors, x, 0, &w, acc);
          continue;
        }
        if (whole) {
          do {
#pragma GCC unroll 8
            for (size_t i = 0; i < rows; i++) x[i] = vld1q_s8(a[i] + at);
            step(rows, vectors, x, 0, &w, acc);
            step(rows, vectors, x, 1, &w, acc);
            step(rows, vectors, x, 2, &w, acc);
            step(rows, vectors, x, 3, &w, acc);
            at += STEP;
          } while (at < end);
        }
        if (left >= STEP / 2) {
#pragma GCC unroll 8
          for (size_t i = 0; i < rows; i++) x[i] = vcombine_s8(vld1_s8(a[i] + at), vdup_n_s8(0));
          step(rows, vectors, x, 0, &w, acc);
          step(rows, vectors, x, 1, &w, acc);
          at += STEP / 2;
        }
        for (const size_t run_end = end + left; at < run_end; at += KR) {
          load4(rows, a, at < run_end - KR ? at : run_end - KR, KR, x);
          step(rows, vectors, x, 0, &w, acc);
        }
      }
      to = qrt_gemm_store(rows, vectors, acc, &output, to, c_stride);
    }
  }
  *walk = place;
}

#define TILES(name, rows, vectors, tiny)                                                             \
  static void tiles_##name(size_t count, qrt_gemm_walk *walk, const qrt_gemm_panels *p, int8_t *c) { \
    tiles(rows, vectors, tiny, count, walk, p, c);                                                   \
  }

TILES(1x8, 1, 2, 0)
TILES(2x8, 2, 2, 0)
TILES(3x8, 3, 2, 0)
TILES(4x8, 4, 2, 0)
TILES(5x8, 5, 2, 0)
TILES(6x8, 6, 2, 0)
TILES(7x8, 7, 2, 0)
TILES(8x8, 8, 2, 0)
TILES(1x8_tiny, 1, 2, 1)
TILES(1x16_tiny, 1, 4, 1)

/* ---- tiles of 16 columns ---- */

QRT_TILE(1)
QRT_TILE(2)
QRT_TILE(3)
QRT_TILE(4)
QRT_TILE(5)

static void (*const tile_of[])(size_t, const qrt_gemm_course *, size_t, const void *, const int8_t *, qrt_gemm_walk *,
                               int8_t *) = {NULL, tile_1, tile_2, tile_3, tile_4, tile_5};

static size_t kind_of(const qrt_range_neon *range) {
  return (range->odd ? ODD | ADJUSTED : 0) | (range->raised ? RAISED | ADJUSTED : 0);
}

static void fuse(const int32_t *bias, const float *multiplier, qrt_gemm_fused *to) {
#pragma GCC unroll 4
  for (size_t v = 0; v < NR; v += 4) {
    const float32x4_t m = vld1q_f32(multiplier + v);
    vst1q_s32(to->bias + v, vaddq_s32(vld1q_s32(bias + v), vdupq_n_s32(0x4b000000)));
    vst1q_f32(to->multiplier + v, m);
    vst1q_f32(to->minus + v, vmulq_n_f32(m, -8388608.0f));
  }
}

/* `count` tiles of a panel that is special, one below the other. */
static void special_16(size_t rows, size_t count, const qrt_gemm_course *course, const qrt_gemm_panels *p, size_t panel,
                       qrt_gemm_walk *walk, int8_t *c) {
  qrt_gemm_output output = qrt_gemm_output_make(p);
  qrt_gemm_course raw = *course;
  int32_t sums[MOST_16 * NR];
  raw.c_stride = NR * sizeof *sums;
  qrt_gemm_turn((const char *)p->bias + panel * p->bytes, NR, p->special, &output);
  for (; count > 0; count--, c += rows * p->c_stride) {
    tile_of[rows](1, &raw, RAW, output.bias, p->w + panel * p->bytes, walk, (int8_t *)sums);
    qrt_gemm_finish(rows, NR, sums, &output, c, p->c_stride);
  }
}

/* `count` tiles of each panel. */
static void tiles_16(size_t rows, size_t count, qrt_gemm_walk *walk, const qrt_gemm_panels *p, int8_t *c) {
  const qrt_gemm_rows *matrix = p->rows;
  const size_t used = matrix->run / KR * KR, more = matrix->runs - 1, kind = kind_of(p->range);
  const size_t steps = matrix->run / (2 * STEP), rest = matrix->run % (2 * STEP), gap = matrix->run_stride - used;
  const int whole = rows == MOST_16 && steps && rest % STEP == 0; /* then all runs end where the next begin */
  const qrt_gemm_course course = {.range = p->range,
                                  .width = matrix->width,
                                  .stride = matrix->x_stride,
                                  .skip = matrix->y_stride - matrix->width * matrix->x_stride,
                                  .kind = steps ? (rest & STEP ? SIXTEEN : 0) | (rest % STEP ? LEFT : 0) : 0,
                                  .steps = steps,
                                  .rest = rest,
                                  .more = more,
                                  .gap = gap,
                                  .next = matrix->x_stride - more * matrix->run_stride - used - (whole ? gap : 0),
                                  .last = 2 * STEP + (whole ? gap : 0),
                                  .c_stride = p->c_stride};
  const char *bias = (const char *)p->bias;
  const qrt_gemm_walk first = *walk;
  for (size_t j = 0; j < p->count; j++, bias += p->bytes, c += p->c_step) {
    const int32_t size = p->special ? 0 : qrt_gemm_size_of(bias);
    const int8_t *w = (const int8_t *)bias + NR * (sizeof(int32_t) + sizeof(float));
    qrt_gemm_fused fused;
    *walk = first;
    if (!(size & QRT_GEMM_SMALL)) {
      special_16(rows, count, &course, p, j, walk, c);
    } else if (size & QRT_GEMM_SHORT_SUMS && p->range->relu) {
      fuse((const int32_t *)(const void *)bias, (const float *)(const void *)bias + NR, &fused);
      tile_of[rows](count, &course, kind | FUSED, &fused, w, walk, c);
    } else {
      tile_of[rows](count, &course, kind, bias, w, walk, c);
    }
  }
}

#define TILES_16(rows)                                                                                    \
  static void tiles_##rows##x16(size_t count, qrt_gemm_walk *walk, const qrt_gemm_panels *p, int8_t *c) { \
    tiles_16(rows, count, walk, p, c);                                                                    \
  }

TILES_16(1)
TILES_16(2)
TILES_16(3)
TILES_16(4)
TILES_16(5)

/* ---- one row ---- */

/* A single row whose depth is one run, through panels of 16 columns that are whole: here what is done once for each
 * counts. */
static void one_row(const qrt_gemm_panels *p, int8_t *c) {
  const qrt_gemm_rows *rows = p->rows;
  const int8_t *bias = (const int8_t *)p->bias;
  for (size_t left = p->count; left > 0; left--, bias += p->bytes, c += NR) {
    left = one_row_16(left, rows->a, rows->run, p->bytes, kind_of(p->range), p->range, &bias, &c);
    if (left == 0) return;
    qrt_gemm_panels large = *p;
    qrt_gemm_walk walk = qrt_gemm_first(rows);
    large.count = 1;
    large.bias = (const int32_t *)(const void *)bias;
    large.multiplier = (const float *)(large.bias + NR);
    large.w = (const int8_t *)(large.multiplier + NR);
    tiles_16(1, 1, &walk, &large, c);
  }
}

static void run_panels(size_t m, const qrt_gemm_panels *p, int8_t *c) {
  static const qrt_gemm_tiles of_16[] = {NULL, tiles_1x16, tiles_2x16, tiles_3x16, tiles_4x16, tiles_5x16};
  static const qrt_gemm_tiles of_8[] = {NULL,      tiles_1x8, tiles_2x8, tiles_3x8, tiles_4x8,
                                        tiles_5x8, tiles_6x8, tiles_7x8, tiles_8x8};
  if (p->rows->run < KR) {
    qrt_gemm_walk walk = qrt_gemm_first(p->rows);
    (p->width == NR ? tiles_1x16_tiny : tiles_1x8_tiny)(m, &walk, p, c);
  } else if (m == 1 && p->rows->runs == 1 && p->width == NR && !p->special) {
    one_row(p, c);
  } else {
    qrt_gemm_run_tiles(m, p->width == NR ? of_16 : of_8, p->width == NR ? MOST_16 : MOST_8, p, c);
  }
}

void qrt_gemm_qs8__neondot_5x16(size_t m, size_t n, const qrt_gemm_rows *rows, const void *packed,
                                const qrt_output_range *output, int8_t *c, size_t c_stride) {
  qrt_gemm_neon_run(m, n, rows, NR, LEAST, KR, 0, packed, output, c, c_stride, run_panels);
}
