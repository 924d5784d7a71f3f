/* axis.h - a tensor as three axes, the one that an operator works along in the middle. */
#ifndef QRT_AXIS_H
#define QRT_AXIS_H

#include "../tensor.h"

typedef struct qrt_axis {
  size_t outer, count, inner;
} qrt_axis;

static inline qrt_axis qrt_axis_of(const qrt_tensor *tensor, int32_t dim) {
  qrt_axis axis = {1, 1, 1};
  for (int32_t i = 0; i < (int32_t)tensor->rank; ++i) {
    *(i < dim ? &axis.outer : i > dim ? &axis.inner : &axis.count) *= (size_t)tensor->shape[i];
  }
  return axis;
}

#endif
