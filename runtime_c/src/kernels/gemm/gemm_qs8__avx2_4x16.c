/* gemm_qs8__avx2_4x16.c - 4 rows by 16 columns; depth in pairs of int16 for vpmaddwd.
 *
 * A pair sum is at most 2 * 128 * 128 = 2^15 in magnitude, so vpmaddwd never saturates; the adds wrap modulo 2^32.
 */
#include "../../requantize_avx2.h"
#include "gemm_pack.h"

enum { MR = 4, NR = 16, KR = 2, WIDTH = sizeof(int16_t) };

size_t qrt_gemm_qs8__avx2_4x16_packed_size(size_t n, size_t runs, size_t run) {
  return qrt_gemm_panels_size(n, runs, run, NR, KR, WIDTH);
}

void qrt_gemm_qs8__avx2_4x16_pack(const qrt_gemm_weights *weights, void *packed) {
  qrt_gemm_pack_panels(weights, NR, KR, WIDTH, packed);
}

/* acc[0..15] += w[0..15][0] * pair[0] + w[0..15][1] * pair[1], the pair being in every 32-bit lane. The empty assembly
 * keeps the order of the sums: gcc would add the products of several steps first, and spill them. */
#define MULTIPLY_ADD(acc, pair)                                        \
  do {                                                                 \
    const __m256i pair_ = (pair);                                      \
    acc##_0 = _mm256_add_epi32(acc##_0, _mm256_madd_epi16(w0, pair_)); \
    acc##_1 = _mm256_add_epi32(acc##_1, _mm256_madd_epi16(w1, pair_)); \
    __asm__("" : "+x"(acc##_0), "+x"(acc##_1));                        \
  } while (0)

/* One step of kr = 2 in depth for all four rows; `pair` is 0..3 within the eight values loaded. */
#define STEP(pair)                                                 \
  do {                                                             \
    const __m256i w0 = _mm256_load_si256((const __m256i *)w);      \
    const __m256i w1 = _mm256_load_si256((const __m256i *)w + 1);  \
    w += NR * KR;                                                  \
    MULTIPLY_ADD(acc0, _mm256_shuffle_epi32(row0, (pair) * 0x55)); \
    MULTIPLY_ADD(acc1, _mm256_shuffle_epi32(row1, (pair) * 0x55)); \
    MULTIPLY_ADD(acc2, _mm256_shuffle_epi32(row2, (pair) * 0x55)); \
    MULTIPLY_ADD(acc3, _mm256_shuffle_epi32(row3, (pair) * 0x55)); \
  } while (0)

/* Eight int8 as int16, in both halves. */
static inline __m256i load_row(const int8_t *a) {
  return _mm256_broadcastsi128_si256(_mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)a)));
}

/* The last one or two values of a row, as a pair in every lane. */
static inline __m256i load_pair(const int8_t *a, size_t count) {
  const uint32_t first = (uint16_t)a[0], second = count > 1 ? (uint16_t)a[1] : 0;
  return _mm256_set1_epi32((int32_t)(first | second << 16));
}

static inline void store_sums(int8_t *c, __m256i acc0, __m256i acc1, size_t columns) {
  int32_t sums[NR];
  _mm256_storeu_si256((__m256i *)sums, acc0);
  _mm256_storeu_si256((__m256i *)sums + 1, acc1);
  memcpy(c, sums, columns * sizeof *sums);
}

