/* unary_lanes.h - the unary family in lanes. A kernel's file sets QRT_LANES and QRT_KERNEL, its name, and includes
 * this.
 */
#include "../lanes.h"
#include "unary.h"

INLINE floats of_relu(floats x, const float *p) {
  (void)p;
  return choose(less(all(0), x), x, all(0));
}

INLINE floats of_sigmoid(floats x, const float *p) {
  (void)p;
  return sigmoid(x);
}

INLINE floats of_tanh(floats x, const float *p) {
  (void)p;
  return hyperbolic_tangent(x);
}

INLINE floats of_exp(floats x, const float *p) {
  (void)p;
  return exponential(x);
}

INLINE floats of_neg(floats x, const float *p) {
  (void)p;
  return (floats)((ints)x ^ INT32_MIN);
}

INLINE floats of_abs(floats x, const float *p) {
  (void)p;
  return (floats)((ints)x & INT32_MAX);
}

INLINE floats of_sqrt(floats x, const float *p) {
  (void)p;
  return square_root(x);
}

INLINE floats of_rsqrt(floats x, const float *p) {
  (void)p;
  return 1.0f / square_root(x);
}

INLINE floats of_silu(floats x, const float *p) {
  (void)p;
  return x * sigmoid(x);
}

INLINE floats of_clamp(floats x, const float *p) {
  return clamp(x, p[0], p[1]);
}

INLINE floats of_hardsigmoid(floats x, const float *p) {
  (void)p;
  return clamp(x + 3.0f, 0.0f, 6.0f) / 6.0f;
}

INLINE floats of_hardswish(floats x, const float *p) {
  (void)p;
  return x * clamp(x + 3.0f, 0.0f, 6.0f) / 6.0f;
}

INLINE floats of_gelu(floats x, const float *p) {
  (void)p;
  return (x * 0.5f) * (error_function(x * QRT_SQRT_HALF) + 1.0f);
}

INLINE floats of_gelu_tanh(floats x, const float *p) {
  (void)p;
  return (x * 0.5f) * (hyperbolic_tangent((x * x * x * QRT_GELU_CUBIC + x) * QRT_GELU_SCALE) + 1.0f);
}

INLINE floats of_elu(floats x, const float *p) {
  return choose(less(all(0), x), x, (exponential(x) - 1.0f) * p[0]);
}

INLINE floats of_leaky_relu(floats x, const float *p) {
  return choose(less(all(0), x), x, x * p[0]);
}

#define QRT_UNARY(name)                                                        \
  static void run_##name(size_t n, const float *a, const float *p, float *c) { \
    for (size_t i = 0; i < n; i += QRT_LANES) {                                \
      store(c + i, n - i, canonical(of_##name(load(a + i, n - i), p)));        \
    }                                                                          \
  }
#include "functions.inc"
#undef QRT_UNARY

void QRT_KERNEL(qrt_unary_function function, size_t n, const float *a, const float *p, float *c) {
  switch (function) {
#define QRT_UNARY(name)     \
  case QRT_UNARY_##name:    \
    run_##name(n, a, p, c); \
    break;
#include "functions.inc"
#undef QRT_UNARY
    case QRT_UNARY_COUNT:
      break;
  }
}
