/* taps_lanes.h - the taps family in lanes. A kernel's file sets QRT_LANES and QRT_FUNCTION(name), the name of a
 * function of its own, and includes this. */
#include "../lanes.h"
#include "taps.h"

void QRT_FUNCTION(products)(size_t taps, size_t n, const float *const *a, const float *const *w, const float *bias,
                            float *c) {
  for (size_t j = 0; j < n; j += QRT_LANES) {
    floats sum = {0};
    for (size_t t = 0; t < taps; t++) sum += load(a[t] + j, n - j) * load(w[t] + j, n - j);
    store(c + j, n - j, canonical(sum + load(bias + j, n - j)));
  }
}

void QRT_FUNCTION(mean)(size_t taps, size_t n, const float *const *a, float divisor, float *c) {
  for (size_t j = 0; j < n; j += QRT_LANES) {
    floats sum = {0};
    for (size_t t = 0; t < taps; t++) sum += load(a[t] + j, n - j);
    store(c + j, n - j, canonical(sum / divisor));
  }
}

void QRT_FUNCTION(largest)(size_t taps, size_t n, const float *const *a, float *c) {
  for (size_t j = 0; j < n; j += QRT_LANES) {
    floats most = all(qrt_float_from(QRT_FLOAT_INFINITY | INT32_MIN));
    for (size_t t = 0; t < taps; t++) {
      const floats x = load(a[t] + j, n - j);
      most = choose(less(most, x), x, most);
    }
    store(c + j, n - j, most);
  }
}
