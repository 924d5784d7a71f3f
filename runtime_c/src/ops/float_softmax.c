/* float_softmax.c - exponentials over their sum along the last axis of a float tensor; design rule 11. */
#include "../kernels/rows/rows.h"
#include "op.h"

typedef struct arguments {
  const qrt_rows_kernel *kernel;
  size_t rows, count;
  const float *input;
  float *output;
} arguments;

qrt_status qrt_check_float_softmax(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t dim;
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  QRT_TRY(qrt_expect_int(v, node, QRT_FIELD(softmax, dim), (int32_t)input.rank - 1, (int32_t)input.rank - 1, &dim));
  if (!input.rank) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[0] is tensors[%u], which has no axis", input.index);
  }
  return qrt_expect_output(v, node, QRT_FB_DType_float32, input.rank, input.shape, &output);
}

/* Rows begin..end; may be in place. */
static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  (void)scratch;
  const size_t at = begin * a->count;
  a->kernel->softmax(end - begin, a->count, a->input + at, a->output + at);
}

void qrt_prepare_float_softmax(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  a.kernel = qrt_rows_select(binder->isa);
  a.count = (size_t)input.shape[input.rank - 1];
  a.rows = (size_t)input.count / a.count;
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  qrt_bind_units(binder, step, run, a.rows, input.size * QRT_MACS_OF_A_BYTE);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
