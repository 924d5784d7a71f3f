/* dequantize.c - int8 to float; design rule 2. */
#include "../kernels/convert/convert.h"
#include "op.h"

typedef struct arguments {
  const qrt_convert_kernel *kernel;
  size_t count;
  const int8_t *input;
  float *output;
  float scale;
  int32_t zero_point;
} arguments;

qrt_status qrt_check_dequantize(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  QRT_TRY(qrt_expect_quantized(v, node, 0, &input));
  return qrt_expect_output(v, node, QRT_FB_DType_float32, input.rank, input.shape, &output);
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  (void)scratch;
  a->kernel->dequantize(a->count, a->input, a->scale, a->zero_point, a->output);
}

void qrt_prepare_dequantize(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  a.kernel = qrt_convert_select(binder->isa);
  a.count = (size_t)input.count;
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.scale = input.scale;
  a.zero_point = input.zero_point;
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
