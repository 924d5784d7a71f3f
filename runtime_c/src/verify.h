/* verify.h - the passes of qrt_model_open over a file whose flatbuffer structure is sound (flat.h). Each pass is linear
 * in the file's size and needs no memory; after all of them the readers of tensor.h and node.h may be trusted.
 *
 *   tensors   type, shape, size, qparams, place                                            tensors.c
 *   graph     order, operands, live ranges, and each operator's own check (ops/)           graph.c
 *   vectors   test vectors                                                                 selftest.c
 */
#ifndef QRT_VERIFY_H
#define QRT_VERIFY_H

#include "tensor.h"

/* Caps of this runtime: far above real models, low enough that no pass gets slow. */
#define QRT_LIMIT_TENSORS   65536u
#define QRT_LIMIT_OPERATORS 65536u
#define QRT_LIMIT_IO        64u       /* graph inputs, graph outputs, operands of one operator */
#define QRT_LIMIT_OPTION    (1 << 20) /* strides, dilations, kernel sizes, paddings, groups */
#define QRT_LIMIT_WINDOW    (1 << 23) /* elements in one sum of a pooling window or a norm, so that it stays exact */
#define QRT_LIMIT_PHASES    4096      /* product of the strides of a transposed convolution */

/* Multipliers that the checks may read, in bytes, as a multiple of the file's size: they can be shared. */
#define QRT_CONSTANT_AMPLIFICATION 16

typedef struct qrt_verify {
  const qrt_model *model;
  qrt_error *error;
  uint64_t budget;
} qrt_verify;

qrt_status qrt_verify_tensors(qrt_verify *v);
qrt_status qrt_verify_graph(qrt_verify *v);
qrt_status qrt_verify_vectors(qrt_verify *v);

/* 2^-60 <= value <= 2^60; NaN is not. */
static inline int qrt_multiplier_ok(float value) {
  return value >= 0x1p-60f && value <= 0x1p60f;
}

/* What may multiply a value below 2^64, and be added to the product, without overflow. */
static inline int qrt_factor_ok(float value) {
  return value >= -0x1p60f && value <= 0x1p60f;
}

#endif
