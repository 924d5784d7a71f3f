/* vmul_qs8__mve_x4.c - 4 elements at a time: exact products in int32, then the common epilogue. */
#include "../../requantize_mve.h"
#include "vmul.h"

void qrt_vmul_qs8__mve_x4(size_t n, const int8_t *a, const int8_t *b, size_t b_stride, const qrt_vmul_params *params,
                          int8_t *c) {
  const qrt_range_mve range = qrt_range_make_mve(&params->output);
  const int32_t a_zero_point = params->a_zero_point, b_zero_point = params->b_zero_point, one = *b - b_zero_point;
  const float32x4_t multiplier = vdupq_n_f32(params->multiplier);
  size_t i = 0;
  if (b_stride) {
    for (; i + 4 <= n; i += 4) {
      const int32x4_t x = vsubq_n_s32(vldrbq_s32(a + i), a_zero_point);
      const int32x4_t y = vsubq_n_s32(vldrbq_s32(b + i), b_zero_point);
      vstrbq_s32(c + i, qrt_requantize_mve(vmulq_s32(x, y), multiplier, &range));
    }
  } else {
    for (; i + 4 <= n; i += 4) {
      const int32x4_t x = vsubq_n_s32(vldrbq_s32(a + i), a_zero_point);
      vstrbq_s32(c + i, qrt_requantize_mve(vmulq_n_s32(x, one), multiplier, &range));
    }
  }
  if (i < n) {
    const mve_pred16_t some = vctp32q(n - i);
    const int32x4_t x = vsubq_n_s32(vldrbq_z_s32(a + i, some), a_zero_point);
    const int32x4_t y = b_stride ? vsubq_n_s32(vldrbq_z_s32(b + i, some), b_zero_point) : vdupq_n_s32(one);
    vstrbq_p_s32(c + i, qrt_requantize_mve(vmulq_s32(x, y), multiplier, &range), some);
  }
}
