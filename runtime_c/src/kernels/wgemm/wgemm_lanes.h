/* wgemm_lanes.h - the wgemm family in lanes, the compiler's vectors, four of them to a panel of columns. A kernel's
 * file sets QRT_LANES, QRT_ROWS, the rows of a tile, and QRT_WGEMM(suffix), the name of a function of its own; it
 * defines expand(), QRT_COLUMNS int8 to as many floats; and includes this.
 *
 * Packed are panels of QRT_COLUMNS columns, each a multiple of 64 bytes; columns past n are zero:
 *
 *   float bias[columns]
 *   float scale[groups][columns]
 *   int8 w[k][columns], or uint8 w[ceil(k / 2)][columns], the value of an even k in the low half
 */
#include <string.h>

#include "../../floats.h"

enum { QRT_COLUMNS = 4 * QRT_LANES };

static inline size_t qrt_wgemm_panel_size(size_t k, size_t group, int bits) {
  const size_t groups = (k + group - 1) / group, depth = bits == 8 ? k : (k + 1) / 2;
  return ((1 + groups) * QRT_COLUMNS * sizeof(float) + depth * QRT_COLUMNS + 63) / 64 * 64;
}

size_t QRT_WGEMM(_packed_size)(size_t n, size_t k, size_t group, int bits) {
  return (n + QRT_COLUMNS - 1) / QRT_COLUMNS * qrt_wgemm_panel_size(k, group, bits);
}

void QRT_WGEMM(_pack)(const qrt_wgemm_weights *weights, void *packed) {
  const size_t k = weights->k, groups = (k + weights->group - 1) / weights->group;
  const size_t size = qrt_wgemm_panel_size(k, weights->group, weights->bits);
  const size_t depth = weights->bits == 8 ? k : (k + 1) / 2;
  memset(packed, 0, QRT_WGEMM(_packed_size)(weights->n, k, weights->group, weights->bits));
  for (size_t j = 0; j < weights->n; j++) {
    const size_t column = j % QRT_COLUMNS;
    float *bias = (float *)(void *)((char *)packed + j / QRT_COLUMNS * size), *scale = bias + QRT_COLUMNS;
    uint8_t *w = (uint8_t *)(scale + groups * QRT_COLUMNS);
    bias[column] = weights->bias[j];
    for (size_t g = 0; g < groups; g++) scale[g * QRT_COLUMNS + column] = weights->scale[j * groups + g];
    for (size_t d = 0; d < depth; d++) w[d * QRT_COLUMNS + column] = ((const uint8_t *)weights->w)[j * depth + d];
  }
}

typedef struct panel {
  const qrt_wgemm_shape *shape;
  const float *bias, *scale;
  const uint8_t *w;
  size_t columns; /* that exist */
  size_t a_stride, c_stride;
} panel;

/* acc += a[.][k] * (scale * w) */
INLINE void add_products(size_t rows, const float *a, size_t stride, const int8_t *w, const floats *scale,
                         floats acc[QRT_ROWS][4]) {
  floats x[4];
  expand(w, x);
#pragma GCC unroll 4
  for (size_t v = 0; v < 4; v++) x[v] = scale[v] * x[v];
#pragma GCC unroll 4
  for (size_t i = 0; i < rows; i++) {
    const float ai = a[i * stride];
#pragma GCC unroll 4
    for (size_t v = 0; v < 4; v++) acc[i][v] = acc[i][v] + ai * x[v];
  }
}

typedef uint8_t row_of_bytes __attribute__((vector_size(4 * QRT_LANES)));

INLINE void store_tile(size_t rows, const panel *p, floats acc[QRT_ROWS][4], float *c) {
  for (size_t i = 0; i < rows; i++) {
    float x[QRT_COLUMNS];
    for (size_t v = 0; v < 4; v++) {
      floats bias;
      memcpy(&bias, p->bias + v * QRT_LANES, sizeof bias);
      bias = acc[i][v] + bias;
      memcpy(x + v * QRT_LANES, &bias, sizeof bias);
    }
    for (size_t j = 0; j < p->columns; j++) {
      c[i * p->c_stride + j] = p->shape->relu ? qrt_relu(x[j]) : qrt_canonical(x[j]);
    }
  }
}

INLINE void tile(size_t rows, const panel *p, const float *a, float *c) {
  const size_t k = p->shape->k, group = p->shape->group;
  const uint8_t *w = p->w;
  floats acc[QRT_ROWS][4] = {{{0}}}, scale[4];
  for (size_t begin = 0, g = 0; begin < k; begin += group, g++) {
    const size_t end = k - begin < group ? k : begin + group;
    memcpy(scale, p->scale + g * QRT_COLUMNS, sizeof scale);
    if (p->shape->bits == 8) {
      for (size_t at = begin; at < end; at++, w += QRT_COLUMNS) {
        add_products(rows, a + at, p->a_stride, (const int8_t *)w, scale, acc);
      }
      continue;
    }
    for (size_t at = begin; at < end; at += 2, w += QRT_COLUMNS) {
      row_of_bytes pairs, half;
      int8_t values[QRT_COLUMNS];
      memcpy(&pairs, w, sizeof pairs);
      half = (pairs & 15) - 8;
      memcpy(values, &half, sizeof half);
      add_products(rows, a + at, p->a_stride, values, scale, acc);
      if (at + 1 < end) {
        half = (pairs >> 4) - 8;
        memcpy(values, &half, sizeof half);
        add_products(rows, a + at + 1, p->a_stride, values, scale, acc);
      }
    }
  }
  store_tile(rows, p, acc, c);
}

void QRT_WGEMM()(const qrt_wgemm_shape *shape, size_t m, const float *a, size_t a_stride, const void *packed, float *c,
                 size_t c_stride) {
  const size_t size = qrt_wgemm_panel_size(shape->k, shape->group, shape->bits);
  const size_t groups = (shape->k + shape->group - 1) / shape->group;
  panel p = {.shape = shape, .a_stride = a_stride, .c_stride = c_stride};
  for (size_t j = 0; j < shape->n; j += QRT_COLUMNS, packed = (const char *)packed + size) {
    p.bias = packed;
    p.scale = p.bias + QRT_COLUMNS;
    p.w = (const uint8_t *)(p.scale + groups * QRT_COLUMNS);
    p.columns = shape->n - j < QRT_COLUMNS ? shape->n - j : QRT_COLUMNS;
    size_t i = 0;
    for (; i + QRT_ROWS <= m; i += QRT_ROWS) tile(QRT_ROWS, &p, a + i * a_stride, c + i * c_stride + j);
    for (; i < m; i++) tile(1, &p, a + i * a_stride, c + i * c_stride + j);
  }
}
