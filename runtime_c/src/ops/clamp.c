/* clamp.c - relu, relu6, hardtanh on int8; design rule 7. */
#include "../kernels/lut/lut.h"
#include "op.h"

typedef struct arguments {
  const qrt_lut_kernel *kernel;
  size_t count;
  const int8_t *input;
  int8_t *output;
  int32_t min, max;
} arguments;

qrt_status qrt_check_clamp(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  QRT_TRY(qrt_expect_quantized(v, node, 0, &input));
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, input.rank, input.shape, &output));
  QRT_TRY(qrt_expect_same_qparams(v, node, &input, &output));
  return qrt_expect_range(v, node, QRT_FIELD(clamp, output_min), QRT_FIELD(clamp, output_max));
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  (void)scratch;
  a->kernel->clamp(a->count, a->input, a->min, a->max, a->output);
}

void qrt_prepare_clamp(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  a.kernel = qrt_lut_select(binder->isa);
  a.count = (size_t)input.count;
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.min = QRT_NODE_INT(node, clamp, output_min);
  a.max = QRT_NODE_INT(node, clamp, output_max);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
