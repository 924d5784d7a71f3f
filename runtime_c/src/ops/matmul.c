/* matmul.c - the product of two activations; design rule 15. The second operand plays the weights of the gemm kernels:
 * it is transposed and packed into scratch when the operator runs.
 *
 * Kernels take int8 weights without a zero point, but d = other - zero_point has nine bits. So d goes in as two halves,
 * one after the other in depth, which is then 2 * k, and each row of the input is read as two runs of the same bytes.
 * The halves of 255, which only a zero point of -128 can make, do not fit, those of -255 do: then both factors change
 * their sign, the input's by ~a - ~zero_point = -(a - zero_point). That needs a copy of the input's rows, and so do
 * rows too short to be runs. */
#include "../kernels/gemm/gemm.h"
#include "broadcast.h"
#include "pack.h"

typedef struct arguments {
  const qrt_gemm_kernel *kernel;
  size_t m, n, k, depth; /* depth is k, or 2 * k where other has a zero point */
  int32_t negative;      /* both factors are negated */
  int32_t copied;        /* rows are copied into scratch, doubled, a tile at a time */
  int32_t other_zero_point;
  size_t count; /* of matrices in the output */
  uint32_t rank;
  size_t extent[QRT_MAX_RANK]; /* the leading axes, and from one of their positions to the next in matrices */
  size_t input_stride[QRT_MAX_RANK], other_stride[QRT_MAX_RANK];
  const int8_t *input, *other;
  int8_t *output;
  qrt_gemm_weights weights;  /* without w */
  size_t packed_at, rows_at; /* in scratch, behind the weights */
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

/* other, [k][n], as weights, [n][depth]. */
static void transpose(const arguments *a, const int8_t *other, int8_t *w) {
  for (size_t p = 0; p < a->k; ++p) {
    for (size_t j = 0; j < a->n; ++j) {
      int32_t d = *other++ - a->other_zero_point;
      if (a->depth == a->k) {
        w[j * a->depth + p] = (int8_t)d;
      } else {
        d = a->negative ? -d : d;
        w[j * a->depth + p] = (int8_t)(d >> 1);
        w[j * a->depth + a->k + p] = (int8_t)(d - (d >> 1));
      }
    }
  }
}

/* Each of m rows twice, one after the other. */
static void repeat_rows(const arguments *a, size_t m, const int8_t *input, int8_t *rows) {
  for (size_t i = 0; i < m; ++i, input += a->k, rows += a->depth) {
    for (size_t p = 0; p < a->k; ++p) {
      rows[p] = rows[a->k + p] = a->negative ? (int8_t)~input[p] : input[p];
    }
  }
}

static void multiply(const arguments *a, const int8_t *input, const void *packed, int8_t *copy, int8_t *output) {
  qrt_gemm_rows rows = {input, a->weights.runs, a->weights.run, 0, SIZE_MAX, a->k, 0};
  if (!a->copied) {
    a->kernel->run(a->m, a->n, &rows, packed, &a->range, output, a->n);
    return;
  }
  rows = qrt_gemm_matrix(copy, a->depth, a->depth);
  size_t mr = a->kernel->mr;
  for (size_t i = 0; i < a->m; i += mr) {
    size_t m = a->m - i < mr ? a->m - i : mr;
    repeat_rows(a, m, input + i * a->k, copy);
    a->kernel->run(m, a->n, &rows, packed, &a->range, output + i * a->n, a->n);
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
    multiply(a, a->input + input * a->m * a->k, memory + a->packed_at, (int8_t *)(memory + a->rows_at),
             a->output + i * a->m * a->n);
  }
}

/* Scratch: weights, the same packed, and a strip of rows. In memory: no biases, and one multiplier for all columns. */
static void bind_weights(qrt_binder *binder, const qrt_node *node, int32_t zero_point, arguments *a) {
  size_t runs = a->copied ? 1 : a->depth / a->k, depth = a->depth / runs;
  if (!qrt_pack_fits(binder, a->n, runs, depth)) {
    return;
  }
  a->packed_at = (a->n * a->depth + QRT_ALIGNMENT - 1) / QRT_ALIGNMENT * QRT_ALIGNMENT;
  a->rows_at = a->packed_at + a->kernel->packed_size(a->n, runs, depth);
  qrt_bind_scratch(binder, (uint64_t)a->rows_at + (a->copied ? (uint64_t)a->kernel->mr * a->depth : 0));
  int32_t *bias = qrt_bind_memory(binder, (uint64_t)a->n * sizeof *bias);
  float *multiplier = qrt_bind_memory(binder, (uint64_t)a->n * sizeof *multiplier);
  for (size_t j = 0; bias && j < a->n; ++j) {
    bias[j] = 0;
    multiplier[j] = QRT_NODE_FLOAT(node, matmul, multiplier);
  }
  a->weights = (qrt_gemm_weights){.n = a->n,
                                  .runs = runs,
                                  .run = depth,
                                  .bias = bias,
                                  .multiplier = multiplier,
                                  .a_zero_point = a->negative ? ~zero_point : zero_point};
}

void qrt_prepare_matmul(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, other, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &other);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  a.kernel = qrt_gemm_select(binder->isa);
  a.m = (size_t)output.shape[output.rank - 2];
  a.n = (size_t)output.shape[output.rank - 1];
  a.k = (size_t)input.shape[input.rank - 1];
  a.depth = other.zero_point ? 2 * a.k : a.k;
  a.negative = other.zero_point == -128;
  a.copied = a.depth != a.k && (a.negative || a.k < a.kernel->kr);
  a.other_zero_point = other.zero_point;
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
