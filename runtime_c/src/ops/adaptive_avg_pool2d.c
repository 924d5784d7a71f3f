/* adaptive_avg_pool2d.c - the mean of each of a given number of windows, NHWC; design rule 8. */
#include "../kernels/pool/pool.h"
#include "op.h"

typedef struct arguments {
  const qrt_pool_kernel *kernel;
  size_t batch, in_h, in_w, channels, out_h, out_w;
  const int8_t *input;
  int8_t *output;
  int32_t zero_point;
  float rescale;
  qrt_output_range range;
} arguments;

/* i * extent / n, of n windows: the whole part, and n times the rest. Window i begins at the whole part, rounded down,
 * and ends at the next one's, rounded up. */
typedef struct edge {
  size_t whole, rest;
} edge;

static edge next_edge(edge e, size_t n, size_t extent) {
  e.whole += extent / n;
  e.rest += extent % n;
  return e.rest < n ? e : (edge){e.whole + 1, e.rest - n};
}

static size_t length(edge begin, edge end) {
  return end.whole + (end.rest != 0) - begin.whole;
}

qrt_status qrt_check_adaptive_avg_pool2d(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t size[2];
  QRT_TRY(qrt_expect_quantized(v, node, 0, &input));
  QRT_TRY(qrt_expect_rank(v, node, 0, &input, 4));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(adaptive_avg_pool2d, output_size), 2, 1, QRT_LIMIT_OPTION, size));
  int32_t shape[4] = {input.shape[0], size[0], size[1], input.shape[3]};
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, 4, shape, &output));
  /* No window is longer than extent / n + 2. */
  uint32_t rows = (uint32_t)(input.shape[1] / size[0]) + 2, columns = (uint32_t)(input.shape[2] / size[1]) + 2;
  if (rows > QRT_LIMIT_WINDOW / columns) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "output_size: windows of more than 2^23 elements");
  }
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(adaptive_avg_pool2d, rescale)));
  return qrt_expect_range(v, node, QRT_FIELD(adaptive_avg_pool2d, output_min),
                          QRT_FIELD(adaptive_avg_pool2d, output_max));
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  size_t in_row = a->in_w * a->channels;
  int8_t *output = a->output;
  (void)scratch;
  for (size_t image = 0; image < a->batch; ++image) {
    const int8_t *input = a->input + image * a->in_h * in_row;
    edge top = {0, 0}, bottom;
    for (size_t y = 0; y < a->out_h; ++y, top = bottom) {
      edge left = {0, 0}, right;
      bottom = next_edge(top, a->out_h, a->in_h);
      size_t rows = length(top, bottom);
      for (size_t x = 0; x < a->out_w; ++x, left = right, output += a->channels) {
        right = next_edge(left, a->out_w, a->in_w);
        size_t columns = length(left, right);
        qrt_pool_window window = {
            .a = input + top.whole * in_row + left.whole * a->channels,
            .rows = rows,
            .columns = columns,
            .row_stride = in_row,
            .column_stride = a->channels,
            .channels = a->channels,
        };
        a->kernel->avg(&window, a->zero_point, a->rescale / (float)(uint32_t)(rows * columns), &a->range, output);
      }
    }
  }
}

void qrt_prepare_adaptive_avg_pool2d(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  arguments a = {
      .kernel = qrt_pool_select(binder->isa),
      .batch = (size_t)input.shape[0],
      .in_h = (size_t)input.shape[1],
      .in_w = (size_t)input.shape[2],
      .channels = (size_t)input.shape[3],
      .out_h = (size_t)output.shape[1],
      .out_w = (size_t)output.shape[2],
      .input = qrt_bind_tensor(binder, &input),
      .output = qrt_bind_output(binder, &output),
      .zero_point = input.zero_point,
      .rescale = QRT_NODE_FLOAT(node, adaptive_avg_pool2d, rescale),
      .range = QRT_NODE_RANGE(node, adaptive_avg_pool2d, &output),
  };
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
