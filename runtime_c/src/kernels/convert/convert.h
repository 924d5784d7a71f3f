/* convert.h - between float and int8, and what dynamic quantization needs of both.
 *
 *   quantize:    for i < n: c[i] = isnan(a[i]) ? zero_point : round_clamp(f32(a[i] * inverse_scale), output)
 *   dequantize:  for i < n: c[i] = f32(scale * f32(a[i] - zero_point))
 *   range:       low = min(0, a[i]), high = max(0, a[i]) over all i < n whose a[i] is finite
 *   scale_sums:  for i < n: x    = f32(f32(f32(a[i] - zero_point * sum[i]) * f32(scale * weight_scale[i])) + bias[i])
 *                           c[i] = relu ? x > 0 ? x : 0 : x;  the integers modulo 2^32, NaN as 0x7fc00000
 *
 * Infinities saturate. 2^-60 <= scale, inverse_scale, weight_scale <= 2^60. a and c of scale_sums may be the same
 * memory.
 */
#ifndef QRT_CONVERT_H
#define QRT_CONVERT_H

#include "../kernels.h"

/* What turns sums of products of int8 into floats; arrays have one element per column. */
typedef struct qrt_sums_scale {
  const int32_t *sum; /* of the column's weights */
  const float *weight_scale, *bias;
  float scale; /* of the row */
  int32_t zero_point;
  int32_t relu;
} qrt_sums_scale;

typedef struct qrt_convert_kernel {
  const char *name; /* "f32_qs8__avx2_x16" */
  uint32_t isa;
  uint32_t xr;
  void (*quantize)(size_t n, const float *a, float inverse_scale, const qrt_output_range *output, int8_t *c);
  void (*dequantize)(size_t n, const int8_t *a, float scale, int32_t zero_point, float *c);
  void (*range)(size_t n, const float *a, float *low, float *high);
  void (*scale_sums)(size_t n, const int32_t *a, const qrt_sums_scale *params, float *c);
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
                                                         float *c);                                                  \
  void qrt_convert_##dtype##__##isa##_x##xr##_range(size_t n, const float *a, float *low, float *high);              \
  void qrt_convert_##dtype##__##isa##_x##xr##_scale_sums(size_t n, const int32_t *a, const qrt_sums_scale *params,   \
                                                         float *c);
#include "convert.inc"
#undef QRT_CONVERT_KERNEL

#endif
