/* convert.h - between float and int8.
 *
 *   quantize:    for i < n: c[i] = isnan(a[i]) ? zero_point : round_clamp(f32(a[i] * inverse_scale), output)
 *   dequantize:  for i < n: c[i] = f32(scale * f32(a[i] - zero_point))
 *
 * Infinities saturate. 2^-60 <= scale, inverse_scale <= 2^60.
 */
#ifndef QRT_CONVERT_H
#define QRT_CONVERT_H

#include "../kernels.h"

typedef struct qrt_convert_kernel {
  const char *name; /* "f32_qs8__avx2_x16" */
  uint32_t isa;
  uint32_t xr;
  void (*quantize)(size_t n, const float *a, float inverse_scale, const qrt_output_range *output, int8_t *c);
  void (*dequantize)(size_t n, const int8_t *a, float scale, int32_t zero_point, float *c);
} qrt_convert_kernel;

/* All kernels of this build, best first; the last is the scalar reference. */
extern const qrt_convert_kernel qrt_convert_kernels[];
extern const size_t qrt_convert_kernel_count;

/* The best kernel whose instruction set is in `isa_mask`. */
const qrt_convert_kernel *qrt_convert_select(uint32_t isa_mask);

#define QRT_CONVERT_KERNEL(dtype, isa, xr)                                                                           \
  void qrt_convert_##dtype##__##isa##_x##xr##_quantize(size_t n, const float *a, float inverse_scale,                \
                                                       const qrt_output_range *output, int8_t *c);                   \
  void qrt_convert_##dtype##__##isa##_x##xr##_dequantize(size_t n, const int8_t *a, float scale, int32_t zero_point, \
                                                         float *c);
#include "convert.inc"
#undef QRT_CONVERT_KERNEL

#endif
