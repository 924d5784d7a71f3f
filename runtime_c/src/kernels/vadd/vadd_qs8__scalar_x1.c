/* vadd_qs8__scalar_x1.c - the reference: vadd.h's loop. */
#include "../../requantize.h"
#include "vadd.h"

void qrt_vadd_qs8__scalar_x1(size_t n, const int8_t *a, const int8_t *b, size_t b_stride, const qrt_vadd_params *params,
                             int8_t *c) {
  const qrt_vadd_params k = *params; /* which bytes that are stored cannot change */
  for (size_t i = 0; i < n; i++) {
    const float x = (float)(a[i] - k.a_zero_point) * k.a_multiplier;
    const float y = (float)(b[i * b_stride] - k.b_zero_point) * k.b_multiplier;
    c[i] = qrt_round_clamp(x + y, &k.output);
  }
}
