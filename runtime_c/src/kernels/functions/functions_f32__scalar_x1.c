/* functions_f32__scalar_x1.c - the reference: functions.h's loops. */
#include "../../functions.h"

#include "functions.h"

void qrt_functions_f32__scalar_x1_rnn(size_t n, const float *x, const float *h, int relu, float *c) {
  for (size_t i = 0; i < n; i++) {
    const float g = x[i] + h[i];
    c[i] = relu ? qrt_relu(g) : qrt_tanh(g);
  }
}

void qrt_functions_f32__scalar_x1_lstm(size_t n, const float *x, const float *h, float *cell, float *c) {
  for (size_t i = 0; i < n; i++) {
    const float in = qrt_sigmoid(x[i] + h[i]), forget = qrt_sigmoid(x[n + i] + h[n + i]);
    const float g = qrt_tanh(x[2 * n + i] + h[2 * n + i]), out = qrt_sigmoid(x[3 * n + i] + h[3 * n + i]);
    const float kept = forget * cell[i], added = in * g, sum = kept + added;
    cell[i] = qrt_canonical(sum);
    c[i] = qrt_canonical(out * qrt_tanh(sum));
  }
}

void qrt_functions_f32__scalar_x1_gru(size_t n, const float *x, const float *h, const float *before, float *c) {
  for (size_t i = 0; i < n; i++) {
    const float r = qrt_sigmoid(x[i] + h[i]), z = qrt_sigmoid(x[n + i] + h[n + i]);
    const float reset = h[2 * n + i] * r, m = qrt_tanh(x[2 * n + i] + reset);
    const float step = (before[i] - m) * z;
    c[i] = qrt_canonical(step + m);
  }
}
