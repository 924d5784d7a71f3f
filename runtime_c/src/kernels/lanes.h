/* lanes.h - floats in lanes, for any instruction set: the compiler's vectors, QRT_LANES floats wide. A kernel's file
 * sets QRT_LANES before it includes this.
 *
 * The steps are those of ../functions.h, lane by lane. What is left at the end goes through vectors whose unused lanes
 * are zero.
 */
#ifndef QRT_LANES_H
#define QRT_LANES_H

#include <string.h>

#if defined(__AVX__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "../functions.h"
#include "../sqrt.h"

typedef float floats __attribute__((vector_size(4 * QRT_LANES)));
typedef int32_t ints __attribute__((vector_size(4 * QRT_LANES)));
typedef uint32_t bits __attribute__((vector_size(4 * QRT_LANES)));

#define INLINE static inline __attribute__((always_inline))

INLINE floats load(const float *a, size_t n) {
  floats x = {0};
  if (n >= QRT_LANES) {
    memcpy(&x, a, sizeof x);
  } else {
#if defined(__AVX512F__)
    x = (floats)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), a);
#else
    memcpy(&x, a, n * sizeof *a);
#endif
  }
  return x;
}

INLINE void store(float *c, size_t n, floats x) {
  if (n >= QRT_LANES) {
    memcpy(c, &x, sizeof x);
  } else {
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(c, (__mmask16)((1u << n) - 1), (__m512)x);
#else
    memcpy(c, &x, n * sizeof *c);
#endif
  }
}

INLINE floats all(float x) {
  return x - (floats){0};
}

/* ---- functions of `count` vectors, which is a constant where they are inlined: one step of all, then the next, so
 * that a step seldom waits for the one before it ---- */

enum { MOST_VECTORS = 12 };

#define EACH(v) _Pragma("GCC unroll 12") for (size_t v = 0; v < count; v++)

/* Comparisons, and what hangs on them, are where the compiler's vectors need twice the instructions. */
#if defined(__AVX512F__)
typedef __mmask16 truths;

INLINE truths less(floats a, floats b) {
  return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ);
}

/* Lanes of a where the truth is 1, of b where it is 0. */
INLINE floats choose(truths truth, floats a, floats b) {
  return (floats)_mm512_mask_blend_ps(truth, (__m512)b, (__m512)a);
}

INLINE floats canonical(floats x) {
  const truths number = _mm512_cmp_ps_mask((__m512)x, (__m512)x, _CMP_ORD_Q);
  return choose(number, x, (floats)(QRT_FLOAT_NAN - (ints){0}));
}

/* a < b ? a : b */
INLINE floats smaller(floats a, floats b) {
  return (floats)_mm512_min_ps((__m512)a, (__m512)b);
}

/* a > b ? a : b */
INLINE floats larger(floats a, floats b) {
  return (floats)_mm512_max_ps((__m512)a, (__m512)b);
}

INLINE floats clamp(floats x, float least, float most) {
  return smaller(all(most), larger(all(least), x));
}

/* a - b * c, where the product is exact. */
INLINE floats less_product(floats a, floats b, float c) {
  return (floats)_mm512_fnmadd_ps((__m512)b, (__m512)all(c), (__m512)a);
}

/* Is it true of all lanes? */
INLINE int every(truths truth) {
  return truth == 0xffff;
}

/* x * 2^n, rounded once; n are whole numbers, of which n + QRT_ROUNDER is given. */
INLINE floats scaled(floats x, floats shifted) {
  return (floats)_mm512_scalef_ps((__m512)x, (__m512)(shifted - QRT_ROUNDER));
}
#else
typedef ints truths;

INLINE truths less(floats a, floats b) {
  return a < b;
}

INLINE floats choose(truths truth, floats a, floats b) {
  return (floats)((truth & (ints)a) | (~truth & (ints)b));
}

INLINE floats canonical(floats x) {
  return choose(x == x, x, (floats)(QRT_FLOAT_NAN - (ints){0}));
}

INLINE floats smaller(floats a, floats b) {
  return choose(a < b, a, b);
}

INLINE floats larger(floats a, floats b) {
  return choose(a > b, a, b);
}

INLINE floats clamp(floats x, float least, float most) {
  x = choose(x < least, all(least), x);
  return choose(x > most, all(most), x);
}

INLINE floats less_product(floats a, floats b, float c) {
#if defined(__aarch64__) && QRT_LANES == 4
  return (floats)vfmsq_n_f32((float32x4_t)a, (float32x4_t)b, c);
#else
  return a - b * c;
#endif
}

