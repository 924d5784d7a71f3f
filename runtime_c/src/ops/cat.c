/* cat.c - joins tensors along an axis; moves bytes; design rule 7. */
#include "op.h"

typedef struct part {
  const uint8_t *input;
  size_t run; /* bytes that lie together: everything from the joined axis inwards */
} part;

typedef struct arguments {
  uint8_t *output;
  size_t repeats; /* extents outside of the joined axis */
  uint32_t count;
  const part *parts;
} arguments;

qrt_status qrt_check_cat(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t dim;
  int64_t extent = 0;
  qrt_node_output(node, &output);
  QRT_TRY(qrt_expect_int(v, node, QRT_FIELD(cat, dim), 0, (int32_t)output.rank - 1, &dim));
  for (uint32_t i = 0; i < node->input_count; ++i) {
    QRT_TRY(qrt_expect_input(v, node, i, output.dtype, &input));
    QRT_TRY(qrt_expect_rank(v, node, i, &input, output.rank));
    QRT_TRY(qrt_expect_same_qparams(v, node, &input, &output));
    extent += input.shape[dim];
    input.shape[dim] = output.shape[dim];
    QRT_TRY(qrt_expect_output(v, node, output.dtype, input.rank, input.shape, &output));
  }
  if (extent != output.shape[dim]) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "outputs[0] has %d along dim; its inputs add up to another number",
                         output.shape[dim]);
  }
  return QRT_OK;
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  uint8_t *output = a->output;
  (void)scratch;
  for (size_t i = 0; i < a->repeats; ++i) {
    for (uint32_t j = 0; j < a->count; ++j) {
      memcpy(output, a->parts[j].input + i * a->parts[j].run, a->parts[j].run);
      output += a->parts[j].run;
    }
  }
}

void qrt_prepare_cat(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  part *parts = qrt_bind_memory(binder, (uint64_t)node->input_count * sizeof *parts);
  int32_t dim = QRT_NODE_INT(node, cat, dim);
  qrt_node_output(node, &output);
  a.output = qrt_bind_output(binder, &output);
  a.count = node->input_count;
  a.parts = parts;
  a.repeats = 1;
  for (int32_t i = 0; i < dim; ++i) {
    a.repeats *= (size_t)output.shape[i];
  }
  for (uint32_t i = 0; parts && i < node->input_count; ++i) {
    qrt_node_input(node, i, &input);
    parts[i].input = qrt_bind_tensor(binder, &input);
    parts[i].run = (size_t)input.size / a.repeats;
  }
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
