/* float_mean.c - the mean over adjacent axes of a float tensor; design rule 11. */
#include "../floats.h"
#include "../kernels/rows/rows.h"
#include "reduction.h"

typedef struct arguments {
  const qrt_rows_kernel *kernel;
  qrt_reduction reduction;
  const float *input;
  float *output;
} arguments;

qrt_status qrt_check_float_mean(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input;
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  return qrt_check_reduction(v, node, QRT_FIELD(mean, dim), QRT_FIELD(mean, keepdim), &input);
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const qrt_reduction *r = &a->reduction;
  const float count = (float)r->count;
  float *output = a->output;
  (void)scratch;
  for (size_t i = 0; i < r->outer; ++i, output += r->inner) {
    a->kernel->sums(r->count, r->inner, a->input + i * r->count * r->inner, r->inner, output);
    for (size_t j = 0; j < r->inner; ++j) {
      output[j] = qrt_canonical(output[j] / count);
    }
  }
}

void qrt_prepare_float_mean(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  a.kernel = qrt_rows_select(binder->isa);
  a.reduction = qrt_reduction_read(node, QRT_FIELD(mean, dim), &input);
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
