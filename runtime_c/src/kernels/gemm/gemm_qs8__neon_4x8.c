/* gemm_qs8__neon_4x8.c - 4 rows by 8 columns; depth in groups of 16, as pairs of int8 products that are added in int16
 * (smull, smlal2) and then, neighbours together, to int32 sums (sadalp). On 32-bit ARM, with half as many registers, 2
 * rows by 8 columns.
 *
 * A vector holds two columns, so that four sums are two of each, and a row of 8 needs only 4 vectors: half as many as
 * with one column in each, and a third of the additions across. A group k0..k15 of a row meets the columns c, d as it
 * lies, then with neighbours among its fours exchanged (rev64); a group of 8, with each four twice (zip1):
 *
 *   int8 w[runs][ceil(run / 8) / 2][2][4][16]   c0..3 d4..7 c8..11 d12..15, then c4..7 d0..3 c12..15 d8..11,
 *   [4][16] if a group of 8 is left             c0..3 d0..3 c4..7 d4..7
 *
 * A pair can leave int16 only if both its weights are -128. Where the weights of a panel have such a pair, and where
 * runs are too short for a load, every product goes into the sums on its own, one row at a time.
 *
 * Instructions per inner step of 16 in depth, 4 x 8 x 16 multiply-adds: 32 smull, 32 smlal2, 32 sadalp, 6 loads, 4
 * rev64, 2 for the loop.
 */
#include "gemm_neon.h"

enum { NR = 8, KR = 8, STEP = 16, PAIRS = 4, FOUR = 4 };

#if defined(__aarch64__)
enum { MR = 4 };
#else
enum { MR = 2 };
#endif

/* ---- packing ---- */

size_t qrt_gemm_qs8__neon_4x8_packed_size(size_t n, size_t runs, size_t run) {
  return qrt_gemm_neon_size(n, NR, NR, qrt_gemm_depth(runs, run, KR));
}

static void pack_column(const int8_t *w, size_t runs, size_t run, size_t width, size_t at, int8_t *to) {
  const size_t odd = at % 2;
  for (size_t q = 0; q < runs; q++, w += run) {
    for (size_t p = 0; p < run; p += STEP) {
      const size_t size = run - p > KR ? STEP : KR;
      int8_t group[STEP], *vector = to + at / 2 * STEP + odd * FOUR;
      for (size_t half = 0; half < size; half += KR) qrt_gemm_pack_group(w, run, p + half, KR, group + half);
      for (size_t i = 0; i < size / FOUR; i++) {
        int8_t *four = size == KR ? vector + i * KR : vector + (i + odd) % 2 * PAIRS * STEP + i / 2 * KR;
        memcpy(four, group + i * FOUR, FOUR);
      }
      to += width * size;
    }
  }
}

/* Does a vector have two weights of -128 whose products would be added in int16? */
static int has_wide_pair(const int8_t *w, size_t size) {
  for (; size > 0; size -= STEP, w += STEP) {
    for (size_t i = 0; i < KR; i++) {
      if (w[i] == -128 && w[i + KR] == -128) return 1;
    }
  }
  return 0;
}

/* The flag of the panel of columns j to j + 7, and what it has to be. */
static int32_t *wide_flag(const void *packed, size_t j, size_t runs, size_t run, int *wide) {
  const size_t depth = qrt_gemm_depth(runs, run, KR);
  char *panel = (char *)packed + j / NR * qrt_gemm_panel_bytes(NR, depth);
  const int8_t *w = (const int8_t *)panel + QRT_GEMM_HEADER + NR * (sizeof(int32_t) + sizeof(float));
  *wide = (run < KR && !qrt_gemm_gathers(runs, run, KR)) || has_wide_pair(w, NR * depth);
  return (int32_t *)(void *)panel;
}

void qrt_gemm_qs8__neon_4x8_pack(const qrt_gemm_weights *weights, void *packed) {
  qrt_gemm_neon_pack(weights, NR, NR, KR, packed, pack_column);
  for (size_t j = 0; j < weights->n; j += NR) {
    int wide;
    int32_t *flag = wide_flag(packed, j, weights->runs, weights->run, &wide);
    *flag = wide;
  }
}

