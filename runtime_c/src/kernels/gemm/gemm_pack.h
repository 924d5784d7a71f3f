/* gemm_pack.h - the packed form that the SIMD kernels share. One panel per nr columns, each a multiple of 64 bytes:
 *
 *   int32 bias[nr]          bias[j] - a_zero_point * sum w[j]   modulo 2^32, so that rows of a go in as they are
 *   float multiplier[nr]
 *   int8 w[runs][ceil(run / kr)][nr][kr]
 *
 * Columns past n and depth past a run are zero.
 */
#ifndef QRT_GEMM_PACK_H
#define QRT_GEMM_PACK_H

#include <string.h>

#include "gemm.h"

static inline size_t qrt_gemm_panel_size(size_t runs, size_t run, size_t nr, size_t kr) {
  const size_t bytes = nr * (sizeof(int32_t) + sizeof(float)) + runs * ((run + kr - 1) / kr) * kr * nr;
  return (bytes + 63) / 64 * 64;
}

static inline size_t qrt_gemm_panels_size(size_t n, size_t runs, size_t run, size_t nr, size_t kr) {
  return (n + nr - 1) / nr * qrt_gemm_panel_size(runs, run, nr, kr);
}

static inline void qrt_gemm_pack_panels(const qrt_gemm_weights *weights, size_t nr, size_t kr, void *packed) {
  const size_t n = weights->n, runs = weights->runs, run = weights->run;
  const size_t panel_size = qrt_gemm_panel_size(runs, run, nr, kr);
  const int8_t *w = weights->w;
  memset(packed, 0, qrt_gemm_panels_size(n, runs, run, nr, kr));
  for (size_t j = 0; j < n; j++) {
    char *panel = (char *)packed + j / nr * panel_size;
    const size_t column = j % nr;
    int32_t *bias = (int32_t *)panel;
    float *multiplier = (float *)(bias + nr);
    int8_t *to = (int8_t *)(multiplier + nr);
    uint32_t sum = 0;
    for (size_t q = 0; q < runs; q++) {
      const size_t group = q * ((run + kr - 1) / kr);
      for (size_t p = 0; p < run; p++, w++) {
        const size_t at = ((group + p / kr) * nr + column) * kr + p % kr;
        to[at] = *w;
        sum += (uint32_t)*w;
      }
    }
    bias[column] = (int32_t)((uint32_t)weights->bias[j] - (uint32_t)weights->a_zero_point * sum);
    multiplier[column] = weights->multiplier[j];
  }
}

#endif
