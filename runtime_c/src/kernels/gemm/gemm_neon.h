/* gemm_neon.h - what the ARM kernels have in common: the order in which they go through a matrix, and their packed
 * form, up to the tile.
 *
 *   panel of nr columns:  int32 wide          some products do not fit a pair; for neon, see there
 *                         int32 size, 0, 0    bits: results are small, whatever the input (requantize_neon.h);
 *                                             sums have magnitudes below 2^23
 *                         int32 bias[nr]      bias[j] - a_zero_point * sum w[j]   modulo 2^32
 *                         float multiplier[nr]
 *                         int8 w[]            in the kernel's order
 *
 * Depth goes in groups of kr bytes. The last group of a run whose length is no multiple of kr covers the run's last kr
 * bytes; weights of those that an earlier group has had are zero. Where that would waste much, in windows whose runs
 * are short, or read too much, rows are first gathered: copied, a block of them at a time, to where they are one run
 * and zeros behind it, up to a multiple of kr.
 */
#ifndef QRT_GEMM_NEON_H
#define QRT_GEMM_NEON_H

#include "../../requantize_neon.h"
#include "gemm.h"

/* Tiles fill the registers. When gcc schedules before it assigns them, it fetches ahead until it must spill; and it
 * would make vectors of the rows' addresses. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-schedule-insns", "no-tree-vectorize", "no-tree-slp-vectorize")
#endif

#define QRT_INLINE static inline __attribute__((always_inline))

enum { QRT_GEMM_HEADER = 16, QRT_GEMM_BLOCK = 8192, QRT_GEMM_SHORT = 16, QRT_GEMM_GATHERED = 512 };

/* ---- depth ---- */

/* Are windows of this shape gathered? */
static inline int qrt_gemm_gathers(size_t runs, size_t run, size_t kr) {
  return (run < kr || (runs > 1 && run < QRT_GEMM_SHORT)) && runs * run <= QRT_GEMM_GATHERED;
}

static inline size_t qrt_gemm_ceil(size_t n, size_t unit) {
  return (n + unit - 1) / unit * unit;
}

/* Bytes of depth that the kernel sees: multiples of kr for each run. */
static inline size_t qrt_gemm_depth(size_t runs, size_t run, size_t kr) {
  return qrt_gemm_gathers(runs, run, kr) ? qrt_gemm_ceil(runs * run, kr) : runs * qrt_gemm_ceil(run, kr);
}

/* `n` <= kr weights of a run from position `at` on, as the group that the kernel multiplies: see above. */
static inline void qrt_gemm_pack_group(const int8_t *w, size_t run, size_t at, size_t kr, int8_t *to) {
  const size_t n = run - at < kr ? run - at : kr;
  memset(to, 0, kr);
  memcpy(run < kr ? to : to + kr - n, w + at, n);
}

/* The 32 bytes at *w, or the 8 sums at `from`, to two registers by one instruction; w moves past them. */
#if defined(__aarch64__)
QRT_INLINE void qrt_gemm_load32(const int8_t **w, int8x16_t x[2]) {
  __asm__("ldp %q0, %q1, [%2], #32" : "=w"(x[0]), "=w"(x[1]), "+r"(*w) : "m"(*(const int8_t (*)[32]) * w));
}

/* Volatile: else gcc would load once for all rows and copy registers, which takes as many instructions as registers. */
QRT_INLINE void qrt_gemm_load_sums(const int32_t *from, int32x4_t x[2]) {
  __asm__ volatile("ldp %q0, %q1, %2" : "=w"(x[0]), "=w"(x[1]) : "Q"(*(const int32_t (*)[8])from));
}
#endif

/* ---- rows ---- */

/* A run of 4 bytes or more, in pieces that overlap; of fewer, byte by byte. */
static inline void qrt_gemm_copy_run(const int8_t *a, size_t n, int8_t *to) {
  if (n > 8) {
    memcpy(to + n - 8, a + n - 8, 8);
    memcpy(to, a, 8);
  } else if (n >= 4) {
    int32_t first, last;
    memcpy(&first, a, sizeof first);
    memcpy(&last, a + n - 4, sizeof last);
    memcpy(to, &first, sizeof first);
    memcpy(to + n - 4, &last, sizeof last);
  } else {
    for (size_t i = 0; i < n; i++) to[i] = a[i];
  }
}

