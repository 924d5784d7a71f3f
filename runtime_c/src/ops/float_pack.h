/* float_pack.h - float weights into panels for a matmul kernel. */
#ifndef QRT_FLOAT_PACK_H
#define QRT_FLOAT_PACK_H

#include "../bind.h"
#include "../kernels/matmul/matmul.h"

/* Floats in the panels of n columns and k rows. */
static inline size_t qrt_panels_size(size_t n, size_t k, size_t nr) {
  return (n + nr - 1) / nr * nr * k;
}

/* b(k, j) = from[j * column + k * row] for j < n as panels at `to`; columns past n are zero. */
void qrt_fill_panels(size_t n, size_t k, const float *from, size_t column, size_t row, size_t nr, float *to);

/* A constant w, [n][k] row major, as the right matrix: packed into memory, unless the kernel takes it as it lies. */
qrt_matmul_columns qrt_pack_columns(qrt_binder *binder, const qrt_matmul_kernel *kernel, size_t n, size_t k,
                                    const float *w, const float *bias);

#endif
