/* pool_qs8__neon_c16.c - 16 channels at a time; the last ones together with some before them. Fewer than 16 channels: 8
 * at a time. */
#include "../../requantize_neon.h"
#include "pool.h"

enum { CR = 16, HALF = 8, FULL = 256 /* values of int8 whose sum fits into int16 */ };

/* The first of the 16 channels that are computed together, j being the first of those that are left. */
static size_t first_of(size_t channels, size_t j) {
  return channels - j < CR ? channels - CR : j;
}

/* ---- maximum ---- */

static void max_few(const qrt_pool_window *window, int8_t *c) {
  for (size_t j = 0; j < window->channels; j += HALF) {
    const size_t count = window->channels - j < HALF ? window->channels - j : HALF;
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

void qrt_pool_qs8__neon_c16_max(const qrt_pool_window *window, int8_t *c) {
  const size_t channels = window->channels;
  if (channels < CR) {
    max_few(window, c);
    return;
  }
  for (size_t j = 0; j < channels; j += CR) {
    const size_t first = first_of(channels, j);
    int8x16_t best = vdupq_n_s8(-128);
    for (size_t r = 0; r < window->rows; r++) {
      const int8_t *a = window->a + r * window->row_stride + first;
      for (size_t t = window->columns; t > 0; t--, a += window->column_stride) best = vmaxq_s8(best, vld1q_s8(a));
    }
    vst1q_s8(c + first, best);
  }
}

/* ---- average ---- */

static void avg_few(const qrt_pool_window *window, int32_t a_zero_point, float multiplier, const qrt_range_neon *range,
                    int8_t *c) {
  const float32x4_t multipliers = vdupq_n_f32(multiplier);
  const int8x8_t zero_point = vdup_n_s8((int8_t)a_zero_point);
  for (size_t j = 0; j < window->channels; j += HALF) {
    const size_t count = window->channels - j < HALF ? window->channels - j : HALF;
    int32x4_t sum0 = vdupq_n_s32(0), sum1 = vdupq_n_s32(0);
    for (size_t r = 0; r < window->rows; r++) {
      const int8_t *row = window->a + r * window->row_stride + j;
      for (size_t t = 0; t < window->columns; t++) {
        const int16x8_t a = vsubl_s8(qrt_load_neon(row + t * window->column_stride, count), zero_point);
        sum0 = vaddw_s16(sum0, vget_low_s16(a));
        sum1 = vaddw_s16(sum1, vget_high_s16(a));
      }
    }
    qrt_store_neon(c + j, qrt_requantize_neon(sum0, sum1, multipliers, multipliers, range), count);
  }
}

static inline void add16(const int16x8_t x[2], int32x4_t sum[4]) {
  sum[0] = vaddw_s16(sum[0], vget_low_s16(x[0]));
  sum[1] = vaddw_s16(sum[1], vget_high_s16(x[0]));
  sum[2] = vaddw_s16(sum[2], vget_low_s16(x[1]));
  sum[3] = vaddw_s16(sum[3], vget_high_s16(x[1]));
}

/* sum += the window's values from a on, of 16 channels; as many as fit are added in int16 first. */
static inline void add_window(const qrt_pool_window *window, const int8_t *a, int32x4_t sum[4]) {
  int16x8_t x[2] = {vdupq_n_s16(0), vdupq_n_s16(0)};
  size_t room = FULL;
  for (size_t r = 0; r < window->rows; r++, a += window->row_stride) {
    const int8_t *pixel = a;
    for (size_t left = window->columns, n; left > 0; left -= n, room -= n) {
      if (room == 0) {
        add16(x, sum);
        x[0] = x[1] = vdupq_n_s16(0);
        room = FULL;
      }
      n = left < room ? left : room;
      for (size_t t = n; t > 0; t--, pixel += window->column_stride) {
        const int8x16_t y = vld1q_s8(pixel);
        x[0] = vaddw_s8(x[0], vget_low_s8(y));
        x[1] = vaddw_s8(x[1], vget_high_s8(y));
      }
    }
  }
  add16(x, sum);
}

void qrt_pool_qs8__neon_c16_avg(const qrt_pool_window *window, int32_t a_zero_point, float multiplier,
                                const qrt_output_range *output, int8_t *c) {
  const qrt_range_neon range = qrt_range_make_neon(output);
  const size_t channels = window->channels;
  const float32x4_t m = vdupq_n_f32(multiplier), multipliers[4] = {m, m, m, m};
  const int32x4_t zero_points = vdupq_n_s32(-(int32_t)(window->rows * window->columns) * a_zero_point);
  if (channels < CR) {
    avg_few(window, a_zero_point, multiplier, &range, c);
    return;
  }
  for (size_t j = 0; j < channels; j += CR) {
    const size_t first = first_of(channels, j);
    int32x4_t sum[4] = {zero_points, zero_points, zero_points, zero_points};
    add_window(window, window->a + first, sum);
    vst1q_s8(c + first, qrt_requantize16_neon(sum, multipliers, &range));
  }
}
