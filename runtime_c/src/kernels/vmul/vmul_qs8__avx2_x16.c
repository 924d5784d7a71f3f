/* vmul_qs8__avx2_x16.c - 16 elements at a time: exact products in int32, then the common epilogue. */
#include "../../requantize_avx2.h"
#include "vmul.h"

enum { XR = 16 };

typedef struct constants {
  __m256i a_zero_point, b_zero_point;
  __m256 multiplier;
  qrt_range_avx2 range;
} constants;

/* Eight products of int8, exact. */
static inline __m256i product(__m128i a, __m128i b, const constants *k) {
  return _mm256_mullo_epi32(_mm256_sub_epi32(_mm256_cvtepi8_epi32(a), k->a_zero_point),
                            _mm256_sub_epi32(_mm256_cvtepi8_epi32(b), k->b_zero_point));
}

static inline __m128i multiply(__m128i a, __m128i b, const constants *k) {
  const __m256i low = product(a, b, k), high = product(_mm_srli_si128(a, 8), _mm_srli_si128(b, 8), k);
  return qrt_requantize_avx2(low, high, k->multiplier, k->multiplier, &k->range);
}

void qrt_vmul_qs8__avx2_x16(size_t n, const int8_t *a, const int8_t *b, size_t b_stride, const qrt_vmul_params *params,
                            int8_t *c) {
  const constants k = {_mm256_set1_epi32(params->a_zero_point), _mm256_set1_epi32(params->b_zero_point),
                       _mm256_set1_ps(params->multiplier), qrt_range_make_avx2(&params->output)};
  const __m128i b_all = b_stride ? _mm_setzero_si128() : _mm_set1_epi8(*b);
  while (n > 0) {
    const size_t count = n < XR ? n : XR;
    const __m128i b_vector = b_stride ? qrt_load_avx2(b, count) : b_all;
    qrt_store_avx2(c, multiply(qrt_load_avx2(a, count), b_vector, &k), count);
    a += count, b += count * b_stride, c += count, n -= count;
  }
}
