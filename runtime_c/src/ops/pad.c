/* pad.c - more positions before and behind those of each axis; moves bytes; design rule 7. */
#include "op.h"

enum { CONSTANT, REFLECT, REPLICATE, CIRCULAR, MODES };

typedef struct axis {
  int32_t in, out, before;
  size_t stride; /* in the input, in bytes */
} axis;

typedef struct arguments {
  const uint8_t *input;
  uint8_t *output;
  size_t element; /* bytes that lie together in both: the last axes, which have no padding */
  uint32_t rank;
  int32_t mode, value;
  axis axes[QRT_MAX_RANK];
} arguments;

qrt_status qrt_check_pad(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t before[QRT_MAX_RANK], mode, value;
  qrt_node_output(node, &output);
  if (output.dtype == QRT_FB_DType_int8) {
    QRT_TRY(qrt_expect_quantized(v, node, 0, &input));
  } else {
    QRT_TRY(qrt_expect_input(v, node, 0, output.dtype, &input));
  }
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(pad, before), input.rank, 0, INT32_MAX, before));
  QRT_TRY(qrt_expect_int(v, node, QRT_FIELD(pad, mode), 0, MODES - 1, &mode));
  const int32_t most_value = output.dtype == QRT_FB_DType_int8 ? 127 : 0;
  QRT_TRY(qrt_expect_int(v, node, QRT_FIELD(pad, value), most_value ? -128 : 0, most_value, &value));
  QRT_TRY(qrt_expect_rank(v, node, 0, &input, output.rank));
  for (uint32_t i = 0; i < input.rank; ++i) {
    int64_t behind = (int64_t)output.shape[i] - input.shape[i] - before[i];
    int64_t most = mode == REFLECT ? input.shape[i] - 1 : mode == CIRCULAR ? input.shape[i] : INT32_MAX;
    if (behind < 0 || behind > most || before[i] > most) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "axis %u: %d elements do not become %d, %d before them", i,
                           input.shape[i], output.shape[i], before[i]);
    }
  }
  QRT_TRY(qrt_expect_output(v, node, input.dtype, input.rank, output.shape, &output));
  return qrt_expect_same_qparams(v, node, &input, &output);
}

/* The input's position at output position `i`, or -1 for the constant. */
static int32_t position(const axis *x, int32_t mode, int32_t i) {
  int32_t p = i - x->before;
  if (p >= 0 && p < x->in) {
    return p;
  }
  switch (mode) {
    case REFLECT:
      return p < 0 ? -p : 2 * (x->in - 1) - p;
    case REPLICATE:
      return p < 0 ? 0 : x->in - 1;
    case CIRCULAR:
      return p < 0 ? p + x->in : p - x->in;
    default:
      return -1;
  }
}

static void fill(const arguments *a, const uint8_t *row, int32_t begin, int32_t end, uint8_t *output) {
  const axis *last = &a->axes[a->rank - 1];
  for (int32_t i = begin; i < end; ++i, output += a->element) {
    int32_t p = position(last, a->mode, i);
    if (p < 0) {
      memset(output, a->value, a->element);
    } else {
      memcpy(output, row + (size_t)p * last->stride, a->element);
    }
  }
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const axis *last = &a->axes[a->rank - 1];
  uint8_t *output = a->output;
  int32_t index[QRT_MAX_RANK] = {0};
  size_t behind = ((size_t)last->before + (size_t)last->in) * a->element, size = (size_t)last->out * a->element;
  (void)scratch;
  for (;;) {
    const uint8_t *row = a->input;
    for (uint32_t i = 0; row && i + 1 < a->rank; ++i) {
      int32_t p = position(&a->axes[i], a->mode, index[i]);
      row = p < 0 ? NULL : row + (size_t)p * a->axes[i].stride;
    }
    if (row) {
      fill(a, row, 0, last->before, output);
      memcpy(output + (size_t)last->before * a->element, row, (size_t)last->in * a->element);
      fill(a, row, last->before + last->in, last->out, output + behind);
    } else {
      memset(output, a->value, size);
    }
    output += size;
    uint32_t i = a->rank - 1;
    do { /* count up, the last but one axis fastest */
      if (i-- == 0) {
        return;
      }
      index[i] = index[i] + 1 < a->axes[i].out ? index[i] + 1 : 0;
    } while (!index[i]);
  }
}

void qrt_prepare_pad(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  int32_t before[QRT_MAX_RANK];
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  qrt_node_ints(node, QRT_FIELD(pad, before), input.rank, before);
  memset(&a, 0, sizeof a);
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.mode = QRT_NODE_INT(node, pad, mode);
  a.value = QRT_NODE_INT(node, pad, value);
  a.element = qrt_dtype_size(input.dtype);
  a.rank = input.rank;
  while (a.rank > 1 && input.shape[a.rank - 1] == output.shape[a.rank - 1]) {
    a.element *= (size_t)input.shape[--a.rank];
  }
  a.rank = a.rank ? a.rank : 1;
  size_t stride = a.element;
  for (uint32_t i = a.rank; i-- > 0;) {
    axis x = {1, 1, 0, stride};
    if (input.rank) {
      x.in = input.shape[i], x.out = output.shape[i], x.before = before[i];
    }
    a.axes[i] = x;
    stride *= (size_t)x.in;
  }
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
