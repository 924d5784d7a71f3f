/* group_norm.c - each group of channels, over all positions, to mean 0 and variance 1, then a factor and an offset for
 * each channel; channels come last; design rule 9. Instance norm is a channel a group. */
#include "norm.h"
#include "op.h"

typedef struct arguments {
  size_t batch, positions, channels, group; /* group: channels in one */
  const int8_t *input;
  const float *weight, *bias;
  int8_t *output;
  int32_t zero_point;
  float eps;
  qrt_output_range range;
} arguments;

qrt_status qrt_check_group_norm(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t groups;
  QRT_TRY(qrt_expect_channels(v, node, &input));
  int32_t channels = input.shape[input.rank - 1];
  QRT_TRY(qrt_expect_factors(v, node, 1, 1, &channels));
  QRT_TRY(qrt_expect_factors(v, node, 2, 1, &channels));
  QRT_TRY(qrt_expect_int(v, node, QRT_FIELD(group_norm, num_groups), 1, channels, &groups));
  if (channels % groups) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "num_groups: %d channels in %d groups", channels, groups);
  }
  if (input.count / (uint32_t)input.shape[0] / (uint32_t)groups > QRT_LIMIT_WINDOW) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "groups of more than 2^23 elements");
  }
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, input.rank, input.shape, &output));
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(group_norm, eps)));
  return qrt_expect_range(v, node, QRT_FIELD(group_norm, output_min), QRT_FIELD(group_norm, output_max));
}

/* One group of one sample, whose first channel is `channel`. May be in place. */
static void normalize(const arguments *a, const int8_t *input, size_t channel, int8_t *output) {
  int64_t n = (int64_t)(a->positions * a->group);
  const float *weight = a->weight + channel, *bias = a->bias + channel;
  qrt_norm_sums sums = {0, 0};
  for (size_t i = 0; i < a->positions; ++i) {
    const int8_t *row = input + i * a->channels + channel;
    for (size_t c = 0; c < a->group; ++c) {
      qrt_norm_add(&sums, row[c] - a->zero_point);
    }
  }
  float factor = qrt_norm_factor(&sums, n, a->eps);
  for (size_t i = 0; i < a->positions; ++i) {
    size_t row = i * a->channels + channel;
    for (size_t c = row; c < row + a->group; ++c) {
      int32_t q = input[c] - a->zero_point;
      output[c] = qrt_norm_value(&sums, n, factor, q, weight[c - row], bias[c - row], &a->range);
    }
  }
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  size_t sample = a->positions * a->channels;
  (void)scratch;
  for (size_t i = 0; i < a->batch; ++i) {
    for (size_t channel = 0; channel < a->channels; channel += a->group) {
      normalize(a, a->input + i * sample, channel, a->output + i * sample);
    }
  }
}

void qrt_prepare_group_norm(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, weight, bias, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &weight);
  qrt_node_input(node, 2, &bias);
  qrt_node_output(node, &output);
  a.batch = (size_t)input.shape[0];
  a.channels = (size_t)input.shape[input.rank - 1];
  a.positions = (size_t)input.count / a.batch / a.channels;
  a.group = a.channels / (size_t)QRT_NODE_INT(node, group_norm, num_groups);
  a.input = qrt_bind_tensor(binder, &input);
  a.weight = qrt_bind_tensor(binder, &weight);
  a.bias = qrt_bind_tensor(binder, &bias);
  a.output = qrt_bind_output(binder, &output);
  a.zero_point = input.zero_point;
  a.eps = QRT_NODE_FLOAT(node, group_norm, eps);
  a.range = QRT_NODE_RANGE(node, group_norm, &output);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
