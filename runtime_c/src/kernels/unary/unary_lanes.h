/* unary_lanes.h - the unary family in lanes. A kernel's file sets QRT_LANES and QRT_KERNEL, its name, and includes
 * this.
 */
#include "../lanes.h"
#include "unary.h"

#define FUNCTION(name, value)                                       \
  INLINE void of_##name(size_t count, floats *x_, const float *p) { \
    (void)p;                                                        \
    EACH(v) {                                                       \
      const floats x = x_[v];                                       \
      x_[v] = value;                                                \
    }                                                               \
  }

FUNCTION(relu, choose(less(all(0), x), x, all(0)))
FUNCTION(neg, (floats)((ints)x ^ INT32_MIN))
FUNCTION(abs, (floats)((ints)x & INT32_MAX))
FUNCTION(sqrt, square_root(x))
FUNCTION(rsqrt, 1.0f / square_root(x))
FUNCTION(clamp, clamp(x, p[0], p[1]))
FUNCTION(hardsigmoid, clamp(x + 3.0f, 0.0f, 6.0f) / 6.0f)
FUNCTION(hardswish, (x * clamp(x + 3.0f, 0.0f, 6.0f)) / 6.0f)
FUNCTION(leaky_relu, choose(less(all(0), x), x, (x * p[0])))

/* value, of x and t = function(argument) */
#define FUNCTION_OF(name, functions, argument, value)               \
  INLINE void of_##name(size_t count, floats *x_, const float *p) { \
    floats t_[MOST_VECTORS];                                        \
    (void)p;                                                        \
    EACH(v) {                                                       \
      const floats x = x_[v];                                       \
      t_[v] = argument;                                             \
    }                                                               \
    functions(count, t_);                                           \
    EACH(v) {                                                       \
      const floats x = x_[v], t = t_[v];                            \
      (void)x;                                                      \
      x_[v] = value;                                                \
    }                                                               \
  }

FUNCTION_OF(exp, exponentials, x, t)
FUNCTION_OF(sigmoid, sigmoids, x, t)
FUNCTION_OF(tanh, hyperbolic_tangents, x, t)
FUNCTION_OF(silu, sigmoids, x, (x * t))
FUNCTION_OF(elu, exponentials, x, choose(less(all(0), x), x, (t - 1.0f) * p[0]))
FUNCTION_OF(gelu, error_functions, (x * QRT_SQRT_HALF), (x * 0.5f) * (t + 1.0f))
FUNCTION_OF(gelu_tanh, hyperbolic_tangents, (x * x * x * QRT_GELU_CUBIC + x) * QRT_GELU_SCALE, (x * 0.5f) * (t + 1.0f))

enum { GROUP = QRT_LANES == 16 ? MOST_VECTORS : MOST_VECTORS / 2 };

INLINE void loads(size_t count, const float *a, floats *x) {
  EACH(v) x[v] = load(a + v * QRT_LANES, QRT_LANES);
}

INLINE void stores(size_t count, const floats *x, float *c) {
  EACH(v) store(c + v * QRT_LANES, QRT_LANES, canonical(x[v]));
}

#define QRT_UNARY(name)                                                        \
  static void run_##name(size_t n, const float *a, const float *p, float *c) { \
    floats x[GROUP];                                                           \
    size_t i = 0;                                                              \
    for (; i + GROUP * QRT_LANES <= n; i += GROUP * QRT_LANES) {               \
      loads(GROUP, a + i, x);                                                  \
      of_##name(GROUP, x, p);                                                  \
      stores(GROUP, x, c + i);                                                 \
    }                                                                          \
    for (; i < n; i += QRT_LANES) {                                            \
      x[0] = load(a + i, n - i);                                               \
      of_##name(1, x, p);                                                      \
      store(c + i, n - i, canonical(x[0]));                                    \
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
