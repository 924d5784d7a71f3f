/* convert_f32_qs8__mve_x4.c - 4 elements at a time.
 *
 * MVE flushes denormals; requantize_mve.h says why no result here can show it. (Scales are at least 2^-60, so
 * dequantized values are zero or normal.) A range is found in integers; scale_sums adds biases of any size, so there
 * the scalar kernel takes over. */
#include "../../floats.h"
#include "../../requantize_mve.h"
#include "convert.h"

static inline int32x4_t quantize(float32x4_t a, float inverse_scale, const qrt_range_mve *range, int32x4_t zero_point) {
  const float32x4_t x = vmulq_n_f32(a, inverse_scale);
  return vpselq_s32(zero_point, qrt_round_clamp_mve(x, range), vcmpneq_f32(x, x));
}

void qrt_convert_f32_qs8__mve_x4_quantize(size_t n, const float *a, float inverse_scale, const qrt_output_range *output,
                                          int8_t *c) {
  const qrt_range_mve range = qrt_range_make_mve(output);
  const int32x4_t zero_point = vdupq_n_s32(output->zero_point);
  for (; n >= 4; n -= 4, a += 4, c += 4) vstrbq_s32(c, quantize(vld1q_f32(a), inverse_scale, &range, zero_point));
  if (n > 0) {
    const mve_pred16_t some = vctp32q(n);
    vstrbq_p_s32(c, quantize(vld1q_z_f32(a, some), inverse_scale, &range, zero_point), some);
  }
}

static inline float32x4_t dequantize(int32x4_t a, float scale, int32_t zero_point) {
  return vmulq_n_f32(vcvtq_f32_s32(vsubq_n_s32(a, zero_point)), scale);
}

void qrt_convert_f32_qs8__mve_x4_dequantize(size_t n, const int8_t *a, float scale, int32_t zero_point, float *c) {
  for (; n >= 4; n -= 4, a += 4, c += 4) vst1q_f32(c, dequantize(vldrbq_s32(a), scale, zero_point));
  if (n > 0) {
    const mve_pred16_t some = vctp32q(n);
    vst1q_p_f32(c, dequantize(vldrbq_z_s32(a, some), scale, zero_point), some);
  }
}

/* See qrt_float_range: four lanes of it. Lanes that are loaded as 0 change nothing. */
void qrt_convert_f32_qs8__mve_x4_range(size_t n, const float *a, float *low, float *high) {
  int32x4_t highest = vdupq_n_s32(0), lowest = highest;
  const int32x4_t magnitude = vdupq_n_s32(INT32_MAX), sign = vdupq_n_s32(INT32_MIN);
  for (size_t i = 0; i < n; i += 4) {
    const int32x4_t bits = vreinterpretq_s32_f32(vld1q_z_f32(a + i, vctp32q(n - i)));
    const mve_pred16_t finite = vcmpltq_n_s32(vandq_s32(bits, magnitude), QRT_FLOAT_INFINITY);
    highest = vmaxq_m_s32(highest, highest, bits, finite);
    lowest = vmaxq_m_s32(lowest, lowest, veorq_s32(bits, sign), finite);
  }
  const qrt_float_range range = {vmaxvq_s32(0, highest), vmaxvq_s32(0, lowest)};
  *low = qrt_float_range_low(&range);
  *high = qrt_float_range_high(&range);
}

void qrt_convert_f32_qs8__mve_x4_scale_sums(size_t n, const int32_t *a, const qrt_sums_scale *params, float *c) {
  qrt_convert_f32_qs8__scalar_x1_scale_sums(n, a, params, c);
}
