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

#define MEMORY_MEETS __asm__ volatile("" : : : "memory")

#if defined(__aarch64__)
enum { WIDTH = 16 };
typedef int8x16_t qrt_bytes;

QRT_INLINE qrt_bytes bytes_fill(int8_t x) {
  return vdupq_n_s8(x);
}

QRT_INLINE qrt_bytes bytes_load(size_t width, const int8_t *a) {
  return width == 16 ? vld1q_s8(a) : vcombine_s8(vld1_s8(a), vdup_n_s8(0));
}

QRT_INLINE void bytes_store(size_t width, qrt_bytes x, int8_t *c) {
  if (width == 16) {
    vst1q_s8(c, x);
  } else {
    vst1_s8(c, vget_low_s8(x));
  }
}

/* n <= 8 */
QRT_INLINE qrt_bytes bytes_load_some(const int8_t *a, size_t n) {
  return vcombine_s8(qrt_load_neon(a, n), vdup_n_s8(0));
}

/* One instruction each: bytes, and then the address moves on by `step`. The compiler does not see what memory they read
 * and write, so they come between two MEMORY_MEETS. */
QRT_INLINE qrt_bytes bytes_take(size_t width, const int8_t **a, size_t step) {
  qrt_bytes x;
  if (width == 16) {
    __asm__ volatile("ld1 {%0.16b}, [%1], %2" : "=w"(x), "+r"(*a) : "r"(step));
  } else {
    __asm__ volatile("ld1 {%0.8b}, [%1], %2" : "=w"(x), "+r"(*a) : "r"(step));
  }
  return x;
}

QRT_INLINE void bytes_put(size_t width, qrt_bytes x, int8_t **c, size_t step) {
  if (width == 16) {
    __asm__ volatile("st1 {%1.16b}, [%0], %2" : "+r"(*c) : "w"(x), "r"(step));
  } else {
    __asm__ volatile("st1 {%1.8b}, [%0], %2" : "+r"(*c) : "w"(x), "r"(step));
  }
}

/* begin + sum * multiplier, rounded once; where it begins is in memory. */
QRT_INLINE void multiply_from(const float *begin, const int32x4_t sum[2], const float32x4_t multiplier[2],
                              float32x4_t x[2]) {
  __asm__ volatile("ldp %q0, %q1, [%6]\n\tfmla %0.4s, %2.4s, %4.4s\n\tfmla %1.4s, %3.4s, %5.4s"
                   : "=&w"(x[0]), "=&w"(x[1])
                   : "w"(sum[0]), "w"(sum[1]), "w"(multiplier[0]), "w"(multiplier[1]), "r"(begin));
}

typedef struct qrt_finish {
  float32x4_t rounder; /* WHOLE: 1.5 * 2^23 and the zero point */
  int32_t zero_point;  /* RELU: in no vector, of which there are too few */
} qrt_finish;

/* 8 outputs, rounded: the low halves of words. WHOLE: with the zero point. RELU: not below 0, as the conversion is to
 * unsigned numbers. */
QRT_INLINE int16x8_t finish8(int finish, float32x4_t x0, float32x4_t x1, const qrt_finish *f) {
  if (finish == RELU) {
    return vuzp1q_s16(vreinterpretq_s16_u32(vcvtnq_u32_f32(x0)), vreinterpretq_s16_u32(vcvtnq_u32_f32(x1)));
  }
  return vuzp1q_s16(vreinterpretq_s16_f32(vaddq_f32(x0, f->rounder)), vreinterpretq_s16_f32(vaddq_f32(x1, f->rounder)));
}

