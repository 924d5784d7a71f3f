/* avg_pool2d.c - the mean under each window, NHWC, divided by what PyTorch divides by; design rule 8. */
#include "pool2d.h"

typedef struct arguments {
  const qrt_pool_kernel *kernel;
  qrt_pool2d_shape shape;
  const int8_t *input;
  int8_t *output;
  int32_t zero_point;
  int32_t divisor_override; /* 0: none */
  int32_t count_include_pad;
  float rescale;
  qrt_output_range range;
} arguments;

static const qrt_pool2d_fields fields = {
    QRT_FIELD(avg_pool2d, kernel_size), QRT_FIELD(avg_pool2d, stride), QRT_FIELD(avg_pool2d, padding), NULL,
    QRT_FIELD(avg_pool2d, ceil_mode),
};

qrt_status qrt_check_avg_pool2d(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t divisor;
  QRT_TRY(qrt_check_pool2d(v, node, &fields, QRT_FB_DType_int8, &input, &output));
  QRT_TRY(qrt_expect_int(v, node, QRT_FIELD(avg_pool2d, divisor_override), 0, INT32_MAX, &divisor));
  QRT_TRY(qrt_expect_multiplier(v, node, QRT_FIELD(avg_pool2d, rescale)));
  return qrt_expect_range(v, node, QRT_FIELD(avg_pool2d, output_min), QRT_FIELD(avg_pool2d, output_max));
}

/* How many elements the window is said to have: what is inside, or with the padding, or a number from the model. */
static float divisor(const arguments *a, const qrt_pool2d_span *rows, const qrt_pool2d_span *columns) {
  if (a->divisor_override) {
    return (float)a->divisor_override;
  }
  if (a->count_include_pad) {
    return (float)(int32_t)((rows->end - rows->begin) * (columns->end - columns->begin)); /* at most 2^23 */
  }
  return (float)(int32_t)(rows->taps * columns->taps);
}

static void visit(const void *context, const qrt_pool_window *window, const qrt_pool2d_span *rows,
                  const qrt_pool2d_span *columns, int8_t *output) {
  const arguments *a = context;
  a->kernel->avg(window, a->zero_point, a->rescale / divisor(a, rows, columns), &a->range, output);
}

static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  (void)scratch;
  qrt_run_pool2d(&a->shape, a->input, a->output, visit, a, begin, end);
}

void qrt_prepare_avg_pool2d(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  a.kernel = qrt_pool_select(binder->isa);
  qrt_pool2d_read(node, &fields, &a.shape);
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.zero_point = input.zero_point;
  a.divisor_override = QRT_NODE_INT(node, avg_pool2d, divisor_override);
  a.count_include_pad = QRT_NODE_BOOL(node, avg_pool2d, count_include_pad);
  a.rescale = QRT_NODE_FLOAT(node, avg_pool2d, rescale);
  a.range = QRT_NODE_RANGE(node, avg_pool2d, &output);
  qrt_bind_pool2d(binder, &a.shape, step, run);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
