/* comparison.c - see comparison.h. */
#include "comparison.h"

typedef struct arguments {
  qrt_elementwise elementwise;
  qrt_comparison comparison;
  int real; /* else integers */
  uint32_t dtype[2];
  float scale[2];
  int32_t zero_point[2];
} arguments;

static int is_real(uint32_t dtype) {
  return dtype == QRT_FB_DType_int8 || dtype == QRT_FB_DType_float32;
}

qrt_status qrt_check_comparison(qrt_verify *v, const qrt_node *node) {
  qrt_tensor operand[2], output;
  for (uint32_t i = 0; i < 2; ++i) {
    qrt_node_input(node, i, &operand[i]);
    if (operand[i].dtype == QRT_FB_DType_int8) {
      QRT_TRY(qrt_expect_quantized(v, node, i, &operand[i]));
    }
  }
  if (!(is_real(operand[0].dtype) && is_real(operand[1].dtype)) &&
      (operand[0].dtype != operand[1].dtype || operand[0].dtype == QRT_FB_DType_uint8)) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "%s cannot be compared with %s", qrt_dtype_name(operand[0].dtype),
                         qrt_dtype_name(operand[1].dtype));
  }
  return qrt_check_elementwise(v, node, QRT_FB_DType_bool, &output);
}

static float real_at(const arguments *a, uint32_t i, const uint8_t *at) {
  return a->dtype[i] == QRT_FB_DType_float32 ? qrt_load_float(at)
                                             : a->scale[i] * (float)((int8_t)*at - a->zero_point[i]);
}

/* 0 or 1 of a bool, whatever byte a stranger gives. */
static int64_t integer_at(uint32_t dtype, const uint8_t *at) {
  return dtype == QRT_FB_DType_int64   ? (int64_t)qrt_load64(at)
         : dtype == QRT_FB_DType_int32 ? qrt_load_int(at)
                                       : *at != 0;
}

static void run_part(const void *context, size_t count, const uint8_t *const *input, const size_t *step,
                     uint8_t *output) {
  const arguments *a = context;
  const qrt_comparison *c = &a->comparison;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t *left = input[0] + i * step[0], *right = input[1] + i * step[1];
    if (a->real) {
      float x = real_at(a, 0, left), y = real_at(a, 1, right);
      output[i] = x < y ? c->less : x == y ? c->equal : c->other;
    } else {
      int64_t x = integer_at(a->dtype[0], left), y = integer_at(a->dtype[1], right);
      output[i] = x < y ? c->less : x == y ? c->equal : c->other;
    }
  }
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  (void)scratch;
  qrt_run_elementwise(&a->elementwise, run_part, a);
}

void qrt_prepare_comparison(qrt_binder *binder, const qrt_node *node, const qrt_comparison *comparison,
                            qrt_step *step) {
  arguments a;
  memset(&a, 0, sizeof a);
  qrt_bind_elementwise(binder, node, &a.elementwise);
  a.comparison = *comparison;
  for (uint32_t i = 0; i < 2; ++i) {
    qrt_tensor operand;
    qrt_node_input(node, i, &operand);
    a.dtype[i] = operand.dtype;
    a.scale[i] = operand.scale;
    a.zero_point[i] = operand.zero_point;
    a.real = is_real(operand.dtype);
  }
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
