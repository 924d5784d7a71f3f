/* binary_f32__scalar_x1.c - the reference: binary.h's loops. */
#include "../../floats.h"
#include "binary.h"

static inline float larger(float x, float y) {
  return x > y ? x : y;
}

static inline float smaller(float x, float y) {
  return x < y ? x : y;
}

void qrt_binary_f32__scalar_x1(qrt_binary_function function, size_t n, const float *a, size_t a_step, const float *b,
                               size_t b_step, float *c) {
  for (size_t i = 0; i < n; i++, a += a_step, b += b_step) {
    const float x = *a, y = *b;
    switch (function) {
#define QRT_BINARY(name, value)  \
  case QRT_BINARY_##name:        \
    c[i] = qrt_canonical(value); \
    break;
#include "functions.inc"
#undef QRT_BINARY
      case QRT_BINARY_COUNT:
        break;
    }
  }
}
