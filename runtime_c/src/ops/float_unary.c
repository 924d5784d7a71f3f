/* float_unary.c - functions of each element of a float tensor; design rule 11. */
#include "../kernels/unary/unary.h"
#include "op.h"

typedef struct arguments {
  const qrt_unary_kernel *kernel;
  qrt_unary_function function;
  size_t count;
  const float *input;
  float *output;
  float parameters[QRT_UNARY_PARAMETERS];
} arguments;

static qrt_status check(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  return qrt_expect_output(v, node, QRT_FB_DType_float32, input.rank, input.shape, &output);
}

/* Units begin..end; may be in place. */
static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  (void)scratch;
  const size_t first = begin * QRT_UNIT, last = end * QRT_UNIT < a->count ? end * QRT_UNIT : a->count;
  a->kernel->run(a->function, last - first, a->input + first, a->parameters, a->output + first);
}

static void prepare(qrt_binder *binder, const qrt_node *node, qrt_unary_function function, float first, float second,
                    qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  a.kernel = qrt_unary_select(binder->isa);
  a.function = function;
  a.count = (size_t)input.count;
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.parameters[0] = first;
  a.parameters[1] = second;
  qrt_bind_units(binder, step, run, (a.count + QRT_UNIT - 1) / QRT_UNIT, input.size * QRT_MACS_OF_A_BYTE);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}

#define FUNCTION(name)                                                                      \
  qrt_status qrt_check_float_##name(qrt_verify *v, const qrt_node *node) {                  \
    return check(v, node);                                                                  \
  }                                                                                         \
  void qrt_prepare_float_##name(qrt_binder *binder, const qrt_node *node, qrt_step *step) { \
    prepare(binder, node, QRT_UNARY_##name, 0, 0, step);                                    \
  }

FUNCTION(relu)
FUNCTION(sigmoid)
FUNCTION(tanh)
FUNCTION(exp)
FUNCTION(neg)
FUNCTION(abs)
FUNCTION(sqrt)
FUNCTION(rsqrt)
FUNCTION(silu)
FUNCTION(hardsigmoid)
FUNCTION(hardswish)

qrt_status qrt_check_float_gelu(qrt_verify *v, const qrt_node *node) {
  return check(v, node);
}

void qrt_prepare_float_gelu(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  int approximate = QRT_NODE_BOOL(node, gelu, approximate);
  prepare(binder, node, approximate ? QRT_UNARY_gelu_tanh : QRT_UNARY_gelu, 0, 0, step);
}

qrt_status qrt_check_float_elu(qrt_verify *v, const qrt_node *node) {
  QRT_TRY(qrt_expect_factor(v, node, QRT_FIELD(elu, alpha)));
  return check(v, node);
}

void qrt_prepare_float_elu(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  prepare(binder, node, QRT_UNARY_elu, QRT_NODE_FLOAT(node, elu, alpha), 0, step);
}

qrt_status qrt_check_float_leaky_relu(qrt_verify *v, const qrt_node *node) {
  QRT_TRY(qrt_expect_factor(v, node, QRT_FIELD(leaky_relu, negative_slope)));
  return check(v, node);
}

void qrt_prepare_float_leaky_relu(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  prepare(binder, node, QRT_UNARY_leaky_relu, QRT_NODE_FLOAT(node, leaky_relu, negative_slope), 0, step);
}

qrt_status qrt_check_float_clamp(qrt_verify *v, const qrt_node *node) {
  if (!(QRT_NODE_FLOAT(node, clamp, min) <= QRT_NODE_FLOAT(node, clamp, max))) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "min is above max");
  }
  return check(v, node);
}

void qrt_prepare_float_clamp(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  prepare(binder, node, QRT_UNARY_clamp, QRT_NODE_FLOAT(node, clamp, min), QRT_NODE_FLOAT(node, clamp, max), step);
}
