/* slice.c - some positions of each axis, a fixed step apart; moves bytes; design rule 7. */
#include "strided.h"

qrt_status qrt_check_slice(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t start[QRT_MAX_RANK], step[QRT_MAX_RANK];
  qrt_node_output(node, &output);
  QRT_TRY(qrt_expect_input(v, node, 0, output.dtype, &input));
  QRT_TRY(qrt_expect_rank(v, node, 0, &input, output.rank));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(slice, start), input.rank, 0, INT32_MAX, start));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(slice, step), input.rank, -INT32_MAX, INT32_MAX, step));
  for (uint32_t i = 0; i < input.rank; ++i) {
    int64_t last = start[i] + (int64_t)(output.shape[i] - 1) * step[i];
    if (start[i] >= input.shape[i] || last < 0 || last >= input.shape[i]) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "axis %u: %d elements from %d on, %d apart, of %d", i,
                           output.shape[i], start[i], step[i], input.shape[i]);
    }
  }
  return qrt_expect_same_qparams(v, node, &input, &output);
}

void qrt_prepare_slice(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  int32_t start[QRT_MAX_RANK], steps[QRT_MAX_RANK];
  ptrdiff_t stride[QRT_MAX_RANK], first = 0;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  qrt_node_ints(node, QRT_FIELD(slice, start), input.rank, start);
  qrt_node_ints(node, QRT_FIELD(slice, step), input.rank, steps);
  qrt_row_major(&input, stride);
  for (uint32_t i = 0; i < input.rank; ++i) {
    first += qrt_times(stride[i], start[i]);
    stride[i] = output.shape[i] == 1 ? 0 : qrt_times(stride[i], steps[i]);
  }
  qrt_bind_strided(binder, &input, first, stride, &output, step);
}