int qrt_gemm_qs8__neon_4x8_usable(const void *packed, size_t n, size_t runs, size_t run) {
  for (size_t j = 0; j < n; j += NR) {
    int wide;
    if (*wide_flag(packed, j, runs, run, &wide) != wide) return 0;
  }
  return qrt_gemm_neon_usable(packed, n, NR, NR, qrt_gemm_depth(runs, run, KR));
}

/* ---- sums ---- */

#if defined(__aarch64__)
/* Two vectors of columns and four rows, in the order that a CPU without reordering likes; left to itself, gcc fetches
 * columns ahead until it runs out of registers. `add` is sadalp or, for the first group of a sum, saddlp. */
#define QRT_EACH(a, b, c) a "0" b "0" c "\n" a "1" b "1" c "\n" a "2" b "2" c "\n" a "3" b "3" c "\n"
#define QRT_PRODUCTS(w)                                      \
  QRT_EACH("smull %[pair", "].8h, %[a", "].8b, %[" w "].8b") \
  QRT_EACH("smlal2 %[pair", "].8h, %[a", "].16b, %[" w "].16b")
#define QRT_SUMS(add, j) QRT_EACH(add " %[sum" j, "].4s, %[pair", "].8h")
#define QRT_COLUMNS(add, kind)                                                                                  \
  __asm__(QRT_PRODUCTS("w0") QRT_SUMS(add, "0") QRT_PRODUCTS("w1") QRT_SUMS(add, "1")                           \
          : [pair0] "=&w"(pair0), [pair1] "=&w"(pair1), [pair2] "=&w"(pair2), [pair3] "=&w"(pair3),             \
            [sum00] kind(acc[0][j]), [sum01] kind(acc[1][j]), [sum02] kind(acc[2][j]), [sum03] kind(acc[3][j]), \
            [sum10] kind(acc[0][j + 1]), [sum11] kind(acc[1][j + 1]), [sum12] kind(acc[2][j + 1]),              \
            [sum13] kind(acc[3][j + 1])                                                                         \
          : [a0] "w"(a[0]), [a1] "w"(a[1]), [a2] "w"(a[2]), [a3] "w"(a[3]), [w0] "w"(w0), [w1] "w"(w1))

#define QRT_ROW(w0, w1, w2, w3)                                                          \
  "smull %[pair0].8h, %[a].8b, " w0 ".8b\nsmull %[pair1].8h, %[a].8b, " w1 ".8b\n"       \
  "smull %[pair2].8h, %[a].8b, " w2 ".8b\nsmull %[pair3].8h, %[a].8b, " w3 ".8b\n"       \
  "smlal2 %[pair0].8h, %[a].16b, " w0 ".16b\nsmlal2 %[pair1].8h, %[a].16b, " w1 ".16b\n" \
  "smlal2 %[pair2].8h, %[a].16b, " w2 ".16b\nsmlal2 %[pair3].8h, %[a].16b, " w3 ".16b\n" QRT_SUMS("sadalp", "")

/* A vector of one row times those of all columns. */
QRT_INLINE void row(int8x16_t a, const int8_t **w, int32x4_t acc[PAIRS]) {
  int16x8_t pair0, pair1, pair2, pair3;
  __asm__("ld1 {v16.16b-v19.16b}, [%[w]], #64\n" QRT_ROW("v16", "v17", "v18", "v19")
          : [pair0] "=&w"(pair0), [pair1] "=&w"(pair1), [pair2] "=&w"(pair2), [pair3] "=&w"(pair3), [w] "+r"(*w),
            [sum0] "+w"(acc[0]), [sum1] "+w"(acc[1]), [sum2] "+w"(acc[2]), [sum3] "+w"(acc[3])
          : [a] "w"(a), "m"(*(const int8_t (*)[PAIRS * STEP]) * w)
          : "v16", "v17", "v18", "v19");
}

