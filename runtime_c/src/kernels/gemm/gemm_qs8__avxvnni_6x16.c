/* gemm_qs8__avxvnni_6x16.c - 6 rows by 16 columns; depth in groups of four bytes for vpdpbusd on 256 bits. What is left
 * of the rows goes into lower tiles, of every height.
 *
 * As on 512 bits (gemm_qs8__avx512vnni_6x64.c): rows of a become unsigned by adding 128, what that adds to the sums is
 * in the bias, and the last group of a run whose length is no multiple of four covers the run's last four bytes, with
 * zeros for the weights that an earlier group has had. One panel per 16 columns, in order:
 *
 *   int32 bias[16]          bias[j] - (a_zero_point + 128) * sum w[j]     modulo 2^32
 *   float multiplier[16]
 *   int8 w[runs][ceil(run / 4)][16][4]
 *
 * With twelve accumulators, two vectors of weights and one of the row, all sixteen registers but one are taken.
 */
#include "../../requantize_avx2.h"
#include "gemm.h"

enum { MR = 6, NR = 16, KR = 4 };

#define INLINE static inline __attribute__((always_inline))

/* ---- packing ---- */

static size_t groups_of(size_t runs, size_t run) {
  return runs * ((run + KR - 1) / KR);
}

static size_t panel_size(size_t runs, size_t run) {
  return NR * (sizeof(int32_t) + sizeof(float) + KR * groups_of(runs, run));
}

size_t qrt_gemm_qs8__avxvnni_6x16_packed_size(size_t n, size_t runs, size_t run) {
  return (n + NR - 1) / NR * panel_size(runs, run);
}

/* One column: w, [runs][run], into slots a group apart. Returns its sum. */
static uint32_t pack_column(const qrt_gemm_weights *weights, const int8_t *w, int8_t *to) {
  uint32_t sum = 0;
  for (size_t q = 0; q < weights->runs; q++, w += weights->run) {
    size_t p = 0;
    for (; p + KR <= weights->run; p += KR, to += NR * KR) memcpy(to, w + p, KR);
    if (p < weights->run) {
      const size_t rest = weights->run - p;
      memcpy(weights->run < KR ? to : to + KR - rest, w + p, rest);
      to += NR * KR;
    }
    for (p = 0; p < weights->run; p++) sum += (uint32_t)w[p];
  }
  return sum;
}

void qrt_gemm_qs8__avxvnni_6x16_pack(const qrt_gemm_weights *weights, void *packed) {
  const uint32_t zero_point = (uint32_t)weights->a_zero_point + 128;
  memset(packed, 0, qrt_gemm_qs8__avxvnni_6x16_packed_size(weights->n, weights->runs, weights->run));
  for (size_t j = 0; j < weights->n; j++) {
    int32_t *bias = (int32_t *)((char *)packed + j / NR * panel_size(weights->runs, weights->run));
    float *multiplier = (float *)(bias + NR);
    int8_t *to = (int8_t *)(multiplier + NR);
    const size_t at = j % NR;
    const uint32_t sum = pack_column(weights, weights->w + j * weights->runs * weights->run, to + at * KR);
    bias[at] = (int32_t)((uint32_t)weights->bias[j] - zero_point * sum);
    multiplier[at] = weights->multiplier[j];
  }
}

/* ---- tiles ---- */

/* What the tiles of a panel have in common. */
typedef struct panel {
  const void *packed;
  const qrt_gemm_rows *rows;
  size_t last_group; /* where the last group of a run begins */
  size_t columns;    /* that exist */
  size_t c_stride;
  int sums; /* are the output, as int32; else int8 */
  qrt_range_avx2 range;
} panel;

/* acc += the sums of four products. As an intrinsic, gcc copies and spills the accumulators. Without AVX-VNNI the file
 * is compiled for AVX-512's vpdpbusd on 256 bits, so that machines that have only that can test it. */
INLINE void multiply_add(__m256i *acc, __m256i a, __m256i w) {
#ifdef __AVXVNNI__
  __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(*acc) : "x"(a), "x"(w));
#else
  __asm__("vpdpbusd %2, %1, %0" : "+v"(*acc) : "v"(a), "v"(w));
#endif
}