/* 16 of them or 8 as bytes. RELU: with the zero point. In assembly, because gcc would move the first narrow vector. */
QRT_INLINE qrt_bytes finish_bytes(int finish, size_t width, const int16x8_t *y, const qrt_finish *f) {
  int8x16_t x;
  if (finish == WHOLE && width == 16) {
    __asm__("sqxtn %0.8b, %1.8h\n\tsqxtn2 %0.16b, %2.8h" : "=&w"(x) : "w"(y[0]), "w"(y[1]));
    return x;
  }
  if (finish == WHOLE) {
    __asm__("sqxtn %0.8b, %1.8h" : "=w"(x) : "w"(y[0]));
    return x;
  }
  uint8x16_t relu;
  if (width == 16) {
    __asm__("uqxtn %0.8b, %1.8h\n\tuqxtn2 %0.16b, %2.8h" : "=&w"(relu) : "w"(y[0]), "w"(y[1]));
  } else {
    __asm__("uqxtn %0.8b, %1.8h" : "=w"(relu) : "w"(y[0]));
  }
  __asm__ volatile("dup %0.16b, %w1" : "=w"(x) : "r"(f->zero_point));
  return vuqaddq_s8(x, relu);
}

/* ANY: 16 outputs or 8. */
QRT_INLINE qrt_bytes bytes_round(size_t width, const float32x4_t *x, const qrt_range_neon *range) {
  if (width == 16) return qrt_round_clamp16_neon(x, range);
  const int8x8_t low = qrt_round_clamp_neon(x[0], x[1], range);
  return vcombine_s8(low, low);
}

/* Products of 8 channels. Intrinsics on low halves would get registers of their own, and of those there are too few. */
QRT_INLINE int16x8_t multiply(size_t half, qrt_bytes a, qrt_bytes w) {
  int16x8_t p;
  if (half) {
    __asm__ volatile("smull2 %0.8h, %1.16b, %2.16b" : "=w"(p) : "w"(a), "w"(w));
  } else {
    __asm__ volatile("smull %0.8h, %1.8b, %2.8b" : "=w"(p) : "w"(a), "w"(w));
  }
  return p;
}

/* a0 * w0 + a1 * w1 */
QRT_INLINE int16x8_t multiply_pair(size_t half, qrt_bytes a0, qrt_bytes w0, qrt_bytes a1, qrt_bytes w1) {
  int16x8_t p;
  if (half) {
    __asm__("smull2 %0.8h, %1.16b, %2.16b\n\tsmlal2 %0.8h, %3.16b, %4.16b"
            : "=&w"(p)
            : "w"(a0), "w"(w0), "w"(a1), "w"(w1));
  } else {
    __asm__("smull %0.8h, %1.8b, %2.8b\n\tsmlal %0.8h, %3.8b, %4.8b" : "=&w"(p) : "w"(a0), "w"(w0), "w"(a1), "w"(w1));
  }
  return p;
}

/* a[0] * w[0] + a[1] * w[1], and likewise b, in an order for CPUs without reordering. */
QRT_INLINE void multiply_pairs(size_t half, const qrt_bytes a[2], const qrt_bytes wa[2], const qrt_bytes b[2],
                               const qrt_bytes wb[2], int16x8_t *p, int16x8_t *q) {
  if (half) {
    __asm__ volatile("smull2 %0.8h, %2.16b, %4.16b\n\tsmull2 %1.8h, %6.16b, %8.16b\n\t"
                     "smlal2 %0.8h, %3.16b, %5.16b\n\tsmlal2 %1.8h, %7.16b, %9.16b"
                     : "=&w"(*p), "=&w"(*q)
                     : "w"(a[0]), "w"(a[1]), "w"(wa[0]), "w"(wa[1]), "w"(b[0]), "w"(b[1]), "w"(wb[0]), "w"(wb[1]));
  } else {
    __asm__ volatile("smull %0.8h, %2.8b, %4.8b\n\tsmull %1.8h, %6.8b, %8.8b\n\t"
                     "smlal %0.8h, %3.8b, %5.8b\n\tsmlal %1.8h, %7.8b, %9.8b"
                     : "=&w"(*p), "=&w"(*q)
                     : "w"(a[0]), "w"(a[1]), "w"(wa[0]), "w"(wa[1]), "w"(b[0]), "w"(b[1]), "w"(wb[0]), "w"(wb[1]));
  }
}

