/* unary.h - functions of each element of a float array: those of functions.inc.
 *
 *   for i < n: c[i] = canonical(function(a[i]))                      a and c may be the same memory
 *
 *   relu          x > 0 ? x : 0                      neg, abs        the sign bit alone
 *   sigmoid ...   ../../functions.h has them         sqrt, rsqrt     correctly rounded; 1 / sqrt(x)
 *   hardsigmoid   clamp(x + 3, 0, 6) / 6             hardswish       x * clamp(x + 3, 0, 6) / 6
 *   elu           x > 0 ? x : (exp(x) - 1) * p[0]    leaky_relu      x > 0 ? x : x * p[0]
 *   clamp         x < p[0] ? p[0] : x > p[1] ? p[1] : x
 *
 * Each operation is one of binary32, from the left; every NaN that is written is 0x7fc00000.
 */
#ifndef QRT_UNARY_H
#define QRT_UNARY_H

#include "../kernels.h"

typedef enum qrt_unary_function {
#define QRT_UNARY(name) QRT_UNARY_##name,
#include "functions.inc"
#undef QRT_UNARY
  QRT_UNARY_COUNT
} qrt_unary_function;

enum { QRT_UNARY_PARAMETERS = 2 };

typedef struct qrt_unary_kernel {
  const char *name; /* "f32__avx2_x8" */
  uint32_t isa;
  uint32_t xr;
  void (*run)(qrt_unary_function function, size_t n, const float *a, const float *p, float *c);
} qrt_unary_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_unary_kernel qrt_unary_kernels[];
extern const size_t qrt_unary_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_unary_kernel *qrt_unary_select(uint32_t isa_mask);

#define QRT_UNARY_KERNEL(dtype, isa, xr)                                                                         \
  void qrt_unary_##dtype##__##isa##_x##xr(qrt_unary_function function, size_t n, const float *a, const float *p, \
                                          float *c);
#include "unary.inc"
#undef QRT_UNARY_KERNEL

#endif
