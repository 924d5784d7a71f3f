/* dwconv_qs8__neondot_c8.c - three rows of a column and zeros, interleaved to four bytes of each channel, whose
 * products sdot sums; dwconv_neon.h has the rest.
 *
 *   int8 w[3][8][4]     [column][channel][row, or 0]
 */
#include "../../requantize_neon.h"

#define QRT_INLINE static inline __attribute__((always_inline))

typedef struct qrt_column {
  int8x16_t half[2];
} qrt_column;

typedef qrt_column qrt_taps;

typedef struct qrt_packed_taps {
  int8_t w[8][4];
} qrt_packed_taps;

static inline void qrt_pack_tap(qrt_packed_taps *taps, size_t r, size_t j, int8_t w) {
  taps->w[j][r] = w;
}

QRT_INLINE qrt_column qrt_column_load(const int8_t *const *rows, size_t n) {
  int8x16_t row[3];
#pragma GCC unroll 3
  for (size_t r = 0; r < 3; r++) row[r] = vcombine_s8(qrt_load_neon(rows[r], n), vdup_n_s8(0));
  const int16x8_t rows01 = vreinterpretq_s16_s8(vzip1q_s8(row[0], row[1]));
  const int16x8_t row2 = vreinterpretq_s16_s8(vzip1q_s8(row[2], vdupq_n_s8(0)));
  const qrt_column column = {
      {vreinterpretq_s8_s16(vzip1q_s16(rows01, row2)), vreinterpretq_s8_s16(vzip2q_s16(rows01, row2))}};
  return column;
}

QRT_INLINE qrt_column qrt_column_fill(int8_t zero_point) {
  const qrt_column column = {{vdupq_n_s8(zero_point), vdupq_n_s8(zero_point)}};
  return column;
}

QRT_INLINE qrt_taps qrt_taps_load(const qrt_packed_taps *packed, const int *present) {
  const uint32_t rows = (present[0] ? 0xffu : 0) | (present[1] ? 0xff00u : 0) | (present[2] ? 0xff0000u : 0);
  const int8x16_t mask = vreinterpretq_s8_u32(vdupq_n_u32(rows));
  const qrt_taps taps = {{vandq_s8(vld1q_s8(packed->w[0]), mask), vandq_s8(vld1q_s8(packed->w[4]), mask)}};
  return taps;
}

QRT_INLINE void qrt_column_add(int32x4_t acc[2], qrt_column x, qrt_taps w) {
  acc[0] = vdotq_s32(acc[0], x.half[0], w.half[0]);
  acc[1] = vdotq_s32(acc[1], x.half[1], w.half[1]);
}

#include "dwconv_neon.h"

size_t qrt_dwconv_qs8__neondot_c8_packed_size(size_t channels, size_t kh, size_t kw) {
  return packed_size(channels, kh, kw);
}

void qrt_dwconv_qs8__neondot_c8_pack(const qrt_dwconv_weights *weights, void *packed) {
  pack(weights, packed);
}

void qrt_dwconv_qs8__neondot_c8(const qrt_dwconv_shape *shape, const int8_t *const *rows, const void *packed,
                                const qrt_output_range *output, int8_t *c) {
  run(shape, rows, packed, output, c);
}
