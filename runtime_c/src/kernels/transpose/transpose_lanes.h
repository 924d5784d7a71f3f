/* transpose_lanes.h - the transpose family in squares of QRT_LANES by QRT_LANES elements. A kernel's file sets
 * QRT_LANES and QRT_KERNEL, its name, and includes this. What is left at the edges goes through vectors whose unused
 * lanes are anything. */
#include "../lanes.h"
#include "transpose.h"

/* Elements of a and b in turns: of their first halves to *a, of their second halves to *b. */
INLINE void interleave(ints *a, ints *b) {
#if QRT_LANES == 8
  const __m256i low = _mm256_unpacklo_epi32((__m256i)*a, (__m256i)*b);
  const __m256i high = _mm256_unpackhi_epi32((__m256i)*a, (__m256i)*b);
  *a = (ints)_mm256_permute2x128_si256(low, high, 0x20);
  *b = (ints)_mm256_permute2x128_si256(low, high, 0x31);
#else
  const int32x4_t x = (int32x4_t)*a, y = (int32x4_t)*b;
  *a = (ints)vzip1q_s32(x, y);
  *b = (ints)vzip2q_s32(x, y);
#endif
}

/* A card trick: halves of the deck interleaved, as often as the number of cards can be halved. */
INLINE void transpose(ints *x) {
#pragma GCC unroll 3
  for (size_t round = 1; round < QRT_LANES; round *= 2) {
    ints y[QRT_LANES];
#pragma GCC unroll 4
    for (size_t i = 0; i < QRT_LANES / 2; i++) {
      y[2 * i] = x[i];
      y[2 * i + 1] = x[i + QRT_LANES / 2];
      interleave(&y[2 * i], &y[2 * i + 1]);
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < QRT_LANES; i++) x[i] = y[i];
  }
}

/* Up to a square; `whole` is a constant. */
INLINE void square(int whole, size_t rows, size_t columns, const uint8_t *a, ptrdiff_t a_stride, uint8_t *c,
                   size_t c_stride) {
  ints x[QRT_LANES];
#pragma GCC unroll 8
  for (size_t j = 0; j < QRT_LANES; j++) {
    x[j] = (ints){0};
    if (whole) {
      memcpy(&x[j], a + (ptrdiff_t)j * a_stride, sizeof x[j]);
    } else if (j < columns) {
      memcpy(&x[j], a + (ptrdiff_t)j * a_stride, rows * 4);
    }
  }
  transpose(x);
#pragma GCC unroll 8
  for (size_t i = 0; i < QRT_LANES; i++) {
    if (whole) {
      memcpy(c + i * c_stride, &x[i], sizeof x[i]);
    } else if (i < rows) {
      memcpy(c + i * c_stride, &x[i], columns * 4);
    }
  }
}

void QRT_KERNEL(size_t rows, size_t columns, const uint8_t *a, ptrdiff_t a_stride, uint8_t *c) {
  for (size_t j = 0; j < columns; j += QRT_LANES) {
    for (size_t i = 0; i < rows; i += QRT_LANES) {
      const size_t height = rows - i < QRT_LANES ? rows - i : QRT_LANES;
      const size_t width = columns - j < QRT_LANES ? columns - j : QRT_LANES;
      const uint8_t *from = a + (ptrdiff_t)j * a_stride + 4 * i;
      uint8_t *to = c + 4 * (i * columns + j);
      if (height == QRT_LANES && width == QRT_LANES) {
        square(1, height, width, from, a_stride, to, 4 * columns);
      } else {
        square(0, height, width, from, a_stride, to, 4 * columns);
      }
    }
  }
}
