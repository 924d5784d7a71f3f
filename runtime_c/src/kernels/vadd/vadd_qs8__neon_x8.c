/* vadd_qs8__neon_x8.c - 8 elements at a time: the float expression of the scalar kernel in lanes. */
#include "../../requantize_neon.h"
#include "vadd.h"

enum { XR = 8 };

typedef struct constants {
  int8x8_t a_zero_point, b_zero_point;
  float32x4_t a_multiplier, b_multiplier;
  qrt_range_neon range;
} constants;

static inline float32x4_t scaled(int16x4_t x, float32x4_t multiplier) {
  return vmulq_f32(vcvtq_f32_s32(vmovl_s16(x)), multiplier);
}

static inline int8x8_t add(int8x8_t a8, int8x8_t b8, const constants *k) {
  const int16x8_t a = vsubl_s8(a8, k->a_zero_point), b = vsubl_s8(b8, k->b_zero_point);
  const float32x4_t x0 = vaddq_f32(scaled(vget_low_s16(a), k->a_multiplier), scaled(vget_low_s16(b), k->b_multiplier));
  const float32x4_t x1 =
      vaddq_f32(scaled(vget_high_s16(a), k->a_multiplier), scaled(vget_high_s16(b), k->b_multiplier));
  return qrt_round_clamp_neon(x0, x1, &k->range);
}

void qrt_vadd_qs8__neon_x8(size_t n, const int8_t *a, const int8_t *b, size_t b_stride, const qrt_vadd_params *params,
                           int8_t *c) {
  const constants k = {vdup_n_s8((int8_t)params->a_zero_point), vdup_n_s8((int8_t)params->b_zero_point),
                       vdupq_n_f32(params->a_multiplier), vdupq_n_f32(params->b_multiplier),
                       qrt_range_make_neon(&params->output)};
  if (b_stride) {
    for (; n >= XR; n -= XR, a += XR, b += XR, c += XR) vst1_s8(c, add(vld1_s8(a), vld1_s8(b), &k));
    if (n) qrt_store_neon(c, add(qrt_load_neon(a, n), qrt_load_neon(b, n), &k), n);
  } else {
    const int8x8_t all = vdup_n_s8(*b);
    for (; n >= XR; n -= XR, a += XR, c += XR) vst1_s8(c, add(vld1_s8(a), all, &k));
    if (n) qrt_store_neon(c, add(qrt_load_neon(a, n), all, &k), n);
  }
}
