/* requantize.h - from accumulators and floats to int8, one value at a time: the definition that every vector version
 * (requantize_avx2.h, requantize_neon.h) repeats lane by lane.
 *
 *   round_clamp(x, output)   = clamp(rne(x) + zero_point, min, max)
 *   requantize(acc, m, ...)  = round_clamp(f32(f32(acc) * m), output)
 *   quantize(x, inverse, ..) = isnan(x) ? zero_point : round_clamp(f32(x * inverse), output)
 *
 * There are two bodies with equal results, in floats and, for cores without a float unit, in integers.
 *
 * In floats the clamp comes first: its bounds are integers, so it commutes with the rounding, and after it |x| <= 255,
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

/* Is a float operation a call into the compiler's library, of some 50 instructions? */
#ifndef QRT_SOFT_FLOAT
#if defined(__arm__) && !defined(__ARM_FP)
#define QRT_SOFT_FLOAT 1
#else
#define QRT_SOFT_FLOAT 0
#endif
#endif

/* ---- in floats ---- */

static inline int32_t qrt_round_float(float x, const qrt_output_range *output) {
  const float low = (float)(output->min - output->zero_point);
  const float high = (float)(output->max - output->zero_point);
  x = x < low ? low : x;
  x = x > high ? high : x;
  x += QRT_ROUNDER;
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return (int32_t)(bits - QRT_ROUNDER_BITS) + output->zero_point;
}

static inline int8_t qrt_requantize_float(uint32_t acc, float multiplier, const qrt_output_range *output) {
  return (int8_t)qrt_round_float((float)(int32_t)acc * multiplier, output);
}

/* ---- the same in integers: a float is mantissa * 2^(exponent - 150), its mantissa below 2^24 ---- */

/* x * 2^-shift to the nearest integer, ties to even; 0 < shift < 32. The rest decides: above half goes up, half goes to
 * the even one. */
static inline uint32_t qrt_shift_round(uint32_t x, uint32_t shift) {
  const uint32_t kept = x >> shift, rest = x << (32 - shift);
  return kept + ((rest | (kept & 1)) > 0x80000000u);
}

/* clamp(rne(mantissa * 2^(exponent - 150)), ...), negated if `sign` is all ones. */
static inline int32_t qrt_round_parts(uint32_t mantissa, int32_t exponent, uint32_t sign,
                                      const qrt_output_range *output) {
  uint32_t magnitude = 0;
  if (exponent >= 150) { /* no fraction, and beyond every bound unless the mantissa is 0 */
    magnitude = mantissa ? 1u << 24 : 0;
  } else if (exponent > 150 - 32) {
    magnitude = qrt_shift_round(mantissa, (uint32_t)(150 - exponent));
  }
  const int32_t low = output->min - output->zero_point, high = output->max - output->zero_point;
  const int32_t x = (int32_t)((magnitude ^ sign) - sign);
  return (x < low ? low : x > high ? high : x) + output->zero_point;
}

static inline int32_t qrt_round_integer(float x, const qrt_output_range *output) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const uint32_t exponent = bits >> 23 & 0xff, fraction = bits & 0x7fffff;
  /* Denormals round to 0, as all of their neighbours do. */
  return qrt_round_parts(exponent ? fraction | 0x800000 : 0, (int32_t)exponent, 0 - (bits >> 31), output);
}

/* The accumulator and the product are rounded to 24 bits each, as floats are. The multiplier is normal. */
static inline int8_t qrt_requantize_integer(uint32_t acc, float multiplier, const qrt_output_range *output) {
  const uint32_t sign = 0 - (acc >> 31);
  uint32_t a = (acc ^ sign) - sign, bits;
  memcpy(&bits, &multiplier, sizeof bits);
  int32_t exponent = (int32_t)(bits >> 23);
  if (a >> 24) {
    const uint32_t shift = 8 - (uint32_t)__builtin_clz(a);
    a = qrt_shift_round(a, shift); /* may be 2^24: the product still fits */
    exponent += (int32_t)shift;
  }
  const uint64_t product = (uint64_t)a * ((bits & 0x7fffff) | 0x800000);
  const uint32_t high = (uint32_t)(product >> 24);
  if (!high) { /* below 2^24: exact */
    return (int8_t)qrt_round_parts((uint32_t)product, exponent, sign, output);
  }
  /* The 24 highest bits, and below them whether anything is left: the rest of the rounding's tie. */
  const uint32_t shift = 32 - (uint32_t)__builtin_clz(high);
  const uint32_t kept = (uint32_t)(product >> shift), rest = (uint32_t)product << (32 - shift);
  const uint32_t mantissa = kept + ((rest | (kept & 1)) > 0x80000000u);
  return (int8_t)qrt_round_parts(mantissa, exponent + (int32_t)shift, sign, output);
}

/* ---- what kernels call ---- */

/* round_clamp before its result is narrowed: min - zero_point and max - zero_point lie within +-2^21. x is not NaN;
 * infinities are fine. */
static inline int32_t qrt_round(float x, const qrt_output_range *output) {
  return QRT_SOFT_FLOAT ? qrt_round_integer(x, output) : qrt_round_float(x, output);
}

static inline int8_t qrt_round_clamp(float x, const qrt_output_range *output) {
  return (int8_t)qrt_round(x, output);
}

/* Accumulators are uint32_t so that C defines their wrap; their value is the two's complement int32. */
static inline int8_t qrt_requantize(uint32_t acc, float multiplier, const qrt_output_range *output) {
  return QRT_SOFT_FLOAT ? qrt_requantize_integer(acc, multiplier, output)
                        : qrt_requantize_float(acc, multiplier, output);
}

static inline int8_t qrt_quantize(float x, float inverse_scale, const qrt_output_range *output) {
  if (x != x) return (int8_t)output->zero_point;
  return qrt_round_clamp(x * inverse_scale, output);
}

#endif
