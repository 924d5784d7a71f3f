/* vadd_qs8__avx512vnni_x64.c - 64 elements at a time: the float expression of the scalar kernel in lanes. */
#include "../../requantize_avx512.h"
#include "vadd.h"

enum { XR = 64 };

typedef struct constants {
  __m512 a_zero, b_zero; /* what the floats of to_floats() are where x is the zero point */
  __m512 a_multiplier, b_multiplier;
  qrt_range_avx512 range;
} constants;

/* 2^23 + 128 + x for four of each 16 int8 of x, from 4 * v on: the byte x + 128 as the last of such a float's. */
static inline __m512 to_floats(__m512i x, size_t v) {
  const __m512i from =
      _mm512_add_epi32(_mm512_broadcast_i32x4(_mm_setr_epi32(0, 1, 2, 3)), _mm512_set1_epi32(4 * (int)v));
  return _mm512_castsi512_ps(_mm512_mask_shuffle_epi8(_mm512_set1_epi32(0x4b000000), 0x1111111111111111u, x, from));
}

static inline __m512i add(__m512i a, __m512i b, const constants *k) {
  const __m512i sign = _mm512_set1_epi8(-128);
  const __m512i a_bytes = _mm512_xor_si512(a, sign), b_bytes = _mm512_xor_si512(b, sign);
  __m512 x[4];
#pragma GCC unroll 4
  for (size_t v = 0; v < 4; v++) {
    x[v] = _mm512_add_ps(_mm512_mul_ps(_mm512_sub_ps(to_floats(a_bytes, v), k->a_zero), k->a_multiplier),
                         _mm512_mul_ps(_mm512_sub_ps(to_floats(b_bytes, v), k->b_zero), k->b_multiplier));
  }
  return qrt_round_clamp4_avx512(x, &k->range);
}

static inline int32_t below(float multiplier) {
  return multiplier < 1048576 && multiplier > -1048576;
}

void qrt_vadd_qs8__avx512vnni_x64(size_t n, const int8_t *a, const int8_t *b, size_t b_stride,
                                  const qrt_vadd_params *params, int8_t *c) {
  /* |a - a_zero_point| <= 255, and the same of b: the sum is far below 2^31. */
  const int32_t safe = below(params->a_multiplier) && below(params->b_multiplier);
  const constants k = {.a_zero = _mm512_set1_ps((float)(8388736 + params->a_zero_point)),
                       .b_zero = _mm512_set1_ps((float)(8388736 + params->b_zero_point)),
                       .a_multiplier = _mm512_set1_ps(params->a_multiplier),
                       .b_multiplier = _mm512_set1_ps(params->b_multiplier),
                       .range = qrt_range_make_avx512(&params->output, safe)};
  const __m512i b_all = _mm512_set1_epi8(*b);
  for (; n >= XR; n -= XR, a += XR, b += XR * b_stride, c += XR) {
    _mm512_storeu_si512(c, add(_mm512_loadu_si512(a), b_stride ? _mm512_loadu_si512(b) : b_all, &k));
  }
  if (n > 0) {
    const __mmask64 rest = ~(__mmask64)0 >> (XR - n);
    const __m512i b_rest = b_stride ? _mm512_maskz_loadu_epi8(rest, b) : b_all;
    _mm512_mask_storeu_epi8(c, rest, add(_mm512_maskz_loadu_epi8(rest, a), b_rest, &k));
  }
}
