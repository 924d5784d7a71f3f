/* quantize_per_tensor.c - float to int8; design rule 1. */
#include "../kernels/convert/convert.h"
#include "op.h"

typedef struct arguments {
  const qrt_convert_kernel *kernel;
  size_t count;
  const float *input;
  int8_t *output;
  float inverse_scale;
  qrt_output_range range;
} arguments;

qrt_status qrt_check_quantize_per_tensor(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, input.rank, input.shape, &output));
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(quantize_per_tensor, inverse_scale)));
  return qrt_expect_range(v, node, QRT_FIELD(quantize_per_tensor, output_min),
                          QRT_FIELD(quantize_per_tensor, output_max));
}

static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  const size_t first = begin * QRT_UNIT, last = end * QRT_UNIT < a->count ? end * QRT_UNIT : a->count;
  (void)scratch;
  a->kernel->quantize(last - first, a->input + first, a->inverse_scale, &a->range, a->output + first);
}

void qrt_prepare_quantize_per_tensor(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  a.kernel = qrt_convert_select(binder->isa);
  a.count = (size_t)input.count;
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.inverse_scale = QRT_NODE_FLOAT(node, quantize_per_tensor, inverse_scale);
  a.range = QRT_NODE_RANGE(node, quantize_per_tensor, &output);
  qrt_bind_moves(binder, step, run, (a.count + QRT_UNIT - 1) / QRT_UNIT, a.count);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
