/* vadd_qs8__avx512vnni_x64.c - 64 elements at a time: the float expression of the scalar kernel in lanes. */
#include <string.h>

#include "../../requantize_avx512.h"
#include "vadd.h"

enum { XR = 64 };

typedef struct constants {
  __m512i a_zero_point, b_zero_point;
  __m512 a_multiplier, b_multiplier;
  __m512i order;
  qrt_range_avx512 range;
} constants;

/* f32(x - zero_point) * multiplier for sixteen int8. */
static inline __m512 scaled(const int8_t *x, __m512i zero_point, __m512 multiplier) {
  const __m512i wide = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)x));
  return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(wide, zero_point)), multiplier);
}

static inline __m512i add(const int8_t *a, const int8_t *b, const constants *k) {
  __m512 x[4];
#pragma GCC unroll 4
  for (size_t v = 0; v < 4; v++) {
    x[v] = _mm512_add_ps(scaled(a + 16 * v, k->a_zero_point, k->a_multiplier),
                         scaled(b + 16 * v, k->b_zero_point, k->b_multiplier));
  }
  return _mm512_permutexvar_epi32(k->order, qrt_round_clamp4_avx512(x, &k->range));
}

static inline int32_t below(float multiplier) {
  return multiplier < 1048576 && multiplier > -1048576;
}

void qrt_vadd_qs8__avx512vnni_x64(size_t n, const int8_t *a, const int8_t *b, size_t b_stride,
                                  const qrt_vadd_params *params, int8_t *c) {
  /* |a - a_zero_point| <= 255, and the same of b: the sum is far below 2^31. */
  const int32_t safe = below(params->a_multiplier) && below(params->b_multiplier);
  const constants k = {.a_zero_point = _mm512_set1_epi32(params->a_zero_point),
                       .b_zero_point = _mm512_set1_epi32(params->b_zero_point),
                       .a_multiplier = _mm512_set1_ps(params->a_multiplier),
                       .b_multiplier = _mm512_set1_ps(params->b_multiplier),
                       .order = qrt_order_avx512(),
                       .range = qrt_range_make_avx512(&params->output, safe)};
  int8_t b_rest[XR];
  memset(b_rest, *b, XR);
  for (; n >= XR; n -= XR, a += XR, b += XR * b_stride, c += XR) {
    _mm512_storeu_si512(c, add(a, b_stride ? b : b_rest, &k));
  }
  if (n > 0) {
    int8_t a_rest[XR] = {0};
    memcpy(a_rest, a, n);
    if (b_stride) memcpy(b_rest, b, n);
    _mm512_mask_storeu_epi8(c, ~(__mmask64)0 >> (XR - n), add(a_rest, b_rest, &k));
  }
}
