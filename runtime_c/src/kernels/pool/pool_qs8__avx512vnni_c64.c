/* pool_qs8__avx512vnni_c64.c - 64 channels at a time. */
#include "../../requantize_avx512.h"
#include "pool.h"

enum { CR = 64 };

static __mmask64 channels_from(const qrt_pool_window *window, size_t j) {
  const size_t left = window->channels - j;
  return ~(__mmask64)0 >> (left < CR ? CR - left : 0);
}

void qrt_pool_qs8__avx512vnni_c64_max(const qrt_pool_window *window, int8_t *c) {
  for (size_t j = 0; j < window->channels; j += CR) {
    const __mmask64 mask = channels_from(window, j);
    __m512i best = _mm512_set1_epi8(-128);
    for (size_t r = 0; r < window->rows; r++) {
      const int8_t *a = window->a + r * window->row_stride + j;
      for (size_t t = 0; t < window->columns; t++) {
        best = _mm512_max_epi8(best, _mm512_maskz_loadu_epi8(mask, a + t * window->column_stride));
      }
    }
    _mm512_mask_storeu_epi8(c + j, mask, best);
  }
}

void qrt_pool_qs8__avx512vnni_c64_avg(const qrt_pool_window *window, int32_t a_zero_point, float multiplier,
                                      const qrt_output_range *output, int8_t *c) {
  const qrt_range_avx512 range = qrt_range_make_avx512(output, multiplier < 1);
  const __m512 multipliers[4] = {_mm512_set1_ps(multiplier), _mm512_set1_ps(multiplier), _mm512_set1_ps(multiplier),
                                 _mm512_set1_ps(multiplier)};
  const uint32_t taps = (uint32_t)(window->rows * window->columns);
  const __m512i start = _mm512_set1_epi32((int32_t)(0 - taps * (uint32_t)a_zero_point));
  for (size_t j = 0; j < window->channels; j += CR) {
    const __mmask64 mask = channels_from(window, j);
    __m512i sum[4] = {start, start, start, start};
    for (size_t r = 0; r < window->rows; r++) {
      const int8_t *row = window->a + r * window->row_stride + j;
      for (size_t t = 0; t < window->columns; t++) {
        const __m512i a = _mm512_maskz_loadu_epi8(mask, row + t * window->column_stride);
        sum[0] = _mm512_add_epi32(sum[0], _mm512_cvtepi8_epi32(_mm512_castsi512_si128(a)));
        sum[1] = _mm512_add_epi32(sum[1], _mm512_cvtepi8_epi32(_mm512_extracti32x4_epi32(a, 1)));
        sum[2] = _mm512_add_epi32(sum[2], _mm512_cvtepi8_epi32(_mm512_extracti32x4_epi32(a, 2)));
        sum[3] = _mm512_add_epi32(sum[3], _mm512_cvtepi8_epi32(_mm512_extracti32x4_epi32(a, 3)));
      }
    }
    const __m512i bytes = qrt_requantize4_avx512(sum, multipliers, &range);
    _mm512_mask_storeu_epi8(c + j, mask, _mm512_permutexvar_epi32(qrt_order_avx512(), bytes));
  }
}
