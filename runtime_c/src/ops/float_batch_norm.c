/* float_batch_norm.c - a factor and an offset for each channel, which comes last, of a float tensor; a window of one
 * tap; design rule 11. */
#include "../kernels/taps/taps.h"
#include "op.h"

typedef struct arguments {
  const qrt_taps_kernel *kernel;
  size_t rows, channels;
  const float *input, *multiplier, *offset;
  float *output;
} arguments;

qrt_status qrt_check_float_batch_norm(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  if (input.rank < 2) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[0] is tensors[%u], rank %u, too low for channels",
                         input.index, input.rank);
  }
  const int32_t *channels = &input.shape[input.rank - 1];
  QRT_TRY(qrt_expect_factors(v, node, 1, 1, channels));
  QRT_TRY(qrt_expect_factors(v, node, 2, 1, channels));
  return qrt_expect_output(v, node, QRT_FB_DType_float32, input.rank, input.shape, &output);
}

/* May be in place. */
static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  (void)scratch;
  for (size_t i = 0; i < a->rows; ++i) {
    const float *row = a->input + i * a->channels;
    a->kernel->products(1, a->channels, &row, &a->multiplier, a->offset, a->output + i * a->channels);
  }
}

void qrt_prepare_float_batch_norm(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, multiplier, offset, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &multiplier);
  qrt_node_input(node, 2, &offset);
  qrt_node_output(node, &output);
  a.kernel = qrt_taps_select(binder->isa);
  a.channels = (size_t)input.shape[input.rank - 1];
  a.rows = (size_t)input.count / a.channels;
  a.input = qrt_bind_tensor(binder, &input);
  a.multiplier = qrt_bind_tensor(binder, &multiplier);
  a.offset = qrt_bind_tensor(binder, &offset);
  a.output = qrt_bind_output(binder, &output);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
