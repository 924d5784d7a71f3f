/* sqrt.h - the square root, correctly rounded, without libm. */
#ifndef QRT_SQRT_H
#define QRT_SQRT_H

#include <stdint.h>
#include <string.h>

/* Of a positive normal number, in integers: for targets without an instruction. */
static inline float qrt_sqrt_integer(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const int32_t exponent = (int32_t)(bits >> 23) - 127, odd = exponent & 1;
  /* x = m * 2^(exponent - odd - 23), 2^23 <= m < 2^25, so that sqrt(m * 2^23) has 24 bits. */
  uint64_t rest = (uint64_t)((bits & 0x7fffff) | 0x800000) << (23 + odd), root = 0;
  for (uint64_t bit = 1 << 23; bit; bit >>= 1) {
    const uint64_t step = (2 * root + bit) * bit; /* (root + bit)^2 - root^2 */
    if (step <= rest) {
      rest -= step;
      root += bit;
    }
  }
  root += rest > root; /* the root's rest is above a half, and never a half */
  bits = (uint32_t)root + ((uint32_t)((exponent - odd) / 2 + 126) << 23);
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* Of any number: NaN of one below 0, and -0 of -0. */
static inline float qrt_sqrt(float x) {
#if defined(__SSE__) || defined(__aarch64__) || (defined(__ARM_FP) && (__ARM_FP & 4))
  return __builtin_sqrtf(x); /* an instruction, since -fno-math-errno */
#else
  if (!(x > 0.0f)) return x == 0.0f ? x : (x - x) / (x - x);
  if (x - x != 0.0f) return x; /* infinite */
  return x < 0x1p-126f ? qrt_sqrt_integer(x * 0x1p48f) * 0x1p-24f : qrt_sqrt_integer(x);
#endif
}

#endif
