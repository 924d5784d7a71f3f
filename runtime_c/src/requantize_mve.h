/* requantize_mve.h - requantize.h in lanes, for files compiled with MVE.
 *
 * MVE rounds to nearest even and flushes denormals to zero, in any mode. No result can show it: a product acc * m is
 * zero or at least 2^-60, because multipliers lie in [2^-60, 2^60]; a sum of two such products is zero or at least
 * 2^-83; and an input so small that it or its product with an inverse scale is denormal rounds to 0 with or without
 * flushing. Conversions to int32 round to nearest even and saturate, so that clamping can come after them.
 */
#ifndef QRT_REQUANTIZE_MVE_H
#define QRT_REQUANTIZE_MVE_H

#include <arm_mve.h>

#include "requantize.h"

typedef struct qrt_range_mve {
  int32x4_t low, high; /* without the zero point */
  int32_t zero_point;
} qrt_range_mve;

static inline qrt_range_mve qrt_range_make_mve(const qrt_output_range *output) {
  const qrt_range_mve range = {vdupq_n_s32(output->min - output->zero_point),
                               vdupq_n_s32(output->max - output->zero_point), output->zero_point};
  return range;
}

/* Four of round_clamp(x), as int32. NaN gives what 0 does. */
static inline int32x4_t qrt_round_clamp_mve(float32x4_t x, const qrt_range_mve *range) {
  const int32x4_t rounded = vcvtnq_s32_f32(x);
  return vaddq_n_s32(vminq_s32(vmaxq_s32(rounded, range->low), range->high), range->zero_point);
}

static inline int32x4_t qrt_requantize_mve(int32x4_t acc, float32x4_t multiplier, const qrt_range_mve *range) {
  return qrt_round_clamp_mve(vmulq_f32(vcvtq_f32_s32(acc), multiplier), range);
}

#endif
