/* interleave_x8__mve_x16.c - 16 pixels at a time: a store scatters those of a plane. */
#include <arm_mve.h>

#include "interleave.h"

enum { XR = 16, MOST_CHANNELS = 17 /* scattered with offsets of 8 bits */ };

void qrt_interleave_x8__mve_x16(size_t n, size_t channels, const uint8_t *a, size_t a_stride, uint8_t *c) {
  if (channels > MOST_CHANNELS) {
    qrt_interleave_x8__scalar_x1(n, channels, a, a_stride, c);
    return;
  }
  const uint8x16_t at = vmulq_n_u8(vidupq_n_u8(0, 1), (uint8_t)channels);
  for (size_t j = 0; j < channels; j++, a += a_stride) {
    for (size_t i = 0; i < n; i += XR) {
      const mve_pred16_t some = vctp8q(n - i);
      vstrbq_scatter_offset_p_u8(c + i * channels + j, at, vldrbq_z_u8(a + i, some), some);
    }
  }
}
