/* factors.c - see factors.h. */
#include "factors.h"

#include "broadcast.h"

/* Without the two axes of the matrices. */
static qrt_tensor leading(const qrt_tensor *tensor) {
  qrt_tensor result = *tensor;
  result.rank -= 2;
  return result;
}

qrt_status qrt_check_factors(qrt_verify *v, const qrt_node *node, const qrt_tensor *input, const qrt_tensor *other,
                             uint32_t *rank, int32_t *shape) {
  for (uint32_t i = 0; i < 2; ++i) {
    const qrt_tensor *tensor = i ? other : input;
    if (tensor->rank < 2) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u] is tensors[%u], rank %u, which is no matrix", i,
                           tensor->index, tensor->rank);
    }
  }
  if (input->shape[input->rank - 1] != other->shape[other->rank - 2]) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "%d columns times %d rows", input->shape[input->rank - 1],
                         other->shape[other->rank - 2]);
  }
  qrt_tensor input_leading = leading(input), other_leading = leading(other);
  QRT_TRY(qrt_broadcast_shape(v, node, &input_leading, &other_leading, rank, shape));
  shape[(*rank)++] = input->shape[input->rank - 2];
  shape[(*rank)++] = other->shape[other->rank - 1];
  return QRT_OK;
}

void qrt_bind_batches(const qrt_tensor *input, const qrt_tensor *other, const qrt_tensor *output,
                      qrt_batches *batches) {
  qrt_tensor input_leading = leading(input), other_leading = leading(other);
  batches->rank = output->rank - 2;
  batches->count = 1;
  qrt_broadcast_strides(&input_leading, batches->rank, batches->input);
  qrt_broadcast_strides(&other_leading, batches->rank, batches->other);
  for (uint32_t i = 0; i < batches->rank; ++i) {
    batches->extent[i] = (size_t)output->shape[i];
    batches->count *= batches->extent[i];
  }
}

size_t qrt_batch_of(const qrt_batches *batches, const size_t *stride, size_t i) {
  size_t at = 0;
  for (uint32_t axis = batches->rank; axis-- > 0; i /= batches->extent[axis]) {
    at += i % batches->extent[axis] * stride[axis];
  }
  return at;
}
