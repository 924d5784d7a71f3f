/* gemm_qs8__avx512vnni_6x64.c - 6 rows by 64 columns; depth in groups of four bytes for vpdpbusd. What is left of n
 * goes into narrower panels with taller tiles, 8 x 32 and 8 x 16; what is left of m into lower ones, of every height.
 *
 * vpdpbusd multiplies unsigned bytes by signed ones and sums four products without saturation, modulo 2^32. The rows of
 * a become unsigned by adding 128 (an exclusive or, with the broadcast as its operand, so at no cost); what that adds
 * to the sums is folded into the bias:
 *
 *   header, 64 bytes:     int32 safe          all multipliers are below 1: see requantize_avx512.h
 *   panel of nr columns:  int32 bias[nr]      bias[j] - (a_zero_point + 128) * sum w[j]     modulo 2^32
 *                         float multiplier[nr]
 *                         int8 w[runs][ceil(run / 4)][nr][4]
 *
 * The last group of a run whose length is no multiple of four covers the run's last four bytes; weights of those that
 * an earlier group has had are zero. Columns lie in the order that makes the epilogue's narrowing put them in theirs.
 */
#include <string.h>

#include "../../requantize_avx512.h"
#include "gemm.h"

enum { NR = 64, KR = 4, LANES = 16, HEADER = 64 };

#define INLINE static inline __attribute__((always_inline))

/* ---- packing ---- */

/* The width of the panel for the next of `n` columns that are left. */
static size_t panel_width(size_t n) {
  return n > 48 ? 64 : n > 16 ? 32 : 16;
}

static size_t panel_size(size_t width, size_t groups) {
  return width * (sizeof(int32_t) + sizeof(float) + KR * groups);
}

static size_t groups_of(size_t runs, size_t run) {
  return runs * ((run + KR - 1) / KR);
}

/* Where a panel keeps column j: the narrowest piece that narrowing keeps together holds columns that follow each other
 * in the output, four from each vector. */
static size_t slot(size_t width, size_t j) {
  const size_t vectors = width / LANES;
  return j / 4 % vectors * LANES + j / (4 * vectors) * 4 + j % 4;
}

size_t qrt_gemm_qs8__avx512vnni_6x64_packed_size(size_t n, size_t runs, size_t run) {
  const size_t left = n % NR;
  size_t size = HEADER + n / NR * panel_size(NR, groups_of(runs, run));
  for (size_t j = 0; j < left; j += panel_width(left - j)) {
    size += panel_size(panel_width(left - j), groups_of(runs, run));
  }
  return size;
}

/* One column: w, [runs][run], into slots `step` bytes apart. Returns its sum. */
static uint32_t pack_column(const qrt_gemm_weights *weights, const int8_t *w, int8_t *to, size_t step) {
  uint32_t sum = 0;
  for (size_t q = 0; q < weights->runs; q++, w += weights->run) {
    size_t p = 0;
    for (; p + KR <= weights->run; p += KR, to += step) memcpy(to, w + p, KR);
    if (p < weights->run) {
      memset(to, 0, KR);
      const size_t rest = weights->run - p;
      memcpy(weights->run < KR ? to : to + KR - rest, w + p, rest);
      to += step;
    }
    for (p = 0; p < weights->run; p++) sum += (uint32_t)w[p];
  }
  return sum;
}

void qrt_gemm_qs8__avx512vnni_6x64_pack(const qrt_gemm_weights *weights, void *packed) {
  const size_t n = weights->n, groups = groups_of(weights->runs, weights->run);
  const uint32_t zero_point = (uint32_t)weights->a_zero_point + 128;
  int32_t *safe = packed;
  char *panel = (char *)packed + HEADER;
  *safe = 1;
  for (size_t first = 0, width; first < n; first += width, panel += panel_size(width, groups)) {
    width = panel_width(n - first);
    if (n - first < width) memset(panel, 0, panel_size(width, groups));
    int32_t *bias = (int32_t *)panel;
    float *multiplier = (float *)(bias + width);
    int8_t *to = (int8_t *)(multiplier + width);
    for (size_t j = first; j < n && j < first + width; j++) {
      const size_t at = slot(width, j - first);
      const int8_t *w = weights->w + j * weights->runs * weights->run;
      const uint32_t sum = pack_column(weights, w, to + at * KR, width * KR);
      bias[at] = (int32_t)((uint32_t)weights->bias[j] - zero_point * sum);
      multiplier[at] = weights->multiplier[j];
      *safe = *safe && multiplier[at] < 1;
    }
  }
}

/* ---- tiles ---- */

/* What the tiles of a panel have in common. */
typedef struct panel {
  const void *packed;
  size_t runs, run_stride;
  size_t last_group; /* where the last group of a run begins */
  size_t columns;    /* that exist */
  size_t c_stride;
  qrt_range_avx512 range;
} panel;

/* acc += the sums of four products. As an intrinsic, gcc copies and spills the accumulators. */
INLINE void multiply_add(__m512i *acc, __m512i a, __m512i w) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(*acc) : "v"(a), "v"(w));
}