/* 8 bytes; of a run of 8 to 16, its first and its last 8. */
QRT_INLINE void qrt_gemm_copy8(const int8_t *a, int8_t *to) {
  uint64_t x;
  memcpy(&x, a, sizeof x);
  memcpy(to, &x, sizeof x);
}

/* Windows of three runs of 8 to 16 bytes: those of a 3 x 3 convolution of an image with three colors. */
static inline void qrt_gemm_gather3(const qrt_gemm_rows *rows, qrt_gemm_walk *walk, size_t count, size_t depth,
                                    int8_t *to) {
  const qrt_gemm_rows matrix = *rows;
  const size_t run = matrix.run, last = run - 8, stride = matrix.run_stride;
  qrt_gemm_walk place = *walk;
  for (; count > 0; count--, to += depth) {
    const int8_t *a = qrt_gemm_next(&matrix, &place);
#pragma GCC unroll 3
    for (size_t q = 0; q < 3; q++) {
      qrt_gemm_copy8(a + q * stride, to + q * run);
      qrt_gemm_copy8(a + q * stride + last, to + q * run + last);
    }
  }
  *walk = place;
}

/* The next `count` rows, `depth` bytes apart. Between their ends and depth, to holds zeros. */
static inline void qrt_gemm_gather(const qrt_gemm_rows *rows, qrt_gemm_walk *walk, size_t count, size_t depth,
                                   int8_t *to) {
  if (rows->runs == 3 && rows->run >= 8 && rows->run <= 16) {
    qrt_gemm_gather3(rows, walk, count, depth, to);
    return;
  }
  for (; count > 0; count--, to += depth) {
    const int8_t *a = qrt_gemm_next(rows, walk);
    int8_t *piece = to;
    for (size_t q = 0; q < rows->runs; q++, a += rows->run_stride, piece += rows->run) {
      qrt_gemm_copy_run(a, rows->run, piece);
    }
  }
}

/* ---- panels ---- */

/* Panels of the same width, one after the other, and what their tiles have in common. */
typedef struct qrt_gemm_panels {
  const qrt_gemm_rows *rows;
  size_t count, width;
  size_t bytes, c_step; /* from one to the next, packed and in the output */
  const int32_t *bias;  /* of the first */
  const float *multiplier;
  const int8_t *w;
  size_t columns; /* that exist, of each */
  size_t c_stride;
  int wide;    /* the header's */
  int sums;    /* are the output, as int32; else int8 */
  int special; /* not all columns exist, or results have a bound above, or sums are the output */
  const qrt_range_neon *range;
} qrt_gemm_panels;

static inline size_t qrt_gemm_panel_bytes(size_t width, size_t depth) {
  return qrt_gemm_ceil(QRT_GEMM_HEADER + width * (sizeof(int32_t) + sizeof(float) + depth), 64);
}

/* The width of the panel for the next of n columns that are left: nr, or half of it for the last. */
static inline size_t qrt_gemm_panel_width(size_t n, size_t nr, size_t least) {
  return n <= least ? least : nr;
}

static inline size_t qrt_gemm_neon_size(size_t n, size_t nr, size_t least, size_t depth) {
  size_t size = 0;
  for (size_t j = 0, width; j < n; j += width) {
    width = qrt_gemm_panel_width(n - j, nr, least);
    size += qrt_gemm_panel_bytes(width, depth);
  }
  return size;
}

enum { QRT_GEMM_SMALL = 1, QRT_GEMM_SHORT_SUMS = 2 };

