/* bind.c - the bump allocator of bind.h. */
#include "bind.h"

/* Adds up to this and then stays: far above every limit, far below overflow. */
#define SATURATED (UINT64_C(1) << 62)

static uint64_t add(uint64_t a, uint64_t b) {
  return a > SATURATED - b || b > SATURATED ? SATURATED : a + b;
}

void *qrt_bind_memory(qrt_binder *binder, uint64_t size) {
  uint64_t begin = binder->used;
  uint64_t rounded = size > SATURATED ? SATURATED : (size + QRT_ALIGNMENT - 1) / QRT_ALIGNMENT * QRT_ALIGNMENT;
  binder->used = add(begin, rounded);
  return binder->arena ? binder->arena + begin : NULL;
}

const void *qrt_bind_copy(qrt_binder *binder, const void *data, size_t size) {
  void *copy = qrt_bind_memory(binder, size);
  if (copy) {
    memcpy(copy, data, size);
  }
  return copy;
}

void qrt_bind_scratch(qrt_binder *binder, uint64_t size) {
  if (size > binder->scratch) {
    binder->scratch = size;
  }
}

const void *qrt_bind_tensor(const qrt_binder *binder, const qrt_tensor *tensor) {
  if (tensor->kind == QRT_FB_TensorKind_constant) {
    return qrt_tensor_data(binder->model, tensor);
  }
  return qrt_bind_output(binder, tensor);
}

void *qrt_bind_output(const qrt_binder *binder, const qrt_tensor *tensor) {
  return binder->activations ? binder->activations + tensor->offset : NULL;
}
