/* interleave_x8__scalar_x1.c - the reference: interleave.h's loop. */
#include "interleave.h"

void qrt_interleave_x8__scalar_x1(size_t n, size_t channels, const uint8_t *a, size_t a_stride, uint8_t *c) {
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < channels; j++) *c++ = a[j * a_stride + i];
  }
}
