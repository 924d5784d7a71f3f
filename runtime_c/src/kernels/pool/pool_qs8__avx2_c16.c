/* pool_qs8__avx2_c16.c - 16 channels at a time. */
#include "../../requantize_avx2.h"
#include "pool.h"

enum { CR = 16 };

void qrt_pool_qs8__avx2_c16_max(const qrt_pool_window *window, int8_t *c) {
  for (size_t j = 0; j < window->channels; j += CR) {
    const size_t count = window->channels - j < CR ? window->channels - j : CR;
    __m128i best = _mm_set1_epi8(-128);
    for (size_t r = 0; r < window->rows; r++) {
      const int8_t *a = window->a + r * window->row_stride + j;
      for (size_t t = 0; t < window->columns; t++) {
        best = _mm_max_epi8(best, qrt_load_avx2(a + t * window->column_stride, count));
      }
    }
    qrt_store_avx2(c + j, best, count);
  }
}

void qrt_pool_qs8__avx2_c16_avg(const qrt_pool_window *window, int32_t a_zero_point, float multiplier,
                                const qrt_output_range *output, int8_t *c) {
  const qrt_range_avx2 range = qrt_range_make_avx2(output);
  const __m256 multipliers = _mm256_set1_ps(multiplier);
  const uint32_t taps = (uint32_t)(window->rows * window->columns);
  const __m256i start = _mm256_set1_epi32((int32_t)(0 - taps * (uint32_t)a_zero_point));
  for (size_t j = 0; j < window->channels; j += CR) {
    const size_t count = window->channels - j < CR ? window->channels - j : CR;
    __m256i sum0 = start, sum1 = start;
    for (size_t r = 0; r < window->rows; r++) {
      const int8_t *row = window->a + r * window->row_stride + j;
      for (size_t t = 0; t < window->columns; t++) {
        const __m128i a = qrt_load_avx2(row + t * window->column_stride, count);
        sum0 = _mm256_add_epi32(sum0, _mm256_cvtepi8_epi32(a));
        sum1 = _mm256_add_epi32(sum1, _mm256_cvtepi8_epi32(_mm_srli_si128(a, 8)));
      }
    }
    qrt_store_avx2(c + j, qrt_requantize_avx2(sum0, sum1, multipliers, multipliers, &range), count);
  }
}
