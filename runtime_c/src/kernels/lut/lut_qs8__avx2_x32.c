/* lut_qs8__avx2_x32.c - 32 bytes at a time. The table is sixteen rows of sixteen; vpshufb picks from each by the low
 * half of a byte, and four levels of blends pick the row by the high half, bit by bit. */
#include <immintrin.h>
#include <string.h>

#include "lut.h"

enum { XR = 32, ROWS = 16 };

static inline __m256i pick(const __m128i *row, __m256i low) {
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(*row), low);
}

/* rows begin with the one for 0..15; those for -128..-1 come last. */
static inline __m256i look_up(__m256i a, const __m128i *rows) {
  const __m256i low = _mm256_and_si256(a, _mm256_set1_epi8(15));
  /* Bits 4, 5 and 6 where blends look for them, at the top of each byte; bit 7 is there. */
  const __m256i bit4 = _mm256_slli_epi16(a, 3), bit5 = _mm256_slli_epi16(a, 2), bit6 = _mm256_slli_epi16(a, 1);
  __m256i x[4];
#pragma GCC unroll 4
  for (size_t i = 0; i < 4; i++, rows += 4) {
    const __m256i even = _mm256_blendv_epi8(pick(rows, low), pick(rows + 1, low), bit4);
    const __m256i odd = _mm256_blendv_epi8(pick(rows + 2, low), pick(rows + 3, low), bit4);
    x[i] = _mm256_blendv_epi8(even, odd, bit5);
  }
  return _mm256_blendv_epi8(_mm256_blendv_epi8(x[0], x[1], bit6), _mm256_blendv_epi8(x[2], x[3], bit6), a);
}

void qrt_lut_qs8__avx2_x32_lookup(size_t n, const int8_t *a, const int8_t *table, int8_t *c) {
  __m128i rows[ROWS];
  memcpy(rows, table + 128, 128);
  memcpy(rows + 8, table, 128);
  for (; n >= XR; n -= XR, a += XR, c += XR) {
    _mm256_storeu_si256((__m256i *)c, look_up(_mm256_loadu_si256((const __m256i *)a), rows));
  }
  for (size_t i = 0; i < n; i++) c[i] = table[a[i] + 128];
}

void qrt_lut_qs8__avx2_x32_clamp(size_t n, const int8_t *a, int32_t min, int32_t max, int8_t *c) {
  const __m256i low = _mm256_set1_epi8((int8_t)min), high = _mm256_set1_epi8((int8_t)max);
  for (; n >= XR; n -= XR, a += XR, c += XR) {
    const __m256i x = _mm256_loadu_si256((const __m256i *)a);
    _mm256_storeu_si256((__m256i *)c, _mm256_min_epi8(_mm256_max_epi8(x, low), high));
  }
  for (size_t i = 0; i < n; i++) c[i] = (int8_t)(a[i] < min ? min : a[i] > max ? max : a[i]);
}
