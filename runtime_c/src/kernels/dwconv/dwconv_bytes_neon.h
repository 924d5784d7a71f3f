/* dwconv_bytes_neon.h - 16 channels of a pixel or 8, in a register: 128 bits on 64-bit ARM, else 64, for 8 alone. */
#ifndef QRT_DWCONV_BYTES_NEON_H
#define QRT_DWCONV_BYTES_NEON_H

#include "../../requantize_neon.h"

/* A block of channels, packed: dwconv_neon.h. */
typedef struct qrt_packed_block {
  size_t width;
  const int32_t *bias;
  const float *multiplier;
  const int8_t *w;
} qrt_packed_block;

/* Columns and weights fill the registers. When gcc schedules before it assigns them, it fetches ahead until it must
 * spill. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-schedule-insns", "no-tree-slp-vectorize")
#endif

#define QRT_INLINE static inline __attribute__((always_inline))

/* How bounded outputs (dwconv_neon.h) become bytes: WHOLE, if all of int8 is the range and the zero point is even;
 * RELU, if the range is from the zero point to 127. ANY outputs, bounded or not, go through requantize_neon.h. */
enum { ANY, WHOLE, RELU };

#if defined(__aarch64__)
enum { WIDTH = 16 };
typedef int8x16_t qrt_bytes;

QRT_INLINE qrt_bytes bytes_fill(int8_t x) {
  return vdupq_n_s8(x);
}

QRT_INLINE qrt_bytes bytes_load(size_t width, const int8_t *a) {
  return width == 16 ? vld1q_s8(a) : vcombine_s8(vld1_s8(a), vdup_n_s8(0));
}

/* n <= 8 */
QRT_INLINE qrt_bytes bytes_load_some(const int8_t *a, size_t n) {
  return vcombine_s8(qrt_load_neon(a, n), vdup_n_s8(0));
}

/* One instruction each: bytes, and then the address moves on by `step`. */
QRT_INLINE qrt_bytes bytes_take(size_t width, const int8_t **a, size_t step) {
  qrt_bytes x;
  if (width == 16) {
    __asm__("ld1 {%0.16b}, [%1], %2" : "=w"(x), "+r"(*a) : "r"(step), "m"(*(const int8_t (*)[16]) * a));
  } else {
    __asm__("ld1 {%0.8b}, [%1], %2" : "=w"(x), "+r"(*a) : "r"(step), "m"(*(const int8_t (*)[8]) * a));
  }
  return x;
}

QRT_INLINE void bytes_put(size_t width, qrt_bytes x, int8_t **c, size_t step) {
  if (width == 16) {
    __asm__("st1 {%2.16b}, [%1], %3" : "=m"(*(int8_t (*)[16]) * c), "+r"(*c) : "w"(x), "r"(step));
  } else {
    __asm__("st1 {%2.8b}, [%1], %3" : "=m"(*(int8_t (*)[8]) * c), "+r"(*c) : "w"(x), "r"(step));
  }
}

typedef struct qrt_finish {
  float32x4_t rounder;  /* WHOLE: 1.5 * 2^23 and the zero point */
  int8x16_t zero_point; /* RELU */
} qrt_finish;

QRT_INLINE qrt_finish finish_make(int finish, int32_t zero_point) {
  const qrt_finish f = {vdupq_n_f32(QRT_ROUNDER + (float)zero_point), vdupq_n_s8((int8_t)zero_point)};
  (void)finish;
  return f;
}

/* 8 outputs, rounded. WHOLE: the low half of each word is the output. RELU: the conversion does not go below 0. */
QRT_INLINE int16x8_t finish8(int finish, float32x4_t x0, float32x4_t x1, const qrt_finish *f) {
  if (finish == WHOLE) {
    return vuzp1q_s16(vreinterpretq_s16_f32(vaddq_f32(x0, f->rounder)),
                      vreinterpretq_s16_f32(vaddq_f32(x1, f->rounder)));
  }
  return vuzp1q_s16(vreinterpretq_s16_u32(vcvtnq_u32_f32(x0)), vreinterpretq_s16_u32(vcvtnq_u32_f32(x1)));
}

