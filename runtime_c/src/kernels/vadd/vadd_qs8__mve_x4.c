/* vadd_qs8__mve_x4.c - 4 elements at a time: the float expression of the scalar kernel in lanes. */
#include "../../requantize_mve.h"
#include "vadd.h"

typedef struct constants {
  int32_t a_zero_point, b_zero_point;
  float a_multiplier, b_multiplier;
  qrt_range_mve range;
} constants;

static inline float32x4_t scaled(int32x4_t x, int32_t zero_point, float multiplier) {
  return vmulq_n_f32(vcvtq_f32_s32(vsubq_n_s32(x, zero_point)), multiplier);
}

static inline int32x4_t add(int32x4_t a, float32x4_t b, const constants *k) {
  return qrt_round_clamp_mve(vaddq_f32(scaled(a, k->a_zero_point, k->a_multiplier), b), &k->range);
}

void qrt_vadd_qs8__mve_x4(size_t n, const int8_t *a, const int8_t *b, size_t b_stride, const qrt_vadd_params *params,
                          int8_t *c) {
  const constants k = {params->a_zero_point, params->b_zero_point, params->a_multiplier, params->b_multiplier,
                       qrt_range_make_mve(&params->output)};
  const float32x4_t all = scaled(vdupq_n_s32(*b), k.b_zero_point, k.b_multiplier);
  size_t i = 0;
  if (b_stride) {
    for (; i + 4 <= n; i += 4) {
      const float32x4_t y = scaled(vldrbq_s32(b + i), k.b_zero_point, k.b_multiplier);
      vstrbq_s32(c + i, add(vldrbq_s32(a + i), y, &k));
    }
  } else {
    for (; i + 4 <= n; i += 4) vstrbq_s32(c + i, add(vldrbq_s32(a + i), all, &k));
  }
  if (i < n) {
    const mve_pred16_t some = vctp32q(n - i);
    const float32x4_t y = b_stride ? scaled(vldrbq_z_s32(b + i, some), k.b_zero_point, k.b_multiplier) : all;
    vstrbq_p_s32(c + i, add(vldrbq_z_s32(a + i, some), y, &k), some);
  }
}
