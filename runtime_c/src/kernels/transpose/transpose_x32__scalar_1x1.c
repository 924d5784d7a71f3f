/* transpose_x32__scalar_1x1.c - the reference: transpose.h's loops, in squares, so that lines are read once. */
#include <string.h>

#include "transpose.h"

void qrt_transpose_x32__scalar_1x1(size_t rows, size_t columns, const uint8_t *a, ptrdiff_t a_stride, uint8_t *c) {
  enum { SQUARE = 16 };
  for (size_t i = 0; i < rows; i += SQUARE) {
    const size_t height = rows - i < SQUARE ? rows - i : SQUARE;
    for (size_t j = 0; j < columns; j++) {
      const uint8_t *from = a + (ptrdiff_t)j * a_stride + 4 * i;
      for (size_t r = 0; r < height; r++) memcpy(c + 4 * ((i + r) * columns + j), from + 4 * r, 4);
    }
  }
}
