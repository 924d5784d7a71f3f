/* convert_f32_qs8__scalar_x1.c - the reference: convert.h's loops. */
#include "../../floats.h"
#include "../../requantize.h"
#include "convert.h"

void qrt_convert_f32_qs8__scalar_x1_quantize(size_t n, const float *a, float inverse_scale,
                                             const qrt_output_range *output, int8_t *c) {
  const qrt_output_range range = *output; /* which bytes that are stored cannot change */
  for (size_t i = 0; i < n; i++) c[i] = qrt_quantize(a[i], inverse_scale, &range);
}

void qrt_convert_f32_qs8__scalar_x1_dequantize(size_t n, const int8_t *a, float scale, int32_t zero_point, float *c) {
  for (size_t i = 0; i < n; i++) c[i] = scale * (float)(a[i] - zero_point);
}

void qrt_convert_f32_qs8__scalar_x1_range(size_t n, const float *a, float *low, float *high) {
  qrt_float_range range = {0, 0};
  for (size_t i = 0; i < n; i++) qrt_float_range_add(&range, qrt_float_bits(a[i]));
  *low = qrt_float_range_low(&range);
  *high = qrt_float_range_high(&range);
}

void qrt_convert_f32_qs8__scalar_x1_scale_sums(size_t n, const int32_t *a, const qrt_sums_scale *params, float *c) {
  for (size_t i = 0; i < n; i++) {
    const uint32_t acc = (uint32_t)a[i] - (uint32_t)params->zero_point * (uint32_t)params->sum[i];
    const float product = (float)(int32_t)acc * (params->scale * params->weight_scale[i]);
    const float x = product + params->bias[i];
    c[i] = params->relu ? qrt_relu(x) : qrt_canonical(x);
  }
}
