/* requantize_avx512.h - requantize.h in lanes, for files compiled with AVX-512 BW and VL.
 *
 * The clamp comes last, on bytes, since narrowing saturates. That is right as long as no conversion to int32 overflows
 * upwards (downwards it gives INT32_MIN, which saturates as it should): |acc| <= 2^31, so multipliers below 1 are safe.
 * With others x is clamped in float as well.
 */
#ifndef QRT_REQUANTIZE_AVX512_H
#define QRT_REQUANTIZE_AVX512_H

#include <immintrin.h>

#include "kernels/kernels.h"

typedef struct qrt_range_avx512 {
  __m512 high;
  __m512i zero_point; /* int16 */
  __m512i min, max;   /* int8 */
  int32_t safe;       /* all multipliers are below 1 */
} qrt_range_avx512;

static inline qrt_range_avx512 qrt_range_make_avx512(const qrt_output_range *output, int32_t safe) {
  const qrt_range_avx512 range = {_mm512_set1_ps((float)(output->max - output->zero_point)),
                                  _mm512_set1_epi16((int16_t)output->zero_point), _mm512_set1_epi8((int8_t)output->min),
                                  _mm512_set1_epi8((int8_t)output->max), safe};
  return range;
}

/* rne(acc * multiplier) for 16 * vectors accumulators, `vectors` being a constant. */
static inline __attribute__((always_inline)) void qrt_scale_avx512(size_t vectors, const __m512i *acc,
                                                                   const __m512 *multiplier,
                                                                   const qrt_range_avx512 *range, __m512i *x) {
  __m512 y[4];
#pragma GCC unroll 4
  for (size_t v = 0; v < vectors; v++) y[v] = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[v]), multiplier[v]);
  if (!range->safe) {
#pragma GCC unroll 4
    for (size_t v = 0; v < vectors; v++) y[v] = _mm512_min_ps(y[v], range->high);
  }
  /* cvtps rounds to nearest even, as the session sets the mode. */
#pragma GCC unroll 4
  for (size_t v = 0; v < vectors; v++) x[v] = _mm512_cvtps_epi32(y[v]);
}

/* Two results in int16 plus the zero point. Within each 128-bit lane: four of x0, four of x1. */
static inline __m512i qrt_narrow_avx512(__m512i x0, __m512i x1, const qrt_range_avx512 *range) {
  return _mm512_adds_epi16(_mm512_packs_epi32(x0, x1), range->zero_point);
}

/* 64 outputs. Within each 128-bit lane: four of the first vector, then of the second, third and fourth. */
static inline __m512i qrt_requantize4_avx512(const __m512i acc[4], const __m512 multiplier[4],
                                             const qrt_range_avx512 *range) {
  __m512i x[4];
  qrt_scale_avx512(4, acc, multiplier, range, x);
  const __m512i bytes = _mm512_packs_epi16(qrt_narrow_avx512(x[0], x[1], range), qrt_narrow_avx512(x[2], x[3], range));
  return _mm512_min_epi8(_mm512_max_epi8(bytes, range->min), range->max);
}

/* 32 outputs. Within each eight bytes: four of the first vector, four of the second. */
static inline __m256i qrt_requantize2_avx512(const __m512i acc[2], const __m512 multiplier[2],
                                             const qrt_range_avx512 *range) {
  __m512i x[2];
  qrt_scale_avx512(2, acc, multiplier, range, x);
  const __m256i bytes = _mm512_cvtsepi16_epi8(qrt_narrow_avx512(x[0], x[1], range));
  return _mm256_min_epi8(_mm256_max_epi8(bytes, _mm512_castsi512_si256(range->min)),
                         _mm512_castsi512_si256(range->max));
}

/* 16 outputs in order. */
static inline __m128i qrt_requantize1_avx512(const __m512i acc[1], const __m512 multiplier[1],
                                             const qrt_range_avx512 *range) {
  __m512i x[1];
  qrt_scale_avx512(1, acc, multiplier, range, x);
  const __m256i words = _mm256_adds_epi16(_mm512_cvtsepi32_epi16(x[0]), _mm512_castsi512_si256(range->zero_point));
  return _mm_min_epi8(_mm_max_epi8(_mm256_cvtsepi16_epi8(words), _mm512_castsi512_si128(range->min)),
                      _mm512_castsi512_si128(range->max));
}

#endif
