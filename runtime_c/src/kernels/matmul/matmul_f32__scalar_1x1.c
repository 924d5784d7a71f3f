/* matmul_f32__scalar_1x1.c - the reference: matmul.h's loops. */
#include "../../floats.h"
#include "matmul.h"

void qrt_matmul_f32__scalar_1x1(size_t m, size_t n, const qrt_matmul_rows *rows, const qrt_matmul_columns *columns,
                                float *c, size_t c_stride) {
  for (size_t i = 0; i < m; i++) {
    for (size_t j = 0; j < n; j++) {
      const float *a = qrt_matmul_row(rows, i), *b = columns->b + j * columns->panel;
      float sum = 0;
      for (size_t q = 0; q < rows->runs; q++, a += rows->run_stride) {
        for (size_t p = 0; p < rows->run; p++, b += columns->row) sum += a[p] * *b;
      }
      c[i * c_stride + j] = qrt_canonical(columns->bias ? sum + columns->bias[j] : sum);
    }
  }
}
