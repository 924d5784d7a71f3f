/* tensor.h - a tensor of the file as a struct. Reading trusts the file; verify.h's qrt_verify_tensors is the distrust.
 */
#ifndef QRT_TENSOR_H
#define QRT_TENSOR_H

#include "flat.h"

typedef struct qrt_tensor {
  uint32_t index;
  uint32_t kind;  /* QRT_FB_TensorKind_... */
  uint32_t dtype; /* QRT_FB_DType_... */
  uint32_t rank;
  int32_t shape[QRT_MAX_RANK];
  uint32_t scale_count;
  float scale;        /* the first one; 0 without */
  int32_t zero_point; /* likewise */
  uint64_t count;     /* of elements */
  uint64_t size;      /* in bytes */
  uint64_t offset;    /* activation: in the arena's activations; constant: in the data segment */
} qrt_tensor;

/* Position of the tensor's table. */
uint32_t qrt_tensor_table(const qrt_model *model, uint32_t index);

/* `index` is that of a verified tensor. */
void qrt_tensor_read(const qrt_model *model, uint32_t index, qrt_tensor *tensor);

/* Offset and size in bytes of Model.buffers[index]. */
void qrt_buffer_read(const qrt_model *model, uint32_t index, uint64_t *offset, uint64_t *size);

/* Bytes of one element; 0 for a type that does not take whole bytes or is not known. */
uint32_t qrt_dtype_size(uint32_t dtype);
const char *qrt_dtype_name(uint32_t dtype);

/* A constant's bytes. */
static inline const void *qrt_tensor_data(const qrt_model *model, const qrt_tensor *tensor) {
  return model->data + tensor->offset;
}

#endif
