/* vmul_qs8__neon_x8.c - 8 elements at a time: exact products in int32, then the common epilogue. */
#include "../../requantize_neon.h"
#include "vmul.h"

enum { XR = 8 };

typedef struct constants {
  int8x8_t a_zero_point, b_zero_point;
  float32x4_t multiplier;
  qrt_range_neon range;
} constants;

static inline int8x8_t multiply(int8x8_t a8, int8x8_t b8, const constants *k) {
  const int16x8_t a = vsubl_s8(a8, k->a_zero_point), b = vsubl_s8(b8, k->b_zero_point);
  const int32x4_t low = vmull_s16(vget_low_s16(a), vget_low_s16(b));
  const int32x4_t high = vmull_s16(vget_high_s16(a), vget_high_s16(b));
  return qrt_requantize_neon(low, high, k->multiplier, k->multiplier, &k->range);
}

void qrt_vmul_qs8__neon_x8(size_t n, const int8_t *a, const int8_t *b, size_t b_stride, const qrt_vmul_params *params,
                           int8_t *c) {
  const constants k = {vdup_n_s8((int8_t)params->a_zero_point), vdup_n_s8((int8_t)params->b_zero_point),
                       vdupq_n_f32(params->multiplier), qrt_range_make_neon(&params->output)};
  if (b_stride) {
    for (; n >= XR; n -= XR, a += XR, b += XR, c += XR) vst1_s8(c, multiply(vld1_s8(a), vld1_s8(b), &k));
    if (n) qrt_store_neon(c, multiply(qrt_load_neon(a, n), qrt_load_neon(b, n), &k), n);
  } else {
    const int8x8_t all = vdup_n_s8(*b);
    for (; n >= XR; n -= XR, a += XR, c += XR) vst1_s8(c, multiply(vld1_s8(a), all, &k));
    if (n) qrt_store_neon(c, multiply(qrt_load_neon(a, n), all, &k), n);
  }
}
