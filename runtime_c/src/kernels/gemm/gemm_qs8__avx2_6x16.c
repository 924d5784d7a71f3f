/* gemm_qs8__avx2_6x16.c - 6 rows by 16 columns; depth in pairs of int16 for vpmaddwd. What is left of the rows goes
 * into lower tiles, of every height.
 *
 * A pair sum is at most 2 * 128 * 128 = 2^15 in magnitude, so vpmaddwd never saturates; the adds wrap modulo 2^32.
 * Weights are widened when they are loaded, sixteen values of each row before.
 */
#include "../../requantize_avx2.h"
#include "gemm_pack.h"

enum { MR = 6, NR = 16, KR = 2, DEPTH = 16 };

#define INLINE static inline __attribute__((always_inline))

size_t qrt_gemm_qs8__avx2_6x16_packed_size(size_t n, size_t runs, size_t run) {
  return qrt_gemm_panels_size(n, runs, run, NR, KR);
}

void qrt_gemm_qs8__avx2_6x16_pack(const qrt_gemm_weights *weights, void *packed) {
  qrt_gemm_pack_panels(weights, NR, KR, packed);
}

/* What the tiles of a panel have in common. */
typedef struct panel {
  const int8_t *packed;
  const qrt_gemm_rows *rows;
  size_t columns; /* that exist */
  size_t c_stride;
  int sums; /* are the output, as int32; else int8 */
  qrt_range_avx2 range;
} panel;

/* Up to 16 values of each row, as int16. */
typedef struct widened {
  _Alignas(32) int16_t rows[MR][DEPTH];
} widened;

INLINE __m256i load_weights(const int8_t *w) {
  return _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)w));
}

/* acc[i][0..15] += w[0..15][0] * a[i][0] + w[0..15][1] * a[i][1], for as many pairs as `depth` has. The empty assembly
 * keeps the order of the sums: gcc would add the products of several steps first, and spill them. */
INLINE void multiply_add(size_t rows, size_t depth, const widened *a, const int8_t *w, __m256i acc[MR][2]) {
  for (size_t p = 0; p < depth; p += KR, w += NR * KR) {
    const __m256i w0 = load_weights(w), w1 = load_weights(w + NR * KR / 2);
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++) {
      int32_t pair;
      memcpy(&pair, &a->rows[i][p], sizeof pair);
      const __m256i x = _mm256_set1_epi32(pair);
      acc[i][0] = _mm256_add_epi32(acc[i][0], _mm256_madd_epi16(w0, x));
      acc[i][1] = _mm256_add_epi32(acc[i][1], _mm256_madd_epi16(w1, x));
      __asm__("" : "+x"(acc[i][0]), "+x"(acc[i][1]));
    }
  }
}

INLINE void widen(size_t rows, const int8_t *const *a, size_t at, size_t depth, widened *to) {
#pragma GCC unroll 6
  for (size_t i = 0; i < rows; i++) {
    const __m256i x = _mm256_cvtepi8_epi16(qrt_load_avx2(a[i] + at, depth));
    _mm256_store_si256((__m256i *)to->rows[i], x);
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
  const size_t run = p->rows->run, rest = run % DEPTH;
  for (; count > 0; count--) {
    const int8_t *a[MR];
    __m256i acc[MR][2];
    const __m256i *bias = (const __m256i *)p->packed;
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++) {
      a[i] = qrt_gemm_next(p->rows, walk);
      acc[i][0] = bias[0];
      acc[i][1] = bias[1];
    }
    const float *multiplier = (const float *)(bias + 2);
    const int8_t *w = (const int8_t *)(multiplier + NR);
    for (size_t q = 0, at = 0; q < p->rows->runs; q++, at += p->rows->run_stride - run) {
      widened x;
      for (const size_t end = at + run - rest; at < end; at += DEPTH, w += NR * DEPTH) {
        widen(rows, a, at, DEPTH, &x);
        multiply_add(rows, DEPTH, &x, w, acc);
      }
      if (rest > 0) {
        widen(rows, a, at, rest, &x);
        multiply_add(rows, rest, &x, w, acc);
        at += rest;
        w += (rest + KR - 1) / KR * KR * NR;
      }
    }
    const __m256 multiplier0 = _mm256_load_ps(multiplier), multiplier1 = _mm256_load_ps(multiplier + 8);
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++, c += p->c_stride) store(acc[i], multiplier0, multiplier1, p, c);
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

void qrt_gemm_qs8__avx2_6x16(size_t m, size_t n, const qrt_gemm_rows *rows, const void *packed,
                             const qrt_output_range *output, int8_t *c, size_t c_stride) {
  static const qrt_output_range none;
  panel p = {.packed = packed,
             .rows = rows,
             .c_stride = c_stride,
             .sums = !output,
             .range = qrt_range_make_avx2(output ? output : &none)};
  /* Tiles of two heights, which differ by one row. */
  const size_t count = (m + MR - 1) / MR, height = m / count, higher = m % count;
  for (size_t j = 0; j < n; j += NR, c += output ? NR : NR * sizeof(int32_t)) {
    qrt_gemm_walk walk = qrt_gemm_first(rows);
    p.columns = n - j < NR ? n - j : NR;
    tiles_of(height + 1, higher, &walk, &p, c);
    tiles_of(height, count - higher, &walk, &p, c + higher * (height + 1) * c_stride);
    p.packed += qrt_gemm_panel_size(rows->runs, rows->run, NR, KR);
  }
}