QRT_INLINE int32x4_t add_low(int32x4_t acc, int16x8_t p) {
  int32x4_t sum;
  __asm__("saddw %0.4s, %1.4s, %2.4h" : "=w"(sum) : "w"(acc), "w"(p));
  return sum;
}

QRT_INLINE int32x4_t add_high(int32x4_t acc, int16x8_t p) {
  return vaddw_high_s16(acc, p);
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

QRT_INLINE void bytes_store(size_t width, qrt_bytes x, int8_t *c) {
  (void)width;
  vst1_s8(c, x);
}

QRT_INLINE qrt_bytes bytes_load_some(const int8_t *a, size_t n) {
  return qrt_load_neon(a, n);
}

QRT_INLINE qrt_bytes bytes_take(size_t width, const int8_t **a, size_t step) {
  qrt_bytes x;
  (void)width;
  __asm__ volatile("vld1.8 {%P0}, [%1], %2" : "=w"(x), "+r"(*a) : "r"(step));
  return x;
}

QRT_INLINE void bytes_put(size_t width, qrt_bytes x, int8_t **c, size_t step) {
  (void)width;
  __asm__ volatile("vst1.8 {%P1}, [%0], %2" : "+r"(*c) : "w"(x), "r"(step));
}

typedef struct qrt_finish {
  float32x4_t rounder; /* 1.5 * 2^23; WHOLE: and the zero point */
  int32_t zero_point;
} qrt_finish;

QRT_INLINE int16x8_t finish8(int finish, float32x4_t x0, float32x4_t x1, const qrt_finish *f) {
  const int16x4_t low = vmovn_s32(vreinterpretq_s32_f32(vaddq_f32(x0, f->rounder)));
  const int16x8_t y = vcombine_s16(low, vmovn_s32(vreinterpretq_s32_f32(vaddq_f32(x1, f->rounder))));
  return finish == WHOLE ? y : vaddq_s16(vmaxq_s16(y, vdupq_n_s16(0)), vdupq_n_s16((int16_t)f->zero_point));
}

QRT_INLINE qrt_bytes finish_bytes(int finish, size_t width, const int16x8_t *y, const qrt_finish *f) {
  (void)finish, (void)width, (void)f;
  return vqmovn_s16(y[0]);
}

QRT_INLINE qrt_bytes bytes_round(size_t width, const float32x4_t *x, const qrt_range_neon *range) {
  (void)width;
  return qrt_round_clamp_neon(x[0], x[1], range);
}

QRT_INLINE int16x8_t multiply(size_t half, qrt_bytes a, qrt_bytes w) {
  (void)half;
  return vmull_s8(a, w);
}

QRT_INLINE int16x8_t multiply_pair(size_t half, qrt_bytes a0, qrt_bytes w0, qrt_bytes a1, qrt_bytes w1) {
  (void)half;
  return vmlal_s8(vmull_s8(a0, w0), a1, w1);
}

QRT_INLINE void multiply_pairs(size_t half, const qrt_bytes a[2], const qrt_bytes wa[2], const qrt_bytes b[2],
                               const qrt_bytes wb[2], int16x8_t *p, int16x8_t *q) {
  (void)half;
  *p = vmlal_s8(vmull_s8(a[0], wa[0]), a[1], wa[1]);
  *q = vmlal_s8(vmull_s8(b[0], wb[0]), b[1], wb[1]);
}

QRT_INLINE int32x4_t add_low(int32x4_t acc, int16x8_t p) {
  return vaddw_s16(acc, vget_low_s16(p));
}

QRT_INLINE int32x4_t add_high(int32x4_t acc, int16x8_t p) {
  return vaddw_s16(acc, vget_high_s16(p));
}
#endif

QRT_INLINE qrt_finish finish_make(int finish, int32_t zero_point) {
  const qrt_finish f = {vdupq_n_f32(finish == WHOLE ? QRT_ROUNDER + (float)zero_point : QRT_ROUNDER), zero_point};
  return f;
}

#endif
