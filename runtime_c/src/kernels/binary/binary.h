/* binary.h - functions of the elements of two float arrays: those of functions.inc.
 *
 *   for i < n: c[i] = canonical(f32(a[i * a_step] function b[i * b_step]))
 *
 * A step is 0 (one value for all) or 1. c may be an operand whose step is 1 (in place). Every NaN that is written is
 * 0x7fc00000.
 */
#ifndef QRT_BINARY_H
#define QRT_BINARY_H

#include "../kernels.h"

typedef enum qrt_binary_function {
#define QRT_BINARY(name, value) QRT_BINARY_##name,
#include "functions.inc"
#undef QRT_BINARY
  QRT_BINARY_COUNT
} qrt_binary_function;

typedef struct qrt_binary_kernel {
  const char *name; /* "f32__avx2_x8" */
  uint32_t isa;
  uint32_t xr;
  void (*run)(qrt_binary_function function, size_t n, const float *a, size_t a_step, const float *b, size_t b_step,
              float *c);
} qrt_binary_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_binary_kernel qrt_binary_kernels[];
extern const size_t qrt_binary_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_binary_kernel *qrt_binary_select(uint32_t isa_mask);

#define QRT_BINARY_KERNEL(dtype, isa, xr)                                                                         \
  void qrt_binary_##dtype##__##isa##_x##xr(qrt_binary_function function, size_t n, const float *a, size_t a_step, \
                                           const float *b, size_t b_step, float *c);
#include "binary.inc"
#undef QRT_BINARY_KERNEL

#endif
