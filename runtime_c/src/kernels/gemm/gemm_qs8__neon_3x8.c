/* gemm_qs8__neon_3x8.c - 3 rows by 8 columns; depth in groups of 16, as pairs of int8 products that are added in int16
 * (smull, smlal2) and then, neighbours together, to one of four int32 sums (sadalp). On 32-bit ARM, with half as many
 * registers, 2 rows by 4 columns, twice.
 *
 * A pair can leave int16 only if both its weights are -128. Where the weights of a panel have such a pair, and where
 * runs are too short for a load, every product goes into the sums on its own, one row at a time.
 *
 *   int8 w[runs][ceil(run / 8) / 2][8][16], then [8][8] if a group of 8 is left
 *
 * Instructions per inner step of 16 in depth, 3 x 8 x 16 multiply-adds: 24 smull, 24 smlal2, 24 sadalp, 7 loads, 3 for
 * the loop.
 */
#include "gemm_neon.h"

enum { NR = 8, KR = 8, STEP = 16 };

#if defined(__aarch64__)
enum { MR = 3, COLUMNS = 8 };
#else
enum { MR = 2, COLUMNS = 4 };
#endif

/* ---- packing ---- */

size_t qrt_gemm_qs8__neon_3x8_packed_size(size_t n, size_t runs, size_t run) {
  return qrt_gemm_neon_size(n, NR, NR, qrt_gemm_depth(runs, run, KR));
}

static void pack_column(const int8_t *w, size_t runs, size_t run, size_t width, size_t at, int8_t *to) {
  for (size_t q = 0; q < runs; q++, w += run) {
    for (size_t p = 0; p < run; p += STEP) {
      const size_t size = run - p > KR ? STEP : KR;
      for (size_t half = 0; half < size; half += KR) {
        qrt_gemm_pack_group(w, run, p + half, KR, to + at * size + half);
      }
      to += width * size;
    }
  }
}

/* Does a group of 16 have two weights of -128 that would be added in int16? */
static int has_wide_pair(const int8_t *w, size_t columns, size_t runs, size_t run) {
  for (size_t q = 0; q < runs; q++) {
    for (size_t p = 0; p < run; p += STEP) {
      const size_t size = run - p > KR ? STEP : KR;
      for (size_t i = 0; size == STEP && i < columns * STEP; i++) {
        if (i % STEP < KR && w[i] == -128 && w[i + KR] == -128) return 1;
      }
      w += columns * size;
    }
  }
  return 0;
}

void qrt_gemm_qs8__neon_3x8_pack(const qrt_gemm_weights *weights, void *packed) {
  const size_t runs = weights->runs, run = weights->run, depth = qrt_gemm_depth(runs, run, KR);
  const int gathers = qrt_gemm_gathers(runs, run, KR);
  qrt_gemm_neon_pack(weights, NR, NR, KR, packed, pack_column);
  for (size_t j = 0; j < weights->n; j += NR) {
    char *panel = (char *)packed + j / NR * qrt_gemm_panel_bytes(NR, depth);
    const int8_t *w = (const int8_t *)panel + QRT_GEMM_HEADER + NR * (sizeof(int32_t) + sizeof(float));
    *(int32_t *)panel = (!gathers && run < KR) || has_wide_pair(w, NR, gathers ? 1 : runs, gathers ? depth : run);
  }
}

/* ---- sums ---- */

/* acc + the products of 8 bytes, neighbours added. */
QRT_INLINE int32x4_t add8(int32x4_t acc, int8x8_t a, int8x8_t w) {
  return vpadalq_s16(acc, vmull_s8(a, w));
}

QRT_INLINE int16x8_t multiply16(int8x16_t a, int8x16_t w) {
#if defined(__aarch64__)
  return vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(w)), a, w);
#else
  return vmlal_s8(vmull_s8(vget_low_s8(a), vget_low_s8(w)), vget_high_s8(a), vget_high_s8(w));
#endif
}

#if defined(__aarch64__)
/* Two columns of three rows, in the order that a CPU without reordering likes; left to itself, gcc fetches columns
 * ahead until it runs out of registers. `add` is sadalp or, for the first group of a sum, saddlp. */
