/* vadd_qs8__neon_x8.c - 8 elements at a time, on 64-bit ARM 16: the float expression of the scalar kernel in lanes. */
#include "vadd_neon.h"

enum { XR = 8 };

static inline float32x4_t widen(int16x4_t x) {
  return vcvtq_f32_s32(vmovl_s16(x));
}

static inline int8x8_t add(int8x8_t a8, int8x8_t b8, const constants *k) {
  const int16x8_t a = vsubl_s8(a8, k->a_zero_point), b = vsubl_s8(b8, k->b_zero_point);
  return qrt_round_clamp_neon(scaled_sum(widen(vget_low_s16(a)), widen(vget_low_s16(b)), k),
                              scaled_sum(widen(vget_high_s16(a)), widen(vget_high_s16(b)), k), &k->range);
}

#if defined(__aarch64__)
static inline void widen16(int8x16_t x, int8x8_t zero_point, float32x4_t y[4]) {
  const int16x8_t low = vsubl_s8(vget_low_s8(x), zero_point);
  const int16x8_t high = vsubl_high_s8(x, vcombine_s8(zero_point, zero_point));
  y[0] = widen(vget_low_s16(low)), y[1] = widen(vget_high_s16(low));
  y[2] = widen(vget_low_s16(high)), y[3] = widen(vget_high_s16(high));
}

/* The first of n elements, by 16; how many they are. Plain: 46 instructions per 16. */
static inline __attribute__((always_inline)) size_t add_16s(int kind, size_t n, const int8_t *a, const int8_t *b,
                                                            size_t b_stride, const constants *k, int8_t *c) {
  const int8x16_t all = vdupq_n_s8(*b);
  const size_t size = n / 16 * 16;
  for (size_t i = 0; i < size; i += 16) {
    float32x4_t x[4], y[4];
    widen16(vld1q_s8(a + i), k->a_zero_point, x);
    widen16(b_stride ? vld1q_s8(b + i) : all, k->b_zero_point, y);
    vst1q_s8(c + i, add16(kind, x, y, k));
  }
  return size;
}
#endif

void qrt_vadd_qs8__neon_x8(size_t n, const int8_t *a, const int8_t *b, size_t b_stride, const qrt_vadd_params *params,
                           int8_t *c) {
  const constants k = make_constants(params);
#if defined(__aarch64__)
  const size_t done = !is_small(params)             ? 0
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
