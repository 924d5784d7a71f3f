/* convert_f32_qs8__scalar_x1.c - the reference: convert.h's loops. */
#include "../../requantize.h"
#include "convert.h"

void qrt_convert_f32_qs8__scalar_x1_quantize(size_t n, const float *a, float inverse_scale,
                                             const qrt_output_range *output, int8_t *c) {
  for (size_t i = 0; i < n; i++) c[i] = qrt_quantize(a[i], inverse_scale, output);
}

void qrt_convert_f32_qs8__scalar_x1_dequantize(size_t n, const int8_t *a, float scale, int32_t zero_point, float *c) {
  for (size_t i = 0; i < n; i++) c[i] = scale * (float)(a[i] - zero_point);
}