#define QRT_COLUMN(w, add, acc0, acc1, acc2)                                                          \
  "smull %[pair0].8h, %[a0].8b, %[" w "].8b\n"                                                        \
  "smull %[pair1].8h, %[a1].8b, %[" w "].8b\n"                                                        \
  "smull %[pair2].8h, %[a2].8b, %[" w "].8b\n"                                                        \
  "smlal2 %[pair0].8h, %[a0].16b, %[" w "].16b\n"                                                     \
  "smlal2 %[pair1].8h, %[a1].16b, %[" w "].16b\n"                                                     \
  "smlal2 %[pair2].8h, %[a2].16b, %[" w "].16b\n" add " %[" acc0 "].4s, %[pair0].8h\n" add " %[" acc1 \
  "].4s, %[pair1].8h\n" add " %[" acc2 "].4s, %[pair2].8h\n"
#define QRT_COLUMNS(add, kind)                                                                                \
  __asm__("ldp %q[w0], %q[w1], [%[w]], #32\n" QRT_COLUMN("w0", add, "acc00", "acc10", "acc20")                \
              QRT_COLUMN("w1", add, "acc01", "acc11", "acc21")                                                \
          : [pair0] "=&w"(pair0), [pair1] "=&w"(pair1), [pair2] "=&w"(pair2), [w0] "=&w"(w0), [w1] "=&w"(w1), \
            [w] "+r"(*w), [acc00] kind(acc[0][j]), [acc10] kind(acc[1][j]), [acc20] kind(acc[2][j]),          \
            [acc01] kind(acc[0][j + 1]), [acc11] kind(acc[1][j + 1]), [acc21] kind(acc[2][j + 1])             \
          : [a0] "w"(a[0]), [a1] "w"(a[1]), [a2] "w"(a[2]), "m"(*(const int8_t (*)[2 * STEP]) * w))

QRT_INLINE void columns3(int first, const int8x16_t *a, const int8_t **w, int32x4_t acc[MR][COLUMNS], size_t j) {
  int16x8_t pair0, pair1, pair2;
  int8x16_t w0, w1;
  if (first) {
    QRT_COLUMNS("saddlp", "=&w");
  } else {
    QRT_COLUMNS("sadalp", "+w");
  }
}
#endif

/* A group of 16 for each row; w moves past its columns. */
QRT_INLINE void step16(size_t rows, int first, const int8x16_t *a, const int8_t **w, int32x4_t acc[MR][COLUMNS]) {
#if defined(__aarch64__)
  if (rows == 3) {
#pragma GCC unroll 4
    for (size_t j = 0; j < COLUMNS; j += 2) columns3(first, a, w, acc, j);
    return;
  }
#endif
#pragma GCC unroll 2
  for (size_t j = 0; j < COLUMNS; j += 4, *w += 4 * STEP) {
    int8x16_t column[4];
    qrt_gemm_load64(*w, column);
#pragma GCC unroll 4
    for (size_t k = 0; k < 4; k++) {
#pragma GCC unroll 3
      for (size_t i = 0; i < rows; i++) {
        const int16x8_t pair = multiply16(a[i], column[k]);
        acc[i][j + k] = first ? vpaddlq_s16(pair) : vpadalq_s16(acc[i][j + k], pair);
      }
    }
  }
}

QRT_INLINE void step8(size_t rows, const int8x8_t *a, const int8_t *w, int32x4_t acc[MR][COLUMNS]) {
#pragma GCC unroll 8
  for (size_t j = 0; j < COLUMNS; j++) {
    const int8x8_t w8 = vld1_s8(w + KR * j);
#pragma GCC unroll 3
    for (size_t i = 0; i < rows; i++) acc[i][j] = add8(acc[i][j], a[i], w8);
  }
}

/* The next group of 16 for each row. */
QRT_INLINE void load16(size_t rows, const int8_t **a, int8x16_t *x) {
#pragma GCC unroll 3
  for (size_t i = 0; i < rows; i++) {
    x[i] = vld1q_s8(a[i]);
    a[i] += STEP;
  }
}

