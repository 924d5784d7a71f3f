/* convert_f32_qs8__neon_x8.c - 8 elements at a time; a shorter rest goes through a buffer.
 *
 * 32-bit NEON flushes denormals; requantize_neon.h says why no result here can show it. (Scales are at least 2^-60, so
 * dequantized values are zero or normal.)
 */
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
  for (; n >= XR; n -= XR, a += XR, c += XR) dequantize(vld1_s8(a), scales, zero_points, c);
  if (n > 0) {
    float rest[XR];
    dequantize(qrt_load_neon(a, n), scales, zero_points, rest);
    memcpy(c, rest, n * sizeof *c);
  }
}
