/* lut_qs8__mve_x16.c - 16 bytes at a time: a load gathers them from the table. */
#include <arm_mve.h>

#include "lut.h"

enum { XR = 16 };

void qrt_lut_qs8__mve_x16_lookup(size_t n, const int8_t *a, const int8_t *table, int8_t *c) {
  for (size_t i = 0; i < n; i += XR) {
    const mve_pred16_t some = vctp8q(n - i);
    const uint8x16_t index = vaddq_n_u8(vreinterpretq_u8_s8(vldrbq_z_s8(a + i, some)), 128);
    vstrbq_p_s8(c + i, vldrbq_gather_offset_s8(table, index), some);
  }
}

void qrt_lut_qs8__mve_x16_clamp(size_t n, const int8_t *a, int32_t min, int32_t max, int8_t *c) {
  const int8x16_t low = vdupq_n_s8((int8_t)min), high = vdupq_n_s8((int8_t)max);
  for (size_t i = 0; i < n; i += XR) {
    const mve_pred16_t some = vctp8q(n - i);
    vstrbq_p_s8(c + i, vminq_s8(vmaxq_s8(vldrbq_z_s8(a + i, some), low), high), some);
  }
}
