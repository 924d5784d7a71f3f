/* float_pool2d.c - the largest value and the mean under each window of a float tensor, NHWC; design rule 11. */
#include "../kernels/taps/taps.h"
#include "pool2d.h"

typedef struct arguments {
  const qrt_taps_kernel *kernel;
  qrt_pool2d_shape shape;
  int adaptive, largest;
  int32_t divisor_override, count_include_pad;
  const float *input;
  float *output;
} arguments;

static const qrt_pool2d_fields max_fields = {
    QRT_FIELD(max_pool2d, kernel_size), QRT_FIELD(max_pool2d, stride),    QRT_FIELD(max_pool2d, padding),
    QRT_FIELD(max_pool2d, dilation),    QRT_FIELD(max_pool2d, ceil_mode),
};

static const qrt_pool2d_fields avg_fields = {
    QRT_FIELD(avg_pool2d, kernel_size), QRT_FIELD(avg_pool2d, stride), QRT_FIELD(avg_pool2d, padding), NULL,
    QRT_FIELD(avg_pool2d, ceil_mode),
};

qrt_status qrt_check_float_max_pool2d(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  return qrt_check_pool2d(v, node, &max_fields, QRT_FB_DType_float32, &input, &output);
}

qrt_status qrt_check_float_avg_pool2d(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t divisor;
  QRT_TRY(qrt_check_pool2d(v, node, &avg_fields, QRT_FB_DType_float32, &input, &output));
  return qrt_expect_int(v, node, QRT_FIELD(avg_pool2d, divisor_override), 0, INT32_MAX, &divisor);
}

qrt_status qrt_check_float_adaptive_avg_pool2d(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t size[2];
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  QRT_TRY(qrt_expect_rank(v, node, 0, &input, 4));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(adaptive_avg_pool2d, output_size), 2, 1, QRT_LIMIT_OPTION, size));
  int32_t shape[4] = {input.shape[0], size[0], size[1], input.shape[3]};
  int64_t rows = input.shape[1] / size[0] + 2, columns = input.shape[2] / size[1] + 2;
  if (rows > QRT_LIMIT_WINDOW / columns) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "output_size: windows of more than 2^23 elements");
  }
  return qrt_expect_output(v, node, QRT_FB_DType_float32, 4, shape, &output);
}

/* ---- run ---- */

static qrt_pool2d_span window_of(const arguments *a, const qrt_pool2d_axis *axis, int64_t i) {
  if (!a->adaptive) {
    return qrt_pool2d_window(axis, i);
  }
  const int64_t begin = i * axis->in / axis->out, end = ((i + 1) * axis->in + axis->out - 1) / axis->out;
  return (qrt_pool2d_span){begin, end, begin, end - begin};
}

/* What the sum is divided by: what is inside, or with the padding, or a number from the model. */
static float divisor(const arguments *a, const qrt_pool2d_span *rows, const qrt_pool2d_span *columns) {
  if (a->divisor_override) {
    return (float)a->divisor_override;
  }
  if (a->count_include_pad) {
    return (float)(int32_t)((rows->end - rows->begin) * (columns->end - columns->begin)); /* at most 2^23 */
  }
  return (float)(int32_t)(rows->taps * columns->taps);
}

static void run_window(const arguments *a, const float *image, const qrt_pool2d_span *rows,
                       const qrt_pool2d_span *columns, const float **taps, float *output) {
  const qrt_pool2d_shape *s = &a->shape;
  size_t count = 0;
  for (int64_t i = 0; i < rows->taps; ++i) {
    const int64_t y = rows->first + i * s->h.dilation;
    for (int64_t j = 0; j < columns->taps; ++j) {
      taps[count++] = image + (size_t)(y * s->w.in + columns->first + j * s->w.dilation) * s->channels;
    }
  }
  if (a->largest) {
    a->kernel->largest(count, s->channels, taps, output);
  } else {
    a->kernel->mean(count, s->channels, taps, divisor(a, rows, columns), output);
  }
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const qrt_pool2d_shape *s = &a->shape;
  float *output = a->output;
  for (size_t image = 0; image < s->batch; ++image) {
    const float *input = a->input + image * (size_t)(s->h.in * s->w.in) * s->channels;
    for (int64_t y = 0; y < s->h.out; ++y) {
      const qrt_pool2d_span rows = window_of(a, &s->h, y);
      for (int64_t x = 0; x < s->w.out; ++x, output += s->channels) {
        const qrt_pool2d_span columns = window_of(a, &s->w, x);
        run_window(a, input, &rows, &columns, scratch, output);
      }
    }
  }
}

/* ---- prepare ---- */

static void prepare(qrt_binder *binder, const qrt_node *node, arguments *a, qrt_step *step) {
  qrt_tensor input, output;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  a->kernel = qrt_taps_select(binder->isa);
  a->input = qrt_bind_tensor(binder, &input);
  a->output = qrt_bind_output(binder, &output);
  qrt_bind_scratch(binder, (uint64_t)a->shape.h.kernel * (uint64_t)a->shape.w.kernel * sizeof(const float *));
  step->run = run;
  step->arguments = qrt_bind_copy(binder, a, sizeof *a);
  step->kernel = a->kernel->name;
}

void qrt_prepare_float_max_pool2d(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  arguments a;
  memset(&a, 0, sizeof a);
  a.largest = 1;
  qrt_pool2d_read(node, &max_fields, &a.shape);
  prepare(binder, node, &a, step);
}

void qrt_prepare_float_avg_pool2d(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  arguments a;
  memset(&a, 0, sizeof a);
  a.divisor_override = QRT_NODE_INT(node, avg_pool2d, divisor_override);
  a.count_include_pad = QRT_NODE_BOOL(node, avg_pool2d, count_include_pad);
  qrt_pool2d_read(node, &avg_fields, &a.shape);
  prepare(binder, node, &a, step);
}

void qrt_prepare_float_adaptive_avg_pool2d(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  memset(&a, 0, sizeof a);
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  a.adaptive = 1;
  a.shape.batch = (size_t)input.shape[0];
  a.shape.channels = (size_t)input.shape[3];
  /* kernel: no window is longer */
  a.shape.h = (qrt_pool2d_axis){input.shape[1], output.shape[1], input.shape[1] / output.shape[1] + 2, 1, 0, 1};
  a.shape.w = (qrt_pool2d_axis){input.shape[2], output.shape[2], input.shape[2] / output.shape[2] + 2, 1, 0, 1};
  prepare(binder, node, &a, step);
}
