/* index_select.c - positions of one axis, chosen by another tensor; moves bytes; design rule 7. */
#include "axis.h"
#include "indices.h"

typedef struct arguments {
  qrt_axis axis; /* inner: bytes */
  qrt_indices indices;
  const uint8_t *input;
  uint8_t *output;
} arguments;

qrt_status qrt_check_index_select(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, index, output;
  int32_t dim, shape[QRT_MAX_RANK];
  qrt_node_output(node, &output);
  QRT_TRY(qrt_expect_input(v, node, 0, output.dtype, &input));
  QRT_TRY(qrt_expect_indices(v, node, 1, &index));
  QRT_TRY(qrt_expect_rank(v, node, 1, &index, 1));
  QRT_TRY(qrt_expect_int(v, node, QRT_FIELD(index_select, dim), 0, (int32_t)input.rank - 1, &dim));
  memcpy(shape, input.shape, sizeof shape);
  shape[dim] = index.shape[0];
  QRT_TRY(qrt_expect_output(v, node, input.dtype, input.rank, shape, &output));
  QRT_TRY(qrt_expect_same_qparams(v, node, &input, &output));
  return qrt_expect_constant_indices(v, node, 1, input.shape[dim]);
}

static qrt_status check(qrt_verify *v, const qrt_node *node, const void *pointer) {
  const arguments *a = pointer;
  return qrt_check_indices(v, node, 1, (int64_t)a->axis.count, &a->indices);
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const size_t size = a->axis.inner;
  uint8_t *output = a->output;
  (void)scratch;
  for (size_t i = 0; i < a->axis.outer; ++i) {
    for (size_t j = 0; j < a->indices.count; ++j, output += size) {
      memcpy(output, a->input + (i * a->axis.count + (size_t)qrt_index_at(&a->indices, j)) * size, size);
    }
  }
}

void qrt_prepare_index_select(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, index, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &index);
  qrt_node_output(node, &output);
  a.axis = qrt_axis_of(&input, QRT_NODE_INT(node, index_select, dim));
  a.axis.inner *= qrt_dtype_size(input.dtype);
  qrt_bind_indices(binder, &index, &a.indices);
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  step->check = check;
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
