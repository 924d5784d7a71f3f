/* convert_f32_qs8__neon_x8.c - 8 elements at a time, on 64-bit ARM 16 where there are as many; a shorter rest goes
 * through a buffer.
 *
 * 32-bit NEON flushes denormals; requantize_neon.h says why no result here can show it. (Scales are at least 2^-60, so
 * dequantized values are zero or normal.) A range is found in integers; scale_sums adds biases of any size, so there
 * the scalar kernel takes over.
 */
#include "../../floats.h"
#include "../../requantize_neon.h"
#include "convert.h"

enum { XR = 8 };

static inline int8x8_t quantize(const float *a, float32x4_t inverse_scale, const qrt_range_neon *range,
                                int8x8_t zero_point) {
  const float32x4_t x0 = vmulq_f32(vld1q_f32(a), inverse_scale), x1 = vmulq_f32(vld1q_f32(a + 4), inverse_scale);
  const uint32x4_t number0 = vceqq_f32(x0, x0), number1 = vceqq_f32(x1, x1);
  const uint8x8_t number = vmovn_u16(vcombine_u16(vmovn_u32(number0), vmovn_u32(number1)));
  return vbsl_s8(number, qrt_round_clamp_neon(x0, x1, range), zero_point);
}

static inline void dequantize(int8x8_t a, float32x4_t scale, int8x8_t zero_point, float *c) {
  const int16x8_t x = vsubl_s8(a, zero_point);
  vst1q_f32(c, vmulq_f32(scale, vcvtq_f32_s32(vmovl_s16(vget_low_s16(x)))));
  vst1q_f32(c + 4, vmulq_f32(scale, vcvtq_f32_s32(vmovl_s16(vget_high_s16(x)))));
}

void qrt_convert_f32_qs8__neon_x8_quantize(size_t n, const float *a, float inverse_scale,
                                           const qrt_output_range *output, int8_t *c) {
  const qrt_range_neon range = qrt_range_make_neon(output);
  const float32x4_t inverse_scales = vdupq_n_f32(inverse_scale);
  const int8x8_t zero_point = vdup_n_s8((int8_t)output->zero_point);
#if defined(__aarch64__)
  /* Nothing is clamped, and the conversion to integers makes 0 of NaN. */
  for (; !range.clamps && n >= 2 * XR; n -= 2 * XR, a += 2 * XR, c += 2 * XR) {
    const float32x4x4_t y = vld1q_f32_x4(a);
    const float32x4_t x[4] = {vmulq_f32(y.val[0], inverse_scales), vmulq_f32(y.val[1], inverse_scales),
                              vmulq_f32(y.val[2], inverse_scales), vmulq_f32(y.val[3], inverse_scales)};
    vst1q_s8(c, qrt_round16_neon(x, &range));
  }
#endif
  for (; n >= XR; n -= XR, a += XR, c += XR) vst1_s8(c, quantize(a, inverse_scales, &range, zero_point));
  if (n > 0) {
    float rest[XR] = {0};
    memcpy(rest, a, n * sizeof *a);
    qrt_store_neon(c, quantize(rest, inverse_scales, &range, zero_point), n);
  }
}

void qrt_convert_f32_qs8__neon_x8_dequantize(size_t n, const int8_t *a, float scale, int32_t zero_point, float *c) {
  const float32x4_t scales = vdupq_n_f32(scale);
  const int8x8_t zero_points = vdup_n_s8((int8_t)zero_point);
  for (; n >= 2 * XR; n -= 2 * XR, a += 2 * XR, c += 2 * XR) {
    const int8x16_t x = vld1q_s8(a);
    dequantize(vget_low_s8(x), scales, zero_points, c);
    dequantize(vget_high_s8(x), scales, zero_points, c + XR);
  }
  for (; n >= XR; n -= XR, a += XR, c += XR) dequantize(vld1_s8(a), scales, zero_points, c);
  if (n > 0) {
    float rest[XR];
    dequantize(qrt_load_neon(a, n), scales, zero_points, rest);
    memcpy(c, rest, n * sizeof *c);
  }
}

/* See qrt_float_range: four lanes of it. */
static inline void widen(int32x4_t bits, int32x4_t *high, int32x4_t *low) {
  const int32x4_t magnitude = vandq_s32(bits, vdupq_n_s32(INT32_MAX));
  const int32x4_t finite = vreinterpretq_s32_u32(vcltq_s32(magnitude, vdupq_n_s32(QRT_FLOAT_INFINITY)));
  const int32x4_t negative = veorq_s32(bits, vdupq_n_s32(INT32_MIN));
  *high = vmaxq_s32(*high, vandq_s32(bits, finite));
  *low = vmaxq_s32(*low, vandq_s32(negative, finite));
}

static inline int32_t largest(int32x4_t x) {
  int32x2_t y = vpmax_s32(vget_low_s32(x), vget_high_s32(x));
  y = vpmax_s32(y, y);
  return vget_lane_s32(y, 0);
}

void qrt_convert_f32_qs8__neon_x8_range(size_t n, const float *a, float *low, float *high) {
  int32x4_t high0 = vdupq_n_s32(0), high1 = high0, low0 = high0, low1 = high0;
  for (; n >= XR; n -= XR, a += XR) {
    widen(vreinterpretq_s32_f32(vld1q_f32(a)), &high0, &low0);
    widen(vreinterpretq_s32_f32(vld1q_f32(a + 4)), &high1, &low1);
  }
  qrt_float_range range = {largest(vmaxq_s32(high0, high1)), largest(vmaxq_s32(low0, low1))};
  for (; n > 0; n--) qrt_float_range_add(&range, qrt_float_bits(*a++));
  *low = qrt_float_range_low(&range);
  *high = qrt_float_range_high(&range);
}

void qrt_convert_f32_qs8__neon_x8_scale_sums(size_t n, const int32_t *a, const qrt_sums_scale *params, float *c) {
  size_t i = 0;
#if defined(__aarch64__)
  for (; i + 4 <= n; i += 4) {
    const int32x4_t acc = vmlsq_n_s32(vld1q_s32(a + i), vld1q_s32(params->sum + i), params->zero_point);
    const float32x4_t multiplier = vmulq_n_f32(vld1q_f32(params->weight_scale + i), params->scale);
    const float32x4_t x = vaddq_f32(vmulq_f32(vcvtq_f32_s32(acc), multiplier), vld1q_f32(params->bias + i));
    const float32x4_t nan = vreinterpretq_f32_s32(vdupq_n_s32(QRT_FLOAT_NAN)), zero = vdupq_n_f32(0);
    vst1q_f32(c + i, params->relu ? vbslq_f32(vcgtq_f32(x, zero), x, zero) : vbslq_f32(vceqq_f32(x, x), x, nan));
  }
#endif
  qrt_sums_scale rest = *params;
  rest.sum += i;
  rest.weight_scale += i;
  rest.bias += i;
  qrt_convert_f32_qs8__scalar_x1_scale_sums(n - i, a + i, &rest, c + i);
}
