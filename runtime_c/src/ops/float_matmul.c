/* float_matmul.c - the product of two float activations; design rule 11. Kernels read the second operand where it is,
 * but for its last columns: these are packed into scratch where they do not fill a panel. */
#include "factors.h"
#include "float_pack.h"

enum { ROWS = 32 }; /* of a unit of work, within a matrix */

typedef struct arguments {
  const qrt_matmul_kernel *kernel;
  size_t m, n, k;
  size_t units; /* of each matrix of the output */
  qrt_batches batches;
  const float *input, *other;
  float *output;
} arguments;

qrt_status qrt_check_float_matmul(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, other, output;
  uint32_t rank = 0;
  int32_t shape[QRT_MAX_RANK];
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  QRT_TRY(qrt_expect_input(v, node, 1, QRT_FB_DType_float32, &other));
  QRT_TRY(qrt_check_factors(v, node, &input, &other, &rank, shape));
  return qrt_expect_output(v, node, QRT_FB_DType_float32, rank, shape, &output);
}

static void multiply(const arguments *a, size_t m, const float *input, const float *other, float *panel,
                     float *output) {
  const size_t nr = a->kernel->nr, rest = a->n % nr, whole = a->n - rest;
  const qrt_matmul_rows rows = qrt_matmul_matrix(input, a->k, a->k);
  if (whole) {
    const qrt_matmul_columns columns = {other, a->n, nr, NULL};
    a->kernel->run(m, whole, &rows, &columns, output, a->n);
  }
  if (rest) {
    const qrt_matmul_columns columns = {panel, nr, 0, NULL};
    qrt_fill_panels(rest, a->k, other + whole, 1, a->n, nr, panel);
    a->kernel->run(m, rest, &rows, &columns, output + whole, a->n);
  }
}

static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  for (size_t count; begin < end; begin += count) {
    const size_t i = begin / a->units, unit = begin % a->units, left = a->units - unit;
    count = left < end - begin ? left : end - begin;
    const size_t first = unit * ROWS, rows = count < left ? count * ROWS : a->m - first;
    const float *input = a->input + qrt_batch_of(&a->batches, a->batches.input, i) * a->m * a->k;
    const float *other = a->other + qrt_batch_of(&a->batches, a->batches.other, i) * a->k * a->n;
    multiply(a, rows, input + first * a->k, other, scratch, a->output + (i * a->m + first) * a->n);
  }
}

void qrt_prepare_float_matmul(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, other, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &other);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  a.kernel = qrt_matmul_select(binder->isa);
  a.m = (size_t)output.shape[output.rank - 2];
  a.n = (size_t)output.shape[output.rank - 1];
  a.k = (size_t)input.shape[input.rank - 1];
  qrt_bind_batches(&input, &other, &output, &a.batches);
  a.input = qrt_bind_tensor(binder, &input);
  a.other = qrt_bind_tensor(binder, &other);
  a.output = qrt_bind_output(binder, &output);
  qrt_bind_scratch(binder, a.n % a.kernel->nr ? (uint64_t)a.kernel->nr * a.k * sizeof(float) : 0);
  a.units = (a.m + ROWS - 1) / ROWS;
  enum { FLOATS = 4 }; /* a product of floats takes as long as so many of integers */
  qrt_bind_units(binder, step, run, a.batches.count * a.units, (uint64_t)a.batches.count * a.m * a.n * a.k * FLOATS);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
