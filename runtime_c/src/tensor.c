/* tensor.c - see tensor.h. */
#include "tensor.h"

uint32_t qrt_dtype_size(uint32_t dtype) {
  switch (dtype) {
    case QRT_FB_DType_int8:
    case QRT_FB_DType_uint8:
    case QRT_FB_DType_bool:
      return 1;
    case QRT_FB_DType_float32:
    case QRT_FB_DType_int32:
      return 4;
    case QRT_FB_DType_int64:
      return 8;
    default:
      return 0;
  }
}

const char *qrt_dtype_name(uint32_t dtype) {
  static const char *const names[] = {"float32", "int8", "uint8", "int32", "int64", "int4", "bool"};
  return dtype < QRT_FB_DType_END ? names[dtype] : "?";
}

uint32_t qrt_tensor_table(const qrt_model *model, uint32_t index) {
  return qrt_flat_element(model->file, model->tensors, index);
}

void qrt_buffer_read(const qrt_model *model, uint32_t index, uint64_t *offset, uint64_t *size) {
  const uint8_t *buffer = model->file + model->buffers + (size_t)index * QRT_FB_Buffer_SIZE;
  *offset = qrt_load64(buffer + QRT_FB_Buffer_offset);
  *size = qrt_load64(buffer + QRT_FB_Buffer_size);
}

void qrt_tensor_read(const qrt_model *model, uint32_t index, qrt_tensor *tensor) {
  const uint8_t *fb = model->file;
  uint32_t table = qrt_tensor_table(model, index), zero_points;
  uint32_t shape = qrt_flat_vector(fb, table, QRT_FIELD(Tensor, shape), &tensor->rank);
  uint32_t scales = qrt_flat_vector(fb, table, QRT_FIELD(Tensor, scale), &tensor->scale_count);
  uint32_t zero_point = qrt_flat_vector(fb, table, QRT_FIELD(Tensor, zero_point), &zero_points);
  tensor->index = index;
  tensor->kind = qrt_flat_byte(fb, table, QRT_FIELD(Tensor, kind));
  tensor->dtype = qrt_flat_byte(fb, table, QRT_FIELD(Tensor, dtype));
  tensor->count = 1;
  for (uint32_t i = 0; i < QRT_MAX_RANK; ++i) {
    tensor->shape[i] = i < tensor->rank ? qrt_load_int(fb + shape + 4 * i) : 1;
    tensor->count *= (uint32_t)tensor->shape[i];
  }
  tensor->size = tensor->count * qrt_dtype_size(tensor->dtype);
  tensor->scale = tensor->scale_count ? qrt_load_float(fb + scales) : 0;
  tensor->zero_point = zero_points ? qrt_load_int(fb + zero_point) : 0;
  if (tensor->kind == QRT_FB_TensorKind_constant) {
    uint64_t size;
    qrt_buffer_read(model, (uint32_t)qrt_flat_int(fb, table, QRT_FIELD(Tensor, buffer)), &tensor->offset, &size);
  } else {
    tensor->offset = qrt_flat_ulong(fb, table, QRT_FIELD(Tensor, offset));
  }
}
