/* mean.c - the mean over adjacent axes: a pooling window one row high; design rule 8. */
#include "../kernels/pool/pool.h"
#include "op.h"

typedef struct arguments {
  const qrt_pool_kernel *kernel;
  size_t outer, count, inner; /* the input, as three axes; the middle one goes away */
  const int8_t *input;
  int8_t *output;
  int32_t zero_point;
  float rescale;
  qrt_output_range range;
} arguments;

/* The axes as first and last; they must be adjacent and ascending. */
static qrt_status check_dim(qrt_verify *v, const qrt_node *node, const qrt_tensor *input, int32_t *first,
                            int32_t *last) {
  int32_t dim[QRT_MAX_RANK];
  uint32_t count;
  qrt_flat_vector(node->model->file, node->options, QRT_FIELD(mean, dim), &count);
  if (!count || count > input->rank) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "dim: %u axes of %u", count, input->rank);
  }
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(mean, dim), count, 0, (int32_t)input->rank - 1, dim));
  for (uint32_t i = 1; i < count; ++i) {
    if (dim[i] != dim[i - 1] + 1) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "dim: not adjacent and ascending");
    }
  }
  *first = dim[0];
  *last = dim[count - 1];
  return QRT_OK;
}

qrt_status qrt_check_mean(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t first = 0, last = 0, shape[QRT_MAX_RANK];
  uint32_t rank = 0;
  uint64_t count = 1;
  QRT_TRY(qrt_expect_quantized(v, node, 0, &input));
  QRT_TRY(check_dim(v, node, &input, &first, &last));
  for (int32_t i = 0; i < (int32_t)input.rank; ++i) {
    int gone = i >= first && i <= last;
    count *= gone ? (uint32_t)input.shape[i] : 1;
    if (!gone) {
      shape[rank++] = input.shape[i];
    } else if (QRT_NODE_BOOL(node, mean, keepdim)) {
      shape[rank++] = 1;
    }
  }
  if (count > QRT_LIMIT_WINDOW) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "dim: more than 2^23 elements");
  }
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, rank, shape, &output));
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(mean, rescale)));
  return qrt_expect_range(v, node, QRT_FIELD(mean, output_min), QRT_FIELD(mean, output_max));
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  float multiplier = a->rescale / (float)(uint32_t)a->count;
  (void)scratch;
  for (size_t i = 0; i < a->outer; ++i) {
    qrt_pool_window window = {
        .a = a->input + i * a->count * a->inner,
        .rows = 1,
        .columns = a->count,
        .row_stride = a->count * a->inner,
        .column_stride = a->inner,
        .channels = a->inner,
    };
    a->kernel->avg(&window, a->zero_point, multiplier, &a->range, a->output + i * a->inner);
  }
}

void qrt_prepare_mean(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  int32_t dim[QRT_MAX_RANK];
  uint32_t count;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  qrt_flat_vector(node->model->file, node->options, QRT_FIELD(mean, dim), &count);
  qrt_node_ints(node, QRT_FIELD(mean, dim), count, dim);
  a.outer = a.count = a.inner = 1;
  for (int32_t i = 0; i < (int32_t)input.rank; ++i) {
    *(i < dim[0] ? &a.outer : i > dim[count - 1] ? &a.inner : &a.count) *= (size_t)input.shape[i];
  }
  a.kernel = qrt_pool_select(binder->isa);
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.zero_point = input.zero_point;
  a.rescale = QRT_NODE_FLOAT(node, mean, rescale);
  a.range = QRT_NODE_RANGE(node, mean, &output);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
