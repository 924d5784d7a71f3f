/* mean.c - the mean over adjacent axes: a pooling window one row high; design rule 8. */
#include "../kernels/pool/pool.h"
#include "reduction.h"

typedef struct arguments {
  const qrt_pool_kernel *kernel;
  qrt_reduction reduction;
  const int8_t *input;
  int8_t *output;
  int32_t zero_point;
  float rescale;
  qrt_output_range range;
} arguments;

qrt_status qrt_check_mean(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input;
  QRT_TRY(qrt_expect_quantized(v, node, 0, &input));
  QRT_TRY(qrt_check_reduction(v, node, QRT_FIELD(mean, dim), QRT_FIELD(mean, keepdim), &input));
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(mean, rescale)));
  return qrt_expect_range(v, node, QRT_FIELD(mean, output_min), QRT_FIELD(mean, output_max));
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const qrt_reduction *r = &a->reduction;
  float multiplier = a->rescale / (float)(uint32_t)r->count;
  (void)scratch;
  for (size_t i = 0; i < r->outer; ++i) {
    qrt_pool_window window = {
        .a = a->input + i * r->count * r->inner,
        .rows = 1,
        .columns = r->count,
        .row_stride = r->count * r->inner,
        .column_stride = r->inner,
        .channels = r->inner,
    };
    a->kernel->avg(&window, a->zero_point, multiplier, &a->range, a->output + i * r->inner);
  }
}

void qrt_prepare_mean(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  a.reduction = qrt_reduction_read(node, QRT_FIELD(mean, dim), &input);
  a.kernel = qrt_pool_select(binder->isa);
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.zero_point = input.zero_point;
  a.rescale = QRT_NODE_FLOAT(node, mean, rescale);
  a.range = QRT_NODE_RANGE(node, mean, &output);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