/* All columns of up to four rows; range is NULL for sums. */
static void strip(size_t m, size_t n, const qrt_gemm_rows *rows, const int8_t *const *a, const void *packed,
                  const qrt_range_avx2 *range, int8_t *c, size_t c_stride) {
  const size_t panel_size = qrt_gemm_panel_size(rows->runs, rows->run, NR, KR, WIDTH);
  /* Rows past m repeat row m - 1: computed again, stored again with the same bytes. */
  const size_t row1_at = m > 1 ? 1 : 0, row2_at = m > 2 ? 2 : row1_at, row3_at = m > 3 ? 3 : row2_at;
  const int8_t *panel = packed;

  for (size_t j = 0; j < n; j += NR, panel += panel_size) {
    const __m256i *bias = (const __m256i *)panel;
    const float *multiplier = (const float *)(bias + 2);
    const int16_t *w = (const int16_t *)(multiplier + NR);
    __m256i acc0_0 = _mm256_load_si256(bias), acc0_1 = _mm256_load_si256(bias + 1);
    __m256i acc1_0 = acc0_0, acc1_1 = acc0_1;
    __m256i acc2_0 = acc0_0, acc2_1 = acc0_1;
    __m256i acc3_0 = acc0_0, acc3_1 = acc0_1;

    for (size_t q = 0; q < rows->runs; q++) {
      const size_t at = q * rows->run_stride;
      const int8_t *a0 = a[0] + at, *a1 = a[row1_at] + at, *a2 = a[row2_at] + at, *a3 = a[row3_at] + at;
      size_t p = rows->run;
      for (; p >= 8; p -= 8) {
        const __m256i row0 = load_row(a0), row1 = load_row(a1), row2 = load_row(a2), row3 = load_row(a3);
        a0 += 8, a1 += 8, a2 += 8, a3 += 8;
        STEP(0);
        STEP(1);
        STEP(2);
        STEP(3);
      }
      while (p > 0) {
        const size_t count = p < KR ? p : KR;
        const __m256i row0 = load_pair(a0, count), row1 = load_pair(a1, count);
        const __m256i row2 = load_pair(a2, count), row3 = load_pair(a3, count);
        a0 += count, a1 += count, a2 += count, a3 += count, p -= count;
        STEP(0);
      }
    }

    const size_t columns = n - j < NR ? n - j : NR;
    if (!range) {
      int8_t *sums = c + j * sizeof(int32_t);
      store_sums(sums, acc0_0, acc0_1, columns);
      store_sums(sums + row1_at * c_stride, acc1_0, acc1_1, columns);
      store_sums(sums + row2_at * c_stride, acc2_0, acc2_1, columns);
      store_sums(sums + row3_at * c_stride, acc3_0, acc3_1, columns);
      continue;
    }
    const __m256 multiplier0 = _mm256_load_ps(multiplier), multiplier1 = _mm256_load_ps(multiplier + 8);
    int8_t *c0 = c + j;
    qrt_store_avx2(c0, qrt_requantize_avx2(acc0_0, acc0_1, multiplier0, multiplier1, range), columns);
    qrt_store_avx2(c0 + row1_at * c_stride, qrt_requantize_avx2(acc1_0, acc1_1, multiplier0, multiplier1, range),
                   columns);
    qrt_store_avx2(c0 + row2_at * c_stride, qrt_requantize_avx2(acc2_0, acc2_1, multiplier0, multiplier1, range),
                   columns);
    qrt_store_avx2(c0 + row3_at * c_stride, qrt_requantize_avx2(acc3_0, acc3_1, multiplier0, multiplier1, range),
                   columns);
  }
}

void qrt_gemm_qs8__avx2_4x16(size_t m, size_t n, const qrt_gemm_rows *rows, const void *packed,
                             const qrt_output_range *output, int8_t *c, size_t c_stride) {
  static const qrt_output_range none;
  const qrt_range_avx2 range = qrt_range_make_avx2(output ? output : &none);
  qrt_gemm_walk walk = qrt_gemm_first(rows);
  for (size_t i = 0; i < m; i += MR, c += MR * c_stride) {
    const size_t count = m - i < MR ? m - i : MR;
    const int8_t *a[MR];
    for (size_t r = 0; r < count; r++) a[r] = qrt_gemm_next(rows, &walk);
    strip(count, n, rows, a, packed, output ? &range : NULL, c, c_stride);
  }
}
