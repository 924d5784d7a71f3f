/* norm.h - what layer_norm and group_norm share; design rule 9. n <= QRT_LIMIT_WINDOW = 2^23, and |q'| <= 255, so
 *
 *   |sum q'| < 2^31,  n * sum q'^2 < 2^62,  and |n * q' - sum q'| <= 255 * n < 2^31, both terms of it lying on the same
 *   255 steps. */
#ifndef QRT_NORM_H
#define QRT_NORM_H

#include "../requantize.h"
#include "../sqrt.h"

typedef struct qrt_norm_sums {
  int64_t values, squares;
} qrt_norm_sums;

static inline void qrt_norm_add(qrt_norm_sums *sums, int32_t q) {
  sums->values += q;
  sums->squares += q * q;
}

/* f32(r / f32(n)) */
static inline float qrt_norm_factor(const qrt_norm_sums *sums, int64_t n, float eps) {
  const float variance = (float)(n * sums->squares - sums->values * sums->values) / (float)(n * n) + eps;
  return 1.0f / qrt_sqrt(variance) / (float)n;
}

static inline int8_t qrt_norm_value(const qrt_norm_sums *sums, int64_t n, float factor, int32_t q, float weight,
                                    float bias, const qrt_output_range *output) {
  const float h = (float)((int32_t)n * q - (int32_t)sums->values) * factor;
  return qrt_round_clamp(h * weight + bias, output);
}

#endif
