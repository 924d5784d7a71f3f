/* interleave_x8__avx2_x16.c - three channels, 16 pixels at a time; other numbers one byte at a time. */
#include <immintrin.h>

#include "interleave.h"

enum { XR = 16 };
enum { NO = -128 };

/* [v][j]: where byte i of 16 in vector v of the output comes from in plane j; NO: from another plane. */
static const int8_t sources[3][3][16] = {
    {{0, NO, NO, 1, NO, NO, 2, NO, NO, 3, NO, NO, 4, NO, NO, 5},
     {NO, 0, NO, NO, 1, NO, NO, 2, NO, NO, 3, NO, NO, 4, NO, NO},
     {NO, NO, 0, NO, NO, 1, NO, NO, 2, NO, NO, 3, NO, NO, 4, NO}},
    {{NO, NO, 6, NO, NO, 7, NO, NO, 8, NO, NO, 9, NO, NO, 10, NO},
     {5, NO, NO, 6, NO, NO, 7, NO, NO, 8, NO, NO, 9, NO, NO, 10},
     {NO, 5, NO, NO, 6, NO, NO, 7, NO, NO, 8, NO, NO, 9, NO, NO}},
    {{NO, 11, NO, NO, 12, NO, NO, 13, NO, NO, 14, NO, NO, 15, NO, NO},
     {NO, NO, 11, NO, NO, 12, NO, NO, 13, NO, NO, 14, NO, NO, 15, NO},
     {10, NO, NO, 11, NO, NO, 12, NO, NO, 13, NO, NO, 14, NO, NO, 15}},
};

static inline __m128i pick(const __m128i *planes, size_t v) {
  __m128i bytes[3];
#pragma GCC unroll 3
  for (size_t j = 0; j < 3; j++)
    bytes[j] = _mm_shuffle_epi8(planes[j], _mm_loadu_si128((const __m128i *)sources[v][j]));
  return _mm_or_si128(_mm_or_si128(bytes[0], bytes[1]), bytes[2]);
}

void qrt_interleave_x8__avx2_x16(size_t n, size_t channels, const uint8_t *a, size_t a_stride, uint8_t *c) {
  if (channels == 3) {
    for (; n >= XR; n -= XR, a += XR, c += 3 * XR) {
      const __m128i planes[3] = {_mm_loadu_si128((const __m128i *)a), _mm_loadu_si128((const __m128i *)(a + a_stride)),
                                 _mm_loadu_si128((const __m128i *)(a + 2 * a_stride))};
#pragma GCC unroll 3
      for (size_t v = 0; v < 3; v++) _mm_storeu_si128((__m128i *)c + v, pick(planes, v));
    }
  }
  for (; n > 0; n--, a++) {
    for (size_t j = 0; j < channels; j++) *c++ = a[j * a_stride];
  }
}
