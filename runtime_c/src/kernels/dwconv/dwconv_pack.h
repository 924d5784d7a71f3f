/* dwconv_pack.h - the packed form that the SIMD kernels share, `padded` being channels rounded up to cr:
 *
 *   int32 bias[padded]   float multiplier[padded]   int8 w[kh * kw][padded]
 *
 * Channels past the last are zero. The zero point stays out of the bias: how many taps meet the input varies by
 * position.
 */
#ifndef QRT_DWCONV_PACK_H
#define QRT_DWCONV_PACK_H

#include <string.h>

#include "dwconv.h"

typedef struct qrt_dwconv_packed {
  size_t padded;
  const int32_t *bias;
  const float *multiplier;
  const int8_t *w;
} qrt_dwconv_packed;

static inline size_t qrt_dwconv_padded(size_t channels, size_t cr) {
  return (channels + cr - 1) / cr * cr;
}

static inline size_t qrt_dwconv_packed_size(size_t channels, size_t kh, size_t kw, size_t cr) {
  return qrt_dwconv_padded(channels, cr) * (sizeof(int32_t) + sizeof(float) + kh * kw);
}

static inline qrt_dwconv_packed qrt_dwconv_unpack(const void *packed, size_t channels, size_t cr) {
  qrt_dwconv_packed p;
  p.padded = qrt_dwconv_padded(channels, cr);
  p.bias = packed;
  p.multiplier = (const float *)(p.bias + p.padded);
  p.w = (const int8_t *)(p.multiplier + p.padded);
  return p;
}

static inline void qrt_dwconv_pack(const qrt_dwconv_weights *weights, size_t cr, void *packed) {
  const size_t channels = weights->channels, taps = weights->kh * weights->kw;
  const size_t padded = qrt_dwconv_padded(channels, cr);
  int32_t *bias = packed;
  float *multiplier = (float *)(bias + padded);
  int8_t *w = (int8_t *)(multiplier + padded);
  memset(packed, 0, qrt_dwconv_packed_size(channels, weights->kh, weights->kw, cr));
  for (size_t j = 0; j < channels; j++) {
    bias[j] = weights->bias[j];
    multiplier[j] = weights->multiplier[j];
    for (size_t tap = 0; tap < taps; tap++) w[tap * padded + j] = weights->w[j * taps + tap];
  }
}

#endif