/* One group of the depth, `at` bytes into each row. */
INLINE void step(size_t rows, const int8_t *const *a, size_t at, const __m256i *w, __m256i acc[MR][2]) {
  const __m256i w0 = w[0], w1 = w[1], sign = _mm256_set1_epi8(-128);
#pragma GCC unroll 6
  for (size_t i = 0; i < rows; i++) {
    int32_t group;
    memcpy(&group, a[i] + at, sizeof group);
    const __m256i x = _mm256_xor_si256(_mm256_set1_epi32(group), sign);
    multiply_add(&acc[i][0], x, w0);
    multiply_add(&acc[i][1], x, w1);
  }
}

INLINE void store(const __m256i acc[2], __m256 multiplier0, __m256 multiplier1, const panel *p, int8_t *c) {
  if (p->sums) {
    int32_t sums[NR]; /* a copy: acc must not have an address, to stay in registers */
    _mm256_storeu_si256((__m256i *)sums, acc[0]);
    _mm256_storeu_si256((__m256i *)sums + 1, acc[1]);
    memcpy(c, sums, p->columns * sizeof *sums);
  } else {
    qrt_store_avx2(c, qrt_requantize_avx2(acc[0], acc[1], multiplier0, multiplier1, &p->range), p->columns);
  }
}

/* `count` tiles, one below the other. */
INLINE void tiles(size_t rows, size_t count, qrt_gemm_walk *walk, const panel *p, int8_t *c) {
  const __m256i *bias = p->packed;
  const __m256 *multiplier = (const __m256 *)(bias + 2);
  for (; count > 0; count--) {
    const int8_t *a[MR];
    __m256i acc[MR][2];
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++) {
      a[i] = qrt_gemm_next(p->rows, walk);
      acc[i][0] = bias[0];
      acc[i][1] = bias[1];
    }
    const __m256i *w = bias + 4;
    for (size_t q = 0, from = 0; q < p->rows->runs; q++, from += p->rows->run_stride) {
      const size_t last = from + p->last_group;
      for (size_t at = from; at < last; at += KR, w += 2) step(rows, a, at, w, acc);
      step(rows, a, last, w, acc);
      w += 2;
    }
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++, c += p->c_stride) store(acc[i], multiplier[0], multiplier[1], p, c);
  }
}

#define CASE(rows)                  \
  case rows:                        \
    tiles(rows, count, walk, p, c); \
    break

static void tiles_of(size_t rows, size_t count, qrt_gemm_walk *walk, const panel *p, int8_t *c) {
  switch (rows) {
    CASE(1);
    CASE(2);
    CASE(3);
    CASE(4);
    CASE(5);
    CASE(6);
  }
}

/* All rows through one panel: tiles of two heights, which differ by one row. */
static void run_panel(size_t m, const panel *p, int8_t *c) {
  const size_t count = (m + MR - 1) / MR, height = m / count, higher = m % count;
  qrt_gemm_walk walk = qrt_gemm_first(p->rows);
  tiles_of(height + 1, higher, &walk, p, c);
  tiles_of(height, count - higher, &walk, p, c + higher * (height + 1) * p->c_stride);
}

/* Rows shorter than a group, from copies that are as long. */
static void run_panel_short(size_t m, panel p, int8_t *c) {
  int8_t copy[MR][KR] = {{0}};
  const qrt_gemm_rows copies = qrt_gemm_matrix(copy[0], KR, KR);
  const qrt_gemm_rows *rows = p.rows;
  qrt_gemm_walk walk = qrt_gemm_first(rows);
  p.rows = &copies;
  for (size_t i = 0, count; i < m; i += count) {
    count = m - i < MR ? m - i : MR;
    for (size_t r = 0; r < count; r++) memcpy(copy[r], qrt_gemm_next(rows, &walk), rows->run);
    run_panel(count, &p, c + i * p.c_stride);
  }
}

void qrt_gemm_qs8__avxvnni_6x16(size_t m, size_t n, const qrt_gemm_rows *rows, const void *packed,
                                const qrt_output_range *output, int8_t *c, size_t c_stride) {
  static const qrt_output_range none;
  panel p = {.packed = packed,
             .rows = rows,
             .last_group = rows->run < KR ? 0 : rows->run - KR,
             .c_stride = c_stride,
             .sums = !output,
             .range = qrt_range_make_avx2(output ? output : &none)};
  for (size_t j = 0; j < n; j += NR, c += output ? NR : NR * sizeof(int32_t)) {
    p.columns = n - j < NR ? n - j : NR;
    if (rows->run < KR) {
      run_panel_short(m, p, c);
    } else {
      run_panel(m, &p, c);
    }
    p.packed = (const char *)p.packed + panel_size(rows->runs, rows->run);
  }
}
