/* float_pack.c - see float_pack.h. */
#include "float_pack.h"

void qrt_fill_panels(size_t n, size_t k, const float *from, size_t column, size_t row, size_t nr, float *to) {
  for (size_t j = 0; j < n; j += nr) {
    for (size_t i = 0; i < k; ++i) {
      for (size_t x = j; x < j + nr; ++x) {
        *to++ = x < n ? from[x * column + i * row] : 0.0f;
      }
    }
  }
}

qrt_matmul_columns qrt_pack_columns(qrt_binder *binder, const qrt_matmul_kernel *kernel, size_t n, size_t k,
                                    const float *w, const float *bias) {
  if (kernel->nr == 1) {
    return (qrt_matmul_columns){w, 1, k, bias};
  }
  const uint64_t size = ((uint64_t)n + kernel->nr) * k * sizeof(float); /* at least that of the panels */
  if (size > SIZE_MAX / 2) {
    qrt_bind_memory(binder, UINT64_MAX);
    return (qrt_matmul_columns){NULL, 0, 0, NULL};
  }
  const qrt_recipe recipe = {
      kernel->name, {w, NULL, NULL}, qrt_panels_size(n, k, kernel->nr) * sizeof(float), {n, k, 0}, 0};
  void *to;
  const float *panels = qrt_bind_form(binder, &recipe, &to);
  if (to) {
    qrt_fill_panels(n, k, w, k, 1, kernel->nr, to);
  }
  return (qrt_matmul_columns){panels, kernel->nr, kernel->nr * k, bias};
}
