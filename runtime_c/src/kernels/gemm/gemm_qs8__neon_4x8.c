/* gemm_qs8__neon_4x8.c - 4 rows by 8 columns; int8 widened to int16, then multiplied by lane into int32. */
#include "../../requantize_neon.h"
#include "gemm_pack.h"

enum { MR = 4, NR = 8, KR = 1 };

size_t qrt_gemm_qs8__neon_4x8_packed_size(size_t n, size_t runs, size_t run) {
  return qrt_gemm_panels_size(n, runs, run, NR, KR);
}

void qrt_gemm_qs8__neon_4x8_pack(const qrt_gemm_weights *weights, void *packed) {
  qrt_gemm_pack_panels(weights, NR, KR, packed);
}

/* acc[0..7] += w[0..7] * row[lane], for one of eight values of a row. */
#define MULTIPLY_ADD(acc, row, half, lane)                                              \
  do {                                                                                  \
    acc##_0 = vmlal_lane_s16(acc##_0, vget_low_s16(w8), vget_##half##_s16(row), lane);  \
    acc##_1 = vmlal_lane_s16(acc##_1, vget_high_s16(w8), vget_##half##_s16(row), lane); \
  } while (0)

/* One step in depth for all four rows. */
#define STEP(half, lane)                       \
  do {                                         \
    const int16x8_t w8 = vmovl_s8(vld1_s8(w)); \
    w += NR;                                   \
    MULTIPLY_ADD(acc0, row0, half, lane);      \
    MULTIPLY_ADD(acc1, row1, half, lane);      \
    MULTIPLY_ADD(acc2, row2, half, lane);      \
    MULTIPLY_ADD(acc3, row3, half, lane);      \
  } while (0)

static inline void store_sums(int8_t *c, int32x4_t acc0, int32x4_t acc1, size_t columns) {
  int32_t sums[NR];
  vst1q_s32(sums, acc0);
  vst1q_s32(sums + 4, acc1);
  memcpy(c, sums, columns * sizeof *sums);
}

/* All columns of up to four rows; range is NULL for sums. */
static void strip(size_t m, size_t n, const qrt_gemm_rows *rows, const int8_t *const *a, const void *packed,
                  const qrt_range_neon *range, int8_t *c, size_t c_stride) {
  const size_t panel_size = qrt_gemm_panel_size(rows->runs, rows->run, NR, KR);
  /* Rows past m repeat row m - 1: computed again, stored again with the same bytes. */
  const size_t row1_at = m > 1 ? 1 : 0, row2_at = m > 2 ? 2 : row1_at, row3_at = m > 3 ? 3 : row2_at;
  const int8_t *panel = packed;

  for (size_t j = 0; j < n; j += NR, panel += panel_size) {
    const int32_t *bias = (const int32_t *)panel;
    const float *multiplier = (const float *)(bias + NR);
    const int8_t *w = (const int8_t *)(multiplier + NR);
    int32x4_t acc0_0 = vld1q_s32(bias), acc0_1 = vld1q_s32(bias + 4);
    int32x4_t acc1_0 = acc0_0, acc1_1 = acc0_1;
    int32x4_t acc2_0 = acc0_0, acc2_1 = acc0_1;
    int32x4_t acc3_0 = acc0_0, acc3_1 = acc0_1;

    for (size_t q = 0; q < rows->runs; q++) {
      const size_t at = q * rows->run_stride;
      const int8_t *a0 = a[0] + at, *a1 = a[row1_at] + at, *a2 = a[row2_at] + at, *a3 = a[row3_at] + at;
      size_t p = rows->run;
      for (; p >= 8; p -= 8) {
        const int16x8_t row0 = vmovl_s8(vld1_s8(a0)), row1 = vmovl_s8(vld1_s8(a1));
        const int16x8_t row2 = vmovl_s8(vld1_s8(a2)), row3 = vmovl_s8(vld1_s8(a3));
        a0 += 8, a1 += 8, a2 += 8, a3 += 8;
        STEP(low, 0);
        STEP(low, 1);
        STEP(low, 2);
        STEP(low, 3);
        STEP(high, 0);
        STEP(high, 1);
        STEP(high, 2);
        STEP(high, 3);
      }
      for (; p > 0; p--) {
        const int16x8_t row0 = vdupq_n_s16(*a0++), row1 = vdupq_n_s16(*a1++);
        const int16x8_t row2 = vdupq_n_s16(*a2++), row3 = vdupq_n_s16(*a3++);
        STEP(low, 0);
      }
    }

    const size_t columns = n - j < NR ? n - j : NR;
    if (!range) {
      int8_t *sums = c + j * sizeof(int32_t);
      store_sums(sums, acc0_0, acc0_1, columns);
      store_sums(sums + row1_at * c_stride, acc1_0, acc1_1, columns);
      store_sums(sums + row2_at * c_stride, acc2_0, acc2_1, columns);
      store_sums(sums + row3_at * c_stride, acc3_0, acc3_1, columns);
      continue;
    }
    const float32x4_t multiplier0 = vld1q_f32(multiplier), multiplier1 = vld1q_f32(multiplier + 4);
    int8_t *c0 = c + j;
    qrt_store_neon(c0, qrt_requantize_neon(acc0_0, acc0_1, multiplier0, multiplier1, range), columns);
    qrt_store_neon(c0 + row1_at * c_stride, qrt_requantize_neon(acc1_0, acc1_1, multiplier0, multiplier1, range),
                   columns);
    qrt_store_neon(c0 + row2_at * c_stride, qrt_requantize_neon(acc2_0, acc2_1, multiplier0, multiplier1, range),
                   columns);
    qrt_store_neon(c0 + row3_at * c_stride, qrt_requantize_neon(acc3_0, acc3_1, multiplier0, multiplier1, range),
                   columns);
  }
}

void qrt_gemm_qs8__neon_4x8(size_t m, size_t n, const qrt_gemm_rows *rows, const void *packed,
                            const qrt_output_range *output, int8_t *c, size_t c_stride) {
  static const qrt_output_range none;
  const qrt_range_neon range = qrt_range_make_neon(output ? output : &none);
  qrt_gemm_walk walk = qrt_gemm_first(rows);
  for (size_t i = 0; i < m; i += MR, c += MR * c_stride) {
    const size_t count = m - i < MR ? m - i : MR;
    const int8_t *a[MR];
    for (size_t r = 0; r < count; r++) a[r] = qrt_gemm_next(rows, &walk);
    strip(count, n, rows, a, packed, output ? &range : NULL, c, c_stride);
  }
}
