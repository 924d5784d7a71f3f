/* vadd_qs8__neon_x8.c - 8 elements at a time, on 64-bit ARM 16: the float expression of the scalar kernel in lanes. */
#include "../../requantize_neon.h"
#include "vadd.h"

enum { XR = 8 };

typedef struct constants {
  int8x8_t a_zero_point, b_zero_point;
  float32x4_t a_multiplier, b_multiplier;
  qrt_range_neon range;
} constants;

static inline float32x4_t scaled(int16x4_t x, float32x4_t multiplier) {
  return vmulq_f32(vcvtq_f32_s32(vmovl_s16(x)), multiplier);
}

static inline float32x4_t scaled_sum(int16x4_t a, int16x4_t b, const constants *k) {
  return vaddq_f32(scaled(a, k->a_multiplier), scaled(b, k->b_multiplier));
}

static inline int8x8_t add(int8x8_t a8, int8x8_t b8, const constants *k) {
  const int16x8_t a = vsubl_s8(a8, k->a_zero_point), b = vsubl_s8(b8, k->b_zero_point);
  return qrt_round_clamp_neon(scaled_sum(vget_low_s16(a), vget_low_s16(b), k),
                              scaled_sum(vget_high_s16(a), vget_high_s16(b), k), &k->range);
}

#if defined(__aarch64__)
static inline float magnitude(float x) {
  return x < 0 ? -x : x;
}

/* The float 2^23 + a + 128 is the bytes a ^ 0x80, 0, 0 and 0x4b, so that one table lookup makes four of them; less
 * 2^23 + 128 + zero point it is exact. After x + 1.5 * 2^23 the low half of the bits is rne(x). In assembly, because a
 * table is two registers that follow each other, which gcc would copy: v0, v1 and v2, v3. Per 16 elements 43
 * instructions, or 47. */
/* clang-format off */
#define FOUR(op, x0, x1, x2, x3, y0, y1, y2, y3) \
  op " " x0 ".4s, " x0 ".4s, " y0 ".4s\n\t" op " " x1 ".4s, " x1 ".4s, " y1 ".4s\n\t" \
  op " " x2 ".4s, " x2 ".4s, " y2 ".4s\n\t" op " " x3 ".4s, " x3 ".4s, " y3 ".4s\n\t"
#define ALL(op, x0, x1, x2, x3, y) FOUR(op, x0, x1, x2, x3, y, y, y, y)
#define SCALED(table, x0, x1, x2, x3, zero_point, multiplier) \
  "tbl " x0 ".16b, " table ", %[i0].16b\n\ttbl " x1 ".16b, " table ", %[i1].16b\n\t" \
  "tbl " x2 ".16b, " table ", %[i2].16b\n\ttbl " x3 ".16b, " table ", %[i3].16b\n\t" \
  ALL("fsub", x0, x1, x2, x3, zero_point) \
  ALL("fmul", x0, x1, x2, x3, multiplier)
#define ADD_16S(shift, clamp) \
  __asm__ volatile( \
      "mov v1.16b, %[bits].16b\n\tmov v3.16b, %[bits].16b\n" \
      "1:\tld1 {v0.16b}, [%[a]], #16\n\tld1 {v2.16b}, [%[b]], %[step]\n\t" \
      "eor v0.16b, v0.16b, %[sign].16b\n\teor v2.16b, v2.16b, %[sign].16b\n\t" \
      SCALED("{v0.16b, v1.16b}", "v4", "v5", "v6", "v7", "%[a_zero_point]", "%[a_multiplier]") \
      SCALED("{v2.16b, v3.16b}", "v16", "v17", "v18", "v19", "%[b_zero_point]", "%[b_multiplier]") \
      FOUR("fadd", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19") \
      ALL("fadd", "v4", "v5", "v6", "v7", "%[rounder]") \
      "uzp1 v4.8h, v4.8h, v5.8h\n\tuzp1 v6.8h, v6.8h, v7.8h\n\t" shift \
      "sqxtn v4.8b, v4.8h\n\tsqxtn2 v4.16b, v6.8h\n\t" clamp \
      "subs %[left], %[left], #16\n\tst1 {v4.16b}, [%[c]], #16\n\tb.ne 1b" \
      : [left] "+r"(left), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c) \
      : [step] "r"(b_step), [bits] "w"(bits), [sign] "w"(sign), \
        [i0] "w"(index[0]), [i1] "w"(index[1]), [i2] "w"(index[2]), [i3] "w"(index[3]), \
        [a_zero_point] "w"(a_zero_point), [a_multiplier] "w"(k->a_multiplier), \
        [b_zero_point] "w"(b_zero_point), [b_multiplier] "w"(k->b_multiplier), [rounder] "w"(rounder), \
        [zero_point] "w"(k->range.zero_point), [low] "w"(k->range.low), [high] "w"(k->range.high) \
      : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "cc", "memory")
