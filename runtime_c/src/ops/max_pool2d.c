/* max_pool2d.c - the largest value under each window, NHWC; design rule 7. */
#include "pool2d.h"

typedef struct arguments {
  const qrt_pool_kernel *kernel;
  qrt_pool2d_shape shape;
  const int8_t *input;
  int8_t *output;
} arguments;

static const qrt_pool2d_fields fields = {
    QRT_FIELD(max_pool2d, kernel_size), QRT_FIELD(max_pool2d, stride),    QRT_FIELD(max_pool2d, padding),
    QRT_FIELD(max_pool2d, dilation),    QRT_FIELD(max_pool2d, ceil_mode),
};

qrt_status qrt_check_max_pool2d(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  QRT_TRY(qrt_check_pool2d(v, node, &fields, QRT_FB_DType_int8, &input, &output));
  return qrt_expect_same_qparams(v, node, &input, &output);
}

static void visit(const void *context, const qrt_pool_window *window, const qrt_pool2d_span *rows,
                  const qrt_pool2d_span *columns, int8_t *output) {
  const arguments *a = context;
  (void)rows;
  (void)columns;
  a->kernel->max(window, output);
}

static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  (void)scratch;
  qrt_run_pool2d(&a->shape, a->input, a->output, visit, a, begin, end);
}

void qrt_prepare_max_pool2d(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  a.kernel = qrt_pool_select(binder->isa);
  qrt_pool2d_read(node, &fields, &a.shape);
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  qrt_bind_pool2d(binder, &a.shape, step, run);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
