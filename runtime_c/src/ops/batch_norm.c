/* batch_norm.c - a factor and an offset for each channel, which comes last; design rule 14. */
#include "../requantize.h"
#include "op.h"

typedef struct arguments {
  size_t rows, channels;
  const int8_t *input;
  const float *multiplier, *offset;
  int8_t *output;
  int32_t zero_point;
  qrt_output_range range;
} arguments;

qrt_status qrt_check_batch_norm(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  QRT_TRY(qrt_expect_channels(v, node, &input));
  const int32_t *channels = &input.shape[input.rank - 1];
  QRT_TRY(qrt_expect_factors(v, node, 1, 1, channels));
  QRT_TRY(qrt_expect_factors(v, node, 2, 1, channels));
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, input.rank, input.shape, &output));
  return qrt_expect_range(v, node, QRT_FIELD(batch_norm, output_min), QRT_FIELD(batch_norm, output_max));
}

/* May be in place. */
static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const int8_t *input = a->input;
  int8_t *output = a->output;
  (void)scratch;
  for (size_t i = 0; i < a->rows; ++i) {
    for (size_t c = 0; c < a->channels; ++c) {
      float scaled = (float)(*input++ - a->zero_point) * a->multiplier[c];
      *output++ = qrt_round_clamp(scaled + a->offset[c], &a->range);
    }
  }
}

void qrt_prepare_batch_norm(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, multiplier, offset, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &multiplier);
  qrt_node_input(node, 2, &offset);
  qrt_node_output(node, &output);
  a.channels = (size_t)input.shape[input.rank - 1];
  a.rows = (size_t)input.count / a.channels;
  a.input = qrt_bind_tensor(binder, &input);
  a.multiplier = qrt_bind_tensor(binder, &multiplier);
  a.offset = qrt_bind_tensor(binder, &offset);
  a.output = qrt_bind_output(binder, &output);
  a.zero_point = input.zero_point;
  a.range = QRT_NODE_RANGE(node, batch_norm, &output);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