/* Of a panel of `width` columns. |acc| is at most |bias| and, for each byte of depth, 128 * 128. */
static inline int32_t qrt_gemm_size(const char *panel, size_t width, size_t depth) {
  const int32_t *bias = (const int32_t *)(const void *)(panel + QRT_GEMM_HEADER);
  const float *multiplier = (const float *)(bias + width);
  int32_t size = QRT_GEMM_SMALL | QRT_GEMM_SHORT_SUMS;
  for (size_t j = 0; j < width; j++) {
    const int64_t most = (bias[j] < 0 ? -(int64_t)bias[j] : bias[j]) + 128 * 128 * (int64_t)depth;
    if (!qrt_is_small(most, multiplier[j])) size &= ~QRT_GEMM_SMALL;
    if (most >= 1 << 23) size &= ~QRT_GEMM_SHORT_SUMS;
  }
  return size;
}

/* The same, as the header says it, of the panel whose biases are at `bias`. */
QRT_INLINE int32_t qrt_gemm_size_of(const void *bias) {
  return ((const int32_t *)bias)[1 - QRT_GEMM_HEADER / (int)sizeof(int32_t)];
}

/* Does every panel say of its size what is so? */
static inline int qrt_gemm_neon_usable(const void *packed, size_t n, size_t nr, size_t least, size_t depth) {
  const char *panel = packed;
  for (size_t j = 0, width; j < n; j += width, panel += qrt_gemm_panel_bytes(width, depth)) {
    width = qrt_gemm_panel_width(n - j, nr, least);
    if (((const int32_t *)(const void *)panel)[1] != qrt_gemm_size(panel, width, depth)) return 0;
  }
  return 1;
}

/* pack_column puts column `at` of a panel of `width` columns into `to`. */
static inline void qrt_gemm_neon_pack(const qrt_gemm_weights *weights, size_t nr, size_t least, size_t kr, void *packed,
                                      void (*pack_column)(const int8_t *w, size_t runs, size_t run, size_t width,
                                                          size_t at, int8_t *to)) {
  const size_t n = weights->n, k = weights->runs * weights->run;
  const int gathers = qrt_gemm_gathers(weights->runs, weights->run, kr);
  const size_t depth = qrt_gemm_depth(weights->runs, weights->run, kr);
  char *panel = packed;
  memset(packed, 0, qrt_gemm_neon_size(n, nr, least, depth));
  for (size_t first = 0, width; first < n; first += width, panel += qrt_gemm_panel_bytes(width, depth)) {
    width = qrt_gemm_panel_width(n - first, nr, least);
    int32_t *bias = (int32_t *)(panel + QRT_GEMM_HEADER);
    float *multiplier = (float *)(bias + width);
    int8_t *to = (int8_t *)(multiplier + width);
    for (size_t j = first; j < n && j < first + width; j++) {
      const int8_t *w = weights->w + j * k;
      uint32_t sum = 0;
      for (size_t i = 0; i < k; i++) sum += (uint32_t)w[i];
      bias[j - first] = (int32_t)((uint32_t)weights->bias[j] - (uint32_t)weights->a_zero_point * sum);
      multiplier[j - first] = weights->multiplier[j];
      if (gathers) {
        int8_t row[QRT_GEMM_GATHERED] = {0};
        memcpy(row, w, k);
        pack_column(row, 1, depth, width, j - first, to);
      } else {
        pack_column(w, weights->runs, weights->run, width, j - first, to);
      }
    }
    ((int32_t *)(void *)panel)[1] = qrt_gemm_size(panel, width, depth);
  }
}

/* All rows through each panel, by run_panels. `flags`: panels may differ in what their headers say. */
QRT_INLINE void qrt_gemm_neon_panels(size_t m, size_t n, const qrt_gemm_rows *rows, size_t nr, size_t least, int flags,
                                     size_t depth, const void *packed, const qrt_range_neon *range, int8_t *c,
                                     size_t c_stride,
                                     void (*run_panels)(size_t m, const qrt_gemm_panels *p, int8_t *c)) {
  static const qrt_range_neon none;
  qrt_gemm_panels p = {.rows = rows, .c_stride = c_stride, .sums = !range, .range = range ? range : &none};
  const char *panel = packed;
  for (size_t j = 0; j < n; j += p.count * p.width) {
    p.width = qrt_gemm_panel_width(n - j, nr, least);
    p.bytes = qrt_gemm_panel_bytes(p.width, depth);
    p.columns = n - j < p.width ? n - j : p.width;
    p.c_step = p.width * (range ? 1 : sizeof(int32_t));
    p.special = p.sums || p.columns < p.width || qrt_range_bounded_neon(p.range);
    p.wide = *(const int32_t *)panel;
    p.bias = (const int32_t *)(panel + QRT_GEMM_HEADER);
    p.multiplier = (const float *)(p.bias + p.width);
    p.w = (const int8_t *)(p.multiplier + p.width);
    p.count = n - j < p.width ? 1 : (n - j) / p.width;
    if (flags) {
      const char *next = panel + p.bytes;
      size_t same = 1;
      for (; same < p.count && *(const int32_t *)next == p.wide; next += p.bytes) same++;
      p.count = same;
    }
    panel += p.count * p.bytes;
    run_panels(m, &p, c + j * (range ? 1 : sizeof(int32_t)));
  }
}

