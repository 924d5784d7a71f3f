/* lookup_table.c - any function of one int8, as 256 answers from the file; design rule 6. */
#include "../kernels/lut/lut.h"
#include "op.h"

typedef struct arguments {
  const qrt_lut_kernel *kernel;
  size_t count;
  const int8_t *input;
  const int8_t *table;
  int8_t *output;
} arguments;

qrt_status qrt_check_lookup_table(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, table, output;
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_int8, &input));
  QRT_TRY(qrt_expect_vector(v, node, 1, QRT_FB_DType_int8, 256, &table));
  return qrt_expect_output(v, node, QRT_FB_DType_int8, input.rank, input.shape, &output);
}

static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  const size_t first = begin * QRT_UNIT, last = end * QRT_UNIT < a->count ? end * QRT_UNIT : a->count;
  (void)scratch;
  a->kernel->lookup(last - first, a->input + first, a->table, a->output + first);
}

void qrt_prepare_lookup_table(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, table, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &table);
  qrt_node_output(node, &output);
  a.kernel = qrt_lut_select(binder->isa);
  a.count = (size_t)input.count;
  a.input = qrt_bind_tensor(binder, &input);
  a.table = qrt_bind_tensor(binder, &table);
  a.output = qrt_bind_output(binder, &output);
  qrt_bind_moves(binder, step, run, (a.count + QRT_UNIT - 1) / QRT_UNIT, a.count);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
