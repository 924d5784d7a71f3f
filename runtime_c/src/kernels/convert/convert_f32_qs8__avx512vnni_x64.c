/* convert_f32_qs8__avx512vnni_x64.c - 64 elements at a time; a shorter rest goes through a buffer. */
#include <string.h>

#include "../../floats.h"
#include "../../requantize_avx512.h"
#include "convert.h"

enum { XR = 64 };

typedef struct constants {
  __m512 inverse_scale;
  __m512i order, zero_point;
  qrt_range_avx512 range;
} constants;

/* NaN, and what is beyond int32, among others. */
static __attribute__((noinline)) __m512i quantize_any(const float *a, const constants *k) {
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

/* What does not fit becomes the least of int32. */
static inline __m512i quantize(const float *a, const constants *k) {
  __m512i y[4];
#pragma GCC unroll 4
  for (size_t v = 0; v < 4; v++) {
    y[v] = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(a + 16 * v), k->inverse_scale));
  }
  const __m512i least = _mm512_min_epi32(_mm512_min_epi32(y[0], y[1]), _mm512_min_epi32(y[2], y[3]));
  if (_mm512_cmpeq_epi32_mask(least, _mm512_set1_epi32(INT32_MIN))) return quantize_any(a, k);
  return _mm512_permutexvar_epi32(k->order, qrt_clamp4_avx512(y, &k->range));
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

/* As many lanes as there are elements, at most 16; masked loads do not touch the others. */
static inline __mmask16 lanes(size_t n) {
  return (__mmask16)(n >= 16 ? 0xffffu : (1u << n) - 1);
}

/* See qrt_float_range: sixteen lanes of it. */
static void finite_range(size_t n, const float *a, qrt_float_range *range) {
  const __m512i infinity = _mm512_set1_epi32(QRT_FLOAT_INFINITY);
  const __m512i sign = _mm512_set1_epi32(INT32_MIN), magnitudes = _mm512_set1_epi32(INT32_MAX);
  __m512i highs = _mm512_setzero_si512(), lows = _mm512_setzero_si512();
  for (size_t i = 0; i < n; i += 16) {
    const __m512i bits = _mm512_maskz_loadu_epi32(lanes(n - i), a + i);
    const __mmask16 finite = _mm512_cmpgt_epi32_mask(infinity, _mm512_and_si512(bits, magnitudes));
    highs = _mm512_mask_max_epi32(highs, finite, highs, bits);
    lows = _mm512_mask_max_epi32(lows, finite, lows, _mm512_xor_si512(bits, sign));
  }
  range->high = _mm512_reduce_max_epi32(highs);
  range->low = _mm512_reduce_max_epi32(lows);
}

/* As if all were finite, which their extremes then show. As unsigned numbers the bits of negative ones are the largest,
 * in the order of their magnitudes. */
void qrt_convert_f32_qs8__avx512vnni_x64_range(size_t n, const float *a, float *low, float *high) {
  __m512i highs[4], lows[4];
  for (size_t v = 0; v < 4; v++) highs[v] = lows[v] = _mm512_setzero_si512();
  size_t i = 0;
  for (; i + XR <= n; i += XR) {
#pragma GCC unroll 4
    for (size_t v = 0; v < 4; v++) {
      const __m512i bits = _mm512_loadu_si512(a + i + 16 * v);
      highs[v] = _mm512_max_epi32(highs[v], bits);
      lows[v] = _mm512_max_epu32(lows[v], bits);
    }
  }
  for (; i < n; i += 16) {
    const __m512i bits = _mm512_maskz_loadu_epi32(lanes(n - i), a + i);
    highs[0] = _mm512_max_epi32(highs[0], bits);
    lows[0] = _mm512_max_epu32(lows[0], bits);
  }
  for (size_t v = 1; v < 4; v++) {
    highs[0] = _mm512_max_epi32(highs[0], highs[v]);
    lows[0] = _mm512_max_epu32(lows[0], lows[v]);
  }
  const int32_t low_bits = (int32_t)_mm512_reduce_max_epu32(lows[0]);
  qrt_float_range range = {_mm512_reduce_max_epi32(highs[0]), low_bits < 0 ? low_bits ^ INT32_MIN : 0};
  if (range.high >= QRT_FLOAT_INFINITY || range.low >= QRT_FLOAT_INFINITY) finite_range(n, a, &range);
  *low = qrt_float_range_low(&range);
  *high = qrt_float_range_high(&range);
}

typedef struct sums_constants {
  __m512i zero_point;
  __m512 scale;
  int32_t relu;
} sums_constants;

static inline __m512 scale_sums(__m512i a, __m512i sum, __m512 weight_scale, __m512 bias, const sums_constants *k) {
  const __m512 sums = _mm512_cvtepi32_ps(_mm512_sub_epi32(a, _mm512_mullo_epi32(k->zero_point, sum)));
  const __m512 x = _mm512_add_ps(_mm512_mul_ps(sums, _mm512_mul_ps(k->scale, weight_scale)), bias);
  if (k->relu) return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ), x);
  const __m512 nan = _mm512_castsi512_ps(_mm512_set1_epi32(QRT_FLOAT_NAN));
  return _mm512_mask_mov_ps(x, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), nan);
}

void qrt_convert_f32_qs8__avx512vnni_x64_scale_sums(size_t n, const int32_t *a, const qrt_sums_scale *params,
                                                    float *c) {
  const sums_constants k = {_mm512_set1_epi32(params->zero_point), _mm512_set1_ps(params->scale), params->relu};
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    _mm512_storeu_ps(c + i,
                     scale_sums(_mm512_loadu_si512(a + i), _mm512_loadu_si512(params->sum + i),
                                _mm512_loadu_ps(params->weight_scale + i), _mm512_loadu_ps(params->bias + i), &k));
  }
  if (i < n) {
    const __mmask16 there = lanes(n - i);
    const __m512 x = scale_sums(
        _mm512_maskz_loadu_epi32(there, a + i), _mm512_maskz_loadu_epi32(there, params->sum + i),
        _mm512_maskz_loadu_ps(there, params->weight_scale + i), _mm512_maskz_loadu_ps(there, params->bias + i), &k);
    _mm512_mask_storeu_ps(c + i, there, x);
  }
}
