/* where.c - elements of one tensor or another; moves bytes; design rule 7. */
#include "elementwise.h"

qrt_status qrt_check_where(qrt_verify *v, const qrt_node *node) {
  qrt_tensor condition, input, other, output;
  qrt_node_output(node, &output);
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_bool, &condition));
  QRT_TRY(qrt_expect_input(v, node, 1, output.dtype, &input));
  QRT_TRY(qrt_expect_input(v, node, 2, output.dtype, &other));
  QRT_TRY(qrt_check_elementwise(v, node, output.dtype, &output));
  QRT_TRY(qrt_expect_same_qparams(v, node, &input, &output));
  return qrt_expect_same_qparams(v, node, &other, &output);
}

static void run_part(const void *context, size_t count, const uint8_t *const *input, const size_t *step,
                     uint8_t *output) {
  const size_t element = ((const qrt_elementwise *)context)->element;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t *source = input[0][i * step[0]] ? input[1] + i * step[1] : input[2] + i * step[2];
    memmove(output + i * element, source, element); /* in place, they are the same */
  }
}

static void run_bytes(const void *context, size_t count, const uint8_t *const *input, const size_t *step,
                      uint8_t *output) {
  (void)context;
  for (size_t i = 0; i < count; ++i) {
    output[i] = input[0][i * step[0]] ? input[1][i * step[1]] : input[2][i * step[2]];
  }
}

static void run(const void *pointer, void *scratch) {
  const qrt_elementwise *e = pointer;
  (void)scratch;
  qrt_run_elementwise(e, e->element == 1 ? run_bytes : run_part, e);
}

void qrt_prepare_where(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_elementwise e;
  qrt_bind_elementwise(binder, node, &e);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &e, sizeof e);
}
