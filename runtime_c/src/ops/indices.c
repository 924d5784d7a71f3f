/* indices.c - see indices.h. */
#include "indices.h"

qrt_status qrt_expect_indices(qrt_verify *v, const qrt_node *node, uint32_t i, qrt_tensor *tensor) {
  qrt_node_input(node, i, tensor);
  if (tensor->dtype != QRT_FB_DType_int32 && tensor->dtype != QRT_FB_DType_int64) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u] is tensors[%u], %s instead of int32 or int64", i,
                         tensor->index, qrt_dtype_name(tensor->dtype));
  }
  return QRT_OK;
}

static void set_indices(const qrt_tensor *tensor, const void *data, qrt_indices *indices) {
  indices->data = data;
  indices->count = (size_t)tensor->count;
  indices->size = qrt_dtype_size(tensor->dtype);
}

void qrt_bind_indices(const qrt_binder *binder, const qrt_tensor *tensor, qrt_indices *indices) {
  set_indices(tensor, qrt_bind_tensor(binder, tensor), indices);
}

void qrt_constant_indices(const qrt_node *node, const qrt_tensor *tensor, qrt_indices *indices) {
  set_indices(tensor, qrt_tensor_data(node->model, tensor), indices);
}

qrt_status qrt_check_index(qrt_verify *v, const qrt_node *node, uint32_t i, int64_t extent, size_t position,
                           int64_t index) {
  if (index >= 0 && index < extent) {
    return QRT_OK;
  }
  return QRT_NODE_FAIL(v, node, QRT_ERROR_INDEX, "inputs[%u][%zu] is %s%llu, but the table has %u rows", i, position,
                       index < 0 ? "-" : "", (unsigned long long)(index < 0 ? 0 - (uint64_t)index : (uint64_t)index),
                       (unsigned)extent);
}

qrt_status qrt_check_indices(qrt_verify *v, const qrt_node *node, uint32_t i, int64_t extent,
                             const qrt_indices *indices) {
  for (size_t position = 0; position < indices->count; ++position) {
    QRT_TRY(qrt_check_index(v, node, i, extent, position, qrt_index_at(indices, position)));
  }
  return QRT_OK;
}

qrt_status qrt_expect_constant_indices(qrt_verify *v, const qrt_node *node, uint32_t i, int64_t extent) {
  qrt_tensor tensor;
  qrt_indices indices;
  qrt_node_input(node, i, &tensor);
  if (tensor.kind != QRT_FB_TensorKind_constant) {
    return QRT_OK;
  }
  qrt_constant_indices(node, &tensor, &indices);
  QRT_TRY(qrt_expect_budget(v, node, tensor.size));
  return qrt_check_indices(v, node, i, extent, &indices);
}
