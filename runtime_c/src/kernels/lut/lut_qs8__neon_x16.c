/* lut_qs8__neon_x16.c - 16 bytes at a time. The table fills sixteen registers, and tbl looks up in four of them: an
 * index that is not there gives 0 or, with tbx, what was there before. 32-bit ARM has too few registers, and its tbl
 * would take eight steps of 32 bytes, no faster than one load per byte; lookups are scalar there. */
#include <arm_neon.h>

#include "lut.h"

enum { XR = 16 };

void qrt_lut_qs8__neon_x16_lookup(size_t n, const int8_t *a, const int8_t *table, int8_t *c) {
#if defined(__aarch64__)
  int8x16x4_t part[4];
#pragma GCC unroll 4
  for (size_t i = 0; i < 4; i++) {
    const int8_t *from = table + 64 * i;
    part[i] = (int8x16x4_t){{vld1q_s8(from), vld1q_s8(from + 16), vld1q_s8(from + 32), vld1q_s8(from + 48)}};
  }
  for (; n >= XR; n -= XR, a += XR, c += XR) {
    uint8x16_t index = veorq_u8(vreinterpretq_u8_s8(vld1q_s8(a)), vdupq_n_u8(128));
    int8x16_t x = vqtbl4q_s8(part[0], index);
#pragma GCC unroll 4
    for (size_t i = 1; i < 4; i++) {
      index = vsubq_u8(index, vdupq_n_u8(64));
      x = vqtbx4q_s8(x, part[i], index);
    }
    vst1q_s8(c, x);
  }
#endif
  const int8_t *middle = table + 128;
  __asm__("" : "+r"(middle)); /* or the compiler adds 128 each time */
#pragma GCC unroll 8
  for (size_t i = 0; i < n; i++) c[i] = middle[a[i]];
}

void qrt_lut_qs8__neon_x16_clamp(size_t n, const int8_t *a, int32_t min, int32_t max, int8_t *c) {
  const int8x16_t low = vdupq_n_s8((int8_t)min), high = vdupq_n_s8((int8_t)max);
  for (; n >= XR; n -= XR, a += XR, c += XR) vst1q_s8(c, vminq_s8(vmaxq_s8(vld1q_s8(a), low), high));
  for (size_t i = 0; i < n; i++) c[i] = (int8_t)(a[i] < min ? min : a[i] > max ? max : a[i]);
}
