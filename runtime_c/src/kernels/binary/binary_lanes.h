/* binary_lanes.h - the binary family in lanes. A kernel's file sets QRT_LANES and QRT_KERNEL, its name, and includes
 * this. */
#include "../lanes.h"
#include "binary.h"

/* Both steps are constants where this is inlined, so that each pair has its own loop. */
#define QRT_BINARY(name, value)                                                                               \
  INLINE void loop_##name(size_t n, const float *a, size_t a_step, const float *b, size_t b_step, float *c) { \
    const floats one_a = all(*a), one_b = all(*b);                                                            \
    size_t i = 0;                                                                                             \
    for (; i + QRT_LANES <= n; i += QRT_LANES) {                                                              \
      const floats x = a_step ? load(a + i, QRT_LANES) : one_a, y = b_step ? load(b + i, QRT_LANES) : one_b;  \
      store(c + i, QRT_LANES, canonical(value));                                                              \
    }                                                                                                         \
    if (i < n) {                                                                                              \
      const floats x = a_step ? load(a + i, n - i) : one_a, y = b_step ? load(b + i, n - i) : one_b;          \
      store(c + i, n - i, canonical(value));                                                                  \
    }                                                                                                         \
  }                                                                                                           \
  static void run_##name(size_t n, const float *a, size_t a_step, const float *b, size_t b_step, float *c) {  \
    if (a_step && b_step) {                                                                                   \
      loop_##name(n, a, 1, b, 1, c);                                                                          \
    } else if (a_step) {                                                                                      \
      loop_##name(n, a, 1, b, 0, c);                                                                          \
    } else if (b_step) {                                                                                      \
      loop_##name(n, a, 0, b, 1, c);                                                                          \
    } else {                                                                                                  \
      loop_##name(n, a, 0, b, 0, c);                                                                          \
    }                                                                                                         \
  }
#include "functions.inc"
#undef QRT_BINARY

void QRT_KERNEL(qrt_binary_function function, size_t n, const float *a, size_t a_step, const float *b, size_t b_step,
                float *c) {
  switch (function) {
#define QRT_BINARY(name, value)             \
  case QRT_BINARY_##name:                   \
    run_##name(n, a, a_step, b, b_step, c); \
    break;
#include "functions.inc"
#undef QRT_BINARY
    case QRT_BINARY_COUNT:
      break;
  }
}
