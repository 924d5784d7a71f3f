/* vadd_qs8__neon_x8.c - 8 elements at a time, on 64-bit ARM 16: the float expression of the scalar kernel in lanes. */
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

static inline float32x4_t scaled_sum(int16x4_t a, int16x4_t b, const constants *k) {
  return vaddq_f32(scaled(a, k->a_multiplier), scaled(b, k->b_multiplier));
}

static inline int8x8_t add(int8x8_t a8, int8x8_t b8, const constants *k) {
  const int16x8_t a = vsubl_s8(a8, k->a_zero_point), b = vsubl_s8(b8, k->b_zero_point);
  return qrt_round_clamp_neon(scaled_sum(vget_low_s16(a), vget_low_s16(b), k),
                              scaled_sum(vget_high_s16(a), vget_high_s16(b), k), &k->range);
}

#if defined(__aarch64__)
static inline float magnitude(float x) {
  return x < 0 ? -x : x;
}

/* What is known of a range before the loop: the zero point is odd, and clamping is needed. */
enum { PLAIN, ODD, CLAMPS };

static inline __attribute__((always_inline)) int8x16_t add16(int kind, int8x16_t a, int8x16_t b, const constants *k) {
  const int16x8_t a0 = vsubl_s8(vget_low_s8(a), k->a_zero_point), b0 = vsubl_s8(vget_low_s8(b), k->b_zero_point);
  const int16x8_t a1 = vsubl_high_s8(a, vcombine_s8(k->a_zero_point, k->a_zero_point));
  const int16x8_t b1 = vsubl_high_s8(b, vcombine_s8(k->b_zero_point, k->b_zero_point));
  const float32x4_t x[4] = {
      scaled_sum(vget_low_s16(a0), vget_low_s16(b0), k), scaled_sum(vget_high_s16(a0), vget_high_s16(b0), k),
      scaled_sum(vget_low_s16(a1), vget_low_s16(b1), k), scaled_sum(vget_high_s16(a1), vget_high_s16(b1), k)};
  qrt_range_neon range = k->range;
  range.clamps = kind == CLAMPS;
  if (kind != CLAMPS) range.odd = kind == ODD;
  return qrt_round_clamp16_small_neon(x, &range);
}

/* The first of n elements, by 16; how many they are. Plain: 46 instructions per 16. */
static inline __attribute__((always_inline)) size_t add_16s(int kind, size_t n, const int8_t *a, const int8_t *b,
                                                            size_t b_stride, const constants *k, int8_t *c) {
  const int8x16_t all = vdupq_n_s8(*b);
  const size_t size = n / 16 * 16;
  for (size_t i = 0; i < size; i += 16) {
    vst1q_s8(c + i, add16(kind, vld1q_s8(a + i), b_stride ? vld1q_s8(b + i) : all, k));
  }
  return size;
}
#endif

void qrt_vadd_qs8__neon_x8(size_t n, const int8_t *a, const int8_t *b, size_t b_stride, const qrt_vadd_params *params,
                           int8_t *c) {
  const constants k = {vdup_n_s8((int8_t)params->a_zero_point), vdup_n_s8((int8_t)params->b_zero_point),
                       vdupq_n_f32(params->a_multiplier), vdupq_n_f32(params->b_multiplier),
                       qrt_range_make_neon(&params->output)};
#if defined(__aarch64__)
  /* By 16 only where sums are small, as they are unless scales differ much. */
  const int small = qrt_is_small(256, magnitude(params->a_multiplier) + magnitude(params->b_multiplier));
  const size_t done = !small                        ? 0
                      : k.range.clamps || !b_stride ? add_16s(CLAMPS, n, a, b, b_stride, &k, c)
                      : k.range.odd                 ? add_16s(ODD, n, a, b, 1, &k, c)
                                                    : add_16s(PLAIN, n, a, b, 1, &k, c);
  n -= done, a += done, b += b_stride ? done : 0, c += done;
#endif
  if (b_stride) {
    for (; n >= XR; n -= XR, a += XR, b += XR, c += XR) vst1_s8(c, add(vld1_s8(a), vld1_s8(b), &k));
    if (n) qrt_store_neon(c, add(qrt_load_neon(a, n), qrt_load_neon(b, n), &k), n);
  } else {
    const int8x8_t all = vdup_n_s8(*b);
    for (; n >= XR; n -= XR, a += XR, c += XR) vst1_s8(c, add(vld1_s8(a), all, &k));
    if (n) qrt_store_neon(c, add(qrt_load_neon(a, n), all, &k), n);
  }
}