QRT_INLINE void columns4(int first, const int8x16_t *a, int8x16_t w0, int8x16_t w1, int32x4_t acc[MR][PAIRS],
                         size_t j) {
  int16x8_t pair0, pair1, pair2, pair3;
  if (first) {
    QRT_COLUMNS("saddlp", "=&w");
  } else {
    QRT_COLUMNS("sadalp", "+w");
  }
}

/* All columns of four rows; w moves past them. ld1 fills four registers that are neighbours. */
QRT_INLINE void columns8(int first, const int8x16_t *a, const int8_t **w, int32x4_t acc[MR][PAIRS]) {
  register int8x16_t w0 __asm__("v16"), w1 __asm__("v17"), w2 __asm__("v18"), w3 __asm__("v19");
  __asm__("ld1 {v16.16b-v19.16b}, [%[w]], #64"
          : "=w"(w0), "=w"(w1), "=w"(w2), "=w"(w3), [w] "+r"(*w)
          : "m"(*(const int8_t (*)[PAIRS * STEP]) * w));
  columns4(first, a, w0, w1, acc, 0);
  columns4(first, a, w2, w3, acc, 2);
}
#endif

/* sum[i], or nothing if it is the first, + the products of a[i] and w[i], step by step for all: a CPU without
 * reordering waits for none. `wide`: no product is added to another in int16. */
QRT_INLINE void add(size_t n, int first, int wide, const int8x16_t *a, const int8x16_t *w, int32x4_t *sum) {
  int16x8_t pair[4];
#pragma GCC unroll 4
  for (size_t i = 0; i < n; i++) pair[i] = vmull_s8(vget_low_s8(a[i]), vget_low_s8(w[i]));
#pragma GCC unroll 4
  for (size_t i = 0; i < n; i++) {
    if (wide) {
      sum[i] = vpadalq_s16(sum[i], pair[i]);
      pair[i] = vmull_s8(vget_high_s8(a[i]), vget_high_s8(w[i]));
    } else {
#if defined(__aarch64__)
      pair[i] = vmlal_high_s8(pair[i], a[i], w[i]);
#else
      pair[i] = vmlal_s8(pair[i], vget_high_s8(a[i]), vget_high_s8(w[i]));
#endif
    }
  }
#pragma GCC unroll 4
  for (size_t i = 0; i < n; i++) sum[i] = first ? vpaddlq_s16(pair[i]) : vpadalq_s16(sum[i], pair[i]);
}

/* One vector of each row times those of all columns; w moves past them. */
QRT_INLINE void step(size_t rows, int first, int wide, const int8x16_t *a, const int8_t **w, int32x4_t acc[MR][PAIRS]) {
#if defined(__aarch64__)
  if (rows == MR) {
    columns8(first, a, w, acc);
    return;
  }
  if (rows == 1 && !first && !wide) {
    row(a[0], w, acc[0]);
    return;
  }
#endif
  if (rows == 1) {
    int8x16_t same[PAIRS], columns[PAIRS];
#pragma GCC unroll 4
    for (size_t j = 0; j < PAIRS; j++) same[j] = a[0], columns[j] = vld1q_s8(*w + STEP * j);
    add(PAIRS, first, wide, same, columns, acc[0]);
  } else {
#pragma GCC unroll 4
    for (size_t j = 0; j < PAIRS; j++) {
      const int8x16_t column = vld1q_s8(*w + STEP * j);
      int8x16_t same[MR];
      int32x4_t sum[MR];
#pragma GCC unroll 8
      for (size_t i = 0; i < rows; i++) same[i] = column, sum[i] = acc[i][j];
      add(rows, first, wide, a, same, sum);
#pragma GCC unroll 8
      for (size_t i = 0; i < rows; i++) acc[i][j] = sum[i];
    }
  }
  *w += PAIRS * STEP;
}

QRT_INLINE void exchange(size_t rows, int8x16_t *a) {
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++) a[i] = vreinterpretq_s8_s32(vrev64q_s32(vreinterpretq_s32_s8(a[i])));
}

/* A group of 16 for each row. */
QRT_INLINE void step16(size_t rows, int first, int wide, int8x16_t *a, const int8_t **w, int32x4_t acc[MR][PAIRS]) {
  step(rows, first, wide, a, w, acc);
  exchange(rows, a);
  step(rows, 0, wide, a, w, acc);
}

