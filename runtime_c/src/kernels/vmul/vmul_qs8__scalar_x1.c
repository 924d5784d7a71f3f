/* vmul_qs8__scalar_x1.c - the reference: vmul.h's loop. */
#include "../../requantize.h"
#include "vmul.h"

void qrt_vmul_qs8__scalar_x1(size_t n, const int8_t *a, const int8_t *b, size_t b_stride, const qrt_vmul_params *params,
                             int8_t *c) {
  const qrt_vmul_params k = *params; /* which bytes that are stored cannot change */
  for (size_t i = 0; i < n; i++) {
    const int32_t product = (a[i] - k.a_zero_point) * (b[i * b_stride] - k.b_zero_point);
    c[i] = qrt_requantize((uint32_t)product, k.multiplier, &k.output);
  }
}
