/* add.c - elementwise sum of int8 tensors; design rule 4. */
#include "../kernels/vadd/vadd.h"
#include "broadcast.h"

typedef struct arguments {
  const qrt_vadd_kernel *kernel;
  qrt_broadcast broadcast;
  qrt_vadd_params params;
} arguments;

qrt_status qrt_check_add(qrt_verify *v, const qrt_node *node) {
  qrt_tensor output;
  QRT_TRY(qrt_check_broadcast(v, node, &output));
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(add, input_multiplier)));
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(add, other_multiplier)));
  return qrt_expect_range(v, node, QRT_FIELD(add, output_min), QRT_FIELD(add, output_max));
}

static void run_part(const void *context, size_t count, const int8_t *a, const int8_t *b, size_t b_step,
                     int8_t *output) {
  const arguments *arguments_ = context;
  arguments_->kernel->run(count, a, b, b_step, &arguments_->params, output);
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  (void)scratch;
  qrt_run_broadcast(&a->broadcast, run_part, a);
}

void qrt_prepare_add(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input[2], output;
  arguments a;
  qrt_node_input(node, 0, &input[0]);
  qrt_node_input(node, 1, &input[1]);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  a.kernel = qrt_vadd_select(binder->isa);
  qrt_bind_broadcast(binder, node, &a.broadcast);
  int32_t first = a.broadcast.swapped;
  float multiplier[2] = {QRT_NODE_FLOAT(node, add, input_multiplier), QRT_NODE_FLOAT(node, add, other_multiplier)};
  a.params.a_zero_point = input[first].zero_point;
  a.params.b_zero_point = input[!first].zero_point;
  a.params.a_multiplier = multiplier[first];
  a.params.b_multiplier = multiplier[!first];
  a.params.output = QRT_NODE_RANGE(node, add, &output);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
