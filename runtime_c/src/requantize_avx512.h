/* requantize_avx512.h - requantize.h in lanes, for files compiled with AVX-512 BW and VL.
 *
 * Only the upper bound is clamped in float, where it keeps the conversion from overflowing; below, the conversion gives
 * INT32_MIN at worst, narrowing saturates, and the lower bound is applied to the bytes.
 */
#ifndef QRT_REQUANTIZE_AVX512_H
#define QRT_REQUANTIZE_AVX512_H

#include <immintrin.h>

#include "kernels/kernels.h"

typedef struct qrt_range_avx512 {
  __m512 high;
  __m512i zero_point; /* int16 */
  __m512i min;        /* int8 */
} qrt_range_avx512;

static inline qrt_range_avx512 qrt_range_make_avx512(const qrt_output_range *output) {
  const qrt_range_avx512 range = {_mm512_set1_ps((float)(output->max - output->zero_point)),
                                  _mm512_set1_epi16((int16_t)output->zero_point),
                                  _mm512_set1_epi8((int8_t)output->min)};
  return range;
}

/* x is not NaN. cvtps rounds to nearest even, as the session sets the mode. */
static inline __m512i qrt_round_avx512(__m512 x, const qrt_range_avx512 *range) {
  return _mm512_cvtps_epi32(_mm512_min_ps(x, range->high));
}

/* Results of the above in pairs, plus the zero point, as int16. Within each 128-bit lane: four of x0, four of x1. */
static inline __m512i qrt_narrow_avx512(__m512i x0, __m512i x1, const qrt_range_avx512 *range) {
  return _mm512_adds_epi16(_mm512_packs_epi32(x0, x1), range->zero_point);
}

/* The bytes of four results, within each 128-bit lane four of x0, then of x1, x2 and x3. */
static inline __m512i qrt_narrow4_avx512(__m512i x0, __m512i x1, __m512i x2, __m512i x3,
                                         const qrt_range_avx512 *range) {
  const __m512i bytes = _mm512_packs_epi16(qrt_narrow_avx512(x0, x1, range), qrt_narrow_avx512(x2, x3, range));
  return _mm512_max_epi8(bytes, range->min);
}

/* The same of two results: within each eight bytes four of x0, then of x1. */
static inline __m256i qrt_narrow2_avx512(__m512i x0, __m512i x1, const qrt_range_avx512 *range) {
  const __m256i bytes = _mm512_cvtsepi16_epi8(qrt_narrow_avx512(x0, x1, range));
  return _mm256_max_epi8(bytes, _mm512_castsi512_si256(range->min));
}

/* And of one: in order. */
static inline __m128i qrt_narrow1_avx512(__m512i x, const qrt_range_avx512 *range) {
  const __m256i words = _mm256_adds_epi16(_mm512_cvtsepi32_epi16(x), _mm512_castsi512_si256(range->zero_point));
  return _mm_max_epi8(_mm256_cvtsepi16_epi8(words), _mm512_castsi512_si128(range->min));
}

#endif
