/* functions_lanes.h - the functions family in lanes, for any instruction set: the compiler's vectors, QRT_LANES floats
 * wide. A kernel's file sets QRT_LANES and QRT_FUNCTION(name), the name of a function of its own, and includes this.
 *
 * The steps are those of ../../functions.h, lane by lane. What is left at the end goes through vectors whose unused
 * lanes are zero.
 */
#include <string.h>

#include "../../functions.h"

typedef float floats __attribute__((vector_size(4 * QRT_LANES)));
typedef int32_t ints __attribute__((vector_size(4 * QRT_LANES)));

#define INLINE static inline __attribute__((always_inline))

INLINE floats load(const float *a, size_t n) {
  floats x = {0};
  if (n < QRT_LANES) {
    memcpy(&x, a, n * sizeof *a);
  } else {
    memcpy(&x, a, sizeof x);
  }
  return x;
}

INLINE void store(float *c, size_t n, floats x) {
  if (n < QRT_LANES) {
    memcpy(c, &x, n * sizeof *c);
  } else {
    memcpy(c, &x, sizeof x);
  }
}

/* Lanes of a where those of the mask are -1, of b where they are 0. */
INLINE floats choose(ints mask, floats a, floats b) {
  return (floats)((mask & (ints)a) | (~mask & (ints)b));
}

INLINE floats all(float x) {
  return x - (floats){0};
}

INLINE floats canonical(floats x) {
  return choose(x == x, x, (floats)(QRT_FLOAT_NAN - (ints){0}));
}

INLINE floats power_of_two(ints n) {
  return (floats)((n + 127) << 23);
}

/* NaN gives some NaN. */
INLINE floats exponential(floats x) {
  x = choose(x < QRT_EXP_LEAST, all(QRT_EXP_LEAST), x);
  x = choose(x > QRT_EXP_MOST, all(QRT_EXP_MOST), x);
  const floats shifted = x * QRT_LOG2E + QRT_ROUNDER, n = shifted - QRT_ROUNDER;
  const ints exponent = (ints)shifted - (int32_t)QRT_ROUNDER_BITS, half = exponent >> 1;
  const floats high = x - n * QRT_LN2_HIGH, low = n * QRT_LN2_LOW, r = high - low;
  const floats p = ((QRT_POLY(r, QRT_EXP_COEFFICIENTS) * (r * r) - low) + high) + 1.0f;
  return p * power_of_two(half) * power_of_two(exponent - half);
}

INLINE floats sigmoid(floats x) {
  const ints positive = x >= 0.0f;
  const floats t = exponential((floats)((ints)x | INT32_MIN));
  const floats q = choose(positive, all(1.0f), t) / (t + 1.0f);
  return canonical(choose(positive, q, t - t * q));
}

INLINE floats hyperbolic_tangent(floats x) {
  const ints sign = (ints)x & INT32_MIN;
  const floats a = (floats)((ints)x ^ sign), z = a * a;
  const floats small = QRT_POLY(z, QRT_TANH_COEFFICIENTS) * z * a + a;
  const floats large = 1.0f - 2.0f / (exponential(a + a) + 1.0f);
  return canonical((floats)((ints)choose(a < QRT_TANH_SMALL, small, large) | sign));
}

void QRT_FUNCTION(sigmoid)(size_t n, const float *a, float *c) {
  for (size_t i = 0; i < n; i += QRT_LANES) store(c + i, n - i, sigmoid(load(a + i, n - i)));
}

void QRT_FUNCTION(tanh)(size_t n, const float *a, float *c) {
  for (size_t i = 0; i < n; i += QRT_LANES) store(c + i, n - i, hyperbolic_tangent(load(a + i, n - i)));
}

void QRT_FUNCTION(rnn)(size_t n, const float *x, const float *h, int relu, float *c) {
  for (size_t i = 0; i < n; i += QRT_LANES) {
    const floats g = load(x + i, n - i) + load(h + i, n - i);
    store(c + i, n - i, relu ? (floats)((ints)g & (g > 0.0f)) : hyperbolic_tangent(g));
  }
}

/* Lanes i.. of a gate. */
INLINE floats gate(size_t n, const float *x, const float *h, size_t number, size_t i) {
  return load(x + number * n + i, n - i) + load(h + number * n + i, n - i);
}

void QRT_FUNCTION(lstm)(size_t n, const float *x, const float *h, float *cell, float *c) {
  for (size_t i = 0; i < n; i += QRT_LANES) {
    const floats in = sigmoid(gate(n, x, h, 0, i)), forget = sigmoid(gate(n, x, h, 1, i));
    const floats g = hyperbolic_tangent(gate(n, x, h, 2, i)), out = sigmoid(gate(n, x, h, 3, i));
    const floats sum = forget * load(cell + i, n - i) + in * g;
    store(cell + i, n - i, canonical(sum));
    store(c + i, n - i, canonical(out * hyperbolic_tangent(sum)));
  }
}

void QRT_FUNCTION(gru)(size_t n, const float *x, const float *h, const float *before, float *c) {
  for (size_t i = 0; i < n; i += QRT_LANES) {
    const floats r = sigmoid(gate(n, x, h, 0, i)), z = sigmoid(gate(n, x, h, 1, i));
    const floats m = hyperbolic_tangent(load(x + 2 * n + i, n - i) + load(h + 2 * n + i, n - i) * r);
    store(c + i, n - i, canonical((load(before + i, n - i) - m) * z + m));
  }
}
