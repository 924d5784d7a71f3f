/* permute.c - another order of the axes; moves bytes; design rule 7. */
#include "strided.h"

qrt_status qrt_check_permute(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t dims[QRT_MAX_RANK], shape[QRT_MAX_RANK];
  uint32_t seen = 0;
  qrt_node_output(node, &output);
  QRT_TRY(qrt_expect_input(v, node, 0, output.dtype, &input));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(permute, dims), input.rank, 0, (int32_t)input.rank - 1, dims));
  for (uint32_t i = 0; i < input.rank; ++i) {
    seen |= 1u << dims[i];
    shape[i] = input.shape[dims[i]];
  }
  if (seen != (1u << input.rank) - 1) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "dims: not every axis once");
  }
  QRT_TRY(qrt_expect_output(v, node, input.dtype, input.rank, shape, &output));
  return qrt_expect_same_qparams(v, node, &input, &output);
}

void qrt_prepare_permute(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  int32_t dims[QRT_MAX_RANK];
  ptrdiff_t strides[QRT_MAX_RANK], stride[QRT_MAX_RANK];
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  qrt_node_ints(node, QRT_FIELD(permute, dims), input.rank, dims);
  qrt_row_major(&input, strides);
  for (uint32_t i = 0; i < input.rank; ++i) {
    stride[i] = strides[dims[i]];
  }
  qrt_bind_strided(binder, &input, 0, stride, &output, step);
}