/* Eight bytes, each four of them twice. */
QRT_INLINE int8x16_t twice(int8x8_t a) {
#if defined(__aarch64__)
  int8x16_t x;
  __asm__("zip1 %0.4s, %1.4s, %1.4s" : "=w"(x) : "w"(a));
  return x;
#else
  const int32x2x2_t x = vzip_s32(vreinterpret_s32_s8(a), vreinterpret_s32_s8(a));
  return vreinterpretq_s8_s32(vcombine_s32(x.val[0], x.val[1]));
#endif
}

/* The group of 16 at byte `at` of each row. */
QRT_INLINE void load16(size_t rows, const int8_t *const *a, size_t at, int8x16_t *x) {
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++) x[i] = vld1q_s8(a[i] + at);
}

/* What is left of a run behind its groups of 16, at byte `at`. */
QRT_INLINE void rest(size_t rows, int first, int wide, const int8_t *const *a, size_t at, size_t run, const int8_t **w,
                     int32x4_t acc[MR][PAIRS]) {
  const size_t left = run % STEP, last = at + left - KR;
  int8x16_t x[MR];
  if (left > KR) {
#pragma GCC unroll 8
    for (size_t i = 0; i < rows; i++) x[i] = vcombine_s8(vld1_s8(a[i] + at), vld1_s8(a[i] + last));
    step16(rows, first, wide, x, w, acc);
    return;
  }
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++) {
    x[i] = twice(wide && run < KR ? qrt_load_neon(a[i] + at, run) : vld1_s8(a[i] + last));
  }
  step(rows, first, wide, x, w, acc);
}

QRT_INLINE void sums(size_t rows, int wide, const int8_t *const *a, const qrt_gemm_rows *matrix, const int8_t *w,
                     int32x4_t acc[MR][PAIRS]) {
  const size_t run = matrix->run, whole = run / STEP * STEP;
  size_t q = matrix->runs, from = 0, at = 0;
  int8x16_t x[MR];
  if (rows > 1 && !wide && whole) {
    load16(rows, a, 0, x);
    step16(rows, 1, 0, x, &w, acc);
    at = STEP;
  } else if (rows > 1 && !wide) {
    rest(rows, 1, 0, a, 0, run, &w, acc);
    if (--q == 0) return;
    at = from = matrix->run_stride;
  } else {
#pragma GCC unroll 8
    for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 4
      for (size_t j = 0; j < PAIRS; j++) acc[i][j] = vdupq_n_s32(0);
    }
  }
  for (;;) {
    const size_t end = from + whole;
    if (at < end) {
      do {
        load16(rows, a, at, x);
        step16(rows, 0, wide, x, &w, acc);
        at += STEP;
      } while (at < end);
    }
    if (whole < run) rest(rows, 0, wide, a, at, run, &w, acc);
    if (--q == 0) break;
    from += matrix->run_stride;
    at = from;
  }
}

/* ---- tiles ---- */

/* The sums of four columns, of which each vector has two of two. */
QRT_INLINE int32x4_t across(const int32x4_t acc[2]) {
#if defined(__aarch64__)
  return vpaddq_s32(acc[0], acc[1]);
#else
  return vcombine_s32(vpadd_s32(vget_low_s32(acc[0]), vget_high_s32(acc[0])),
                      vpadd_s32(vget_low_s32(acc[1]), vget_high_s32(acc[1])));
#endif
}

