/* pool_qs8__mve_c16.c - maxima of 16 channels at a time, averages of 4. */
#include "../../requantize_mve.h"
#include "pool.h"

enum { CR = 16 };

void qrt_pool_qs8__mve_c16_max(const qrt_pool_window *window, int8_t *c) {
  for (size_t j = 0; j < window->channels; j += CR) {
    const mve_pred16_t some = vctp8q(window->channels - j);
    int8x16_t best = vdupq_n_s8(-128);
    for (size_t r = 0; r < window->rows; r++) {
      const int8_t *a = window->a + r * window->row_stride + j;
      for (size_t t = 0; t < window->columns; t++, a += window->column_stride) {
        best = vmaxq_s8(best, vldrbq_z_s8(a, some));
      }
    }
    vstrbq_p_s8(c + j, best, some);
  }
}

void qrt_pool_qs8__mve_c16_avg(const qrt_pool_window *window, int32_t a_zero_point, float multiplier,
                               const qrt_output_range *output, int8_t *c) {
  const qrt_range_mve range = qrt_range_make_mve(output);
  const float32x4_t multipliers = vdupq_n_f32(multiplier);
  const int32_t zero = (int32_t)(window->rows * window->columns) * a_zero_point;
  for (size_t j = 0; j < window->channels; j += 4) {
    const mve_pred16_t some = vctp32q(window->channels - j);
    int32x4_t sum = vdupq_n_s32(-zero);
    for (size_t r = 0; r < window->rows; r++) {
      const int8_t *a = window->a + r * window->row_stride + j;
      for (size_t t = 0; t < window->columns; t++, a += window->column_stride) {
        sum = vaddq_s32(sum, vldrbq_z_s32(a, some));
      }
    }
    vstrbq_p_s32(c + j, qrt_requantize_mve(sum, multipliers, &range), some);
  }
}
