/* vadd_neon.h - the float expression of the scalar kernel in lanes, from floats on; the kernels differ in how they make
 * floats of int8. */
#ifndef QRT_VADD_NEON_H
#define QRT_VADD_NEON_H

#include "../../requantize_neon.h"
#include "vadd.h"

typedef struct constants {
  int8x8_t a_zero_point, b_zero_point;
  float32x4_t a_multiplier, b_multiplier;
  qrt_range_neon range;
} constants;

static inline constants make_constants(const qrt_vadd_params *params) {
  return (constants){vdup_n_s8((int8_t)params->a_zero_point), vdup_n_s8((int8_t)params->b_zero_point),
                     vdupq_n_f32(params->a_multiplier), vdupq_n_f32(params->b_multiplier),
                     qrt_range_make_neon(&params->output)};
}

static inline float32x4_t scaled_sum(float32x4_t a, float32x4_t b, const constants *k) {
  return vaddq_f32(vmulq_f32(a, k->a_multiplier), vmulq_f32(b, k->b_multiplier));
}

#if defined(__aarch64__)
static inline float magnitude(float x) {
  return x < 0 ? -x : x;
}

/* Are all sums small, as they are unless scales differ much? */
static inline int is_small(const qrt_vadd_params *params) {
  return qrt_is_small(256, magnitude(params->a_multiplier) + magnitude(params->b_multiplier));
}

/* What is known of a range before the loop: the zero point is odd, and clamping is needed. */
enum { PLAIN, ODD, CLAMPS };

/* 16 small sums, of a and b without their zero points. */
static inline __attribute__((always_inline)) int8x16_t add16(int kind, const float32x4_t a[4], const float32x4_t b[4],
                                                             const constants *k) {
  const float32x4_t x[4] = {scaled_sum(a[0], b[0], k), scaled_sum(a[1], b[1], k), scaled_sum(a[2], b[2], k),
                            scaled_sum(a[3], b[3], k)};
  qrt_range_neon range = k->range;
  range.clamps = kind == CLAMPS;
  if (kind != CLAMPS) range.odd = kind == ODD;
  return qrt_round_clamp16_small_neon(x, &range);
}
#endif

#endif