/* `count` tiles of each panel, one below the other. */
QRT_INLINE void tiles(size_t rows, int wide, size_t count, qrt_gemm_walk *walk, const qrt_gemm_panels *p, int8_t *c) {
  const qrt_gemm_rows matrix = *p->rows;
  const size_t c_stride = p->c_stride;
  qrt_gemm_walk place = *walk;
  qrt_gemm_output output = qrt_gemm_output_make(p);
  for (size_t panel = 0; panel < p->count; panel++) {
    qrt_gemm_turn((const char *)p->bias + panel * p->bytes, NR, p->special, &output);
    const int8_t *const w = p->w + panel * p->bytes;
    int8_t *to = c + panel * p->c_step;
    place = *walk;
    for (size_t left = count; left > 0; left--) {
      const int8_t *a[MR];
      int32x4_t acc[MR][PAIRS], row[MR][4];
      qrt_gemm_next_rows(rows, &matrix, &place, a);
      sums(rows, wide, a, &matrix, w, acc);
      const int32x4_t bias[2] = {vld1q_s32(output.bias), vld1q_s32(output.bias + 4)};
#pragma GCC unroll 8
      for (size_t i = 0; i < rows; i++) {
        row[i][0] = vaddq_s32(across(acc[i]), bias[0]);
        row[i][1] = vaddq_s32(across(acc[i] + 2), bias[1]);
      }
      to = qrt_gemm_store(rows, 2, row, &output, to, c_stride);
    }
  }
  *walk = place;
}

#define TILES(name, rows, wide)                                                                      \
  static void tiles_##name(size_t count, qrt_gemm_walk *walk, const qrt_gemm_panels *p, int8_t *c) { \
    tiles(rows, wide, count, walk, p, c);                                                            \
  }

TILES(wide, 1, 1)
TILES(1, 1, 0)
TILES(2, 2, 0)
#if defined(__aarch64__)
TILES(3, 3, 0)
TILES(4, 4, 0)
#endif

/* A single row whose depth is one run, through panels that are whole: here what is done once for each counts. */
static void one_row(const qrt_gemm_panels *p, int8_t *c) {
  const int8_t *const a[MR] = {p->rows->a};
  const size_t run = p->rows->run, bytes = p->bytes, c_step = p->c_step;
  const int special = p->special;
  qrt_gemm_output output = qrt_gemm_output_make(p);
  const char *panel = (const char *)p->bias;
  for (size_t left = p->count; left > 0; left--, panel += bytes) {
    qrt_gemm_turn(panel, NR, special, &output);
    const int8_t *w = (const int8_t *)(output.multiplier + NR);
    int32x4_t acc[MR][PAIRS], sum[1][4];
    size_t at = 0;
#pragma GCC unroll 4
    for (size_t j = 0; j < PAIRS; j++) acc[0][j] = vdupq_n_s32(0);
    for (; at + 2 * STEP <= run; at += 2 * STEP) {
      int8x16_t x[2] = {vld1q_s8(a[0] + at), vld1q_s8(a[0] + at + STEP)};
      step16(1, 0, 0, x, &w, acc);
      step16(1, 0, 0, x + 1, &w, acc);
    }
    if (at + STEP <= run) {
      int8x16_t x[1] = {vld1q_s8(a[0] + at)};
      step16(1, 0, 0, x, &w, acc);
      at += STEP;
    }
    if (at < run) rest(1, 0, 0, a, at, run, &w, acc);
    sum[0][0] = vaddq_s32(across(acc[0]), vld1q_s32(output.bias));
    sum[0][1] = vaddq_s32(across(acc[0] + 2), vld1q_s32(output.bias + 4));
    c = qrt_gemm_store(1, 2, sum, &output, c, c_step);
  }
}

static void run_panels(size_t m, const qrt_gemm_panels *p, int8_t *c) {
  static const qrt_gemm_tiles of[] = {
      NULL,    tiles_1, tiles_2,
#if defined(__aarch64__)
      tiles_3, tiles_4,
#endif
  };
  if (p->wide) {
    qrt_gemm_walk walk = qrt_gemm_first(p->rows);
    tiles_wide(m, &walk, p, c);
  } else if (m == 1 && p->rows->runs == 1 && p->columns == NR) {
    one_row(p, c);
  } else {
    qrt_gemm_run_tiles(m, of, MR, p, c);
  }
}

void qrt_gemm_qs8__neon_4x8(size_t m, size_t n, const qrt_gemm_rows *rows, const void *packed,
                            const qrt_output_range *output, int8_t *c, size_t c_stride) {
  qrt_gemm_neon_run(m, n, rows, NR, NR, KR, 1, packed, output, c, c_stride, run_panels);
}
