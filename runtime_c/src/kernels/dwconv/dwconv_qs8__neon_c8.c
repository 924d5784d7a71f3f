/* dwconv_qs8__neon_c8.c - columns of int16, multiplied and added to int32 (smlal); dwconv_neon.h has the rest.
 *
 *   int16 w[3][3][8]     [column][row][channel]
 */
#include "../../requantize_neon.h"

#define QRT_INLINE static inline __attribute__((always_inline))

typedef struct qrt_column {
  int16x8_t row[3];
} qrt_column;

typedef qrt_column qrt_taps;

typedef struct qrt_packed_taps {
  int16_t w[3][8];
} qrt_packed_taps;

static inline void qrt_pack_tap(qrt_packed_taps *taps, size_t r, size_t j, int8_t w) {
  taps->w[r][j] = w;
}

QRT_INLINE qrt_column qrt_column_load(const int8_t *const *rows, size_t n) {
  qrt_column x;
#pragma GCC unroll 3
  for (size_t r = 0; r < 3; r++) x.row[r] = vmovl_s8(qrt_load_neon(rows[r], n));
  return x;
}

QRT_INLINE qrt_column qrt_column_fill(int8_t zero_point) {
  const int16x8_t x = vdupq_n_s16(zero_point);
  const qrt_column column = {{x, x, x}};
  return column;
}

QRT_INLINE qrt_taps qrt_taps_load(const qrt_packed_taps *packed, const int *present) {
  qrt_taps taps;
#pragma GCC unroll 3
  for (size_t r = 0; r < 3; r++) taps.row[r] = present[r] ? vld1q_s16(packed->w[r]) : vdupq_n_s16(0);
  return taps;
}

/* acc += the products of the low four, or of the high four. As intrinsics on halves, gcc keeps those in registers of
 * their own and runs out of them. */
#if defined(__aarch64__)
QRT_INLINE int32x4_t add_low(int32x4_t acc, int16x8_t x, int16x8_t w) {
  __asm__("smlal %0.4s, %1.4h, %2.4h" : "+w"(acc) : "w"(x), "w"(w));
  return acc;
}

QRT_INLINE int32x4_t add_high(int32x4_t acc, int16x8_t x, int16x8_t w) {
  return vmlal_high_s16(acc, x, w);
}
#else
QRT_INLINE int32x4_t add_low(int32x4_t acc, int16x8_t x, int16x8_t w) {
  return vmlal_s16(acc, vget_low_s16(x), vget_low_s16(w));
}

QRT_INLINE int32x4_t add_high(int32x4_t acc, int16x8_t x, int16x8_t w) {
  return vmlal_s16(acc, vget_high_s16(x), vget_high_s16(w));
}
#endif

QRT_INLINE void qrt_column_add(int32x4_t acc[2], qrt_column x, qrt_taps w) {
#pragma GCC unroll 3
  for (size_t r = 0; r < 3; r++) {
    acc[0] = add_low(acc[0], x.row[r], w.row[r]);
    acc[1] = add_high(acc[1], x.row[r], w.row[r]);
  }
}

#include "dwconv_neon.h"

size_t qrt_dwconv_qs8__neon_c8_packed_size(size_t channels, size_t kh, size_t kw) {
  return packed_size(channels, kh, kw);
}

void qrt_dwconv_qs8__neon_c8_pack(const qrt_dwconv_weights *weights, void *packed) {
  pack(weights, packed);
}

void qrt_dwconv_qs8__neon_c8(const qrt_dwconv_shape *shape, const int8_t *const *rows, const void *packed,
                             const qrt_output_range *output, int8_t *c) {
  run(shape, rows, packed, output, c);
}