INLINE int every(truths truth) {
#if defined(__aarch64__) && QRT_LANES == 4
  return vminvq_u32((uint32x4_t)truth) != 0;
#elif defined(__AVX__) && QRT_LANES == 8
  return _mm256_movemask_ps((__m256)truth) == 0xff;
#else
  int result = 1;
  for (size_t i = 0; i < QRT_LANES; i++) result &= truth[i];
  return result;
#endif
}

INLINE floats scaled(floats x, floats shifted) {
  const ints exponent = (ints)shifted - (int32_t)QRT_ROUNDER_BITS, half = exponent >> 1;
  return x * (floats)((half + 127) << 23) * (floats)((exponent - half + 127) << 23);
}
#endif

/* Nothing: but where gcc would rather finish one vector before it begins the next, it keeps the order of the source. */
INLINE floats now(floats x) {
#if defined(__AVX512F__)
  __asm__("" : "+v"(x));
#elif defined(__AVX__)
  __asm__("" : "+x"(x));
#elif defined(__aarch64__)
  __asm__("" : "+w"(x));
#endif
  return x;
}

/* y = c[0] + c[1] * x + ..., by Horner's rule. */
INLINE void polynomials(size_t count, const floats *x, size_t terms, const float *c, floats *y) {
  EACH(v) y[v] = now(x[v] * c[terms - 1] + c[terms - 2]);
#pragma GCC unroll 8
  for (size_t i = terms - 2; i > 0; i--) {
    EACH(v) y[v] = now(y[v] * x[v] + c[i - 1]);
  }
}

#define POLYNOMIALS(count, x, c, y) polynomials(count, x, sizeof c / sizeof c[0], c, y)

/* e^x as p * 2^n, n + QRT_ROUNDER being `shifted`; p is within 2^-0.5 and 2^0.5. */
INLINE void exponential_parts(size_t count, const floats *x, floats *shifted, floats *p) {
  static const float coefficients[] = {QRT_EXP_COEFFICIENTS};
  floats high[MOST_VECTORS], low[MOST_VECTORS], r[MOST_VECTORS];
  EACH(v) shifted[v] = x[v] * QRT_LOG2E + QRT_ROUNDER;
  EACH(v) low[v] = shifted[v] - QRT_ROUNDER;
  EACH(v) high[v] = less_product(x[v], low[v], QRT_LN2_HIGH);
  EACH(v) low[v] = low[v] * QRT_LN2_LOW;
  EACH(v) r[v] = high[v] - low[v];
  POLYNOMIALS(count, r, coefficients, p);
  EACH(v) p[v] = ((p[v] * (r[v] * r[v]) - low[v]) + high[v]) + 1.0f;
}

/* NaN gives some NaN. */
INLINE void exponentials(size_t count, floats *x) {
  floats shifted[MOST_VECTORS], p[MOST_VECTORS];
  EACH(v) x[v] = clamp(x[v], QRT_EXP_LEAST, QRT_EXP_MOST);
  exponential_parts(count, x, shifted, p);
  EACH(v) x[v] = scaled(p[v], shifted[v]);
}

/* p * 2^n, as above, where that is no denormal number. */
INLINE floats scaled_normal(floats p, floats shifted) {
  return (floats)((bits)p + ((bits)shifted << 23));
}

/* Of numbers that are not above 0, and NaN. */
INLINE void exponentials_of_negative(size_t count, floats *x) {
  truths normal = less(all(QRT_EXP_NORMAL), x[0]);
  EACH(v) normal &= less(all(QRT_EXP_NORMAL), x[v]);
  if (every(normal)) {
    floats shifted[MOST_VECTORS], p[MOST_VECTORS];
    exponential_parts(count, x, shifted, p);
    EACH(v) x[v] = scaled_normal(p[v], shifted[v]);
  } else {
    exponentials(count, x);
  }
}

INLINE void sigmoids(size_t count, floats *x) {
  floats t[MOST_VECTORS];
  EACH(v) t[v] = (floats)((ints)x[v] | INT32_MIN);
  exponentials_of_negative(count, t);
  EACH(v) {
    const truths negative = less(x[v], all(0));
    const floats q = choose(negative, t[v], all(1.0f)) / (t[v] + 1.0f);
    x[v] = canonical(choose(negative, t[v] - t[v] * q, q));
  }
}

