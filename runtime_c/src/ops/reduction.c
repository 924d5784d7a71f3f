/* reduction.c - see reduction.h. */
#include "reduction.h"

static qrt_status check_dim(qrt_verify *v, const qrt_node *node, const qrt_fb_field *field, const qrt_tensor *input,
                            int32_t *first, int32_t *last) {
  int32_t dim[QRT_MAX_RANK];
  uint32_t count;
  qrt_flat_vector(node->model->file, node->options, field, &count);
  if (!count || count > input->rank) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "dim: %u axes of %u", count, input->rank);
  }
  QRT_TRY(qrt_expect_ints(v, node, field, count, 0, (int32_t)input->rank - 1, dim));
  for (uint32_t i = 1; i < count; ++i) {
    if (dim[i] != dim[i - 1] + 1) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "dim: not adjacent and ascending");
    }
  }
  *first = dim[0];
  *last = dim[count - 1];
  return QRT_OK;
}

qrt_status qrt_check_reduction(qrt_verify *v, const qrt_node *node, const qrt_fb_field *dim,
                               const qrt_fb_field *keepdim, const qrt_tensor *input) {
  qrt_tensor output;
  int32_t first = 0, last = 0, shape[QRT_MAX_RANK];
  uint32_t rank = 0;
  uint64_t count = 1;
  QRT_TRY(check_dim(v, node, dim, input, &first, &last));
  for (int32_t i = 0; i < (int32_t)input->rank; ++i) {
    int gone = i >= first && i <= last;
    count *= gone ? (uint32_t)input->shape[i] : 1;
    if (!gone) {
      shape[rank++] = input->shape[i];
    } else if (qrt_flat_byte(node->model->file, node->options, keepdim)) {
      shape[rank++] = 1;
    }
  }
  if (count > QRT_LIMIT_WINDOW) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "dim: more than 2^23 elements");
  }
  return qrt_expect_output(v, node, input->dtype, rank, shape, &output);
}

qrt_reduction qrt_reduction_read(const qrt_node *node, const qrt_fb_field *field, const qrt_tensor *input) {
  int32_t dim[QRT_MAX_RANK];
  uint32_t count;
  qrt_reduction r = {1, 1, 1};
  qrt_flat_vector(node->model->file, node->options, field, &count);
  qrt_node_ints(node, field, count, dim);
  for (int32_t i = 0; i < (int32_t)input->rank; ++i) {
    *(i < dim[0] ? &r.outer : i > dim[count - 1] ? &r.inner : &r.count) *= (size_t)input->shape[i];
  }
  return r;
}
