/* pool_qs8__neon_c16.c - 16 channels at a time; the last of 16 and more are computed with some before them, once more.
 * Averages add in int16, which has room for 256 values, then in int32; the zero point is subtracted from the sums. */
#include "../../requantize_neon.h"
#include "pool.h"

enum { CR = 16, ROOM = 256 };

/* Fewer than CR channels, eight at a time. */
static void max_narrow(const qrt_pool_window *window, int8_t *c) {
  for (size_t j = 0; j < window->channels; j += 8) {
    const size_t count = window->channels - j < 8 ? window->channels - j : 8;
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
  const size_t channels = window->channels, step = window->column_stride;
  if (channels < CR) {
    max_narrow(window, c);
    return;
  }
  for (size_t i = 0; i < channels; i += CR) {
    const size_t j = i < channels - CR ? i : channels - CR;
    int8x16_t best = vdupq_n_s8(-128);
    for (size_t r = 0; r < window->rows; r++) {
      const int8_t *a = window->a + r * window->row_stride + j;
      for (size_t t = 0; t < window->columns; t++) best = vmaxq_s8(best, vld1q_s8(a + t * step));
    }
    vst1q_s8(c + j, best);
  }
}

static void avg_narrow(const qrt_pool_window *window, int32x4_t offset, float32x4_t multiplier,
                       const qrt_range_neon *range, int8_t *c) {
  for (size_t j = 0; j < window->channels; j += 8) {
    const size_t count = window->channels - j < 8 ? window->channels - j : 8;
    int32x4_t sum0 = offset, sum1 = offset;
    for (size_t r = 0; r < window->rows; r++) {
      const int8_t *row = window->a + r * window->row_stride + j;
      for (size_t t = 0; t < window->columns; t++) {
        const int16x8_t a = vmovl_s8(qrt_load_neon(row + t * window->column_stride, count));
        sum0 = vaddw_s16(sum0, vget_low_s16(a));
        sum1 = vaddw_s16(sum1, vget_high_s16(a));
      }
    }
    qrt_store_neon(c + j, qrt_requantize_neon(sum0, sum1, multiplier, multiplier, range), count);
  }
}

/* CR sums over at most ROOM values each. */
typedef struct short_sums {
  int16x8_t low, high;
} short_sums;

static inline short_sums add(short_sums s, int8x16_t a) {
  return (short_sums){vaddw_s8(s.low, vget_low_s8(a)), vaddw_s8(s.high, vget_high_s8(a))};
}

static inline short_sums add_columns(short_sums s, const int8_t *a, size_t step, size_t count) {
  for (; count >= 4; count -= 4, a += 4 * step) {
    const int8x16_t x0 = vld1q_s8(a), x1 = vld1q_s8(a + step);
    const int8x16_t x2 = vld1q_s8(a + 2 * step), x3 = vld1q_s8(a + 3 * step);
    s = add(add(add(add(s, x0), x1), x2), x3);
  }
  for (; count > 0; count--, a += step) s = add(s, vld1q_s8(a));
  return s;
}

static inline void widen(short_sums s, int32x4_t *sums) {
  sums[0] = vaddw_s16(sums[0], vget_low_s16(s.low));
  sums[1] = vaddw_s16(sums[1], vget_high_s16(s.low));
  sums[2] = vaddw_s16(sums[2], vget_low_s16(s.high));
  sums[3] = vaddw_s16(sums[3], vget_high_s16(s.high));
}

void qrt_pool_qs8__neon_c16_avg(const qrt_pool_window *window, int32_t a_zero_point, float multiplier,
                                const qrt_output_range *output, int8_t *c) {
  const qrt_range_neon range = qrt_range_make_neon(output);
  const float32x4_t one = vdupq_n_f32(multiplier), multipliers[4] = {one, one, one, one};
  const int32x4_t offset = vdupq_n_s32(-a_zero_point * (int32_t)(window->rows * window->columns));
  const size_t channels = window->channels, step = window->column_stride;
  if (channels < CR) {
    avg_narrow(window, offset, one, &range, c);
    return;
  }
  const int together = window->row_stride == window->columns * step; /* rows: one long row */
  const size_t rows = together ? 1 : window->rows, columns = window->columns * (together ? window->rows : 1);
  for (size_t i = 0; i < channels; i += CR) {
    const size_t j = i < channels - CR ? i : channels - CR;
    int32x4_t sums[4] = {offset, offset, offset, offset};
    short_sums s = {vdupq_n_s16(0), vdupq_n_s16(0)};
    size_t room = ROOM;
    for (size_t r = 0; r < rows; r++) {
      const int8_t *a = window->a + r * window->row_stride + j;
      for (size_t left = columns; left > 0;) {
        const size_t count = left < room ? left : room;
        s = add_columns(s, a, step, count);
        left -= count;
        room -= count;
        a += count * step;
        if (room == 0) {
          widen(s, sums);
          s = (short_sums){vdupq_n_s16(0), vdupq_n_s16(0)};
          room = ROOM;
        }
      }
    }
    widen(s, sums);
    vst1q_s8(c + j, qrt_requantize16_neon(sums, multipliers, &range));
  }
}
