/* matmul.c - the product of two activations; design rule 15. The second operand plays the weights of the gemm kernels:
 * it is transposed and packed into scratch when the operator runs.
 *
 * Kernels take int8 weights without a zero point, but d = other - zero_point has nine bits. So d goes in as a sum of
 * two parts, a row of the input being read twice; of three, where d goes up to 255, which is more than two parts can
 * be. */
#include "../kernels/gemm/gemm.h"
#include "broadcast.h"
#include "pack.h"

enum { MOST_PARTS = 3 };

typedef struct arguments {
  const qrt_gemm_kernel *kernel;
  size_t m, n, k, parts;
  int8_t part[MOST_PARTS][256]; /* of each value of other, counted from -128 */
  size_t count;                 /* of matrices in the output */
  uint32_t rank;
  size_t extent[QRT_MAX_RANK]; /* the leading axes, and from one of their positions to the next in matrices */
  size_t input_stride[QRT_MAX_RANK], other_stride[QRT_MAX_RANK];
  const int8_t *input, *other;
  int8_t *output;
  qrt_gemm_weights weights; /* without w, which is at the beginning of scratch */
  size_t packed_at;         /* in scratch */
  qrt_output_range range;
} arguments;

/* Without the two axes of the matrices. */
static qrt_tensor leading(const qrt_tensor *tensor) {
  qrt_tensor result = *tensor;
  result.rank -= 2;
  return result;
}

static qrt_status check_factors(qrt_verify *v, const qrt_node *node, const qrt_tensor *input, const qrt_tensor *other) {
  for (uint32_t i = 0; i < 2; ++i) {
    const qrt_tensor *tensor = i ? other : input;
    if (tensor->rank < 2) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u] is tensors[%u], rank %u, which is no matrix", i,
                           tensor->index, tensor->rank);
    }
  }
  if (input->shape[input->rank - 1] != other->shape[other->rank - 2]) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "%d columns times %d rows", input->shape[input->rank - 1],
                         other->shape[other->rank - 2]);
  }
  return QRT_OK;
}

qrt_status qrt_check_matmul(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, other, output;
  uint32_t rank = 0;
  int32_t shape[QRT_MAX_RANK];
  QRT_TRY(qrt_expect_quantized(v, node, 0, &input));
  QRT_TRY(qrt_expect_quantized(v, node, 1, &other));
  QRT_TRY(check_factors(v, node, &input, &other));
  qrt_tensor input_leading = leading(&input), other_leading = leading(&other);
  QRT_TRY(qrt_broadcast_shape(v, node, &input_leading, &other_leading, &rank, shape));
  shape[rank] = input.shape[input.rank - 2];
  shape[rank + 1] = other.shape[other.rank - 1];
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, rank + 2, shape, &output));
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(matmul, multiplier)));
  return qrt_expect_range(v, node, QRT_FIELD(matmul, output_min), QRT_FIELD(matmul, output_max));
}

/* Which of an operand's matrices belongs to output matrix i. */
static size_t matrix_of(const arguments *a, const size_t *stride, size_t i) {
  size_t at = 0;
  for (uint32_t axis = a->rank; axis-- > 0; i /= a->extent[axis]) {
    at += i % a->extent[axis] * stride[axis];
  }
  return at;
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

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  uint8_t *memory = scratch;
  qrt_gemm_weights weights = a->weights;
  size_t packed = SIZE_MAX;
  weights.w = scratch;
  for (size_t i = 0; i < a->count; ++i) {
    size_t input = matrix_of(a, a->input_stride, i), other = matrix_of(a, a->other_stride, i);
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
  a.count = (size_t)output.count / a.m / a.n;
  a.rank = output.rank - 2;
  qrt_tensor input_leading = leading(&input), other_leading = leading(&other);
  qrt_broadcast_strides(&input_leading, a.rank, a.input_stride);
  qrt_broadcast_strides(&other_leading, a.rank, a.other_stride);
  for (uint32_t i = 0; i < a.rank; ++i) {
    a.extent[i] = (size_t)output.shape[i];
  }
  a.input = qrt_bind_tensor(binder, &input);
  a.other = qrt_bind_tensor(binder, &other);
  a.output = qrt_bind_output(binder, &output);
  a.range = QRT_NODE_RANGE(node, matmul, &output);
  bind_weights(binder, node, input.zero_point, &a);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
