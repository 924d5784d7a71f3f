/* taps_f32__scalar_x1.c - the reference: taps.h's loops. */
#include "../../floats.h"
#include "taps.h"

void qrt_taps_f32__scalar_x1_products(size_t taps, size_t n, const float *const *a, const float *const *w,
                                      const float *bias, float *c) {
  for (size_t j = 0; j < n; j++) {
    float sum = 0;
    for (size_t t = 0; t < taps; t++) sum += a[t][j] * w[t][j];
    c[j] = qrt_canonical(sum + bias[j]);
  }
}

void qrt_taps_f32__scalar_x1_mean(size_t taps, size_t n, const float *const *a, float divisor, float *c) {
  for (size_t j = 0; j < n; j++) {
    float sum = 0;
    for (size_t t = 0; t < taps; t++) sum += a[t][j];
    c[j] = qrt_canonical(sum / divisor);
  }
}

void qrt_taps_f32__scalar_x1_largest(size_t taps, size_t n, const float *const *a, float *c) {
  for (size_t j = 0; j < n; j++) {
    float most = qrt_float_from(QRT_FLOAT_INFINITY | INT32_MIN);
    for (size_t t = 0; t < taps; t++) most = a[t][j] > most ? a[t][j] : most;
    c[j] = most;
  }
}
