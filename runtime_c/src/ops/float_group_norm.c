/* float_group_norm.c - each group of channels of a float tensor to mean 0 and variance 1; channels come last; design
 * rule 11. A group is gathered into scratch as a row, position after position, with its factors and offsets beside it.
 */
#include "../kernels/rows/rows.h"
#include "op.h"

typedef struct arguments {
  const qrt_rows_kernel *kernel;
  size_t batch, positions, channels, groups;
  const float *input, *weight, *bias;
  float *output;
  float eps;
} arguments;

qrt_status qrt_check_float_group_norm(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t groups;
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  if (input.rank < 2) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[0] is tensors[%u], rank %u, too low for channels",
                         input.index, input.rank);
  }
  int32_t channels = input.shape[input.rank - 1];
  QRT_TRY(qrt_expect_factors(v, node, 1, 1, &channels));
  QRT_TRY(qrt_expect_factors(v, node, 2, 1, &channels));
  QRT_TRY(qrt_expect_int(v, node, QRT_FIELD(group_norm, num_groups), 1, channels, &groups));
  if (channels % groups) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "num_groups: %d do not divide %d channels", groups, channels);
  }
  if (input.count / (uint64_t)input.shape[0] / (uint64_t)groups > QRT_LIMIT_WINDOW) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "groups of more than 2^23 elements");
  }
  QRT_TRY(qrt_expect_eps(v, node, QRT_FIELD(group_norm, eps)));
  return qrt_expect_output(v, node, QRT_FB_DType_float32, input.rank, input.shape, &output);
}

/* May be in place. */
static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const size_t width = a->channels / a->groups, n = a->positions * width;
  float *row = scratch, *weight = row + n, *bias = weight + n;
  for (size_t i = 0; i < a->batch * a->groups; ++i) {
    const size_t channel = i % a->groups * width, at = i / a->groups * a->positions * a->channels + channel;
    for (size_t p = 0; p < a->positions; ++p) {
      memcpy(row + p * width, a->input + at + p * a->channels, width * sizeof *row);
      memcpy(weight + p * width, a->weight + channel, width * sizeof *weight);
      memcpy(bias + p * width, a->bias + channel, width * sizeof *bias);
    }
    a->kernel->normalize(1, n, row, weight, bias, a->eps, row);
    for (size_t p = 0; p < a->positions; ++p) {
      memcpy(a->output + at + p * a->channels, row + p * width, width * sizeof *row);
    }
  }
}

void qrt_prepare_float_group_norm(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, weight, bias, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &weight);
  qrt_node_input(node, 2, &bias);
  qrt_node_output(node, &output);
  a.kernel = qrt_rows_select(binder->isa);
  a.batch = (size_t)input.shape[0];
  a.channels = (size_t)input.shape[input.rank - 1];
  a.positions = (size_t)input.count / a.batch / a.channels;
  a.groups = (size_t)QRT_NODE_INT(node, group_norm, num_groups);
  a.input = qrt_bind_tensor(binder, &input);
  a.weight = qrt_bind_tensor(binder, &weight);
  a.bias = qrt_bind_tensor(binder, &bias);
  a.output = qrt_bind_output(binder, &output);
  a.eps = QRT_NODE_FLOAT(node, group_norm, eps);
  qrt_bind_scratch(binder, 3 * (uint64_t)a.positions * (a.channels / a.groups) * sizeof(float));
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
