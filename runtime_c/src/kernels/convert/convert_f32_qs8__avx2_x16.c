/* convert_f32_qs8__avx2_x16.c - 16 elements at a time; a shorter rest goes through a buffer. */
#include "../../requantize_avx2.h"
#include "convert.h"

enum { XR = 16 };

static inline __m128i quantize(const float *a, __m256 inverse_scale, const qrt_range_avx2 *range, __m128i zero_point) {
  const __m256 x0 = _mm256_mul_ps(_mm256_loadu_ps(a), inverse_scale);
  const __m256 x1 = _mm256_mul_ps(_mm256_loadu_ps(a + 8), inverse_scale);
  const __m256i nan0 = _mm256_castps_si256(_mm256_cmp_ps(x0, x0, _CMP_UNORD_Q));
  const __m256i nan1 = _mm256_castps_si256(_mm256_cmp_ps(x1, x1, _CMP_UNORD_Q));
  const __m128i nan = qrt_narrow_avx2(nan0, nan1, _mm256_setzero_si256());
  return _mm_blendv_epi8(qrt_round_clamp_avx2(x0, x1, range), zero_point, nan);
}

static inline void dequantize(__m128i a, __m256 scale, __m256i zero_point, float *c) {
  const __m256i x0 = _mm256_sub_epi32(_mm256_cvtepi8_epi32(a), zero_point);
  const __m256i x1 = _mm256_sub_epi32(_mm256_cvtepi8_epi32(_mm_srli_si128(a, 8)), zero_point);
  _mm256_storeu_ps(c, _mm256_mul_ps(scale, _mm256_cvtepi32_ps(x0)));
  _mm256_storeu_ps(c + 8, _mm256_mul_ps(scale, _mm256_cvtepi32_ps(x1)));
}

void qrt_convert_f32_qs8__avx2_x16_quantize(size_t n, const float *a, float inverse_scale,
                                            const qrt_output_range *output, int8_t *c) {
  const qrt_range_avx2 range = qrt_range_make_avx2(output);
  const __m256 inverse_scales = _mm256_set1_ps(inverse_scale);
  const __m128i zero_point = _mm_set1_epi8((int8_t)output->zero_point);
  for (; n >= XR; n -= XR, a += XR, c += XR) {
    _mm_storeu_si128((__m128i *)c, quantize(a, inverse_scales, &range, zero_point));
  }
  if (n > 0) {
    float rest[XR] = {0};
    memcpy(rest, a, n * sizeof *a);
    qrt_store_avx2(c, quantize(rest, inverse_scales, &range, zero_point), n);
  }
}

void qrt_convert_f32_qs8__avx2_x16_dequantize(size_t n, const int8_t *a, float scale, int32_t zero_point, float *c) {
  const __m256 scales = _mm256_set1_ps(scale);
  const __m256i zero_points = _mm256_set1_epi32(zero_point);
  for (; n >= XR; n -= XR, a += XR, c += XR) dequantize(_mm_loadu_si128((const __m128i *)a), scales, zero_points, c);
  if (n > 0) {
    float rest[XR];
    dequantize(qrt_load_avx2(a, n), scales, zero_points, rest);
    memcpy(c, rest, n * sizeof *c);
  }
}
