/* minimum.c - the smaller of two int8 values with the same parameters; design rule 7. */
#include "elementwise.h"

qrt_status qrt_check_minimum(qrt_verify *v, const qrt_node *node) {
  qrt_tensor a, b, output;
  QRT_TRY(qrt_expect_quantized(v, node, 0, &a));
  QRT_TRY(qrt_expect_quantized(v, node, 1, &b));
  QRT_TRY(qrt_check_elementwise(v, node, QRT_FB_DType_int8, &output));
  QRT_TRY(qrt_expect_same_qparams(v, node, &a, &output));
  return qrt_expect_same_qparams(v, node, &b, &output);
}

static void run_part(const void *context, size_t count, const uint8_t *const *input, const size_t *step,
                     uint8_t *output) {
  (void)context;
  for (size_t i = 0; i < count; ++i) {
    int8_t a = (int8_t)input[0][i * step[0]], b = (int8_t)input[1][i * step[1]];
    output[i] = (uint8_t)(a < b ? a : b);
  }
}

static void run(const void *pointer, void *scratch) {
  (void)scratch;
  qrt_run_elementwise(pointer, run_part, NULL);
}

void qrt_prepare_minimum(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_elementwise e;
  qrt_bind_elementwise(binder, node, &e);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &e, sizeof e);
}
