/* prelu.c - values below zero times a slope for each channel, which comes last; design rule 17. */
#include "../requantize.h"
#include "op.h"

typedef struct arguments {
  size_t rows, channels;
  const int8_t *input;
  const float *slope;
  int8_t *output;
  int32_t zero_point;
  float multiplier;
  qrt_output_range range;
} arguments;

qrt_status qrt_check_prelu(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  QRT_TRY(qrt_expect_channels(v, node, &input));
  QRT_TRY(qrt_expect_factors(v, node, 1, 1, &input.shape[input.rank - 1]));
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(prelu, multiplier)));
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, input.rank, input.shape, &output));
  return qrt_expect_range(v, node, QRT_FIELD(prelu, output_min), QRT_FIELD(prelu, output_max));
}

/* May be in place. */
static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const int8_t *input = a->input;
  int8_t *output = a->output;
  (void)scratch;
  for (size_t i = 0; i < a->rows; ++i) {
    for (size_t c = 0; c < a->channels; ++c) {
      int32_t q = *input++ - a->zero_point;
      *output++ = qrt_round_clamp((float)q * (q >= 0 ? a->multiplier : a->slope[c]), &a->range);
    }
  }
}

void qrt_prepare_prelu(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, slope, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &slope);
  qrt_node_output(node, &output);
  a.channels = (size_t)input.shape[input.rank - 1];
  a.rows = (size_t)input.count / a.channels;
  a.input = qrt_bind_tensor(binder, &input);
  a.slope = qrt_bind_tensor(binder, &slope);
  a.output = qrt_bind_output(binder, &output);
  a.zero_point = input.zero_point;
  a.multiplier = QRT_NODE_FLOAT(node, prelu, multiplier);
  a.range = QRT_NODE_RANGE(node, prelu, &output);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
