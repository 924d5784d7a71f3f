/* pool_qs8__scalar_c1.c - the reference: pool.h's loops. */
#include "../../requantize.h"
#include "pool.h"

void qrt_pool_qs8__scalar_c1_max(const qrt_pool_window *window, int8_t *c) {
  for (size_t j = 0; j < window->channels; j++) {
    int8_t best = -128;
    for (size_t r = 0; r < window->rows; r++) {
      for (size_t t = 0; t < window->columns; t++) {
        const int8_t a = window->a[r * window->row_stride + t * window->column_stride + j];
        best = a > best ? a : best;
      }
    }
    c[j] = best;
  }
}

void qrt_pool_qs8__scalar_c1_avg(const qrt_pool_window *window, int32_t a_zero_point, float multiplier,
                                 const qrt_output_range *output, int8_t *c) {
  for (size_t j = 0; j < window->channels; j++) {
    uint32_t sum = 0;
    for (size_t r = 0; r < window->rows; r++) {
      for (size_t t = 0; t < window->columns; t++) {
        sum += (uint32_t)(window->a[r * window->row_stride + t * window->column_stride + j] - a_zero_point);
      }
    }
    c[j] = qrt_requantize(sum, multiplier, output);
  }
}
