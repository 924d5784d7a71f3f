/* dsp.h - the DSP instructions of Cortex-M: two products of 16-bit halves at a time. */
#ifndef QRT_DSP_H
#define QRT_DSP_H

#include <stdint.h>
#include <string.h>

/* Four int8, at any address. */
static inline uint32_t qrt_load_dsp(const int8_t *from) {
  uint32_t bytes;
  memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

/* An int16 in both halves. */
static inline uint32_t qrt_twice_dsp(int32_t x) {
  return ((uint32_t)x & 0xffff) | (uint32_t)x << 16;
}

/* Bytes 0 and 2, or 1 and 3, sign-extended to 16 bits, plus the halves of `offset`. */
static inline uint32_t qrt_even_dsp(uint32_t offset, uint32_t bytes) {
  uint32_t pair;
  __asm__("sxtab16 %0, %1, %2" : "=r"(pair) : "r"(offset), "r"(bytes));
  return pair;
}

static inline uint32_t qrt_odd_dsp(uint32_t offset, uint32_t bytes) {
  uint32_t pair;
  __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(pair) : "r"(offset), "r"(bytes));
  return pair;
}

/* The same without an offset. */
static inline uint32_t qrt_even_alone_dsp(uint32_t bytes) {
  uint32_t pair;
  __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(bytes));
  return pair;
}

static inline uint32_t qrt_odd_alone_dsp(uint32_t bytes) {
  uint32_t pair;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(bytes));
  return pair;
}

/* acc + both products of halves, modulo 2^32. */
static inline uint32_t qrt_multiply_pairs_dsp(uint32_t acc, uint32_t a, uint32_t b) {
  __asm__("smlad %0, %1, %2, %0" : "+r"(acc) : "r"(a), "r"(b));
  return acc;
}

/* acc + the low, or the high half of a times the low half of b. */
static inline uint32_t qrt_multiply_low_dsp(uint32_t acc, uint32_t a, int32_t b) {
  __asm__("smlabb %0, %1, %2, %0" : "+r"(acc) : "r"(a), "r"(b));
  return acc;
}

static inline uint32_t qrt_multiply_high_dsp(uint32_t acc, uint32_t a, int32_t b) {
  __asm__("smlatb %0, %1, %2, %0" : "+r"(acc) : "r"(a), "r"(b));
  return acc;
}

#endif