/* 16 of them or 8 as bytes. */
QRT_INLINE qrt_bytes finish_bytes(int finish, size_t width, const int16x8_t *y, const qrt_finish *f) {
  if (finish == WHOLE) {
    const int8x8_t low = vqmovn_s16(y[0]);
    return width == 16 ? vqmovn_high_s16(low, y[1]) : vcombine_s8(low, low);
  }
  const uint8x8_t low = vqmovn_u16(vreinterpretq_u16_s16(y[0]));
  if (width == 16) return vuqaddq_s8(f->zero_point, vqmovn_high_u16(low, vreinterpretq_u16_s16(y[1])));
  const int8x8_t sum = vuqadd_s8(vget_low_s8(f->zero_point), low);
  return vcombine_s8(sum, sum);
}

/* ANY: 16 outputs or 8. */
QRT_INLINE qrt_bytes bytes_round(size_t width, const float32x4_t *x, const qrt_range_neon *range) {
  if (width == 16) return qrt_round_clamp16_neon(x, range);
  const int8x8_t low = qrt_round_clamp_neon(x[0], x[1], range);
  return vcombine_s8(low, low);
}
#else
enum { WIDTH = 8 };
typedef int8x8_t qrt_bytes;

QRT_INLINE qrt_bytes bytes_fill(int8_t x) {
  return vdup_n_s8(x);
}

QRT_INLINE qrt_bytes bytes_load(size_t width, const int8_t *a) {
  (void)width;
  return vld1_s8(a);
}

QRT_INLINE qrt_bytes bytes_load_some(const int8_t *a, size_t n) {
  return qrt_load_neon(a, n);
}

QRT_INLINE qrt_bytes bytes_take(size_t width, const int8_t **a, size_t step) {
  qrt_bytes x;
  (void)width;
  __asm__("vld1.8 {%P0}, [%1], %2" : "=w"(x), "+r"(*a) : "r"(step), "m"(*(const int8_t (*)[8]) * a));
  return x;
}

QRT_INLINE void bytes_put(size_t width, qrt_bytes x, int8_t **c, size_t step) {
  (void)width;
  __asm__("vst1.8 {%P2}, [%1], %3" : "=m"(*(int8_t (*)[8]) * c), "+r"(*c) : "w"(x), "r"(step));
}

typedef struct qrt_finish {
  float32x4_t rounder;  /* 1.5 * 2^23; WHOLE: and the zero point */
  int16x8_t zero_point; /* RELU */
} qrt_finish;

QRT_INLINE qrt_finish finish_make(int finish, int32_t zero_point) {
  const qrt_finish f = {vdupq_n_f32(QRT_ROUNDER + (finish == WHOLE ? (float)zero_point : 0)),
                        vdupq_n_s16((int16_t)zero_point)};
  return f;
}

QRT_INLINE int16x8_t finish8(int finish, float32x4_t x0, float32x4_t x1, const qrt_finish *f) {
  const int16x4_t low = vmovn_s32(vreinterpretq_s32_f32(vaddq_f32(x0, f->rounder)));
  const int16x8_t y = vcombine_s16(low, vmovn_s32(vreinterpretq_s32_f32(vaddq_f32(x1, f->rounder))));
  return finish == WHOLE ? y : vaddq_s16(vmaxq_s16(y, vdupq_n_s16(0)), f->zero_point);
}

QRT_INLINE qrt_bytes finish_bytes(int finish, size_t width, const int16x8_t *y, const qrt_finish *f) {
  (void)finish, (void)width, (void)f;
  return vqmovn_s16(y[0]);
}

QRT_INLINE qrt_bytes bytes_round(size_t width, const float32x4_t *x, const qrt_range_neon *range) {
  (void)width;
  return qrt_round_clamp_neon(x[0], x[1], range);
}
#endif

#endif
