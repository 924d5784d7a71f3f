/* requantize_avx512.h - requantize.h in lanes, for files compiled with AVX-512 BW and VL.
 *
 * The clamp comes last, on bytes, since narrowing saturates. That is right as long as no conversion to int32 overflows
 * upwards (downwards it gives INT32_MIN, which saturates as it should). |acc| <= 2^31, so multipliers below 1 are safe.
 * Else x is clamped in float as well.
 */
#ifndef QRT_REQUANTIZE_AVX512_H
#define QRT_REQUANTIZE_AVX512_H

#include <immintrin.h>

#include "kernels/kernels.h"

typedef struct qrt_range_avx512 {
  __m512 high;
  __m512i zero_point; /* int16 */
  __m512i min, max;   /* int8 */
  int32_t safe;       /* no x reaches 2^31 */
  int32_t full;       /* min and max are those of int8 */
} qrt_range_avx512;

static inline qrt_range_avx512 qrt_range_make_avx512(const qrt_output_range *output, int32_t safe) {
  const qrt_range_avx512 range = {_mm512_set1_ps((float)(output->max - output->zero_point)),
                                  _mm512_set1_epi16((int16_t)output->zero_point),
                                  _mm512_set1_epi8((int8_t)output->min),
                                  _mm512_set1_epi8((int8_t)output->max),
                                  safe,
                                  output->min == INT8_MIN && output->max == INT8_MAX};
  return range;
}

/* Are all multipliers of these vectors below 1? */
static inline int32_t qrt_below_one_avx512(size_t vectors, const __m512 *multiplier) {
  __mmask16 all = 0xffff;
  for (size_t v = 0; v < vectors; v++) all &= _mm512_cmp_ps_mask(multiplier[v], _mm512_set1_ps(1), _CMP_LT_OQ);
  return all == 0xffff;
}

/* acc * multiplier, of 16 * vectors accumulators, `vectors` being a constant. */
static inline __attribute__((always_inline)) void qrt_scale_avx512(size_t vectors, const __m512i *acc,
                                                                   const __m512 *multiplier, __m512 *x) {
#pragma GCC unroll 4
  for (size_t v = 0; v < vectors; v++) x[v] = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[v]), multiplier[v]);
}

/* rne(x), where that fits int32. cvtps rounds to nearest even, as the session sets the mode. */
static inline __attribute__((always_inline)) void qrt_round_avx512(size_t vectors, __m512 *x,
                                                                   const qrt_range_avx512 *range, __m512i *y) {
  if (!range->safe) {
#pragma GCC unroll 4
    for (size_t v = 0; v < vectors; v++) x[v] = _mm512_min_ps(x[v], range->high);
  }
#pragma GCC unroll 4
  for (size_t v = 0; v < vectors; v++) y[v] = _mm512_cvtps_epi32(x[v]);
}

/* Two results in int16 plus the zero point. Within each 128-bit lane: four of x0, four of x1. */
static inline __m512i qrt_narrow_avx512(__m512i x0, __m512i x1, const qrt_range_avx512 *range) {
  return _mm512_adds_epi16(_mm512_packs_epi32(x0, x1), range->zero_point);
}

/* 64 outputs of rounded numbers. Within each 128-bit lane: four of the first vector, then of the second, third and
 * fourth. */
static inline __m512i qrt_clamp4_avx512(const __m512i y[4], const qrt_range_avx512 *range) {
  const __m512i bytes = _mm512_packs_epi16(qrt_narrow_avx512(y[0], y[1], range), qrt_narrow_avx512(y[2], y[3], range));
  return range->full ? bytes : _mm512_min_epi8(_mm512_max_epi8(bytes, range->min), range->max);
}

/* 64 outputs of x, in the same order; any where it is NaN. */
static inline __m512i qrt_round_clamp4_avx512(__m512 x[4], const qrt_range_avx512 *range) {
  __m512i y[4];
  qrt_round_avx512(4, x, range, y);
  return qrt_clamp4_avx512(y, range);
}

/* Undoes that order, by permutexvar_epi32. */
static inline __m512i qrt_order_avx512(void) {
  return _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}

/* 64 outputs of accumulators, in the same order. */
static inline __m512i qrt_requantize4_avx512(const __m512i acc[4], const __m512 multiplier[4],
                                             const qrt_range_avx512 *range) {
  __m512 x[4];
  qrt_scale_avx512(4, acc, multiplier, x);
  return qrt_round_clamp4_avx512(x, range);
}

#endif
