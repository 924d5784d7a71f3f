/* linear_weight_only.c - fully connected layers, float in and out, with weights of 8 or 4 bits; design rule 20. */
#include "weight_only.h"

typedef struct arguments {
  qrt_weight_only weights;
  size_t m;
  const float *input;
  float *output;
} arguments;

static const qrt_weight_only_fields fields = QRT_WEIGHT_ONLY_FIELDS(linear_weight_only);

qrt_status qrt_check_linear_weight_only(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t shape[QRT_MAX_RANK], n;
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  if (!input.rank) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[0] is tensors[%u], which has no axis", input.index);
  }
  QRT_TRY(qrt_expect_weight_only(v, node, &fields, input.shape[input.rank - 1], &n));
  memcpy(shape, input.shape, sizeof shape);
  shape[input.rank - 1] = n;
  return qrt_expect_output(v, node, QRT_FB_DType_float32, input.rank, shape, &output);
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const qrt_wgemm_shape *s = &a->weights.shape;
  (void)scratch;
  a->weights.kernel->run(s, a->m, a->input, s->k, a->weights.packed, a->output, s->n);
}

void qrt_prepare_linear_weight_only(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  const size_t k = (size_t)input.shape[input.rank - 1];
  a.m = (size_t)input.count / k;
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  qrt_bind_weight_only(binder, node, &fields, k, 1, &a.weights);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.weights.kernel->name;
}