/* What is left of a run behind its groups of 16, where a is; w moves past the columns. */
QRT_INLINE void rest(size_t rows, const int8_t *const *a, size_t left, const int8_t **w, int32x4_t acc[MR][COLUMNS]) {
  if (left > KR) {
    int8x16_t x[MR];
#pragma GCC unroll 3
    for (size_t i = 0; i < rows; i++) x[i] = vcombine_s8(vld1_s8(a[i]), vld1_s8(a[i] + left - KR));
    step16(rows, 0, x, w, acc);
    return;
  }
  int8x8_t x[MR];
#pragma GCC unroll 3
  for (size_t i = 0; i < rows; i++) x[i] = vld1_s8(a[i] + left - KR);
  step8(rows, x, *w, acc);
  *w += COLUMNS * KR;
}

/* Columns `half` to half + COLUMNS of a tile. */
QRT_INLINE void sums(size_t rows, const int8_t *const *a, const qrt_gemm_rows *matrix, const int8_t *w, size_t half,
                     int32x4_t acc[MR][COLUMNS]) {
  /* Behind a group's columns lie those of the other half. */
  enum { SKIP = (NR - COLUMNS) * STEP, SKIP8 = (NR - COLUMNS) * KR };
  const size_t run = matrix->run, left = run % STEP;
  size_t steps = run / STEP;
  const int8_t *from[MR];
  w += half * (steps ? STEP : left > KR ? STEP : KR);
  int8x16_t x[MR];
#pragma GCC unroll 3
  for (size_t i = 0; i < rows; i++) from[i] = a[i];
  if (steps) {
    load16(rows, from, x);
    step16(rows, 1, x, &w, acc);
    w += SKIP;
    steps--;
  } else {
#pragma GCC unroll 3
    for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 8
      for (size_t j = 0; j < COLUMNS; j++) acc[i][j] = vdupq_n_s32(0);
    }
  }
  for (size_t q = matrix->runs;;) {
    if (steps) {
      do {
        load16(rows, from, x);
        step16(rows, 0, x, &w, acc);
        w += SKIP;
      } while (--steps);
    }
    if (left) {
      const size_t back = left > KR || run < STEP ? 0 : half * (STEP - KR);
      w -= back;
      rest(rows, from, left, &w, acc);
      w += (left > KR ? SKIP : SKIP8) + back;
    }
    if (--q == 0) break;
    steps = run / STEP;
#pragma GCC unroll 3
    for (size_t i = 0; i < rows; i++) from[i] += matrix->run_stride - (run - left);
  }
}

/* Any weights, any run; one row, four columns. */
static void sums_wide(const int8_t *a, const qrt_gemm_rows *rows, const int8_t *w, size_t half, int32x4_t acc[4]) {
  const size_t run = rows->run;
  for (size_t j = 0; j < 4; j++) acc[j] = vdupq_n_s32(0);
  for (size_t q = 0; q < rows->runs; q++, a += rows->run_stride) {
    for (size_t at = 0; at < run; at += STEP) {
      const size_t size = run - at > KR ? STEP : KR;
      for (size_t piece = 0; piece < size; piece += KR) {
        const size_t last = run < KR ? 0 : run - KR, begin = at + piece < last ? at + piece : last;
        const int8x8_t x = qrt_load_neon(a + begin, run < KR ? run : KR);
        for (size_t j = 0; j < 4; j++) acc[j] = add8(acc[j], x, vld1_s8(w + (half + j) * size + piece));
      }
      w += NR * size;
    }
  }
}

/* ---- tiles ---- */

/* The sums of the lanes of four. */
QRT_INLINE int32x4_t across(const int32x4_t acc[4]) {
#if defined(__aarch64__)
  return vpaddq_s32(vpaddq_s32(acc[0], acc[1]), vpaddq_s32(acc[2], acc[3]));
#else
  int32x2_t x[4];
#pragma GCC unroll 4
  for (size_t j = 0; j < 4; j++) x[j] = vadd_s32(vget_low_s32(acc[j]), vget_high_s32(acc[j]));
  return vcombine_s32(vpadd_s32(x[0], x[1]), vpadd_s32(x[2], x[3]));
#endif
}

