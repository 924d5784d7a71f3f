/* reshape.c - the same bytes under another shape; often in place, and then there is nothing to do; design rule 7. */
#include "op.h"

typedef struct arguments {
  const void *input;
  void *output;
  size_t size;
} arguments;

qrt_status qrt_check_reshape(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  qrt_node_output(node, &output);
  QRT_TRY(qrt_expect_input(v, node, 0, output.dtype, &input));
  if (input.count != output.count) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "%llu elements in, %llu out", (unsigned long long)input.count,
                         (unsigned long long)output.count);
  }
  return qrt_expect_same_qparams(v, node, &input, &output);
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  (void)scratch;
  if (a->input != a->output) {
    memcpy(a->output, a->input, a->size);
  }
}

void qrt_prepare_reshape(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.size = (size_t)output.size;
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
