/* requantize.h - from accumulators and floats to int8, one value at a time: the definition that every vector version
 * (requantize_avx2.h, requantize_neon.h) repeats lane by lane.
 *
 *   round_clamp(x, output)   = clamp(rne(x) + zero_point, min, max)
 *   requantize(acc, m, ...)  = round_clamp(f32(f32(acc) * m), output)
 *   quantize(x, inverse, ..) = isnan(x) ? zero_point : round_clamp(f32(x * inverse), output)
 *
 * The clamp comes first, in float: its bounds are integers, so it commutes with the rounding, and after it |x| <= 255,
 * where no conversion can overflow and adding 1.5 * 2^23 leaves rne(x) in the low bits. This needs the rounding mode
 * "nearest", and each float operation rounded to binary32 on its own.
 */
#ifndef QRT_REQUANTIZE_H
#define QRT_REQUANTIZE_H

#include <float.h>
#include <stdint.h>
#include <string.h>

#include "kernels/kernels.h"

#if FLT_EVAL_METHOD != 0
#error "float expressions must be evaluated in float (x87 arithmetic cannot give the specified bytes)"
#endif

#define QRT_ROUNDER      12582912.0f /* 1.5 * 2^23, whose unit in the last place is 1 */
#define QRT_ROUNDER_BITS 0x4b400000u /* its representation */

/* round_clamp before its result is narrowed: min - zero_point and max - zero_point lie within +-2^21. x is not NaN;
 * infinities are fine. */
static inline int32_t qrt_round(float x, const qrt_output_range *output) {
  const float low = (float)(output->min - output->zero_point);
  const float high = (float)(output->max - output->zero_point);
  x = x < low ? low : x;
  x = x > high ? high : x;
  x += QRT_ROUNDER;
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return (int32_t)(bits - QRT_ROUNDER_BITS) + output->zero_point;
}

static inline int8_t qrt_round_clamp(float x, const qrt_output_range *output) {
  return (int8_t)qrt_round(x, output);
}

/* Accumulators are uint32_t so that C defines their wrap; their value is the two's complement int32. */
static inline int8_t qrt_requantize(uint32_t acc, float multiplier, const qrt_output_range *output) {
  return qrt_round_clamp((float)(int32_t)acc * multiplier, output);
}

static inline int8_t qrt_quantize(float x, float inverse_scale, const qrt_output_range *output) {
  if (x != x) return (int8_t)output->zero_point;
  return qrt_round_clamp(x * inverse_scale, output);
}

#endif
