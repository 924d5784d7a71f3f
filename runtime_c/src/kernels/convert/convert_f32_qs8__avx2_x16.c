/* convert_f32_qs8__avx2_x16.c - 16 elements at a time; a shorter rest goes through a buffer. */
#include "../../floats.h"
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

/* See qrt_float_range: eight lanes of it. */
static inline void widen(__m256i bits, __m256i *high, __m256i *low) {
  const __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(INT32_MAX));
  const __m256i finite = _mm256_cmpgt_epi32(_mm256_set1_epi32(QRT_FLOAT_INFINITY), magnitude);
  const __m256i negative = _mm256_xor_si256(bits, _mm256_set1_epi32(INT32_MIN));
  *high = _mm256_max_epi32(*high, _mm256_and_si256(bits, finite));
  *low = _mm256_max_epi32(*low, _mm256_and_si256(negative, finite));
}

static inline int32_t largest(__m256i x) {
  __m128i y = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  y = _mm_max_epi32(y, _mm_shuffle_epi32(y, _MM_SHUFFLE(1, 0, 3, 2)));
  y = _mm_max_epi32(y, _mm_shuffle_epi32(y, _MM_SHUFFLE(2, 3, 0, 1)));
  return _mm_cvtsi128_si32(y);
}

void qrt_convert_f32_qs8__avx2_x16_range(size_t n, const float *a, float *low, float *high) {
  __m256i high0 = _mm256_setzero_si256(), high1 = high0, low0 = high0, low1 = high0;
  for (; n >= XR; n -= XR, a += XR) {
    widen(_mm256_loadu_si256((const __m256i *)a), &high0, &low0);
    widen(_mm256_loadu_si256((const __m256i *)(a + 8)), &high1, &low1);
  }
  qrt_float_range range = {largest(_mm256_max_epi32(high0, high1)), largest(_mm256_max_epi32(low0, low1))};
  for (; n > 0; n--) qrt_float_range_add(&range, qrt_float_bits(*a++));
  *low = qrt_float_range_low(&range);
  *high = qrt_float_range_high(&range);
}

static inline __m256 scale_sums(__m256i a, __m256i sum, __m256 weight_scale, __m256 bias,
                                const qrt_sums_scale *params) {
  const __m256i offset = _mm256_mullo_epi32(_mm256_set1_epi32(params->zero_point), sum);
  const __m256 multiplier = _mm256_mul_ps(_mm256_set1_ps(params->scale), weight_scale);
  const __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(a, offset)), multiplier);
  const __m256 x = _mm256_add_ps(product, bias);
  if (params->relu) return _mm256_and_ps(x, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ));
  const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(QRT_FLOAT_NAN));
  return _mm256_blendv_ps(x, nan, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

void qrt_convert_f32_qs8__avx2_x16_scale_sums(size_t n, const int32_t *a, const qrt_sums_scale *params, float *c) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256i sum = _mm256_loadu_si256((const __m256i *)(params->sum + i));
    const __m256 weight_scale = _mm256_loadu_ps(params->weight_scale + i), bias = _mm256_loadu_ps(params->bias + i);
    const __m256i sums = _mm256_loadu_si256((const __m256i *)(a + i));
    _mm256_storeu_ps(c + i, scale_sums(sums, sum, weight_scale, bias, params));
  }
  if (i < n) {
    /* The rest, as one vector whose unused lanes are 0. */
    int32_t sums[8] = {0}, sum[8] = {0};
    float weight_scale[8] = {0}, bias[8] = {0}, x[8];
    const size_t bytes = (n - i) * sizeof *c;
    memcpy(sums, a + i, bytes);
    memcpy(sum, params->sum + i, bytes);
    memcpy(weight_scale, params->weight_scale + i, bytes);
    memcpy(bias, params->bias + i, bytes);
    _mm256_storeu_ps(x, scale_sums(_mm256_loadu_si256((const __m256i *)sums), _mm256_loadu_si256((const __m256i *)sum),
                                   _mm256_loadu_ps(weight_scale), _mm256_loadu_ps(bias), params));
    memcpy(c + i, x, bytes);
  }
}
