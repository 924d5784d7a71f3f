/* functions_lanes.h - the functions family in lanes. A kernel's file sets QRT_LANES and QRT_FUNCTION(name), the name of
 * a function of its own, and includes this. */
#include "../lanes.h"

INLINE floats sigmoid(floats x) {
  sigmoids(1, &x);
  return x;
}

INLINE floats hyperbolic_tangent(floats x) {
  hyperbolic_tangents(1, &x);
  return x;
}

void QRT_FUNCTION(rnn)(size_t n, const float *x, const float *h, int relu, float *c) {
  for (size_t i = 0; i < n; i += QRT_LANES) {
    const floats g = load(x + i, n - i) + load(h + i, n - i);
    store(c + i, n - i, relu ? choose(less(all(0), g), g, all(0)) : hyperbolic_tangent(g));
  }
}

/* Lanes i.. of a gate. */
INLINE floats gate(size_t n, const float *x, const float *h, size_t number, size_t i) {
  return load(x + number * n + i, n - i) + load(h + number * n + i, n - i);
}

/* In two passes: steps of one pass that do not wait for each other overlap, where the second tanh would wait for all of
 * the gates. What the second needs of the first lies in the output until then. */
void QRT_FUNCTION(lstm)(size_t n, const float *x, const float *h, float *cell, float *c) {
  for (size_t i = 0; i < n; i += QRT_LANES) {
    const floats in = sigmoid(gate(n, x, h, 0, i)), forget = sigmoid(gate(n, x, h, 1, i));
    const floats g = hyperbolic_tangent(gate(n, x, h, 2, i));
    store(c + i, n - i, sigmoid(gate(n, x, h, 3, i)));
    store(cell + i, n - i, canonical(forget * load(cell + i, n - i) + in * g));
  }
  for (size_t i = 0; i < n; i += QRT_LANES) {
    store(c + i, n - i, canonical(load(c + i, n - i) * hyperbolic_tangent(load(cell + i, n - i))));
  }
}

void QRT_FUNCTION(gru)(size_t n, const float *x, const float *h, const float *before, float *c) {
  for (size_t i = 0; i < n; i += QRT_LANES) store(c + i, n - i, sigmoid(gate(n, x, h, 0, i)));
  for (size_t i = 0; i < n; i += QRT_LANES) {
    const floats z = sigmoid(gate(n, x, h, 1, i)), reset = load(h + 2 * n + i, n - i) * load(c + i, n - i);
    const floats m = hyperbolic_tangent(load(x + 2 * n + i, n - i) + reset);
    store(c + i, n - i, canonical((load(before + i, n - i) - m) * z + m));
  }
}
