/* vadd_qs8__avx2_x16.c - 16 elements at a time: the float expression of the scalar kernel in lanes. */
#include "../../requantize_avx2.h"
#include "vadd.h"

enum { XR = 16 };

typedef struct constants {
  __m256i a_zero_point, b_zero_point;
  __m256 a_multiplier, b_multiplier;
  qrt_range_avx2 range;
} constants;

/* f32(x - zero_point) * multiplier for eight int8. */
static inline __m256 scaled(__m128i x, __m256i zero_point, __m256 multiplier) {
  return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_cvtepi8_epi32(x), zero_point)), multiplier);
}

static inline __m128i add(__m128i a, __m128i b, const constants *k) {
  const __m256 a0 = scaled(a, k->a_zero_point, k->a_multiplier);
  const __m256 a1 = scaled(_mm_srli_si128(a, 8), k->a_zero_point, k->a_multiplier);
  const __m256 b0 = scaled(b, k->b_zero_point, k->b_multiplier);
  const __m256 b1 = scaled(_mm_srli_si128(b, 8), k->b_zero_point, k->b_multiplier);
  return qrt_round_clamp_avx2(_mm256_add_ps(a0, b0), _mm256_add_ps(a1, b1), &k->range);
}

void qrt_vadd_qs8__avx2_x16(size_t n, const int8_t *a, const int8_t *b, size_t b_stride, const qrt_vadd_params *params,
                            int8_t *c) {
  const constants k = {_mm256_set1_epi32(params->a_zero_point), _mm256_set1_epi32(params->b_zero_point),
                       _mm256_set1_ps(params->a_multiplier), _mm256_set1_ps(params->b_multiplier),
                       qrt_range_make_avx2(&params->output)};
  const __m128i b_all = b_stride ? _mm_setzero_si128() : _mm_set1_epi8(*b);
  while (n > 0) {
    const size_t count = n < XR ? n : XR;
    const __m128i b_vector = b_stride ? qrt_load_avx2(b, count) : b_all;
    qrt_store_avx2(c, add(qrt_load_avx2(a, count), b_vector, &k), count);
    a += count, b += count * b_stride, c += count, n -= count;
  }
}
