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

INLINE floats all(float x) {
  return x - (floats){0};
}

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

INLINE floats clamp(floats x, float least, float most) {
  return (floats)_mm512_min_ps((__m512)all(most), _mm512_max_ps((__m512)all(least), (__m512)x));
}

/* x * 2^n, rounded once; n are whole numbers. */
INLINE floats scaled(floats x, floats n) {
  return (floats)_mm512_scalef_ps((__m512)x, (__m512)n);
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

INLINE floats clamp(floats x, float least, float most) {
  x = choose(x < least, all(least), x);
  return choose(x > most, all(most), x);
}

INLINE floats scaled(floats x, floats n) {
  const ints exponent = (ints)(n + QRT_ROUNDER) - (int32_t)QRT_ROUNDER_BITS, half = exponent >> 1;
  return x * (floats)((half + 127) << 23) * (floats)((exponent - half + 127) << 23);
}
#endif

/* NaN gives some NaN. */
INLINE floats exponential(floats x) {
  x = clamp(x, QRT_EXP_LEAST, QRT_EXP_MOST);
  const floats n = (x * QRT_LOG2E + QRT_ROUNDER) - QRT_ROUNDER;
  const floats high = x - n * QRT_LN2_HIGH, low = n * QRT_LN2_LOW, r = high - low;
  return scaled(((QRT_POLY(r, QRT_EXP_COEFFICIENTS) * (r * r) - low) + high) + 1.0f, n);
}

INLINE floats sigmoid(floats x) {
  const truths negative = less(x, all(0));
  const floats t = exponential((floats)((ints)x | INT32_MIN));
  const floats q = choose(negative, t, all(1.0f)) / (t + 1.0f);
  return canonical(choose(negative, t - t * q, q));
}

INLINE floats hyperbolic_tangent(floats x) {
  const ints sign = (ints)x & INT32_MIN;
  const floats a = (floats)((ints)x ^ sign), z = a * a;
  const floats small = QRT_POLY(z, QRT_TANH_COEFFICIENTS) * z * a + a;
  const floats large = 1.0f - 2.0f / (exponential(a + a) + 1.0f);
  return canonical((floats)((ints)choose(less(a, all(QRT_TANH_SMALL)), small, large) | sign));
}

INLINE int any(truths truth) {
#if defined(__AVX512F__)
  return truth != 0;
#elif QRT_LANES == 8 && defined(__AVX__)
  return _mm256_movemask_ps((__m256)truth) != 0;
#else
  int32_t found = 0;
  for (size_t i = 0; i < QRT_LANES; i++) found |= truth[i];
  return found != 0;
#endif
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

/* Far from 0 only where some lane is. */
INLINE floats error_function(floats x) {
  const ints sign = (ints)x & INT32_MIN;
  const floats a = (floats)((ints)x ^ sign), b = choose(less(all(QRT_ERF_MOST), a), all(QRT_ERF_MOST), a);
  const truths near = less(a, all(QRT_ERF_SMALL));
  floats t = QRT_POLY7(a * a, QRT_ERF_COEFFICIENTS) * a + a;
  if (any((truths)~near)) t = choose(near, t, 1.0f - exponential(QRT_POLY8(b, QRT_LOG_ERFC_COEFFICIENTS)));
  return canonical((floats)((ints)t | sign));
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
