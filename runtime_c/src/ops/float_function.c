/* float_function.c - see float_function.h. */
#include "float_function.h"

typedef struct arguments {
  void (*function)(size_t n, const float *a, float *c);
  size_t count;
  const float *input;
  float *output;
} arguments;

qrt_status qrt_check_float_function(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  return qrt_expect_output(v, node, QRT_FB_DType_float32, input.rank, input.shape, &output);
}

/* May be in place. */
static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  (void)scratch;
  a->function(a->count, a->input, a->output);
}

void qrt_bind_float_function(qrt_binder *binder, const qrt_node *node, const qrt_functions_kernel *kernel,
                             void (*function)(size_t n, const float *a, float *c), qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  a.function = function;
  a.count = (size_t)input.count;
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = kernel->name;
}
