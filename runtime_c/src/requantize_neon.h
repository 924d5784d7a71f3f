/* requantize_neon.h - requantize.h in lanes, for files compiled with NEON, on 64-bit and 32-bit ARM.
 *
 * 32-bit NEON flushes denormals to zero. No result can show it: a product acc * m is zero or at least 2^-60, because
 * multipliers lie in [2^-60, 2^60]; a sum of two such products is zero or at least 2^-83; and an input so small that
 * it or its product with an inverse scale is denormal rounds to 0 with or without flushing. 32-bit NEON always rounds
 * to nearest even.
 */
#ifndef QRT_REQUANTIZE_NEON_H
#define QRT_REQUANTIZE_NEON_H

#include <arm_neon.h>
#include <string.h>

#include "requantize.h"

typedef struct qrt_range_neon {
  float32x4_t low, high;
  int16x8_t zero_point;
} qrt_range_neon;

static inline qrt_range_neon qrt_range_make_neon(const qrt_output_range *output) {
  const qrt_range_neon range = {vdupq_n_f32((float)(output->min - output->zero_point)),
                                vdupq_n_f32((float)(output->max - output->zero_point)),
                                vdupq_n_s16((int16_t)output->zero_point)};
  return range;
}

/* rne of |x| <= 255. */
static inline int32x4_t qrt_round_neon(float32x4_t x) {
#if defined(__aarch64__)
  return vcvtnq_s32_f32(x);
#else
  const int32x4_t bits = vreinterpretq_s32_f32(vaddq_f32(x, vdupq_n_f32(QRT_ROUNDER)));
  return vsubq_s32(bits, vdupq_n_s32((int32_t)QRT_ROUNDER_BITS));
#endif
}

/* x is not NaN. */
static inline int8x8_t qrt_round_clamp_neon(float32x4_t x0, float32x4_t x1, const qrt_range_neon *range) {
  x0 = vminq_f32(vmaxq_f32(x0, range->low), range->high);
  x1 = vminq_f32(vmaxq_f32(x1, range->low), range->high);
  const int16x8_t x = vcombine_s16(vmovn_s32(qrt_round_neon(x0)), vmovn_s32(qrt_round_neon(x1)));
  return vmovn_s16(vaddq_s16(x, range->zero_point));
}

static inline int8x8_t qrt_requantize_neon(int32x4_t acc0, int32x4_t acc1, float32x4_t multiplier0,
                                           float32x4_t multiplier1, const qrt_range_neon *range) {
  return qrt_round_clamp_neon(vmulq_f32(vcvtq_f32_s32(acc0), multiplier0), vmulq_f32(vcvtq_f32_s32(acc1), multiplier1),
                              range);
}

/* n <= 8 bytes, the rest zero; and n <= 8 bytes out. Neither touches a byte more. */
static inline int8x8_t qrt_load_neon(const int8_t *a, size_t n) {
  if (n == 8) return vld1_s8(a);
  int8_t bytes[8] = {0};
  memcpy(bytes, a, n);
  return vld1_s8(bytes);
}

static inline void qrt_store_neon(int8_t *c, int8x8_t x, size_t n) {
  if (n == 8) {
    vst1_s8(c, x);
    return;
  }
  int8_t bytes[8];
  vst1_s8(bytes, x);
  memcpy(c, bytes, n);
}

#endif