/* `count` tiles of each panel, one below the other. */
QRT_INLINE void tiles(size_t rows, size_t count, qrt_gemm_walk *walk, const qrt_gemm_panels *p, int8_t *c) {
  const qrt_gemm_rows matrix = *p->rows;
  const size_t c_stride = p->c_stride;
  qrt_gemm_walk place = *walk;
  for (size_t panel = 0; panel < p->count; panel++) {
    const qrt_gemm_output output = qrt_gemm_output_make(p, panel);
    int8_t *to = c + panel * p->c_step;
    place = *walk;
    for (size_t left = count; left > 0; left--, to += rows * c_stride) {
      const int8_t *a[MR];
      int32x4_t row[MR][4];
      qrt_gemm_take(&matrix, &place, rows, a);
#pragma GCC unroll 2
      for (size_t half = 0; half < NR; half += COLUMNS) {
        int32x4_t acc[MR][COLUMNS];
        sums(rows, a, &matrix, p->w + panel * p->bytes, half, acc);
#pragma GCC unroll 3
        for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 2
          for (size_t j = 0; j < COLUMNS; j += 4) row[i][(half + j) / 4] = across(&acc[i][j]);
        }
      }
      const int32x4_t bias[2] = {vld1q_s32(output.bias), vld1q_s32(output.bias + 4)};
#pragma GCC unroll 3
      for (size_t i = 0; i < rows; i++) {
        row[i][0] = vaddq_s32(row[i][0], bias[0]);
        row[i][1] = vaddq_s32(row[i][1], bias[1]);
      }
      qrt_gemm_store(rows, 2, row, &output, to, c_stride);
    }
  }
  *walk = place;
}

static void tiles_1(size_t count, qrt_gemm_walk *walk, const qrt_gemm_panels *p, int8_t *c) {
  tiles(1, count, walk, p, c);
}

static void tiles_2(size_t count, qrt_gemm_walk *walk, const qrt_gemm_panels *p, int8_t *c) {
  tiles(2, count, walk, p, c);
}

static void tiles_3(size_t count, qrt_gemm_walk *walk, const qrt_gemm_panels *p, int8_t *c) {
#if defined(__aarch64__)
  tiles(3, count, walk, p, c);
#else
  (void)count, (void)walk, (void)p, (void)c;
#endif
}

static void tiles_wide(size_t count, qrt_gemm_walk *walk, const qrt_gemm_panels *p, int8_t *c) {
  for (size_t panel = 0; panel < p->count; panel++) {
    const qrt_gemm_output output = qrt_gemm_output_make(p, panel);
    qrt_gemm_walk place = *walk;
    for (size_t i = 0; i < count; i++) {
      const int8_t *a = qrt_gemm_next(p->rows, &place);
      int32x4_t row[1][4];
      for (size_t half = 0; half < NR; half += 4) {
        int32x4_t acc[4];
        sums_wide(a, p->rows, p->w + panel * p->bytes, half, acc);
        row[0][half / 4] = vaddq_s32(across(acc), vld1q_s32(output.bias + half));
      }
      qrt_gemm_store(1, 2, row, &output, c + panel * p->c_step + i * p->c_stride, p->c_stride);
    }
  }
}

static void run_panels(size_t m, const qrt_gemm_panels *p, int8_t *c) {
  static void (*const of[])(size_t, qrt_gemm_walk *, const qrt_gemm_panels *, int8_t *) = {NULL, tiles_1, tiles_2,
                                                                                           tiles_3};
  const qrt_gemm_heights h = qrt_gemm_heights_of(m, p->wide ? 1 : MR);
  qrt_gemm_walk walk = qrt_gemm_first(p->rows);
  if (p->wide) {
    tiles_wide(m, &walk, p, c);
    return;
  }
  if (h.higher) of[h.height + 1](h.higher, &walk, p, c);
  of[h.height](h.count - h.higher, &walk, p, c + h.higher * (h.height + 1) * p->c_stride);
}

void qrt_gemm_qs8__neon_3x8(size_t m, size_t n, const qrt_gemm_rows *rows, const void *packed,
                            const qrt_output_range *output, int8_t *c, size_t c_stride) {
  qrt_gemm_neon_run(m, n, rows, NR, NR, KR, packed, output, c, c_stride, run_panels);
}
