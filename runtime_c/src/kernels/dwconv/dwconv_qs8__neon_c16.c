/* dwconv_qs8__neon_c16.c - two products of int8 are added in int16 (smull, smlal), then to int32 (saddw); dwconv_neon.h
 * has the rest. On 32-bit ARM 8 channels at a time.
 *
 *   int8 w[9][width]     column after column, each from the top
 *
 * Two products leave int16 only if both weights are -128; blocks with such a pair are not safe, and go the way on which
 * every product goes into the sums on its own.
 *
 * Instructions per 16 outputs, 144 multiply-adds: 18 smull and smlal, 20 saddw, 3 loads, 17 to requantize and store,
 * and 2 for every third loop; with ReLU on 64-bit ARM 2 to load where products begin, and 15.
 */
#include "dwconv_bytes_neon.h"

enum { QRT_TAPS = 9 };

typedef struct qrt_column {
  qrt_bytes row[3];
} qrt_column;

typedef struct qrt_taps {
  qrt_column w[3];
  int32x4_t bias[WIDTH / 4];
  float32x4_t multiplier[WIDTH / 4];
} qrt_taps;

static inline int8_t *qrt_pack_tap(int8_t *w, size_t width, size_t r, size_t t, size_t j) {
  return w + (3 * t + r) * width + j;
}

/* Pairs are added in qrt_sums. */
static inline int qrt_is_safe(const int8_t *w, size_t width) {
  static const uint8_t pairs[4][2] = {{0, 1}, {3, 4}, {2, 5}, {6, 7}};
  for (size_t i = 0; i < 4; i++) {
    for (size_t j = 0; j < width; j++) {
      if (w[pairs[i][0] * width + j] == -128 && w[pairs[i][1] * width + j] == -128) return 0;
    }
  }
  return 1;
}

QRT_INLINE void qrt_column_half(size_t half, const qrt_bytes rows[3], qrt_column *column) {
#pragma GCC unroll 3
  for (size_t r = 0; r < 3 && half == 0; r++) column->row[r] = rows[r];
}

QRT_INLINE void qrt_sums(int careful, size_t half, const qrt_taps *taps, qrt_column q0, qrt_column q1, qrt_column q2,
                         int32x4_t acc[2]) {
  const qrt_column *w = taps->w;
  acc[0] = taps->bias[2 * half];
  acc[1] = taps->bias[2 * half + 1];
  if (careful) {
    const qrt_column q[3] = {q0, q1, q2};
#pragma GCC unroll 9
    for (size_t i = 0; i < 9; i++) {
      const int16x8_t p = multiply(half, q[i / 3].row[i % 3], w[i / 3].row[i % 3]);
      acc[0] = add_low(acc[0], p);
      acc[1] = add_high(acc[1], p);
    }
    return;
  }
  /* Of the new column last. */
  int16x8_t p, p1;
  multiply_pairs(half, q0.row, w[0].row, q1.row, w[1].row, &p, &p1);
  acc[0] = add_low(acc[0], p);
  acc[1] = add_high(acc[1], p);
  acc[0] = add_low(acc[0], p1);
  acc[1] = add_high(acc[1], p1);
  const qrt_bytes a[2] = {q0.row[2], q1.row[2]}, wa[2] = {w[0].row[2], w[1].row[2]};
  multiply_pairs(half, a, wa, q2.row, w[2].row, &p, &p1);
  acc[0] = add_low(acc[0], p);
  acc[1] = add_high(acc[1], p);
  p = multiply(half, q2.row[2], w[2].row[2]);
  acc[0] = add_low(acc[0], p1);
  acc[1] = add_high(acc[1], p1);
  acc[0] = add_low(acc[0], p);
  acc[1] = add_high(acc[1], p);
}

QRT_INLINE void qrt_multipliers(size_t half, const qrt_taps *taps, float32x4_t multiplier[2]) {
  multiplier[0] = taps->multiplier[2 * half];
  multiplier[1] = taps->multiplier[2 * half + 1];
}

QRT_INLINE qrt_taps qrt_taps_load(size_t width, const qrt_packed_block *b, size_t at) {
  qrt_taps taps;
#pragma GCC unroll 4
  for (size_t i = 0; i < width / 4; i++) {
    taps.bias[i] = vld1q_s32(b->bias + at + 4 * i);
    taps.multiplier[i] = vld1q_f32(b->multiplier + at + 4 * i);
  }
#pragma GCC unroll 9
  for (size_t i = 0; i < 9; i++) taps.w[i / 3].row[i % 3] = bytes_load(width, b->w + i * b->width + at);
  return taps;
}

#define QRT_RELU 0
#include "dwconv_neon.h"

size_t qrt_dwconv_qs8__neon_c16_packed_size(size_t channels, size_t kh, size_t kw) {
  return packed_size(channels, kh, kw);
}

int qrt_dwconv_qs8__neon_c16_usable(const void *packed, size_t channels, size_t kh, size_t kw) {
  return usable(packed, channels, kh, kw);
}

void qrt_dwconv_qs8__neon_c16_pack(const qrt_dwconv_weights *weights, void *packed) {
  pack(weights, packed);
}

void qrt_dwconv_qs8__neon_c16(const qrt_dwconv_shape *shape, size_t count, const int8_t *const *rows,
                              const void *packed, const qrt_output_range *output, int8_t *c) {
  run(shape, count, rows, packed, output, c);
}
