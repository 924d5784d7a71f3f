/* functions.h - exp, sigmoid, tanh, erf and activations of binary32 without libm; rule 11 of the numerics contract,
 * whose formulas stand in qsdk/reference/functions.py. Each operation is rounded on its own; every NaN is 0x7fc00000.
 */
#ifndef QRT_FUNCTIONS_H
#define QRT_FUNCTIONS_H

#include "floats.h"
#include "requantize.h"
#include "sqrt.h"

#define QRT_LOG2E      1.44269502f
#define QRT_LN2_HIGH   0.693145752f /* n times this is exact */
#define QRT_LN2_LOW    1.42860677e-06f
#define QRT_EXP_LEAST  (-104.0f) /* e^x is 0 */
#define QRT_EXP_MOST   89.0f     /* e^x is infinite */
#define QRT_EXP_NORMAL (-87.0f)  /* e^x is no denormal number yet */
#define QRT_TANH_SMALL 0.625f
#define QRT_ERF_SMALL  0.9f
#define QRT_ERF_MOST   4.0f /* erf is 1 */
#define QRT_SQRT_HALF  0.707106769f
#define QRT_GELU_SCALE 0.797884583f /* sqrt(2 / pi) */
#define QRT_GELU_CUBIC 0.0447149985f

/* Coefficients, the lowest first. */
#define QRT_EXP_COEFFICIENTS  0.5f, 0.166666657f, 0.0416664593f, 0.00833357032f, 0.0013935524f, 0.000197411995f
#define QRT_TANH_COEFFICIENTS -0.333333313f, 0.133332208f, -0.0539481789f, 0.021706894f, -0.00819001254f, 0.00215268112f
#define QRT_ERF_COEFFICIENTS \
  0.128379166f, -0.376126289f, 0.112836242f, -0.02685556f, 0.00519175315f, -0.000803975272f, 7.94310035e-05f
#define QRT_LOG_ERFC_COEFFICIENTS                                                                              \
  0.000169203864f, -1.12948835f, -0.633401096f, -0.108219944f, 0.025080204f, -0.00415604422f, 0.000431338238f, \
      -2.08228012e-05f

/* Horner's rule for six coefficients, seven and eight; of floats, and of whatever else has + and *. */
#define QRT_POLY_(x, c0, c1, c2, c3, c4, c5)      (((((c5 * (x) + c4) * (x) + c3) * (x) + c2) * (x) + c1) * (x) + c0)
#define QRT_POLY(x, coefficients)                 QRT_POLY_(x, coefficients)
#define QRT_POLY7_(x, c0, c1, c2, c3, c4, c5, c6) (QRT_POLY_(x, c1, c2, c3, c4, c5, c6) * (x) + c0)
#define QRT_POLY7(x, coefficients)                QRT_POLY7_(x, coefficients)
#define QRT_POLY8_(x, c0, c1, c2, c3, c4, c5, c6, c7) (QRT_POLY7_(x, c1, c2, c3, c4, c5, c6, c7) * (x) + c0)
#define QRT_POLY8(x, coefficients)                    QRT_POLY8_(x, coefficients)

static inline float qrt_exp(float x) {
  if (x != x) return qrt_float_from(QRT_FLOAT_NAN);
  x = x < QRT_EXP_LEAST ? QRT_EXP_LEAST : x;
  x = x > QRT_EXP_MOST ? QRT_EXP_MOST : x;
  const float shifted = x * QRT_LOG2E + QRT_ROUNDER;
  const int32_t exponent = qrt_float_bits(shifted) - (int32_t)QRT_ROUNDER_BITS, half = exponent >> 1;
  const float n = shifted - QRT_ROUNDER;
  const float high = x - n * QRT_LN2_HIGH, low = n * QRT_LN2_LOW, r = high - low;
  const float p = ((QRT_POLY(r, QRT_EXP_COEFFICIENTS) * (r * r) - low) + high) + 1.0f;
  return p * qrt_float_from((half + 127) << 23) * qrt_float_from((exponent - half + 127) << 23);
}

static inline float qrt_sigmoid(float x) {
  const float t = qrt_exp(qrt_float_from(qrt_float_bits(x) | INT32_MIN)); /* of -|x| */
  const float q = (x >= 0 ? 1.0f : t) / (t + 1.0f);
  return qrt_canonical(x >= 0 ? q : t - t * q);
}

static inline float qrt_tanh(float x) {
  const int32_t sign = qrt_float_bits(x) & INT32_MIN;
  const float a = qrt_float_from(qrt_float_bits(x) ^ sign), z = a * a;
  const float t =
      a < QRT_TANH_SMALL ? QRT_POLY(z, QRT_TANH_COEFFICIENTS) * z * a + a : 1.0f - 2.0f / (qrt_exp(a + a) + 1.0f);
  return qrt_canonical(qrt_float_from(qrt_float_bits(t) | sign));
}

static inline float qrt_erf(float x) {
  const int32_t sign = qrt_float_bits(x) & INT32_MIN;
  const float a = qrt_float_from(qrt_float_bits(x) ^ sign), b = a > QRT_ERF_MOST ? QRT_ERF_MOST : a;
  const float t = a < QRT_ERF_SMALL ? QRT_POLY7(a * a, QRT_ERF_COEFFICIENTS) * a + a
                                    : 1.0f - qrt_exp(QRT_POLY8(b, QRT_LOG_ERFC_COEFFICIENTS));
  return qrt_canonical(qrt_float_from(qrt_float_bits(t) | sign));
}

static inline float qrt_clamp(float x, float least, float most) {
  return x < least ? least : x > most ? most : x;
}

static inline float qrt_silu(float x) {
  return qrt_canonical(x * qrt_sigmoid(x));
}

static inline float qrt_gelu(float x) {
  return qrt_canonical((x * 0.5f) * (qrt_erf(x * QRT_SQRT_HALF) + 1.0f));
}

static inline float qrt_gelu_tanh(float x) {
  return qrt_canonical((x * 0.5f) * (qrt_tanh((x * x * x * QRT_GELU_CUBIC + x) * QRT_GELU_SCALE) + 1.0f));
}

#endif
