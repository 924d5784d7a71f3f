/* requantize_avx2.h - requantize.h in lanes, for files compiled with AVX2. */
#ifndef QRT_REQUANTIZE_AVX2_H
#define QRT_REQUANTIZE_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "kernels/kernels.h"

typedef struct qrt_range_avx2 {
  __m256 low, high;
  __m256i zero_point; /* int16 */
} qrt_range_avx2;

static inline qrt_range_avx2 qrt_range_make_avx2(const qrt_output_range *output) {
  const qrt_range_avx2 range = {_mm256_set1_ps((float)(output->min - output->zero_point)),
                                _mm256_set1_ps((float)(output->max - output->zero_point)),
                                _mm256_set1_epi16((int16_t)output->zero_point)};
  return range;
}

/* Sixteen int32 of [-128 - zero_point, 127 - zero_point] plus zero_point, as int8 in order. */
static inline __m128i qrt_narrow_avx2(__m256i x0, __m256i x1, __m256i zero_point) {
  /* packs works within 128-bit halves: 0..3 8..11 | 4..7 12..15, which the permutation undoes. */
  const __m256i x = _mm256_add_epi16(_mm256_packs_epi32(x0, x1), zero_point);
  const __m256i ordered = _mm256_permute4x64_epi64(x, _MM_SHUFFLE(3, 1, 2, 0));
  return _mm_packs_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
}

/* x is not NaN. cvtps rounds to nearest even, as the session sets the mode. */
static inline __m128i qrt_round_clamp_avx2(__m256 x0, __m256 x1, const qrt_range_avx2 *range) {
  x0 = _mm256_min_ps(_mm256_max_ps(x0, range->low), range->high);
  x1 = _mm256_min_ps(_mm256_max_ps(x1, range->low), range->high);
  return qrt_narrow_avx2(_mm256_cvtps_epi32(x0), _mm256_cvtps_epi32(x1), range->zero_point);
}

static inline __m128i qrt_requantize_avx2(__m256i acc0, __m256i acc1, __m256 multiplier0, __m256 multiplier1,
                                          const qrt_range_avx2 *range) {
  return qrt_round_clamp_avx2(_mm256_mul_ps(_mm256_cvtepi32_ps(acc0), multiplier0),
                              _mm256_mul_ps(_mm256_cvtepi32_ps(acc1), multiplier1), range);
}

/* Up to 16 bytes, in two halves, as the functions below take and give them. */
typedef struct qrt_halves {
  uint64_t low, high;
} qrt_halves;

/* 1 <= n < 16 bytes, the rest zero; and n bytes out. Neither touches a byte more. Pieces overlap where n is no power of
 * two: a call of memcpy would take longer than the kernel's step. */
static inline qrt_halves qrt_load_halves(const int8_t *a, size_t n) {
  qrt_halves x = {0, 0};
  if (n >= 8) {
    memcpy(&x.low, a, 8);
    memcpy(&x.high, a + n - 8, 8);
    x.high = n == 8 ? 0 : x.high >> 8 * (16 - n);
  } else if (n >= 4) {
    uint32_t first, last;
    memcpy(&first, a, 4);
    memcpy(&last, a + n - 4, 4);
    x.low = first | (uint64_t)last << 8 * (n - 4);
  } else {
    const uint32_t first = (uint8_t)a[0], middle = (uint8_t)a[n / 2], last = (uint8_t)a[n - 1];
    x.low = first | middle << 8 * (n / 2) | last << 8 * (n - 1);
  }
  return x;
}

static inline void qrt_store_halves(int8_t *c, qrt_halves x, size_t n) {
  if (n >= 8) {
    const uint64_t last = n == 8 ? x.low : x.low >> 8 * (n - 8) | x.high << 8 * (16 - n);
    memcpy(c, &x.low, 8);
    memcpy(c + n - 8, &last, 8);
  } else if (n >= 4) {
    const uint32_t first = (uint32_t)x.low, last = (uint32_t)(x.low >> 8 * (n - 4));
    memcpy(c, &first, 4);
    memcpy(c + n - 4, &last, 4);
  } else {
    c[0] = (int8_t)x.low;
    c[n / 2] = (int8_t)(x.low >> 8 * (n / 2));
    c[n - 1] = (int8_t)(x.low >> 8 * (n - 1));
  }
}

static inline __m128i qrt_load_avx2(const int8_t *a, size_t n) {
  if (n == 16) return _mm_loadu_si128((const __m128i *)a);
  const qrt_halves x = qrt_load_halves(a, n);
  return _mm_set_epi64x((int64_t)x.high, (int64_t)x.low);
}

static inline void qrt_store_avx2(int8_t *c, __m128i x, size_t n) {
  if (n == 16) {
    _mm_storeu_si128((__m128i *)c, x);
  } else {
    const qrt_halves halves = {(uint64_t)_mm_cvtsi128_si64(x), (uint64_t)_mm_extract_epi64(x, 1)};
    qrt_store_halves(c, halves, n);
  }
}

#endif
