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

enum { GROUP = QRT_LANES == 16 ? 8 : 4 };

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

enum { WIDE = 12, BLOCK = 21 * WIDE, MASKS = 8 }; /* vectors */

#define HALVED_(c0, c1, c2, c3, c4, c5, c6) c0, 4 * c1, 16 * c2, 64 * c3, 256 * c4, 1024 * c5, 4096 * c6
#define HALVED(coefficients)                HALVED_(coefficients)

/* gelu of x near zero to c, where the others stay as they are; `far` gets masks of these.
 *
 * That is x * (0.5 * (erf + 1)), where all that erf is made of has half its size or, in the polynomial, a quarter: so a
 * product less, and the same bits, as only the smallest x cannot be halved, of which 0.5 * x is the answer in any case.
 * All steps of erf are odd, so the sign stays where it is. */
INLINE void gelu_near(size_t count, const float *a, float *c, uint16_t *far) {
  static const float coefficients[] = {HALVED(QRT_ERF_COEFFICIENTS)};
  floats x[MOST_VECTORS], half[MOST_VECTORS], z[MOST_VECTORS], y[MOST_VECTORS];
  loads(count, a, x);
  EACH(v) half[v] = now(x[v] * (QRT_SQRT_HALF * 0.5f));
  EACH(v) z[v] = now(half[v] * half[v]);
  POLYNOMIALS(count, z, coefficients, y);
  EACH(v) y[v] = now(y[v] * half[v]);
  EACH(v) y[v] = now(y[v] + half[v]);
  EACH(v) y[v] = now(y[v] + 0.5f);
  EACH(v) {
    const truths near = less(z[v], all(QRT_ERF_SMALL * QRT_ERF_SMALL * 0.25f));
    store(c + v * QRT_LANES, QRT_LANES, choose(near, x[v] * y[v], x[v]));
    far[v] = (uint16_t)~near;
    __asm__ volatile("" ::: "memory"); /* else gcc gathers all masks in a vector first */
  }
}

/* In place. */
INLINE void gelu_far(size_t count, float *far) {
  floats x[MOST_VECTORS], t[MOST_VECTORS], y[MOST_VECTORS];
  loads(count, far, x);
  EACH(v) t[v] = x[v] * QRT_SQRT_HALF;
  EACH(v) y[v] = (floats)((ints)t[v] & INT32_MAX);
  error_functions_far(count, y);
  EACH(v) y[v] = (x[v] * 0.5f) * ((floats)((ints)y[v] | ((ints)t[v] & INT32_MIN)) + 1.0f);
  stores(count, y, far);
}

/* Elements of x that the mask has, side by side. Into a new vector: else each waits for the one before it. */
INLINE __m512 compressed(truths mask, __m512 x) {
  return _mm512_mask_compress_ps((__m512)now(all(0.0f)), mask, x);
}

/* Which of `count` masks, behind which others are 0, are not 0, to `positions`. Returns how many. */
static size_t not_empty(size_t count, const uint16_t *masks, uint32_t *positions) {
  const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  size_t found = 0;
  for (size_t v = 0; v < count; v += MASKS) {
    const __m128i group = _mm_loadu_si128((const void *)(masks + v));
    const truths mask = _mm_test_epi16_mask(group, group);
    const __m512i at = _mm512_add_epi32(first, _mm512_set1_epi32((int32_t)v));
    _mm512_storeu_ps(positions + found, compressed(mask, (__m512)at));
    found += (size_t)__builtin_popcount(mask);
  }
  return found;
}

/* `count`, a multiple of WIDE up to BLOCK, vectors. */
static void gelu_block(size_t count, const float *a, float *c) {
  float far[(BLOCK + GROUP) * QRT_LANES], *end = far;
  const float *from = far;
  uint16_t is_far[BLOCK + MASKS];
  uint32_t positions[BLOCK + QRT_LANES];
  for (size_t v = 0; v < count; v += WIDE) gelu_near(WIDE, a + v * QRT_LANES, c + v * QRT_LANES, is_far + v);
  memset(is_far + count, 0, MASKS * sizeof *is_far);
  const size_t found = not_empty(count, is_far, positions);
  for (size_t p = 0; p < found; p++) {
    const size_t v = positions[p];
    _mm512_storeu_ps(end, compressed(is_far[v], _mm512_loadu_ps(c + v * QRT_LANES)));
    end += __builtin_popcount(is_far[v]);
  }
  for (float *group = far; group < end; group += GROUP * QRT_LANES) gelu_far(GROUP, group);
  for (size_t p = 0; p < found; p++) {
    const size_t v = positions[p];
    float *to = c + v * QRT_LANES;
    _mm512_storeu_ps(to, _mm512_mask_expand_ps(_mm512_loadu_ps(to), is_far[v], _mm512_loadu_ps(from)));
    from += __builtin_popcount(is_far[v]);
  }
}

/* Of the first vectors. */
static int most_are_far(const float *a) {
  size_t fars = 0;
  for (size_t v = 0; v < WIDE; v++) {
    const floats t = load(a + v * QRT_LANES, QRT_LANES) * QRT_SQRT_HALF;
    const truths near = less((floats)((ints)t & INT32_MAX), all(QRT_ERF_SMALL));
    fars += QRT_LANES - (size_t)__builtin_popcount(near);
  }
  return fars > WIDE * QRT_LANES / 2;
}

static void run_blocks(size_t n, const float *a, const float *p, float *c) {
  for (size_t length; n >= WIDE * QRT_LANES; n -= length, a += length, c += length) {
    length = n < BLOCK * QRT_LANES ? n / (WIDE * QRT_LANES) * (WIDE * QRT_LANES) : BLOCK * QRT_LANES;
    if (most_are_far(a)) {
      run_gelu(length, a, p, c);
    } else {
      gelu_block(length / QRT_LANES, a, c);
    }
  }
  run_gelu(n, a, p, c);
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
