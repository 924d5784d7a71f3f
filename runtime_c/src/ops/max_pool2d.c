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
  QRT_TRY(qrt_check_pool2d(v, node, &fields, &input, &output));
  return qrt_expect_same_qparams(v, node, &input, &output);
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const qrt_pool2d_shape *s = &a->shape;
  size_t in_row = (size_t)s->w.in * s->channels;
  int8_t *output = a->output;
  (void)scratch;
  for (size_t image = 0; image < s->batch; ++image) {
    const int8_t *input = a->input + image * (size_t)s->h.in * in_row;
    for (int64_t y = 0; y < s->h.out; ++y) {
      qrt_pool2d_span rows = qrt_pool2d_window(&s->h, y);
      for (int64_t x = 0; x < s->w.out; ++x, output += s->channels) {
        qrt_pool2d_span columns = qrt_pool2d_window(&s->w, x);
        qrt_pool_window window = {
            .a = input + (size_t)rows.first * in_row + (size_t)columns.first * s->channels,
            .rows = (size_t)rows.taps,
            .columns = (size_t)columns.taps,
            .row_stride = (size_t)s->h.dilation * in_row,
            .column_stride = (size_t)s->w.dilation * s->channels,
            .channels = s->channels,
        };
        a->kernel->max(&window, output);
      }
    }
  }
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
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
