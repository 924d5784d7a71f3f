/* binary_f32__scalar_x1.c - the reference: binary.h's loops. */
#include "../../floats.h"
#include "binary.h"

void qrt_binary_f32__scalar_x1(qrt_binary_function function, size_t n, const float *a, size_t a_step, const float *b,
                               size_t b_step, float *c) {
  for (size_t i = 0; i < n; i++, a += a_step, b += b_step) {
    switch (function) {
#define QRT_BINARY(name, operator)         \
  case QRT_BINARY_##name:                  \
    c[i] = qrt_canonical(*a operator * b); \
    break;
#include "functions.inc"
#undef QRT_BINARY
      case QRT_BINARY_COUNT:
        break;
    }
  }
}
