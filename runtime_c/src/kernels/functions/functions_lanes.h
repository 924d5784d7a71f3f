/* functions_lanes.h - the functions family in lanes. A kernel's file sets QRT_LANES and QRT_FUNCTION(name), the name of
 * a function of its own, and includes this. */
#include "../lanes.h"

enum { PAIR = 2, GROUP = QRT_LANES == 16 ? 8 : 4 };

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

/* Lanes i.. of the states of `count` vectors, a constant. What the last loop needs of the first lies in the output
 * until then. */
INLINE void lstm(size_t count, size_t n, size_t i, const float *x, const float *h, float *cell, float *c) {
  floats in_forget_out[3 * PAIR], g[PAIR], state[PAIR];
  EACH(v) {
    const size_t at = i + v * QRT_LANES;
    in_forget_out[v] = gate(n, x, h, 0, at);
    in_forget_out[count + v] = gate(n, x, h, 1, at);
    in_forget_out[2 * count + v] = gate(n, x, h, 3, at);
    g[v] = gate(n, x, h, 2, at);
  }
  sigmoids(3 * count, in_forget_out);
  hyperbolic_tangents(count, g);
  EACH(v) {
    const size_t at = i + v * QRT_LANES;
    state[v] = canonical(in_forget_out[count + v] * load(cell + at, n - at) + in_forget_out[v] * g[v]);
    store(cell + at, n - at, state[v]);
    store(c + at, n - at, in_forget_out[2 * count + v]);
  }
}

void QRT_FUNCTION(lstm)(size_t n, const float *x, const float *h, float *cell, float *c) {
  size_t i = 0;
  for (; i + PAIR * QRT_LANES <= n; i += PAIR * QRT_LANES) lstm(PAIR, n, i, x, h, cell, c);
  for (; i < n; i += QRT_LANES) lstm(1, n, i, x, h, cell, c);
  for (i = 0; i + GROUP * QRT_LANES <= n; i += GROUP * QRT_LANES) {
    floats t[GROUP];
    for (size_t v = 0; v < GROUP; v++) t[v] = load(cell + i + v * QRT_LANES, QRT_LANES);
    hyperbolic_tangents(GROUP, t);
    for (size_t v = 0; v < GROUP; v++) {
      float *out = c + i + v * QRT_LANES;
      store(out, QRT_LANES, canonical(load(out, QRT_LANES) * t[v]));
    }
  }
  for (; i < n; i += QRT_LANES) {
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
