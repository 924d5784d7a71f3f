/* vadd_qs8__neondot_x32.c - 32 elements at a time, made floats through half precision.
 *
 * 0x6600 is 1536 in half precision, where neighbours differ by 1: with a - zero_point added to its bits, one
 * instruction for eight, it is 1536 + a - zero_point. Subtracting 1536 is exact, and so is what follows. scvtf of eight
 * halves would take four cycles of the one pipe that converts, on a Cortex-A76; a subtraction takes half of one.
 *
 * What is clamped, has one b for all or is not small, and the last elements, are left to the NEON kernel.
 */
#include "vadd_neon.h"

enum { XR = 32 };

static inline void widen16(int8x16_t x, int16x8_t offset, float32x4_t y[4]) {
  const float16x8_t bias = vdupq_n_f16(1536);
  const float16x8_t low = vsubq_f16(vreinterpretq_f16_s16(vaddw_s8(offset, vget_low_s8(x))), bias);
  const float16x8_t high = vsubq_f16(vreinterpretq_f16_s16(vaddw_high_s8(offset, x)), bias);
  y[0] = vcvt_f32_f16(vget_low_f16(low)), y[1] = vcvt_high_f32_f16(low);
  y[2] = vcvt_f32_f16(vget_low_f16(high)), y[3] = vcvt_high_f32_f16(high);
}

/* Neighbours, and on to the next. As intrinsics, gcc would count each address on its own. */
static inline const int8_t *load32(const int8_t *x, int8x16_t *low, int8x16_t *high) {
  __asm__("ldp %q0, %q1, [%2], #32" : "=w"(*low), "=w"(*high), "+r"(x) : "m"(*(const int8_t (*)[32])x));
  return x;
}

static inline __attribute__((always_inline)) int8x16_t add_widened(int kind, int8x16_t a, int8x16_t b,
                                                                   int16x8_t a_offset, int16x8_t b_offset,
                                                                   const constants *k) {
  float32x4_t x[4], y[4];
  widen16(a, a_offset, x);
  widen16(b, b_offset, y);
  return add16(kind, x, y, k);
}

/* n elements, a multiple of 32 that is not 0. Plain: 38.5 instructions per 16. */
static inline __attribute__((always_inline)) void add_32s(int kind, size_t n, const int8_t *a, const int8_t *b,
                                                          const qrt_vadd_params *params, int8_t *c) {
  const constants k = make_constants(params);
  const int16x8_t a_offset = vdupq_n_s16((int16_t)(0x6600 - params->a_zero_point));
  const int16x8_t b_offset = vdupq_n_s16((int16_t)(0x6600 - params->b_zero_point));
  for (const int8_t *end = a + n; a != end; c += XR) {
    int8x16_t a0, a1, b0, b1;
    a = load32(a, &a0, &a1), b = load32(b, &b0, &b1);
    vst1q_s8(c, add_widened(kind, a0, b0, a_offset, b_offset, &k));
    vst1q_s8(c + 16, add_widened(kind, a1, b1, a_offset, b_offset, &k));
  }
}

void qrt_vadd_qs8__neondot_x32(size_t n, const int8_t *a, const int8_t *b, size_t b_stride,
                               const qrt_vadd_params *params, int8_t *c) {
  const int whole = params->output.min == -128 && params->output.max == 127;
  const size_t done = b_stride && whole && is_small(params) ? n / XR * XR : 0;
  if (done)
    (params->output.zero_point & 1 ? add_32s(ODD, done, a, b, params, c) : add_32s(PLAIN, done, a, b, params, c));
  if (done != n) qrt_vadd_qs8__neon_x8(n - done, a + done, b + (b_stride ? done : 0), b_stride, params, c + done);
}
