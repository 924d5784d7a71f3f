/* floats.h - binary32 numbers and their bits; rule 0 of the numerics contract. */
#ifndef QRT_FLOATS_H
#define QRT_FLOATS_H

#include <stdint.h>
#include <string.h>

#define QRT_FLOAT_INFINITY 0x7f800000 /* the bits of */
#define QRT_FLOAT_NAN      0x7fc00000 /* the one NaN that is ever written */

static inline int32_t qrt_float_bits(float x) {
  int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline float qrt_float_from(int32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static inline float qrt_canonical(float x) {
  return x == x ? x : qrt_float_from(QRT_FLOAT_NAN);
}

/* x > 0 ? x : 0, so of NaN it is 0. */
static inline float qrt_relu(float x) {
  return x > 0 ? x : 0;
}

/* The largest of zero and the finite numbers seen, and that of their negatives, as bits: in this order integers are
 * compared as the numbers are, and no mode can flush them. */
typedef struct qrt_float_range {
  int32_t high, low;
} qrt_float_range;

static inline void qrt_float_range_add(qrt_float_range *range, int32_t bits) {
  if ((bits & INT32_MAX) < QRT_FLOAT_INFINITY) {
    const int32_t negative = bits ^ INT32_MIN;
    range->high = bits > range->high ? bits : range->high;
    range->low = negative > range->low ? negative : range->low;
  }
}

static inline float qrt_float_range_low(const qrt_float_range *range) {
  return 0.0f - qrt_float_from(range->low);
}

static inline float qrt_float_range_high(const qrt_float_range *range) {
  return qrt_float_from(range->high);
}

#endif
