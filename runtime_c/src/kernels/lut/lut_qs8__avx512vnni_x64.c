/* lut_qs8__avx512vnni_x64.c - 64 bytes at a time. The table is four vectors of 32 words; vpermi2w finds the word that
 * holds a byte's value, first for the even bytes, then for the odd ones. */
#include <immintrin.h>

#include "lut.h"

enum { XR = 64 };

/* a: bytes as words, 0..255. The value is in the low half of each result; above it is its neighbour. */
static inline __m512i look_up_words(__m512i a, const __m512i table[4]) {
  const __m512i index = _mm512_srli_epi16(a, 1);
  const __m512i first = _mm512_permutex2var_epi16(table[0], index, table[1]);
  const __m512i second = _mm512_permutex2var_epi16(table[2], index, table[3]);
  const __m512i words = _mm512_mask_mov_epi16(first, _mm512_test_epi16_mask(a, _mm512_set1_epi16(128)), second);
  const __m512i odd = _mm512_and_si512(a, _mm512_set1_epi16(1));
  return _mm512_srlv_epi16(words, _mm512_slli_epi16(odd, 3));
}

static inline __m512i look_up(__m512i a, const __m512i table[4]) {
  const __m512i low = _mm512_set1_epi16(255);
  const __m512i even = look_up_words(_mm512_and_si512(a, low), table);
  const __m512i odd = look_up_words(_mm512_srli_epi16(a, 8), table);
  return _mm512_or_si512(_mm512_and_si512(even, low), _mm512_slli_epi16(odd, 8));
}

void qrt_lut_qs8__avx512vnni_x64_lookup(size_t n, const int8_t *a, const int8_t *table, int8_t *c) {
  /* Values for 0..127 first, as bytes without a sign come. */
  const __m512i vectors[4] = {_mm512_loadu_si512(table + 128), _mm512_loadu_si512(table + 192),
                              _mm512_loadu_si512(table), _mm512_loadu_si512(table + 64)};
  for (; n >= XR; n -= XR, a += XR, c += XR) _mm512_storeu_si512(c, look_up(_mm512_loadu_si512(a), vectors));
  if (n > 0) {
    const __mmask64 mask = ~(__mmask64)0 >> (XR - n);
    _mm512_mask_storeu_epi8(c, mask, look_up(_mm512_maskz_loadu_epi8(mask, a), vectors));
  }
}

void qrt_lut_qs8__avx512vnni_x64_clamp(size_t n, const int8_t *a, int32_t min, int32_t max, int8_t *c) {
  const __m512i low = _mm512_set1_epi8((int8_t)min), high = _mm512_set1_epi8((int8_t)max);
  while (n > 0) {
    const size_t count = n < XR ? n : XR;
    const __mmask64 mask = ~(__mmask64)0 >> (XR - count);
    const __m512i x = _mm512_maskz_loadu_epi8(mask, a);
    _mm512_mask_storeu_epi8(c, mask, _mm512_min_epi8(_mm512_max_epi8(x, low), high));
    a += count, c += count, n -= count;
  }
}
