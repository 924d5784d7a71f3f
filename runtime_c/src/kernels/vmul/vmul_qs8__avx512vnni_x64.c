/* vmul_qs8__avx512vnni_x64.c - 64 elements at a time: exact products in int32, then the common epilogue. */
#include "../../requantize_avx512.h"
#include "vmul.h"

enum { XR = 64 };

typedef struct constants {
  __m512i a_zero_point, b_zero_point;
  __m512 multiplier[4];
  __m512i order;
  qrt_range_avx512 range;
} constants;

/* x - zero_point for sixteen int8. */
static inline __m512i centred(const int8_t *x, __m512i zero_point) {
  return _mm512_sub_epi32(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)x)), zero_point);
}

/* Factors have nine bits: as pairs of int16 whose upper halves are signs, one of which is cleared, vpmaddwd multiplies
 * them faster than vpmulld. */
static inline __m512i multiply(const int8_t *a, const int8_t *b, const constants *k) {
  __m512i x[4];
#pragma GCC unroll 4
  for (size_t v = 0; v < 4; v++) {
    const __m512i low = _mm512_and_si512(centred(b + 16 * v, k->b_zero_point), _mm512_set1_epi32(0xffff));
    x[v] = _mm512_madd_epi16(centred(a + 16 * v, k->a_zero_point), low);
  }
  return _mm512_permutexvar_epi32(k->order, qrt_requantize4_avx512(x, k->multiplier, &k->range));
}

void qrt_vmul_qs8__avx512vnni_x64(size_t n, const int8_t *a, const int8_t *b, size_t b_stride,
                                  const qrt_vmul_params *params, int8_t *c) {
  const __m512 multiplier = _mm512_set1_ps(params->multiplier);
  const constants k = {.a_zero_point = _mm512_set1_epi32(params->a_zero_point),
                       .b_zero_point = _mm512_set1_epi32(params->b_zero_point),
                       .multiplier = {multiplier, multiplier, multiplier, multiplier},
                       .order = qrt_order_avx512(),
                       .range = qrt_range_make_avx512(&params->output, params->multiplier < 1)};
  _Alignas(XR) int8_t a_rest[XR], b_rest[XR];
  _mm512_store_si512(b_rest, _mm512_set1_epi8(*b));
  for (; n >= XR; n -= XR, a += XR, b += XR * b_stride, c += XR) {
    _mm512_storeu_si512(c, multiply(a, b_stride ? b : b_rest, &k));
  }
  if (n > 0) {
    const __mmask64 rest = ~(__mmask64)0 >> (XR - n);
    _mm512_store_si512(a_rest, _mm512_maskz_loadu_epi8(rest, a));
    if (b_stride) _mm512_store_si512(b_rest, _mm512_maskz_loadu_epi8(rest, b));
    _mm512_mask_storeu_epi8(c, rest, multiply(a_rest, b_rest, &k));
  }
}