/* The kernel, given its numbers and run_panels. */
QRT_INLINE void qrt_gemm_neon_run(size_t m, size_t n, const qrt_gemm_rows *rows, size_t nr, size_t least, size_t kr,
                                  int flags, const void *packed, const qrt_output_range *output, int8_t *c,
                                  size_t c_stride, void (*run_panels)(size_t m, const qrt_gemm_panels *p, int8_t *c)) {
  const int gathers = qrt_gemm_gathers(rows->runs, rows->run, kr);
  const size_t depth = gathers ? qrt_gemm_ceil(rows->runs * rows->run, kr) : rows->runs * qrt_gemm_ceil(rows->run, kr);
  qrt_range_neon range;
  if (output) range = qrt_range_make_neon(output);
  const qrt_range_neon *given = output ? &range : NULL;
  if (!gathers) {
    qrt_gemm_neon_panels(m, n, rows, nr, least, flags, depth, packed, given, c, c_stride, run_panels);
    return;
  }
  _Alignas(16) int8_t block[QRT_GEMM_BLOCK];
  const qrt_gemm_rows gathered = qrt_gemm_matrix(block, depth, depth);
  const size_t most = QRT_GEMM_BLOCK / depth;
  qrt_gemm_walk walk = qrt_gemm_first(rows);
  memset(block, 0, (m < most ? m : most) * depth);
  for (size_t i = 0, count; i < m; i += count, c += count * c_stride) {
    count = m - i < most ? m - i : most;
    qrt_gemm_gather(rows, &walk, count, depth, block);
    qrt_gemm_neon_panels(count, n, &gathered, nr, least, flags, depth, packed, given, c, c_stride, run_panels);
  }
}

/* ---- output ---- */

/* What becomes of a panel's sums; a copy, so that stores of bytes cannot be taken for changes of it. */
typedef struct qrt_gemm_output {
  const int32_t *bias;
  const float *multiplier;
  size_t columns;
  int sums, special; /* as in panels; or results may not be small */
  qrt_range_neon range;
} qrt_gemm_output;

QRT_INLINE qrt_gemm_output qrt_gemm_output_make(const qrt_gemm_panels *p) {
  const qrt_gemm_output output = {p->bias, p->multiplier, p->columns, p->sums, p->special, *p->range};
  return output;
}

/* Turns to the panel whose biases are at `bias`. */
QRT_INLINE void qrt_gemm_turn(const char *bias, size_t width, int special, qrt_gemm_output *output) {
  output->bias = (const int32_t *)(const void *)bias;
  output->multiplier = (const float *)(output->bias + width);
  output->special = special || !(qrt_gemm_size_of(bias) & QRT_GEMM_SMALL);
}

/* The next row of the output. Hidden from gcc, which would rather keep all multiples of the stride, and in memory. */
QRT_INLINE int8_t *qrt_gemm_below(int8_t *c, size_t c_stride) {
  __asm__("add %0, %0, %1" : "+r"(c) : "r"(c_stride));
  return c;
}

