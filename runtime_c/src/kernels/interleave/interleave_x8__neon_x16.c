/* interleave_x8__neon_x16.c - three channels, 16 pixels at a time; other numbers one byte at a time. */
#include <arm_neon.h>

#include "interleave.h"

enum { XR = 16 };

void qrt_interleave_x8__neon_x16(size_t n, size_t channels, const uint8_t *a, size_t a_stride, uint8_t *c) {
  if (channels == 3) {
    for (; n >= XR; n -= XR, a += XR, c += 3 * XR) {
      const uint8x16x3_t planes = {{vld1q_u8(a), vld1q_u8(a + a_stride), vld1q_u8(a + 2 * a_stride)}};
      vst3q_u8(c, planes);
    }
  }
  for (; n > 0; n--, a++) {
    for (size_t j = 0; j < channels; j++) *c++ = a[j * a_stride];
  }
}
