/* rows_f32__scalar_x1.c - the reference: rows.h's sums. */
#include "../../functions.h"
#include "rows.h"

static float by_halves(float *part) {
  for (size_t half = QRT_ROW_SUMS / 2; half; half /= 2) {
    for (size_t i = 0; i < half; i++) part[i] += part[i + half];
  }
  return part[0];
}

float qrt_rows_f32__scalar_x1_dot(size_t n, const float *a, const float *b) {
  float part[QRT_ROW_SUMS] = {0};
  for (size_t i = 0; i < n; i++) part[i % QRT_ROW_SUMS] += a[i] * b[i];
  return by_halves(part);
}

void qrt_rows_f32__scalar_x1_sums(size_t n, size_t m, const float *a, size_t stride, float *c) {
  for (size_t j = 0; j < m; j++) {
    float part[QRT_ROW_SUMS] = {0};
    for (size_t i = 0; i < n; i++) part[i % QRT_ROW_SUMS] += a[i * stride + j];
    c[j] = by_halves(part);
  }
}

static void softmax(size_t n, const float *a, float *c) {
  float most = qrt_float_from(QRT_FLOAT_INFINITY | INT32_MIN), sum;
  for (size_t i = 0; i < n; i++) most = a[i] > most ? a[i] : most;
  for (size_t i = 0; i < n; i++) c[i] = qrt_exp(a[i] - most);
  float part[QRT_ROW_SUMS] = {0};
  for (size_t i = 0; i < n; i++) part[i % QRT_ROW_SUMS] += c[i];
  sum = by_halves(part);
  for (size_t i = 0; i < n; i++) c[i] = qrt_canonical(c[i] / sum);
}

static void normalize(size_t n, const float *a, const float *weight, const float *bias, float eps, float *c) {
  const float count = (float)n;
  float part[QRT_ROW_SUMS] = {0};
  for (size_t i = 0; i < n; i++) part[i % QRT_ROW_SUMS] += a[i];
  const float mean = by_halves(part) / count;
  for (size_t i = 0; i < n; i++) c[i] = a[i] - mean;
  const float variance = qrt_rows_f32__scalar_x1_dot(n, c, c) / count, r = 1.0f / qrt_sqrt(variance + eps);
  for (size_t i = 0; i < n; i++) c[i] = qrt_canonical(c[i] * r * weight[i] + bias[i]);
}

void qrt_rows_f32__scalar_x1_softmax(size_t m, size_t n, const float *a, float *c) {
  for (; m > 0; m--, a += n, c += n) softmax(n, a, c);
}

void qrt_rows_f32__scalar_x1_normalize(size_t m, size_t n, const float *a, const float *weight, const float *bias,
                                       float eps, float *c) {
  for (; m > 0; m--, a += n, c += n) normalize(n, a, weight, bias, eps, c);
}
