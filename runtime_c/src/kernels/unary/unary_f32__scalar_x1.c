/* unary_f32__scalar_x1.c - the reference: unary.h's functions, one element at a time. */
#include "../../functions.h"
#include "unary.h"

static float value(qrt_unary_function function, float x, const float *p) {
  switch (function) {
    case QRT_UNARY_relu:
      return qrt_relu(x);
    case QRT_UNARY_sigmoid:
      return qrt_sigmoid(x);
    case QRT_UNARY_tanh:
      return qrt_tanh(x);
    case QRT_UNARY_exp:
      return qrt_exp(x);
    case QRT_UNARY_neg:
      return qrt_float_from(qrt_float_bits(x) ^ INT32_MIN);
    case QRT_UNARY_abs:
      return qrt_float_from(qrt_float_bits(x) & INT32_MAX);
    case QRT_UNARY_sqrt:
      return qrt_sqrt(x);
    case QRT_UNARY_rsqrt:
      return 1.0f / qrt_sqrt(x);
    case QRT_UNARY_silu:
      return qrt_silu(x);
    case QRT_UNARY_hardsigmoid:
      return qrt_clamp(x + 3.0f, 0.0f, 6.0f) / 6.0f;
    case QRT_UNARY_hardswish:
      return x * qrt_clamp(x + 3.0f, 0.0f, 6.0f) / 6.0f;
    case QRT_UNARY_gelu:
      return qrt_gelu(x);
    case QRT_UNARY_gelu_tanh:
      return qrt_gelu_tanh(x);
    case QRT_UNARY_elu:
      return x > 0 ? x : (qrt_exp(x) - 1.0f) * p[0];
    case QRT_UNARY_leaky_relu:
      return x > 0 ? x : x * p[0];
    case QRT_UNARY_clamp:
      return qrt_clamp(x, p[0], p[1]);
    case QRT_UNARY_COUNT:
      break;
  }
  return x;
}

void qrt_unary_f32__scalar_x1(qrt_unary_function function, size_t n, const float *a, const float *p, float *c) {
  for (size_t i = 0; i < n; i++) c[i] = qrt_canonical(value(function, a[i], p));
}
