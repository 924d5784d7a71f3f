/* gemm_qs8__dsp_2x2.c - 2 rows by 2 columns, four values deep: 8 smlad for 16 products, the zero point in the
 * sign-extension. Uses the file's weights where they lie. */
#include "../../dsp.h"
#include "../../requantize.h"
#include "gemm.h"

size_t qrt_gemm_qs8__dsp_2x2_packed_size(size_t n, size_t runs, size_t run) {
  (void)n, (void)runs, (void)run;
  return sizeof(qrt_gemm_weights);
}

void qrt_gemm_qs8__dsp_2x2_pack(const qrt_gemm_weights *weights, void *packed) {
  *(qrt_gemm_weights *)packed = *weights;
}

/* Sums of a run: two rows of a with two columns of w, acc being [row][column]. */
static inline void add_run(const int8_t *a0, const int8_t *a1, const int8_t *w0, const int8_t *w1, size_t run,
                           uint32_t offset, uint32_t acc[4]) {
  uint32_t acc00 = acc[0], acc01 = acc[1], acc10 = acc[2], acc11 = acc[3];
  for (; run >= 4; run -= 4, a0 += 4, a1 += 4, w0 += 4, w1 += 4) {
    const uint32_t v0 = qrt_load_dsp(w0), v1 = qrt_load_dsp(w1), x0 = qrt_load_dsp(a0), x1 = qrt_load_dsp(a1);
    const uint32_t v0_even = qrt_even_alone_dsp(v0), v0_odd = qrt_odd_alone_dsp(v0);
    const uint32_t v1_even = qrt_even_alone_dsp(v1), v1_odd = qrt_odd_alone_dsp(v1);
    const uint32_t x0_even = qrt_even_dsp(offset, x0), x0_odd = qrt_odd_dsp(offset, x0);
    acc00 = qrt_multiply_pairs_dsp(qrt_multiply_pairs_dsp(acc00, x0_even, v0_even), x0_odd, v0_odd);
    acc01 = qrt_multiply_pairs_dsp(qrt_multiply_pairs_dsp(acc01, x0_even, v1_even), x0_odd, v1_odd);
    const uint32_t x1_even = qrt_even_dsp(offset, x1), x1_odd = qrt_odd_dsp(offset, x1);
    acc10 = qrt_multiply_pairs_dsp(qrt_multiply_pairs_dsp(acc10, x1_even, v0_even), x1_odd, v0_odd);
    acc11 = qrt_multiply_pairs_dsp(qrt_multiply_pairs_dsp(acc11, x1_even, v1_even), x1_odd, v1_odd);
  }
  const int32_t zero_offset = (int16_t)offset;
  for (; run > 0; run--, w0++, w1++) {
    const int32_t x0 = *a0++ + zero_offset, x1 = *a1++ + zero_offset;
    acc00 += (uint32_t)(x0 * *w0), acc01 += (uint32_t)(x0 * *w1);
    acc10 += (uint32_t)(x1 * *w0), acc11 += (uint32_t)(x1 * *w1);
  }
  acc[0] = acc00, acc[1] = acc01, acc[2] = acc10, acc[3] = acc11;
}

static inline void store(const qrt_gemm_weights *weights, size_t j, uint32_t acc, const qrt_output_range *output,
                         int8_t *c) {
  if (output) {
    c[j] = qrt_requantize(acc, weights->multiplier[j], output);
  } else {
    ((int32_t *)(void *)c)[j] = (int32_t)acc;
  }
}

void qrt_gemm_qs8__dsp_2x2(size_t m, size_t n, const qrt_gemm_rows *a, const void *packed,
                           const qrt_output_range *output, int8_t *c, size_t c_stride) {
  const qrt_gemm_weights *weights = packed;
  const uint32_t offset = qrt_twice_dsp(-weights->a_zero_point);
  const size_t depth = a->runs * a->run;
  qrt_gemm_walk walk = qrt_gemm_first(a);
  for (size_t i = 0; i < m; i += 2, c += 2 * c_stride) {
    const int8_t *row0 = qrt_gemm_next(a, &walk), *row1 = row0;
    int8_t *c1 = c;
    if (i + 1 < m) {
      row1 = qrt_gemm_next(a, &walk);
      c1 = c + c_stride;
    }
    for (size_t j = 0; j < n; j += 2) {
      const size_t other = j + 1 < n ? j + 1 : j; /* a last odd row or column is computed twice */
      const int8_t *w0 = weights->w + j * depth, *w1 = weights->w + other * depth;
      const uint32_t bias0 = (uint32_t)weights->bias[j], bias1 = (uint32_t)weights->bias[other];
      uint32_t acc[4] = {bias0, bias1, bias0, bias1};
      for (size_t q = 0; q < a->runs; q++, w0 += a->run, w1 += a->run) {
        add_run(row0 + q * a->run_stride, row1 + q * a->run_stride, w0, w1, a->run, offset, acc);
      }
      store(weights, j, acc[0], output, c);
      store(weights, other, acc[1], output, c);
      store(weights, j, acc[2], output, c1);
      store(weights, other, acc[3], output, c1);
    }
  }
}
