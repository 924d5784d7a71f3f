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

#if defined(__AVX512F__)
/* ---- gelu, a block at a time. Far from zero erf takes twice as long as near it: that is left to the elements that
 * need it, side by side. Where most of them do, run_gelu() is faster. ---- */

enum { BLOCK = 256 }; /* vectors */

/* gelu of x, t being x * QRT_SQRT_HALF and `erf` that of its magnitude. */
INLINE floats gelu(floats x, floats t, floats erf) {
  return canonical((x * 0.5f) * ((floats)((ints)erf | ((ints)t & INT32_MIN)) + 1.0f));
}

/* Of x near zero to c; of the others x to far + *fars. */
INLINE void gelu_near(size_t count, const floats *x, size_t n, float *c, truths *is_far, float *far, size_t *fars) {
  floats t[MOST_VECTORS], y[MOST_VECTORS];
  EACH(v) t[v] = x[v] * QRT_SQRT_HALF;
  EACH(v) y[v] = (floats)((ints)t[v] & INT32_MAX);
  EACH(v) is_far[v] = (truths)~less(y[v], all(QRT_ERF_SMALL));
  error_functions_near(count, y);
  EACH(v) {
    store(c + v * QRT_LANES, n - v * QRT_LANES, gelu(x[v], t[v], y[v]));
    _mm512_storeu_ps(far + *fars, _mm512_maskz_compress_ps(is_far[v], (__m512)x[v]));
    *fars += (size_t)__builtin_popcount(is_far[v]);
  }
}

/* In place. */
INLINE void gelu_far(size_t count, float *far) {
  floats x[MOST_VECTORS], t[MOST_VECTORS], y[MOST_VECTORS];
  loads(count, far, x);
  EACH(v) t[v] = x[v] * QRT_SQRT_HALF;
  EACH(v) y[v] = (floats)((ints)t[v] & INT32_MAX);
  error_functions_far(count, y);
  EACH(v) store(far + v * QRT_LANES, QRT_LANES, gelu(x[v], t[v], y[v]));
}

/* n is up to BLOCK * QRT_LANES. */
static void gelu_block(size_t n, const float *a, float *c) {
  float far[(BLOCK + GROUP) * QRT_LANES];
  truths is_far[BLOCK];
  floats x[GROUP];
  size_t i = 0, fars = 0;
  for (; i + GROUP * QRT_LANES <= n; i += GROUP * QRT_LANES) {
    loads(GROUP, a + i, x);
    gelu_near(GROUP, x, GROUP * QRT_LANES, c + i, is_far + i / QRT_LANES, far, &fars);
  }
  for (; i < n; i += QRT_LANES) {
    x[0] = load(a + i, n - i);
    gelu_near(1, x, n - i, c + i, is_far + i / QRT_LANES, far, &fars);
  }
  for (i = 0; i < fars; i += GROUP * QRT_LANES) gelu_far(GROUP, far + i);
  const float *from = far;
  for (i = 0; i < n; i += QRT_LANES) {
    const truths mask = is_far[i / QRT_LANES];
    const __m512 y = _mm512_mask_expand_ps((__m512)load(c + i, n - i), mask, _mm512_loadu_ps(from));
    store(c + i, n - i, (floats)y);
    from += __builtin_popcount(mask);
  }
}

/* Of the first vectors. */
static int most_are_far(size_t n, const float *a) {
  size_t fars = 0;
  const size_t count = n / QRT_LANES < GROUP ? n / QRT_LANES : GROUP;
  for (size_t v = 0; v < count; v++) {
    const floats t = load(a + v * QRT_LANES, QRT_LANES) * QRT_SQRT_HALF;
    const truths near = less((floats)((ints)t & INT32_MAX), all(QRT_ERF_SMALL));
    fars += QRT_LANES - (size_t)__builtin_popcount(near);
  }
  return fars > count * QRT_LANES / 2;
}

static void run_blocks(size_t n, const float *a, const float *p, float *c) {
  for (size_t length; n > 0; n -= length, a += length, c += length) {
    length = n < BLOCK * QRT_LANES ? n : BLOCK * QRT_LANES;
    if (most_are_far(length, a)) {
      run_gelu(length, a, p, c);
    } else {
      gelu_block(length, a, c);
    }
  }
}
#endif

void QRT_KERNEL(qrt_unary_function function, size_t n, const float *a, const float *p, float *c) {
#if defined(__AVX512F__)
  if (function == QRT_UNARY_gelu) {
    run_blocks(n, a, p, c);
    return;
  }
#endif
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
