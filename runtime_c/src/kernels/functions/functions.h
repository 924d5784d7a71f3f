/* functions.h - the cells of recurrent layers, from functions of floats.
 *
 *   x and h are the gates of one row, one after the other, n values each; of input and hidden state:
 *
 *   rnn:    for i < n: g = x[i] + h[i], c[i] = relu ? g > 0 ? g : 0 : tanh(g)
 *   lstm:   for i < n: i, f, g, o = x[.][i] + h[.][i], i, f and o through sigmoid, g through tanh
 *                      cell[i] = f * cell[i] + i * g, c[i] = o * tanh(cell[i])
 *   gru:    for i < n: r, z = sigmoid(x[.][i] + h[.][i]), m = tanh(x[2][i] + h[2][i] * r)
 *                      c[i] = (before[i] - m) * z + m
 *
 * Each operation is one of binary32; every NaN that is written is 0x7fc00000. sigmoid and tanh are those of
 * ../../functions.h.
 */
#ifndef QRT_KERNELS_FUNCTIONS_H
#define QRT_KERNELS_FUNCTIONS_H

#include "../kernels.h"

typedef struct qrt_functions_kernel {
  const char *name; /* "f32__avx2_x8" */
  uint32_t isa;
  uint32_t xr;
  void (*rnn)(size_t n, const float *x, const float *h, int relu, float *c);
  void (*lstm)(size_t n, const float *x, const float *h, float *cell, float *c);
  void (*gru)(size_t n, const float *x, const float *h, const float *before, float *c);
} qrt_functions_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_functions_kernel qrt_functions_kernels[];
extern const size_t qrt_functions_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_functions_kernel *qrt_functions_select(uint32_t isa_mask);

#define QRT_FUNCTIONS_KERNEL(dtype, isa, xr)                                                                           \
  void qrt_functions_##dtype##__##isa##_x##xr##_rnn(size_t n, const float *x, const float *h, int relu, float *c);     \
  void qrt_functions_##dtype##__##isa##_x##xr##_lstm(size_t n, const float *x, const float *h, float *cell, float *c); \
  void qrt_functions_##dtype##__##isa##_x##xr##_gru(size_t n, const float *x, const float *h, const float *before,     \
                                                    float *c);
#include "functions.inc"
#undef QRT_FUNCTIONS_KERNEL

#endif