INLINE void hyperbolic_tangents(size_t count, floats *x) {
  static const float coefficients[] = {QRT_TANH_COEFFICIENTS};
  floats a[MOST_VECTORS], t[MOST_VECTORS], small[MOST_VECTORS];
  EACH(v) a[v] = (floats)((ints)x[v] & INT32_MAX);
  EACH(v) t[v] = a[v] * a[v];
  POLYNOMIALS(count, t, coefficients, small);
  EACH(v) small[v] = small[v] * t[v] * a[v] + a[v];
  EACH(v) t[v] = a[v] + a[v];
  exponentials(count, t);
  EACH(v) {
    const floats y = choose(less(a[v], all(QRT_TANH_SMALL)), small[v], 1.0f - 2.0f / (t[v] + 1.0f));
    x[v] = canonical((floats)((ints)y | ((ints)x[v] & INT32_MIN)));
  }
}

/* erf of magnitudes below QRT_ERF_SMALL. */
INLINE void error_functions_near(size_t count, floats *a) {
  static const float coefficients[] = {QRT_ERF_COEFFICIENTS};
  floats z[MOST_VECTORS], y[MOST_VECTORS];
  EACH(v) z[v] = a[v] * a[v];
  POLYNOMIALS(count, z, coefficients, y);
  EACH(v) a[v] = y[v] * a[v] + a[v];
}

/* erf of magnitudes from QRT_ERF_SMALL on; of NaN anything. e^x is here of numbers between -20 and 0, so n can go
 * straight into the exponent. */
INLINE void error_functions_far(size_t count, floats *a) {
  static const float coefficients[] = {QRT_LOG_ERFC_COEFFICIENTS};
  floats shifted[MOST_VECTORS], y[MOST_VECTORS];
  EACH(v) a[v] = smaller(all(QRT_ERF_MOST), a[v]);
  POLYNOMIALS(count, a, coefficients, y);
  exponential_parts(count, y, shifted, y);
  EACH(v) a[v] = 1.0f - scaled_normal(y[v], shifted[v]);
}

/* Of NaN anything. Where all are near zero, the rest is left out; kernels of 16 lanes have their own way for that. */
INLINE void error_functions(size_t count, floats *x) {
  floats y[MOST_VECTORS], far[MOST_VECTORS];
  truths near[MOST_VECTORS], all_near;
  EACH(v) y[v] = far[v] = (floats)((ints)x[v] & INT32_MAX);
  EACH(v) near[v] = less(y[v], all(QRT_ERF_SMALL));
  all_near = near[0];
  EACH(v) all_near &= near[v];
  error_functions_near(count, y);
  if (QRT_LANES == 16 || !every(all_near)) {
    error_functions_far(count, far);
    EACH(v) y[v] = choose(near[v], y[v], far[v]);
  }
  EACH(v) x[v] = (floats)((ints)y[v] | ((ints)x[v] & INT32_MIN));
}

/* The sum of all lanes, by halves. */
INLINE float sum_by_halves(floats x) {
#if QRT_LANES == 16 && defined(__AVX512F__)
  const __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd((__m512d)x, 1));
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256((__m512)x), high);
#elif QRT_LANES == 8 && defined(__AVX__)
  const __m256 eight = (__m256)x;
#endif
#if QRT_LANES >= 8 && defined(__AVX__)
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
#else
  float lane[QRT_LANES];
  memcpy(lane, &x, sizeof lane);
  for (size_t half = QRT_LANES / 2; half; half /= 2) {
    for (size_t i = 0; i < half; i++) lane[i] += lane[i + half];
  }
  return lane[0];
#endif
}

/* The largest of all lanes, none of which is NaN. */
INLINE float largest_of(floats x) {
#if QRT_LANES == 16 && defined(__AVX512F__)
  return _mm512_reduce_max_ps((__m512)x);
#else
  float most = x[0];
  for (size_t i = 1; i < QRT_LANES; i++) most = x[i] > most ? x[i] : most;
  return most;
#endif
}

INLINE floats square_root(floats x) {
#if QRT_LANES == 16 && defined(__AVX512F__)
  return (floats)_mm512_sqrt_ps((__m512)x);
#elif QRT_LANES == 8 && defined(__AVX__)
  return (floats)_mm256_sqrt_ps((__m256)x);
#elif QRT_LANES == 4 && defined(__aarch64__)
  return (floats)vsqrtq_f32((float32x4_t)x);
#else
  for (size_t i = 0; i < QRT_LANES; i++) x[i] = qrt_sqrt(x[i]);
  return x;
#endif
}

#endif
