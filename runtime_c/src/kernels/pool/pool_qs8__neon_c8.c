/* pool_qs8__neon_c8.c - 8 channels at a time. */
#include "../../requantize_neon.h"
#include "pool.h"

enum { CR = 8 };

void qrt_pool_qs8__neon_c8_max(const qrt_pool_window *window, int8_t *c) {
  for (size_t j = 0; j < window->channels; j += CR) {
    const size_t count = window->channels - j < CR ? window->channels - j : CR;
    int8x8_t best = vdup_n_s8(-128);
    for (size_t r = 0; r < window->rows; r++) {
      const int8_t *a = window->a + r * window->row_stride + j;
      for (size_t t = 0; t < window->columns; t++) {
        best = vmax_s8(best, qrt_load_neon(a + t * window->column_stride, count));
      }
    }
    qrt_store_neon(c + j, best, count);
  }
}

void qrt_pool_qs8__neon_c8_avg(const qrt_pool_window *window, int32_t a_zero_point, float multiplier,
                               const qrt_output_range *output, int8_t *c) {
  const qrt_range_neon range = qrt_range_make_neon(output);
  const float32x4_t multipliers = vdupq_n_f32(multiplier);
  const int8x8_t zero_point = vdup_n_s8((int8_t)a_zero_point);
  for (size_t j = 0; j < window->channels; j += CR) {
    const size_t count = window->channels - j < CR ? window->channels - j : CR;
    int32x4_t sum0 = vdupq_n_s32(0), sum1 = vdupq_n_s32(0);
    for (size_t r = 0; r < window->rows; r++) {
      const int8_t *row = window->a + r * window->row_stride + j;
      for (size_t t = 0; t < window->columns; t++) {
        const int16x8_t a = vsubl_s8(qrt_load_neon(row + t * window->column_stride, count), zero_point);
        sum0 = vaddw_s16(sum0, vget_low_s16(a));
        sum1 = vaddw_s16(sum1, vget_high_s16(a));
      }
    }
    qrt_store_neon(c + j, qrt_requantize_neon(sum0, sum1, multipliers, multipliers, &range), count);
  }
}
