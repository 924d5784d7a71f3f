/* mul.c - elementwise product of int8 tensors; design rule 5. */
#include "../kernels/vmul/vmul.h"
#include "broadcast.h"

typedef struct arguments {
  const qrt_vmul_kernel *kernel;
  qrt_broadcast broadcast;
  qrt_vmul_params params;
} arguments;

qrt_status qrt_check_mul(qrt_verify *v, const qrt_node *node) {
  qrt_tensor output;
  QRT_TRY(qrt_check_broadcast(v, node, &output));
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(mul, multiplier)));
  return qrt_expect_range(v, node, QRT_FIELD(mul, output_min), QRT_FIELD(mul, output_max));
}

static void run_part(const void *context, size_t count, const int8_t *a, const int8_t *b, size_t b_step,
                     int8_t *output) {
  const arguments *arguments_ = context;
  arguments_->kernel->run(count, a, b, b_step, &arguments_->params, output);
}

static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  (void)scratch;
  qrt_run_broadcast_units(&a->broadcast, run_part, a, begin, end);
}

void qrt_prepare_mul(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input[2], output;
  arguments a;
  qrt_node_input(node, 0, &input[0]);
  qrt_node_input(node, 1, &input[1]);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  a.kernel = qrt_vmul_select(binder->isa);
  qrt_bind_broadcast(binder, node, &a.broadcast);
  int32_t first = a.broadcast.swapped;
  a.params.a_zero_point = input[first].zero_point;
  a.params.b_zero_point = input[!first].zero_point;
  a.params.multiplier = QRT_NODE_FLOAT(node, mul, multiplier);
  a.params.output = QRT_NODE_RANGE(node, mul, &output);
  qrt_bind_moves(binder, step, run, qrt_broadcast_units(&a.broadcast), output.count);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
