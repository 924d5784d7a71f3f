/* float_prelu.c - values below zero of a float tensor times a slope for each channel, which comes last; design rule 11.
 */
#include "../floats.h"
#include "op.h"

typedef struct arguments {
  size_t rows, channels;
  const float *input, *slope;
  float *output;
} arguments;

qrt_status qrt_check_float_prelu(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  if (input.rank < 2) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[0] is tensors[%u], rank %u, too low for channels",
                         input.index, input.rank);
  }
  QRT_TRY(qrt_expect_factors(v, node, 1, 1, &input.shape[input.rank - 1]));
  return qrt_expect_output(v, node, QRT_FB_DType_float32, input.rank, input.shape, &output);
}

/* May be in place. */
static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  (void)scratch;
  for (size_t i = 0; i < a->rows; ++i) {
    const float *input = a->input + i * a->channels;
    float *output = a->output + i * a->channels;
    for (size_t c = 0; c < a->channels; ++c) {
      output[c] = qrt_canonical(input[c] > 0 ? input[c] : input[c] * a->slope[c]);
    }
  }
}

void qrt_prepare_float_prelu(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, slope, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &slope);
  qrt_node_output(node, &output);
  a.channels = (size_t)input.shape[input.rank - 1];
  a.rows = (size_t)input.count / a.channels;
  a.input = qrt_bind_tensor(binder, &input);
  a.slope = qrt_bind_tensor(binder, &slope);
  a.output = qrt_bind_output(binder, &output);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