INLINE void store(int8_t *c, size_t vectors, const __m512i *acc, const __m512 *multiplier, const panel *p) {
  const __mmask64 mask = ~(__mmask64)0 >> (64 - p->columns);
  if (vectors == 4) {
    _mm512_mask_storeu_epi8(c, mask, qrt_requantize4_avx512(acc, multiplier, &p->range));
  } else if (vectors == 2) {
    _mm256_mask_storeu_epi8(c, (__mmask32)mask, qrt_requantize2_avx512(acc, multiplier, &p->range));
  } else {
    _mm_mask_storeu_epi8(c, (__mmask16)mask, qrt_requantize1_avx512(acc, multiplier, &p->range));
  }
}

/* One group of the depth, `at` bytes into each row. */
INLINE void step(size_t rows, size_t vectors, const int8_t *const *a, size_t at, const __m512i *w, __m512i acc[8][4]) {
  const __m512i sign = _mm512_set1_epi8(-128);
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++) {
    int32_t group;
    memcpy(&group, a[i] + at, sizeof group);
    const __m512i x = _mm512_xor_si512(_mm512_set1_epi32(group), sign);
#pragma GCC unroll 4
    for (size_t v = 0; v < vectors; v++) multiply_add(&acc[i][v], x, w[v]);
  }
}

INLINE void tile(size_t rows, size_t vectors, const int8_t *const *a, const panel *p, int8_t *c) {
  const __m512i *bias = p->packed, *w = bias + 2 * vectors;
  const __m512 *multiplier = (const __m512 *)bias + vectors;
  __m512i acc[8][4];
#pragma GCC unroll 4
  for (size_t v = 0; v < vectors; v++) {
#pragma GCC unroll 8
    for (size_t i = 0; i < rows; i++) acc[i][v] = bias[v];
  }
  for (size_t q = 0, from = 0; q < p->runs; q++, from += p->run_stride) {
    const size_t last = from + p->last_group;
    for (size_t at = from; at < last; at += KR, w += vectors) step(rows, vectors, a, at, w, acc);
    step(rows, vectors, a, last, w, acc);
    w += vectors;
  }
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++) store(c + i * p->c_stride, vectors, acc[i], multiplier, p);
}

#define CASE(rows, vectors)       \
  case rows:                      \
    tile(rows, vectors, a, p, c); \
    break

static void tile_64(size_t rows, const int8_t *const *a, const panel *p, int8_t *c) {
  switch (rows) {
    CASE(1, 4);
    CASE(2, 4);
    CASE(3, 4);
    CASE(4, 4);
    CASE(5, 4);
    CASE(6, 4);
  }
}

static void tile_32(size_t rows, const int8_t *const *a, const panel *p, int8_t *c) {
  switch (rows) {
    CASE(1, 2);
    CASE(2, 2);
    CASE(3, 2);
    CASE(4, 2);
    CASE(5, 2);
    CASE(6, 2);
    CASE(7, 2);
    CASE(8, 2);
  }
}

static void tile_16(size_t rows, const int8_t *const *a, const panel *p, int8_t *c) {
  switch (rows) {
    CASE(1, 1);
    CASE(2, 1);
    CASE(3, 1);
    CASE(4, 1);
    CASE(5, 1);
    CASE(6, 1);
    CASE(7, 1);
    CASE(8, 1);
  }
}

/* All rows through one panel: tiles of nearly equal height. */
static void run_panel(size_t m, size_t width, const qrt_gemm_rows *rows, const panel *p, int8_t *c) {
  const size_t mr = width == 64 ? 6 : 8, count = (m + mr - 1) / mr;
  qrt_gemm_walk walk = qrt_gemm_first(rows);
  for (size_t i = 0; i < count; i++) {
    const size_t height = m / count + (i < m % count);
    const int8_t *a[8];
    int8_t short_rows[8][KR] = {{0}};
    for (size_t r = 0; r < height; r++) {
      a[r] = qrt_gemm_next(rows, &walk);
      if (rows->run < KR) a[r] = memcpy(short_rows[r], a[r], rows->run);
    }
    (width == 64 ? tile_64 : width == 32 ? tile_32 : tile_16)(height, a, p, c);
    c += height * p->c_stride;
  }
}

void qrt_gemm_qs8__avx512vnni_6x64(size_t m, size_t n, const qrt_gemm_rows *rows, const void *packed,
                                   const qrt_output_range *output, int8_t *c, size_t c_stride) {
  const size_t groups = groups_of(rows->runs, rows->run);
  panel p = {.packed = (const char *)packed + HEADER,
             .runs = rows->runs,
             .run_stride = rows->run_stride,
             .last_group = rows->run < KR ? 0 : rows->run - KR,
             .c_stride = c_stride,
             .range = qrt_range_make_avx512(output, *(const int32_t *)packed)};
  for (size_t j = 0, width; j < n; j += width) {
    width = panel_width(n - j);
    p.columns = n - j < width ? n - j : width;
    run_panel(m, width, rows, &p, c + j);
    p.packed = (const char *)p.packed + panel_size(width, groups);
  }
}
