/* requantize_neon.h - requantize.h in lanes, for files compiled with NEON, on 64-bit and 32-bit ARM.
 *
 * On 64-bit ARM every narrowing saturates, the conversion to int32 too, so that clamping can come last. 32-bit ARM has
 * no conversion that rounds to nearest; there the clamp comes first, as in requantize.h, and the low half of the bits
 * of x + 1.5 * 2^23 is rne(x).
 *
 * 32-bit NEON flushes denormals to zero. No result can show it: a product acc * m is zero or at least 2^-60, because
 * multipliers lie in [2^-60, 2^60]; a sum of two such products is zero or at least 2^-83; and an input so small that
 * it or its product with an inverse scale is denormal rounds to 0 with or without flushing. 32-bit NEON always rounds
 * to nearest even.
 *
 * Small values, those within QRT_SMALL, take fewer instructions on 64-bit ARM: nothing has to saturate on the way to
 * int16, which the low half of the bits of x + 1.5 * 2^23 is. The zero point is in that constant, but for its lowest
 * bit: an even number does not change to which side ties go. What is small is known from bounds, before any input is.
 */
#ifndef QRT_REQUANTIZE_NEON_H
#define QRT_REQUANTIZE_NEON_H

#include <arm_neon.h>
#include <string.h>

#include "requantize.h"

#define QRT_SMALL 32000.0f

/* Is every product small of this multiplier and an accumulator of magnitude `most` or less? Accumulators are int32:
 * where `most` is more, they wrap, and are less than it. */
static inline int qrt_is_small(int64_t most, float multiplier) {
  const float x = (float)most * multiplier;
  return -QRT_SMALL <= x && x <= QRT_SMALL;
}

typedef struct qrt_range_neon {
#if defined(__aarch64__)
  float32x4_t rounder; /* 1.5 * 2^23, and the zero point but for its lowest bit */
  int8x16_t low, high;
  int clamps;          /* the range is less than all of int8: */
  int raised, bounded; /* the least of it is more than -128; the most is less than 127 */
  int relu;            /* the least is not below the zero point */
  int odd;             /* the zero point is */
#else
  float32x4_t low, high;
#endif
  int16x8_t zero_point;
} qrt_range_neon;

static inline qrt_range_neon qrt_range_make_neon(const qrt_output_range *output) {
  qrt_range_neon range;
#if defined(__aarch64__)
  range.low = vdupq_n_s8((int8_t)output->min);
  range.high = vdupq_n_s8((int8_t)output->max);
  range.raised = output->min > -128;
  range.bounded = output->max < 127;
  range.clamps = range.raised || range.bounded;
  range.relu = output->min >= output->zero_point;
  range.odd = output->zero_point & 1;
  range.rounder = vdupq_n_f32(QRT_ROUNDER + (float)(output->zero_point - range.odd));
#else
  range.low = vdupq_n_f32((float)(output->min - output->zero_point));
  range.high = vdupq_n_f32((float)(output->max - output->zero_point));
#endif
  range.zero_point = vdupq_n_s16((int16_t)output->zero_point);
  return range;
}

#if defined(__aarch64__)

/* What rounding, which saturates, leaves to do: is the zero point odd, has the range a bound of its own? */
static inline int qrt_range_odd_neon(const qrt_range_neon *range) {
  return range->odd;
}

static inline int qrt_range_raised_neon(const qrt_range_neon *range) {
  return range->raised;
}

static inline int qrt_range_bounded_neon(const qrt_range_neon *range) {
  return range->bounded;
}

/* Both, saturated. As intrinsics, gcc would copy the lower half first. */
static inline int16x8_t qrt_narrow_neon(int32x4_t x0, int32x4_t x1) {
  int16x8_t y;
  __asm__("sqxtn %0.4h, %1.4s\nsqxtn2 %0.8h, %2.4s" : "=&w"(y) : "w"(x0), "w"(x1));
  return y;
}

