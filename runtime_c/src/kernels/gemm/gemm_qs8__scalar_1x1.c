/* gemm_qs8__scalar_1x1.c - the reference: gemm.h's loops. Uses the file's weights where they lie. */
#include "../../requantize.h"
#include "gemm.h"

size_t qrt_gemm_qs8__scalar_1x1_packed_size(size_t n, size_t runs, size_t run) {
  (void)n, (void)runs, (void)run;
  return sizeof(qrt_gemm_weights);
}

void qrt_gemm_qs8__scalar_1x1_pack(const qrt_gemm_weights *weights, void *packed) {
  *(qrt_gemm_weights *)packed = *weights;
}

void qrt_gemm_qs8__scalar_1x1(size_t m, size_t n, const qrt_gemm_rows *a, const void *packed,
                              const qrt_output_range *output, int8_t *c, size_t c_stride) {
  const qrt_gemm_weights *weights = packed;
  qrt_gemm_walk walk = qrt_gemm_first(a);
  for (size_t i = 0; i < m; i++, c += c_stride) {
    const int8_t *row = qrt_gemm_next(a, &walk);
    const int8_t *w = weights->w;
    for (size_t j = 0; j < n; j++) {
      uint32_t acc = (uint32_t)weights->bias[j];
      for (size_t q = 0; q < a->runs; q++, w += a->run) {
        const int8_t *x = row + q * a->run_stride;
        for (size_t p = 0; p < a->run; p++) acc += (uint32_t)((x[p] - weights->a_zero_point) * w[p]);
      }
      if (output) {
        c[j] = qrt_requantize(acc, weights->multiplier[j], output);
      } else {
        ((int32_t *)(void *)c)[j] = (int32_t)acc;
      }
    }
  }
}
