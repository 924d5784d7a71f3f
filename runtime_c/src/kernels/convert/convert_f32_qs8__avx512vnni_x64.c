/* convert_f32_qs8__avx512vnni_x64.c - 64 elements at a time; a shorter rest goes through a buffer. */
#include <string.h>

#include "../../requantize_avx512.h"
#include "convert.h"

enum { XR = 64 };

typedef struct constants {
  __m512 inverse_scale;
  __m512i order, zero_point;
  qrt_range_avx512 range;
} constants;

static inline __m512i quantize(const float *a, const constants *k) {
  __m512 x[4];
  __mmask64 nan = 0;
#pragma GCC unroll 4
  for (size_t v = 0; v < 4; v++) {
    x[v] = _mm512_mul_ps(_mm512_loadu_ps(a + 16 * v), k->inverse_scale);
    nan |= (__mmask64)_mm512_cmp_ps_mask(x[v], x[v], _CMP_UNORD_Q) << 16 * v;
  }
  const __m512i bytes = _mm512_permutexvar_epi32(k->order, qrt_round_clamp4_avx512(x, &k->range));
  return _mm512_mask_mov_epi8(bytes, nan, k->zero_point);
}

static inline void dequantize(const int8_t *a, __m512 scale, __m512i zero_point, float *c) {
  for (size_t v = 0; v < 4; v++) {
    const __m512i x = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)a + v));
    _mm512_storeu_ps(c + 16 * v, _mm512_mul_ps(scale, _mm512_cvtepi32_ps(_mm512_sub_epi32(x, zero_point))));
  }
}

void qrt_convert_f32_qs8__avx512vnni_x64_quantize(size_t n, const float *a, float inverse_scale,
                                                  const qrt_output_range *output, int8_t *c) {
  const constants k = {_mm512_set1_ps(inverse_scale), qrt_order_avx512(), _mm512_set1_epi8((int8_t)output->zero_point),
                       qrt_range_make_avx512(output, 0)};
  for (; n >= XR; n -= XR, a += XR, c += XR) _mm512_storeu_si512(c, quantize(a, &k));
  if (n > 0) {
    float rest[XR] = {0};
    memcpy(rest, a, n * sizeof *a);
    _mm512_mask_storeu_epi8(c, ~(__mmask64)0 >> (XR - n), quantize(rest, &k));
  }
}

void qrt_convert_f32_qs8__avx512vnni_x64_dequantize(size_t n, const int8_t *a, float scale, int32_t zero_point,
                                                    float *c) {
  const __m512 scales = _mm512_set1_ps(scale);
  const __m512i zero_points = _mm512_set1_epi32(zero_point);
  for (; n >= XR; n -= XR, a += XR, c += XR) dequantize(a, scales, zero_points, c);
  if (n > 0) {
    int8_t rest[XR] = {0};
    float results[XR];
    memcpy(rest, a, n);
    dequantize(rest, scales, zero_points, results);
    memcpy(c, results, n * sizeof *c);
  }
}