/* What is special: rows of `width` sums, 16 apart, into the columns that exist. */
static __attribute__((noinline)) void qrt_gemm_finish(size_t rows, size_t width, const int32_t *sums,
                                                      const qrt_gemm_output *output, int8_t *c, size_t c_stride) {
  for (; rows > 0; rows--, sums += 16, c += c_stride) {
    int8_t bytes[16];
    if (output->sums) {
      memcpy(c, sums, output->columns * sizeof *sums);
      continue;
    }
    for (size_t j = 0; j < width; j += 8) {
      const float *multiplier = output->multiplier + j;
      vst1_s8(bytes + j, qrt_requantize_neon(vld1q_s32(sums + j), vld1q_s32(sums + j + 4), vld1q_f32(multiplier),
                                             vld1q_f32(multiplier + 4), &output->range));
    }
    memcpy(c, bytes, output->columns);
  }
}

/* Rows of `vectors` * 4 columns, 8 or 16; what follows the last of them in the output. */
QRT_INLINE int8_t *qrt_gemm_store(size_t rows, size_t vectors, int32x4_t (*acc)[4], const qrt_gemm_output *output,
                                  int8_t *c, size_t c_stride) {
  if (__builtin_expect(output->special, 0)) {
    int32_t sums[8 * 16];
#pragma GCC unroll 8
    for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 4
      for (size_t v = 0; v < vectors; v++) vst1q_s32(sums + 16 * i + 4 * v, acc[i][v]);
    }
    const qrt_gemm_output copy = *output; /* lest the output itself must lie in memory */
    qrt_gemm_finish(rows, 4 * vectors, sums, &copy, c, c_stride);
    return c + rows * c_stride;
  }
  float32x4_t multiplier[4];
  int16x8_t y[8][2];
  int8x16_t whole[8];
  int8x8_t half[8];
#pragma GCC unroll 4
  for (size_t v = 0; v < vectors; v++) multiplier[v] = vld1q_f32(output->multiplier + 4 * v);
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 2
    for (size_t v = 0; v < vectors; v += 2) {
      y[i][v / 2] = qrt_round8_even_neon(vmulq_f32(vcvtq_f32_s32(acc[i][v]), multiplier[v]),
                                         vmulq_f32(vcvtq_f32_s32(acc[i][v + 1]), multiplier[v + 1]), &output->range);
    }
  }
  if (qrt_range_odd_neon(&output->range)) {
#pragma GCC unroll 8
    for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 2
      for (size_t v = 0; v < vectors / 2; v++) y[i][v] = vaddq_s16(y[i][v], vdupq_n_s16(1));
    }
  }
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++) {
    if (vectors == 4) whole[i] = qrt_narrow16_neon(y[i][0], y[i][1]);
    if (vectors == 2) half[i] = vqmovn_s16(y[i][0]);
  }
  if (qrt_range_raised_neon(&output->range)) {
#pragma GCC unroll 8
    for (size_t i = 0; i < rows; i++) {
      if (vectors == 4) whole[i] = qrt_raise16_neon(whole[i], &output->range);
      if (vectors == 2) half[i] = qrt_raise_neon(half[i], &output->range);
    }
  }
  if (vectors == 2 && rows <= 4) { /* registers suffice for the multiples */
#pragma GCC unroll 4
    for (size_t i = 0; i < rows; i++) vst1_s8(c + i * c_stride, half[i]);
    return c + rows * c_stride;
  }
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++) {
    if (vectors == 4) vst1q_s8(c, whole[i]);
    if (vectors == 2) vst1_s8(c, half[i]);
    c = qrt_gemm_below(c, c_stride);
  }
  return c;
}

/* ---- tiles ---- */

/* `count` tiles of each panel, one below the other, from the row that the walk is at. */
typedef void (*qrt_gemm_tiles)(size_t count, qrt_gemm_walk *walk, const qrt_gemm_panels *p, int8_t *c);

/* m rows, as tiles of at most `most`: of[i] is for those of i rows. */
static inline void qrt_gemm_run_tiles(size_t m, const qrt_gemm_tiles *of, size_t most, const qrt_gemm_panels *p,
                                      int8_t *c) {
  const size_t count = (m + most - 1) / most, height = m / count, higher = m % count;
  qrt_gemm_walk walk = qrt_gemm_first(p->rows);
  if (higher) of[height + 1](higher, &walk, p, c);
  of[height](count - higher, &walk, p, c + higher * (height + 1) * p->c_stride);
}

#endif
