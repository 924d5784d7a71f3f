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
  size_t i = 0;
  for (; i + QRT_ROW_SUMS <= n; i += QRT_ROW_SUMS) {
#pragma GCC unroll 4
    for (size_t p = 0; p < PARTS; p++) s.part[p] += load(a + i + p * QRT_LANES, QRT_LANES);
  }
#pragma GCC unroll 4
  for (size_t p = 0; p < PARTS; p++) s.part[p] += load_at(a, i + p * QRT_LANES, n);
  return by_halves(s);
}

static float largest(size_t n, const float *a) {
  const float none = qrt_float_from(QRT_FLOAT_INFINITY | INT32_MIN);
  floats most = all(none);
  size_t i = 0;
  for (; i + QRT_LANES <= n; i += QRT_LANES) most = larger(load(a + i, QRT_LANES), most);
  float result = largest_of(most);
  for (; i < n; i++) result = a[i] > result ? a[i] : result;
  return result;
}

/* ---- softmax and normalize: a part of the work for several rows, then the next part, as the last steps of a row wait
 * for each other ---- */

enum { BLOCK = 12, ROWS = 4, WIDE = 4, CHUNK = WIDE * QRT_LANES, TOGETHER = QRT_LANES == 16 ? 2 : 1 };

/* Exponentials of CHUNK values a[i] - most to c, of `rows` rows, a constant; and to their sums. */
INLINE void exponentials_of(size_t rows, size_t n, const float *a, const float *most, float *c, sums *s) {
  const size_t count = rows * WIDE;
  floats e[TOGETHER * WIDE];
  EACH(v) e[v] = load(a + v / WIDE * n + v % WIDE * QRT_LANES, QRT_LANES) - most[v / WIDE];
  exponentials_of_negative(count, e);
  EACH(v) store(c + v / WIDE * n + v % WIDE * QRT_LANES, QRT_LANES, e[v]);
  EACH(v) s[v / WIDE].part[v % PARTS] += e[v];
}

/* Of n values, fewer than CHUNK. */
static void last_exponentials(size_t n, const float *a, float most, float *c, sums *s) {
  for (size_t i = 0; i < n; i += QRT_LANES) {
    floats e = load(a + i, n - i) - most;
    exponentials_of_negative(1, &e);
    store(c + i, n - i, e);
    s->part[i / QRT_LANES % PARTS] += n - i < QRT_LANES ? load(c + i, n - i) : e;
  }
}

/* By their sum, in place. If that is a number, all of them are. */
static void divide(size_t n, float sum, float *c) {
  const floats d = all(sum);
  size_t i = 0;
  if (sum != sum) {
    for (; i < n; i++) c[i] = qrt_float_from(QRT_FLOAT_NAN);
  }
  for (; i + QRT_LANES <= n; i += QRT_LANES) store(c + i, QRT_LANES, load(c + i, QRT_LANES) / d);
  if (i < n) store(c + i, n - i, load(c + i, n - i) / d);
}

void QRT_FUNCTION(softmax)(size_t m, size_t n, const float *a, float *c) {
  float x[BLOCK];
  for (size_t rows; m > 0; m -= rows, a += rows * n, c += rows * n) {
    rows = m < BLOCK ? m : BLOCK;
    sums s[BLOCK] = {{{{0}}}};
    for (size_t r = 0; r < rows; r++) x[r] = largest(n, a + r * n);
    size_t i = 0;
    for (; i + CHUNK <= n; i += CHUNK) {
      size_t r = 0;
      for (; r + TOGETHER <= rows; r += TOGETHER)
        exponentials_of(TOGETHER, n, a + r * n + i, x + r, c + r * n + i, s + r);
      for (; r < rows; r++) exponentials_of(1, n, a + r * n + i, x + r, c + r * n + i, s + r);
    }
    for (size_t r = 0; r < rows; r++) {
      if (i < n) last_exponentials(n - i, a + r * n + i, x[r], c + r * n + i, s + r);
      x[r] = by_halves(s[r]);
    }
    for (size_t r = 0; r < rows; r++) divide(n, x[r], c + r * n);
  }
}

/* a[i] - mean to c. Returns the row sum of the squares. */
static float deviations(size_t n, const float *a, float mean, float *c) {
  sums s = {{{0}}};
  size_t i = 0;
  for (; i + QRT_ROW_SUMS <= n; i += QRT_ROW_SUMS) {
#pragma GCC unroll 4
    for (size_t p = 0; p < PARTS; p++) {
      const floats d = load(a + i + p * QRT_LANES, QRT_LANES) - mean;
      store(c + i + p * QRT_LANES, QRT_LANES, d);
      s.part[p] += d * d;
    }
  }
#pragma GCC unroll 4
  for (size_t p = 0; p < PARTS && i < n; p++, i += QRT_LANES) {
    store(c + i, n - i, load(a + i, n - i) - mean);
    s.part[p] += load(c + i, n - i) * load(c + i, n - i);
  }
  return by_halves(s);
}

/* canonical(c[i] * factor * weight[i] + bias[i]) of `rows` rows, a constant, in place. */
INLINE void affine(size_t rows, size_t n, const float *factor, const float *weight, const float *bias, float *c) {
  const size_t count = rows;
  size_t i = 0;
  for (; i + QRT_LANES <= n; i += QRT_LANES) {
    const floats w = load(weight + i, QRT_LANES), b = load(bias + i, QRT_LANES);
    EACH(v) store(c + v * n + i, QRT_LANES, canonical(load(c + v * n + i, QRT_LANES) * factor[v] * w + b));
  }
  if (i < n) {
    const floats w = load(weight + i, n - i), b = load(bias + i, n - i);
    EACH(v) store(c + v * n + i, n - i, canonical(load(c + v * n + i, n - i) * factor[v] * w + b));
  }
}

void QRT_FUNCTION(normalize)(size_t m, size_t n, const float *a, const float *weight, const float *bias, float eps,
                             float *c) {
  const float count = (float)n;
  float x[BLOCK];
  for (size_t rows; m > 0; m -= rows, a += rows * n, c += rows * n) {
    rows = m < BLOCK ? m : BLOCK;
    for (size_t r = 0; r < rows; r++) x[r] = sum_of(n, a + r * n) / count;
    for (size_t r = 0; r < rows; r++) x[r] = deviations(n, a + r * n, x[r], c + r * n) / count;
    for (size_t r = 0; r < rows; r++) x[r] = 1.0f / qrt_sqrt(x[r] + eps);
    size_t r = 0;
    for (; r + ROWS <= rows; r += ROWS) affine(ROWS, n, x + r, weight, bias, c + r * n);
    for (; r < rows; r++) affine(1, n, x + r, weight, bias, c + r * n);
  }
}