static inline int8x16_t qrt_narrow16_neon(int16x8_t x0, int16x8_t x1) {
  int8x16_t y;
  __asm__("sqxtn %0.8b, %1.8h\nsqxtn2 %0.16b, %2.8h" : "=&w"(y) : "w"(x0), "w"(x1));
  return y;
}

/* Eight of rne(x) + zero_point as int16; what is beyond int16 stays beyond int8. */
static inline int16x8_t qrt_round8_neon(float32x4_t x0, float32x4_t x1, const qrt_range_neon *range) {
  return vqaddq_s16(qrt_narrow_neon(vcvtnq_s32_f32(x0), vcvtnq_s32_f32(x1)), range->zero_point);
}

/* rne(x) + zero_point, not yet clamped to the range; NaN gives zero_point. */
static inline int8x8_t qrt_round_neon(float32x4_t x0, float32x4_t x1, const qrt_range_neon *range) {
  return vqmovn_s16(qrt_round8_neon(x0, x1, range));
}

static inline int8x16_t qrt_round16_neon(const float32x4_t x[4], const qrt_range_neon *range) {
  return qrt_narrow16_neon(qrt_round8_neon(x[0], x[1], range), qrt_round8_neon(x[2], x[3], range));
}

static inline int8x8_t qrt_raise_neon(int8x8_t x, const qrt_range_neon *range) {
  return vmax_s8(x, vget_low_s8(range->low));
}

static inline int8x16_t qrt_raise16_neon(int8x16_t x, const qrt_range_neon *range) {
  return vmaxq_s8(x, range->low);
}

static inline int8x8_t qrt_clamp_neon(int8x8_t x, const qrt_range_neon *range) {
  return vmin_s8(qrt_raise_neon(x, range), vget_low_s8(range->high));
}

static inline int8x16_t qrt_clamp16_neon(int8x16_t x, const qrt_range_neon *range) {
  return vminq_s8(qrt_raise16_neon(x, range), range->high);
}

static inline int8x8_t qrt_round_clamp_neon(float32x4_t x0, float32x4_t x1, const qrt_range_neon *range) {
  const int8x8_t x = qrt_round_neon(x0, x1, range);
  return range->clamps ? qrt_clamp_neon(x, range) : x;
}

static inline int8x16_t qrt_round_clamp16_neon(const float32x4_t x[4], const qrt_range_neon *range) {
  const int8x16_t y = qrt_round16_neon(x, range);
  return range->clamps ? qrt_clamp16_neon(y, range) : y;
}

/* Small values: as qrt_round8_neon, but for the zero point's lowest bit. */
static inline int16x8_t qrt_round8_even_neon(float32x4_t x0, float32x4_t x1, const qrt_range_neon *range) {
  return vuzp1q_s16(vreinterpretq_s16_f32(vaddq_f32(x0, range->rounder)),
                    vreinterpretq_s16_f32(vaddq_f32(x1, range->rounder)));
}

static inline int16x8_t qrt_round8_small_neon(float32x4_t x0, float32x4_t x1, const qrt_range_neon *range) {
  const int16x8_t y = qrt_round8_even_neon(x0, x1, range);
  return range->odd ? vaddq_s16(y, vdupq_n_s16(1)) : y;
}

/* As qrt_round_clamp_neon and qrt_round_clamp16_neon, of small values. */
static inline int8x8_t qrt_round_clamp_small_neon(float32x4_t x0, float32x4_t x1, const qrt_range_neon *range) {
  const int8x8_t y = vqmovn_s16(qrt_round8_small_neon(x0, x1, range));
  return range->clamps ? qrt_clamp_neon(y, range) : y;
}

static inline int8x16_t qrt_round_clamp16_small_neon(const float32x4_t x[4], const qrt_range_neon *range) {
  const int16x8_t low = qrt_round8_small_neon(x[0], x[1], range), high = qrt_round8_small_neon(x[2], x[3], range);
  const int8x16_t y = qrt_narrow16_neon(low, high);
  return range->clamps ? qrt_clamp16_neon(y, range) : y;
}

#else

/* The clamp comes first, and rounding adds the whole zero point. */
static inline int qrt_range_odd_neon(const qrt_range_neon *range) {
  (void)range;
  return 0;
}

