/* addition.c - see addition.h. */
#include "addition.h"

#include "../kernels/vadd/vadd.h"

typedef struct arguments {
  const qrt_vadd_kernel *kernel;
  qrt_broadcast broadcast;
  qrt_vadd_params params;
} arguments;

qrt_status qrt_check_addition(qrt_verify *v, const qrt_node *node, const qrt_addition_fields *fields) {
  qrt_tensor output;
  QRT_TRY(qrt_check_broadcast(v, node, &output));
  QRT_TRY(qrt_expect_multiplier(v, node, fields->input_multiplier));
  QRT_TRY(qrt_expect_multiplier(v, node, fields->other_multiplier));
  return qrt_expect_range(v, node, fields->output_min, fields->output_max);
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

void qrt_prepare_addition(qrt_binder *binder, const qrt_node *node, const qrt_addition_fields *fields, qrt_step *step) {
  qrt_tensor input[2], output;
  arguments a;
  const uint8_t *file = node->model->file;
  qrt_node_input(node, 0, &input[0]);
  qrt_node_input(node, 1, &input[1]);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  a.kernel = qrt_vadd_select(binder->isa);
  qrt_bind_broadcast(binder, node, &a.broadcast);
  int32_t first = a.broadcast.swapped;
  float multiplier[2] = {qrt_flat_float(file, node->options, fields->input_multiplier),
                         fields->sign * qrt_flat_float(file, node->options, fields->other_multiplier)};
  a.params.a_zero_point = input[first].zero_point;
  a.params.b_zero_point = input[!first].zero_point;
  a.params.a_multiplier = multiplier[first];
  a.params.b_multiplier = multiplier[!first];
  a.params.output.zero_point = output.zero_point;
  a.params.output.min = qrt_flat_int(file, node->options, fields->output_min);
  a.params.output.max = qrt_flat_int(file, node->options, fields->output_max);
  qrt_bind_moves(binder, step, run, qrt_broadcast_units(&a.broadcast), output.count);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
