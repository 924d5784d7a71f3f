/* wgemm_f32__scalar_1x1.c - the reference: wgemm.h's loops. Weights stay where they are. */
#include <string.h>

#include "../../floats.h"
#include "wgemm.h"

size_t qrt_wgemm_f32__scalar_1x1_packed_size(size_t n, size_t k, size_t group, int bits) {
  (void)n, (void)k, (void)group, (void)bits;
  return sizeof(qrt_wgemm_weights);
}

void qrt_wgemm_f32__scalar_1x1_pack(const qrt_wgemm_weights *weights, void *packed) {
  memcpy(packed, weights, sizeof *weights);
}

static int value_at(const qrt_wgemm_weights *weights, size_t j, size_t k) {
  if (weights->bits == 8) return ((const int8_t *)weights->w)[j * weights->k + k];
  const uint8_t *row = (const uint8_t *)weights->w + j * ((weights->k + 1) / 2);
  return (row[k / 2] >> (k % 2 * 4) & 15) - 8;
}

void qrt_wgemm_f32__scalar_1x1(const qrt_wgemm_shape *shape, size_t m, const float *a, size_t a_stride,
                               const void *packed, float *c, size_t c_stride) {
  const qrt_wgemm_weights *weights = packed;
  const size_t groups = (shape->k + shape->group - 1) / shape->group;
  for (size_t i = 0; i < m; i++) {
    for (size_t j = 0; j < shape->n; j++) {
      float acc = 0;
      for (size_t k = 0; k < shape->k; k++) {
        const float w = weights->scale[j * groups + k / shape->group] * (float)value_at(weights, j, k);
        const float product = a[i * a_stride + k] * w;
        acc = acc + product;
      }
      const float x = acc + weights->bias[j];
      c[i * c_stride + j] = shape->relu ? qrt_relu(x) : qrt_canonical(x);
    }
  }
}
