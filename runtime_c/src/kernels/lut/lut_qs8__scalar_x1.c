/* lut_qs8__scalar_x1.c - the reference: lut.h's loops. */
#include "lut.h"

void qrt_lut_qs8__scalar_x1_lookup(size_t n, const int8_t *a, const int8_t *table, int8_t *c) {
  for (size_t i = 0; i < n; i++) c[i] = table[a[i] + 128];
}

void qrt_lut_qs8__scalar_x1_clamp(size_t n, const int8_t *a, int32_t min, int32_t max, int8_t *c) {
  for (size_t i = 0; i < n; i++) c[i] = (int8_t)(a[i] < min ? min : a[i] > max ? max : a[i]);
}
