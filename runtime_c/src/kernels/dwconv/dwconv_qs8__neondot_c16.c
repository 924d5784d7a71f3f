/* dwconv_qs8__neondot_c16.c - three rows of a column, and one of them again, are interleaved to four bytes of each
 * channel, whose products sdot sums; dwconv_neon.h has the rest. Outputs with ReLU have a quicker way,
 * dwconv_relu_neondot.h.
 *
 *   int8 w[3][width][4]     [column][channel][row, or 0]
 *
 * Instructions per 16 outputs, 144 multiply-adds: 12 sdot, 3 loads, 8 to interleave, 4 to load biases and multipliers,
 * 17 to requantize and store, and 2 for every third loop.
 */
#include "dwconv_windows_neon.h"

/* Else gcc moves columns from register to register. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-coalesce-vars")
#endif

enum { QRT_TAPS = 12, QUADS = WIDTH / 4 };

typedef struct qrt_column {
  int8x16_t quad[QUADS]; /* of 4 channels each */
} qrt_column;

typedef struct qrt_taps {
  qrt_column w[3];
  const int32_t *bias;
  const float *multiplier;
} qrt_taps;

static inline int8_t *qrt_pack_tap(int8_t *w, size_t width, size_t r, size_t t, size_t j) {
  return w + (t * width + j) * 4 + r;
}

static inline int qrt_is_safe(const int8_t *w, size_t width) {
  (void)w, (void)width;
  return 1;
}

QRT_INLINE qrt_taps qrt_taps_load(size_t width, const qrt_packed_block *b, size_t at) {
  qrt_taps taps = {.bias = b->bias + at, .multiplier = b->multiplier + at};
#pragma GCC unroll 3
  for (size_t t = 0; t < 3; t++) {
#pragma GCC unroll 4
    for (size_t i = 0; i < width / 4; i++) taps.w[t].quad[i] = vld1q_s8(b->w + (t * b->width + at + 4 * i) * 4);
  }
  return taps;
}

/* The weight of the fourth byte is 0. */
QRT_INLINE void qrt_column_half(size_t half, const qrt_bytes rows[3], qrt_column *column) {
  const int8x16_t rows01 = half ? vzip2q_s8(rows[0], rows[1]) : vzip1q_s8(rows[0], rows[1]);
  const int8x16_t rows22 = half ? vzip2q_s8(rows[2], rows[2]) : vzip1q_s8(rows[2], rows[2]);
  const int16x8_t low = vreinterpretq_s16_s8(rows01), high = vreinterpretq_s16_s8(rows22);
  column->quad[2 * half] = vreinterpretq_s8_s16(vzip1q_s16(low, high));
  column->quad[2 * half + 1] = vreinterpretq_s8_s16(vzip2q_s16(low, high));
}

/* Biases and multipliers have no registers of their own: two of them come from memory by one instruction. */
QRT_INLINE void load_pair(const void *from, int32x4_t x[2]) {
  const int32_t *numbers = from;
  __asm__("ldp %q0, %q1, [%2]" : "=w"(x[0]), "=w"(x[1]) : "r"(numbers), "m"(*(const int32_t (*)[8])numbers));
}

/* In assembly, because gcc would move sums from register to register. */
QRT_INLINE void qrt_sums(int careful, size_t half, const qrt_taps *taps, qrt_column q0, qrt_column q1, qrt_column q2,
                         int32x4_t acc[2]) {
  const qrt_column *w = taps->w;
  const size_t i = 2 * half;
  (void)careful;
  __asm__ volatile("ldp %q0, %q1, [%14]\n\t"
                   "sdot %0.4s, %2.16b, %8.16b\n\tsdot %1.4s, %3.16b, %9.16b\n\t"
                   "sdot %0.4s, %4.16b, %10.16b\n\tsdot %1.4s, %5.16b, %11.16b\n\t"
                   "sdot %0.4s, %6.16b, %12.16b\n\tsdot %1.4s, %7.16b, %13.16b"
                   : "=&w"(acc[0]), "=&w"(acc[1])
                   : "w"(q0.quad[i]), "w"(q0.quad[i + 1]), "w"(q1.quad[i]), "w"(q1.quad[i + 1]), "w"(q2.quad[i]),
                     "w"(q2.quad[i + 1]), "w"(w[0].quad[i]), "w"(w[0].quad[i + 1]), "w"(w[1].quad[i]),
                     "w"(w[1].quad[i + 1]), "w"(w[2].quad[i]), "w"(w[2].quad[i + 1]), "r"(taps->bias + 8 * half));
}

QRT_INLINE void qrt_multipliers(size_t half, const qrt_taps *taps, float32x4_t multiplier[2]) {
  int32x4_t x[2];
  load_pair(taps->multiplier + 8 * half, x);
  multiplier[0] = vreinterpretq_f32_s32(x[0]);
  multiplier[1] = vreinterpretq_f32_s32(x[1]);
}

#define QRT_RELU 1
#include "dwconv_neon.h"

size_t qrt_dwconv_qs8__neondot_c16_packed_size(size_t channels, size_t kh, size_t kw) {
  return packed_size(channels, kh, kw);
}

int qrt_dwconv_qs8__neondot_c16_usable(const void *packed, size_t channels, size_t kh, size_t kw) {
  return usable(packed, channels, kh, kw);
}

void qrt_dwconv_qs8__neondot_c16_pack(const qrt_dwconv_weights *weights, void *packed) {
  pack(weights, packed);
}

void qrt_dwconv_qs8__neondot_c16(const qrt_dwconv_shape *shape, size_t count, const int8_t *const *rows,
                                 const void *packed, const qrt_output_range *output, int8_t *c) {
  run(shape, count, rows, packed, output, c);
}
