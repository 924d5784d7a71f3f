/* rows_lanes.h - the rows family in lanes. A kernel's file sets QRT_LANES and QRT_FUNCTION(name), the name of a
 * function of its own, and includes this. The sixteen sums are as many vectors as they need. */
#include "../lanes.h"
#include "rows.h"

enum { PARTS = QRT_ROW_SUMS / QRT_LANES };

typedef struct sums {
  floats part[PARTS];
} sums;

/* Lanes from i on of an array of n, zeros behind its end. */
INLINE floats load_at(const float *a, size_t i, size_t n) {
  return i < n ? load(a + i, n - i) : all(0.0f);
}

INLINE float by_halves(sums s) {
#pragma GCC unroll 4
  for (size_t half = PARTS / 2; half; half /= 2) {
#pragma GCC unroll 2
    for (size_t i = 0; i < half; i++) s.part[i] += s.part[i + half];
  }
  return sum_by_halves(s.part[0]);
}

float QRT_FUNCTION(dot)(size_t n, const float *a, const float *b) {
  sums s = {{{0}}};
  for (size_t i = 0; i < n; i += QRT_ROW_SUMS) {
#pragma GCC unroll 4
    for (size_t p = 0; p < PARTS; p++) {
      s.part[p] += load_at(a, i + p * QRT_LANES, n) * load_at(b, i + p * QRT_LANES, n);
    }
  }
  return by_halves(s);
}

/* Lanes are columns here. */
void QRT_FUNCTION(sums)(size_t n, size_t m, const float *a, size_t stride, float *c) {
  for (size_t j = 0; j < m; j += QRT_LANES) {
    floats part[QRT_ROW_SUMS] = {{0}};
    size_t i = 0;
    for (; i + QRT_ROW_SUMS <= n; i += QRT_ROW_SUMS) {
#pragma GCC unroll 16
      for (size_t p = 0; p < QRT_ROW_SUMS; p++) part[p] += load(a + (i + p) * stride + j, m - j);
    }
    for (size_t p = 0; i + p < n; p++) part[p] += load(a + (i + p) * stride + j, m - j);
    for (size_t half = QRT_ROW_SUMS / 2; half; half /= 2) {
      for (size_t p = 0; p < half; p++) part[p] += part[p + half];
    }
    store(c + j, m - j, part[0]);
  }
}

static float sum_of(size_t n, const float *a) {
  sums s = {{{0}}};
  for (size_t i = 0; i < n; i += QRT_ROW_SUMS) {
#pragma GCC unroll 4
    for (size_t p = 0; p < PARTS; p++) s.part[p] += load_at(a, i + p * QRT_LANES, n);
  }
  return by_halves(s);
}

static float largest(size_t n, const float *a) {
  const float none = qrt_float_from(QRT_FLOAT_INFINITY | INT32_MIN);
  floats most = all(none);
  size_t i = 0;
  for (; i + QRT_LANES <= n; i += QRT_LANES) {
    const floats x = load(a + i, QRT_LANES);
    most = choose(less(most, x), x, most);
  }
  float result = largest_of(most);
  for (; i < n; i++) result = a[i] > result ? a[i] : result;
  return result;
}

/* Whole vectors four at a time, whose steps do not wait for each other. */
void QRT_FUNCTION(softmax)(size_t n, const float *a, float *c) {
  enum { GROUP = 4 };
  const float most = largest(n, a);
  sums s = {{{0}}};
  size_t i = 0;
  for (; i + GROUP * QRT_LANES <= n; i += GROUP * QRT_LANES) {
    floats e[GROUP];
#pragma GCC unroll 4
    for (size_t v = 0; v < GROUP; v++) e[v] = exponential(load(a + i + v * QRT_LANES, QRT_LANES) - most);
#pragma GCC unroll 4
    for (size_t v = 0; v < GROUP; v++) {
      store(c + i + v * QRT_LANES, QRT_LANES, e[v]);
      s.part[v % PARTS] += e[v];
    }
  }
  for (; i < n; i += QRT_ROW_SUMS) {
#pragma GCC unroll 4
    for (size_t p = 0, at = i; p < PARTS && at < n; p++, at += QRT_LANES) {
      const floats e = exponential(load(a + at, n - at) - most);
      store(c + at, n - at, e);
      s.part[p] += n - at < QRT_LANES ? load(c + at, n - at) : e;
    }
  }
  const float sum = by_halves(s);
  for (i = 0; i + QRT_LANES <= n; i += QRT_LANES) {
    store(c + i, QRT_LANES, canonical(load(c + i, QRT_LANES) / sum));
  }
  if (i < n) store(c + i, n - i, canonical(load(c + i, n - i) / sum));
}

void QRT_FUNCTION(normalize)(size_t n, const float *a, const float *weight, const float *bias, float eps, float *c) {
  const float count = (float)n, mean = sum_of(n, a) / count;
  for (size_t i = 0; i < n; i += QRT_LANES) store(c + i, n - i, load(a + i, n - i) - mean);
  const float variance = QRT_FUNCTION(dot)(n, c, c) / count, r = 1.0f / qrt_sqrt(variance + eps);
  for (size_t i = 0; i < n; i += QRT_LANES) {
    store(c + i, n - i, canonical(load(c + i, n - i) * r * load(weight + i, n - i) + load(bias + i, n - i)));
  }
}