/* clang-format on */

/* The first of n elements, by 16; how many they are. */
static size_t add_16s(size_t n, const int8_t *a, const int8_t *b, size_t b_step, const qrt_vadd_params *params,
                      const constants *k, int8_t *c) {
  static const uint32_t first[4] = {0x13101000, 0x13101001, 0x13101002, 0x13101003};
  const int even = params->output.zero_point % 2 == 0 && !k->range.clamps;
  const float32x4_t rounder = vdupq_n_f32(QRT_ROUNDER + (float)(even ? params->output.zero_point : 0));
  const float32x4_t a_zero_point = vdupq_n_f32(0x1p23f + 128 + (float)params->a_zero_point);
  const float32x4_t b_zero_point = vdupq_n_f32(0x1p23f + 128 + (float)params->b_zero_point);
  const uint32x4_t bits = vdupq_n_u32(0x4b000000), four = vdupq_n_u32(4);
  const uint8x16_t sign = vdupq_n_u8(0x80);
  uint32x4_t index[4] = {vld1q_u32(first)};
  for (size_t i = 1; i < 4; i++) index[i] = vaddq_u32(index[i - 1], four);
  const size_t size = n / 16 * 16;
  size_t left = size;
  if (size == 0) return 0;
  if (even) {
    ADD_16S("", "");
  } else {
    ADD_16S("sqadd v4.8h, v4.8h, %[zero_point].8h\n\tsqadd v6.8h, v6.8h, %[zero_point].8h\n\t",
            "smax v4.16b, v4.16b, %[low].16b\n\tsmin v4.16b, v4.16b, %[high].16b\n\t");
  }
  return size;
}
#endif

void qrt_vadd_qs8__neon_x8(size_t n, const int8_t *a, const int8_t *b, size_t b_stride, const qrt_vadd_params *params,
                           int8_t *c) {
  const constants k = {vdup_n_s8((int8_t)params->a_zero_point), vdup_n_s8((int8_t)params->b_zero_point),
                       vdupq_n_f32(params->a_multiplier), vdupq_n_f32(params->b_multiplier),
                       qrt_range_make_neon(&params->output)};
#if defined(__aarch64__)
  /* By 16 only where sums fit int16, as they do unless scales differ much. */
  const int fits = 256 * (magnitude(params->a_multiplier) + magnitude(params->b_multiplier)) < 0x7f00;
  int8_t one[16];
  memset(one, *b, sizeof one);
  const size_t done = !fits ? 0 : add_16s(n, a, b_stride ? b : one, b_stride ? 16 : 0, params, &k, c);
  n -= done, a += done, b += b_stride ? done : 0, c += done;
#endif
  if (b_stride) {
    for (; n >= XR; n -= XR, a += XR, b += XR, c += XR) vst1_s8(c, add(vld1_s8(a), vld1_s8(b), &k));
    if (n) qrt_store_neon(c, add(qrt_load_neon(a, n), qrt_load_neon(b, n), &k), n);
  } else {
    const int8x8_t all = vdup_n_s8(*b);
    for (; n >= XR; n -= XR, a += XR, c += XR) vst1_s8(c, add(vld1_s8(a), all, &k));
    if (n) qrt_store_neon(c, add(qrt_load_neon(a, n), all, &k), n);
  }
}
