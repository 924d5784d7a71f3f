/* gemm_qs8__scalar_1x1.c - the reference: gemm.h's loops. Uses the file's weights where they lie. */
#include "../../requantize.h"
#include "gemm.h"

size_t qrt_gemm_qs8__scalar_1x1_packed_size(size_t n, size_t k) {
  (void)n, (void)k;
  return sizeof(qrt_gemm_weights);
}

void qrt_gemm_qs8__scalar_1x1_pack(const qrt_gemm_weights *weights, void *packed) {
  *(qrt_gemm_weights *)packed = *weights;
}

void qrt_gemm_qs8__scalar_1x1(size_t m, size_t n, size_t k, const int8_t *a, size_t a_stride, const void *packed,
                              const qrt_output_range *output, int8_t *c, size_t c_stride) {
  const qrt_gemm_weights *weights = packed;
  for (size_t i = 0; i < m; i++) {
    for (size_t j = 0; j < n; j++) {
      const int8_t *w = weights->w + j * k;
      uint32_t acc = (uint32_t)weights->bias[j];
      for (size_t p = 0; p < k; p++) acc += (uint32_t)((a[p] - weights->a_zero_point) * w[p]);
      c[j] = qrt_requantize(acc, weights->multiplier[j], output);
    }
    a += a_stride;
    c += c_stride;
  }
}
