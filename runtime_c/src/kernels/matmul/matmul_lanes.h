/* matmul_lanes.h - the matmul family in lanes, QRT_MR rows by two vectors. A kernel's file sets QRT_LANES, QRT_MR and
 * QRT_KERNEL, its name, and includes this. What is left of the rows goes into lower tiles, of every height. */
#include "../lanes.h"
#include "matmul.h"

enum { NR = 2 * QRT_LANES };

/* `rows` is a constant where this is inlined. */
INLINE void tile(size_t rows, size_t i, size_t columns, const qrt_matmul_rows *left, const float *b, size_t row,
                 const float *bias, float *c, size_t c_stride) {
  const float *a[QRT_MR];
  floats sum[QRT_MR][2];
#pragma GCC unroll 12
  for (size_t r = 0; r < rows; r++) {
    a[r] = qrt_matmul_row(left, i + r);
    sum[r][0] = sum[r][1] = all(0.0f);
  }
  for (size_t q = 0, at = 0; q < left->runs; q++, at += left->run_stride) {
    for (size_t p = at; p < at + left->run; p++, b += row) {
      const floats low = load(b, QRT_LANES), high = load(b + QRT_LANES, QRT_LANES);
#pragma GCC unroll 12
      for (size_t r = 0; r < rows; r++) {
        const floats x = all(a[r][p]);
        sum[r][0] += low * x;
        sum[r][1] += high * x;
      }
    }
  }
  if (bias) {
    const floats low = load(bias, columns),
                 high = columns > QRT_LANES ? load(bias + QRT_LANES, columns - QRT_LANES) : low;
#pragma GCC unroll 12
    for (size_t r = 0; r < rows; r++) sum[r][0] += low, sum[r][1] += high;
  }
  float copy[QRT_MR * NR], *to = columns < NR ? copy : c;
  const size_t stride = columns < NR ? NR : c_stride;
#pragma GCC unroll 12
  for (size_t r = 0; r < rows; r++) {
    store(to + r * stride, QRT_LANES, canonical(sum[r][0]));
    store(to + r * stride + QRT_LANES, QRT_LANES, canonical(sum[r][1]));
  }
  for (size_t r = 0; columns < NR && r < rows; r++) memcpy(c + r * c_stride, copy + r * NR, columns * sizeof *c);
}

#define CASE(rows)                                                                 \
  case rows:                                                                       \
    tile(rows, i, columns, left, b, right->row, bias, c + i * c_stride, c_stride); \
    break

void QRT_KERNEL(size_t m, size_t n, const qrt_matmul_rows *left, const qrt_matmul_columns *right, float *c,
                size_t c_stride) {
  const float *b = right->b;
  for (size_t j = 0; j < n; j += NR, b += right->panel, c += NR) {
    const size_t columns = n - j < NR ? n - j : NR;
    const float *bias = right->bias ? right->bias + j : NULL;
    size_t height;
    for (size_t i = 0; i < m; i += height) { /* tiles of two heights, which differ by one row */
      const size_t rest = m - i, tiles = (rest + QRT_MR - 1) / QRT_MR;
      height = (rest + tiles - 1) / tiles;
      switch (height) {
        CASE(1);
        CASE(2);
        CASE(3);
        CASE(4);
#if QRT_MR > 4
        CASE(5);
        CASE(6);
        CASE(7);
        CASE(8);
#endif
#if QRT_MR > 8
        CASE(9);
        CASE(10);
        CASE(11);
        CASE(12);
#endif
      }
    }
  }
}