static inline int qrt_range_raised_neon(const qrt_range_neon *range) {
  (void)range;
  return 0;
}

static inline int qrt_range_bounded_neon(const qrt_range_neon *range) {
  (void)range;
  return 0;
}

static inline int8x16_t qrt_narrow16_neon(int16x8_t x0, int16x8_t x1) {
  return vcombine_s8(vqmovn_s16(x0), vqmovn_s16(x1));
}

/* Four of rne(x) as int16, |x| <= 255. Here and below x is not NaN. */
static inline int16x4_t qrt_round4_neon(float32x4_t x, const qrt_range_neon *range) {
  x = vminq_f32(vmaxq_f32(x, range->low), range->high);
  return vmovn_s32(vreinterpretq_s32_f32(vaddq_f32(x, vdupq_n_f32(QRT_ROUNDER))));
}

static inline int16x8_t qrt_round8_even_neon(float32x4_t x0, float32x4_t x1, const qrt_range_neon *range) {
  const int16x8_t x = vcombine_s16(qrt_round4_neon(x0, range), qrt_round4_neon(x1, range));
  return vaddq_s16(x, range->zero_point);
}

static inline int8x8_t qrt_round_neon(float32x4_t x0, float32x4_t x1, const qrt_range_neon *range) {
  return vmovn_s16(qrt_round8_even_neon(x0, x1, range));
}

static inline int8x16_t qrt_round16_neon(const float32x4_t x[4], const qrt_range_neon *range) {
  return vcombine_s8(qrt_round_neon(x[0], x[1], range), qrt_round_neon(x[2], x[3], range));
}

static inline int8x8_t qrt_raise_neon(int8x8_t x, const qrt_range_neon *range) {
  (void)range;
  return x;
}

static inline int8x16_t qrt_raise16_neon(int8x16_t x, const qrt_range_neon *range) {
  (void)range;
  return x;
}

static inline int8x8_t qrt_clamp_neon(int8x8_t x, const qrt_range_neon *range) {
  (void)range;
  return x;
}

static inline int8x16_t qrt_clamp16_neon(int8x16_t x, const qrt_range_neon *range) {
  (void)range;
  return x;
}

static inline int8x8_t qrt_round_clamp_neon(float32x4_t x0, float32x4_t x1, const qrt_range_neon *range) {
  return qrt_round_neon(x0, x1, range);
}

static inline int8x16_t qrt_round_clamp16_neon(const float32x4_t x[4], const qrt_range_neon *range) {
  return qrt_round16_neon(x, range);
}

/* 32-bit ARM has no shorter way. */
static inline int8x8_t qrt_round_clamp_small_neon(float32x4_t x0, float32x4_t x1, const qrt_range_neon *range) {
  return qrt_round_clamp_neon(x0, x1, range);
}

static inline int8x16_t qrt_round_clamp16_small_neon(const float32x4_t x[4], const qrt_range_neon *range) {
  return qrt_round_clamp16_neon(x, range);
}

#endif

static inline int8x8_t qrt_requantize_neon(int32x4_t acc0, int32x4_t acc1, float32x4_t multiplier0,
                                           float32x4_t multiplier1, const qrt_range_neon *range) {
  return qrt_round_clamp_neon(vmulq_f32(vcvtq_f32_s32(acc0), multiplier0), vmulq_f32(vcvtq_f32_s32(acc1), multiplier1),
                              range);
}

static inline int8x16_t qrt_requantize16_neon(const int32x4_t acc[4], const float32x4_t multiplier[4],
                                              const qrt_range_neon *range) {
  const float32x4_t x[4] = {
      vmulq_f32(vcvtq_f32_s32(acc[0]), multiplier[0]), vmulq_f32(vcvtq_f32_s32(acc[1]), multiplier[1]),
      vmulq_f32(vcvtq_f32_s32(acc[2]), multiplier[2]), vmulq_f32(vcvtq_f32_s32(acc[3]), multiplier[3])};
  return qrt_round_clamp16_neon(x, range);
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
