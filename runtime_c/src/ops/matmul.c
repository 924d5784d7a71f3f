/* matmul.c - the product of two activations; design rule 15. The second operand plays the weights of the gemm kernels:
 * it is transposed and packed into scratch when the operator runs.
 *
 * Kernels take int8 weights without a zero point, but d = other - zero_point has nine bits. So d goes in as a sum of
 * two parts, a row of the input being read twice; of three, where d goes up to 255, which is more than two parts can
 * be. */
#include "../kernels/gemm/gemm.h"
#include "factors.h"
#include "pack.h"

enum { MOST_PARTS = 3 };

typedef struct arguments {
  const qrt_gemm_kernel *kernel;
  size_t m, n, k, parts;
  int8_t part[MOST_PARTS][256]; /* of each value of other, counted from -128 */
  qrt_batches batches;
  const int8_t *input, *other;
  int8_t *output;
  qrt_gemm_weights weights; /* without w, which is at the beginning of scratch */
  size_t packed_at;         /* in scratch */
  qrt_output_range range;
} arguments;

qrt_status qrt_check_matmul(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, other, output;
  uint32_t rank = 0;
  int32_t shape[QRT_MAX_RANK];
  QRT_TRY(qrt_expect_quantized(v, node, 0, &input));
  QRT_TRY(qrt_expect_quantized(v, node, 1, &other));
  QRT_TRY(qrt_check_factors(v, node, &input, &other, &rank, shape));
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, rank, shape, &output));
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(matmul, multiplier)));
  return qrt_expect_range(v, node, QRT_FIELD(matmul, output_min), QRT_FIELD(matmul, output_max));
}

/* other, [k][n], as weights, [n][parts][k]. */
static void transpose(const arguments *a, const int8_t *other, int8_t *w) {
  for (size_t p = 0; p < a->k; ++p) {
    for (size_t j = 0; j < a->n; ++j, ++other) {
      for (size_t i = 0; i < a->parts; ++i) {
        w[(j * a->parts + i) * a->k + p] = a->part[i][*other + 128];
      }
    }
  }
}

/* Matrices begin..end of the output. */
static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  uint8_t *memory = scratch;
  qrt_gemm_weights weights = a->weights;
  size_t packed = SIZE_MAX;
  weights.w = scratch;
  for (size_t i = begin; i < end; ++i) {
    size_t input = qrt_batch_of(&a->batches, a->batches.input, i);
    size_t other = qrt_batch_of(&a->batches, a->batches.other, i);
    if (other != packed) {
      transpose(a, a->other + other * a->k * a->n, scratch);
      a->kernel->pack(&weights, memory + a->packed_at);
      packed = other;
    }
    qrt_gemm_rows rows = qrt_gemm_matrix(a->input + input * a->m * a->k, a->k, a->k);
    rows.runs = a->parts; /* 0 bytes apart */
    a->kernel->run(a->m, a->n, &rows, memory + a->packed_at, &a->range, a->output + i * a->m * a->n, a->n);
  }
}

/* floor((d + i) / parts) for i = 0 .. parts - 1 adds up to d (Hermite). */
static void divide(int32_t zero_point, arguments *a) {
  a->parts = zero_point == 0 ? 1 : zero_point > -128 ? 2 : MOST_PARTS;
  for (int32_t i = 0; i < (int32_t)a->parts; ++i) {
    for (int32_t value = -128; value < 128; ++value) {
      int32_t parts = (int32_t)a->parts, positive = value - zero_point + i + 256 * parts;
      a->part[i][value + 128] = (int8_t)(positive / parts - 256);
    }
  }
}

/* Scratch: weights, and the same packed. In memory: no biases, and one multiplier for all columns. */
static void bind_weights(qrt_binder *binder, const qrt_node *node, int32_t zero_point, arguments *a) {
  if (!qrt_pack_fits(binder, a->n, a->parts, a->k)) {
    return;
  }
  a->packed_at = (a->n * a->parts * a->k + QRT_ALIGNMENT - 1) / QRT_ALIGNMENT * QRT_ALIGNMENT;
  qrt_bind_scratch(binder, (uint64_t)a->packed_at + a->kernel->packed_size(a->n, a->parts, a->k));
  int32_t *bias = qrt_bind_memory(binder, (uint64_t)a->n * sizeof *bias);
  float *multiplier = qrt_bind_memory(binder, (uint64_t)a->n * sizeof *multiplier);
  for (size_t j = 0; bias && j < a->n; ++j) {
    bias[j] = 0;
    multiplier[j] = QRT_NODE_FLOAT(node, matmul, multiplier);
  }
  a->weights = (qrt_gemm_weights){
      .n = a->n, .runs = a->parts, .run = a->k, .bias = bias, .multiplier = multiplier, .a_zero_point = zero_point};
}

void qrt_prepare_matmul(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, other, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &other);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  a.m = (size_t)output.shape[output.rank - 2];
  a.n = (size_t)output.shape[output.rank - 1];
  a.k = (size_t)input.shape[input.rank - 1];
  a.kernel = qrt_gemm_select(binder->isa);
  if (a.k < a.kernel->kr) { /* parts would be too short for it */
    a.kernel = qrt_gemm_select(QRT_ISA_scalar);
  }
  divide(other.zero_point, &a);
  qrt_bind_batches(&input, &other, &output, &a.batches);
  a.input = qrt_bind_tensor(binder, &input);
  a.other = qrt_bind_tensor(binder, &other);
  a.output = qrt_bind_output(binder, &output);
  a.range = QRT_NODE_RANGE(node, matmul, &output);
  bind_weights(binder, node, input.zero_point, &a);
  qrt_bind_units(binder, step, run, a.batches.count, (uint64_t)a.batches.count * a.m * a.n * a.k * a.parts);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
