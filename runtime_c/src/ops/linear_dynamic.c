/* linear_dynamic.c - fully connected layers, float in and out; design rule 10. */
#include "dynamic.h"

typedef struct arguments {
  qrt_projection projection;
  size_t m;
  const float *input;
  float *output;
  int per_token, relu;
} arguments;

qrt_status qrt_check_linear_dynamic(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, weight, output;
  int32_t shape[QRT_MAX_RANK];
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  if (!input.rank) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[0] is tensors[%u], which has no axis", input.index);
  }
  qrt_node_input(node, 1, &weight);
  QRT_TRY(qrt_expect_projection(v, node, 1, weight.shape[0], input.shape[input.rank - 1]));
  memcpy(shape, input.shape, sizeof shape);
  shape[input.rank - 1] = weight.shape[0];
  return qrt_expect_output(v, node, QRT_FB_DType_float32, input.rank, shape, &output);
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  qrt_quantization whole;
  if (!a->per_token) {
    whole = qrt_choose_quantization(a->projection.convert, a->m * a->projection.k, a->input);
  }
  qrt_project(&a->projection, a->per_token ? NULL : &whole, a->m, a->input, a->relu, scratch, a->output);
}

void qrt_prepare_linear_dynamic(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  a.m = (size_t)input.count / (size_t)input.shape[input.rank - 1];
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.per_token = QRT_NODE_BOOL(node, linear_dynamic, per_token);
  a.relu = QRT_NODE_BOOL(node, linear_dynamic, relu);
  qrt_bind_projection(binder, node, 1, a.m, &a.projection);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.projection.gemm->name;
}
