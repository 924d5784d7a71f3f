/* gather.c - for each element, the position along one axis that another tensor has there; moves bytes; design rule 7.
 */
#include "indices.h"

typedef struct arguments {
  qrt_indices indices;
  uint32_t rank;
  size_t extent[QRT_MAX_RANK]; /* of the indices and the output */
  size_t stride[QRT_MAX_RANK]; /* in the input, in bytes; 0 along the axis that is chosen */
  size_t along, element;       /* bytes from one position of that axis to the next, and of one */
  int64_t positions;           /* of that axis */
  const uint8_t *input;
  uint8_t *output;
} arguments;

qrt_status qrt_check_gather(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, index, output;
  int32_t dim;
  qrt_node_output(node, &output);
  QRT_TRY(qrt_expect_input(v, node, 0, output.dtype, &input));
  QRT_TRY(qrt_expect_indices(v, node, 1, &index));
  QRT_TRY(qrt_expect_rank(v, node, 1, &index, input.rank));
  QRT_TRY(qrt_expect_int(v, node, QRT_FIELD(gather, dim), 0, (int32_t)input.rank - 1, &dim));
  for (int32_t i = 0; i < (int32_t)input.rank; ++i) {
    if (i != dim && index.shape[i] > input.shape[i]) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[1] has %d along axis %d, inputs[0] has %d", index.shape[i],
                           i, input.shape[i]);
    }
  }
  QRT_TRY(qrt_expect_output(v, node, input.dtype, index.rank, index.shape, &output));
  QRT_TRY(qrt_expect_same_qparams(v, node, &input, &output));
  return qrt_expect_constant_indices(v, node, 1, input.shape[dim]);
}

static qrt_status check(qrt_verify *v, const qrt_node *node, const void *pointer) {
  const arguments *a = pointer;
  return qrt_check_indices(v, node, 1, a->positions, &a->indices);
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const uint8_t *input = a->input;
  size_t index[QRT_MAX_RANK] = {0};
  (void)scratch;
  for (size_t i = 0; i < a->indices.count; ++i) {
    memcpy(a->output + i * a->element, input + (size_t)qrt_index_at(&a->indices, i) * a->along, a->element);
    for (uint32_t axis = a->rank; axis-- > 0;) { /* count up, the last axis fastest */
      input += a->stride[axis];
      if (++index[axis] < a->extent[axis]) {
        break;
      }
      input -= a->stride[axis] * a->extent[axis];
      index[axis] = 0;
    }
  }
}

void qrt_prepare_gather(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, index, output;
  arguments a;
  memset(&a, 0, sizeof a);
  uint32_t dim = (uint32_t)QRT_NODE_INT(node, gather, dim);
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &index);
  qrt_node_output(node, &output);
  a.rank = input.rank;
  a.element = qrt_dtype_size(input.dtype);
  a.positions = input.shape[dim];
  size_t stride = a.element;
  for (uint32_t i = a.rank; i-- > 0; stride *= (size_t)input.shape[i]) {
    a.extent[i] = (size_t)index.shape[i];
    a.stride[i] = i == dim ? 0 : stride;
    a.along = i == dim ? stride : a.along;
  }
  qrt_bind_indices(binder, &index, &a.indices);
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  step->check = check;
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
