/* conv2d_weight_only.c - convolution, NHWC, float in and out, with weights of 8 or 4 bits; design rule 20. The patches
 * under some pixels of the output are the rows of a matrix multiplication; padding is 0 in them. */
#include "weight_only.h"

enum { ROWS = 8 }; /* patches at a time */

/* Height, then width. */
typedef struct geometry {
  int32_t kernel[2], stride[2], padding[4], dilation[2], groups;
} geometry;

typedef struct arguments {
  qrt_weight_only weights;
  geometry g;
  size_t batch, in[2], out[2], in_channels, out_channels;
  const float *input;
  float *output;
} arguments;

static const qrt_weight_only_fields fields = QRT_WEIGHT_ONLY_FIELDS(conv2d_weight_only);

/* ---- check ---- */

static qrt_status read_geometry(qrt_verify *v, const qrt_node *node, geometry *g) {
  const int32_t most = QRT_LIMIT_OPTION;
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(conv2d_weight_only, kernel_size), 2, 1, most, g->kernel));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(conv2d_weight_only, stride), 2, 1, most, g->stride));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(conv2d_weight_only, padding), 4, 0, most, g->padding));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(conv2d_weight_only, dilation), 2, 1, most, g->dilation));
  return qrt_expect_int(v, node, QRT_FIELD(conv2d_weight_only, groups), 1, most, &g->groups);
}

/* 0 if there is none. */
static int32_t output_extent(const geometry *g, int32_t in, int axis) {
  const int64_t reach = (int64_t)g->dilation[axis] * (g->kernel[axis] - 1) + 1;
  const int64_t room = (int64_t)in + g->padding[axis] + g->padding[axis + 2] - reach;
  const int64_t extent = room < 0 ? 0 : room / g->stride[axis] + 1;
  return extent > INT32_MAX ? 0 : (int32_t)extent;
}

qrt_status qrt_check_conv2d_weight_only(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  geometry g;
  int32_t n;
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  QRT_TRY(qrt_expect_rank(v, node, 0, &input, 4));
  QRT_TRY(read_geometry(v, node, &g));
  const int32_t channels = input.shape[3];
  if (channels % g.groups) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "groups: %d do not fit %d channels", g.groups, channels);
  }
  /* Kernels are below 2^20 on a side, channels below 2^31: what a row of weights cannot be is refused by its check. */
  const int64_t taps = (int64_t)g.kernel[0] * g.kernel[1], k = channels / g.groups;
  QRT_TRY(qrt_expect_weight_only(v, node, &fields, taps > INT32_MAX / k ? INT64_MAX : taps * k, &n));
  if (n % g.groups) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "groups: %d do not fit %d outputs", g.groups, n);
  }
  const int32_t shape[4] = {input.shape[0], output_extent(&g, input.shape[1], 0), output_extent(&g, input.shape[2], 1),
                            n};
  return qrt_expect_output(v, node, QRT_FB_DType_float32, 4, shape, &output);
}

/* ---- run ---- */

/* The patch of output pixel (y, x), of one group's channels. */
static void gather(const arguments *a, const float *image, size_t y, size_t x, float *patch) {
  const geometry *g = &a->g;
  const size_t channels = a->in_channels / (size_t)g->groups;
  for (int64_t i = 0; i < g->kernel[0]; ++i) {
    const int64_t row = (int64_t)y * g->stride[0] - g->padding[0] + i * g->dilation[0];
    for (int64_t j = 0; j < g->kernel[1]; ++j, patch += channels) {
      const int64_t column = (int64_t)x * g->stride[1] - g->padding[1] + j * g->dilation[1];
      if (row >= 0 && row < (int64_t)a->in[0] && column >= 0 && column < (int64_t)a->in[1]) {
        memcpy(patch, image + ((size_t)row * a->in[1] + (size_t)column) * a->in_channels, channels * sizeof *patch);
      } else {
        memset(patch, 0, channels * sizeof *patch);
      }
    }
  }
}

static void run_image(const arguments *a, const float *image, float *output, float *patches) {
  const qrt_weight_only *w = &a->weights;
  const size_t groups = (size_t)a->g.groups, channels = a->in_channels / groups, pixels = a->out[0] * a->out[1];
  for (size_t first = 0; first < pixels; first += ROWS) {
    const size_t count = pixels - first < ROWS ? pixels - first : ROWS;
    for (size_t g = 0; g < groups; ++g) {
      for (size_t i = 0; i < count; ++i) {
        gather(a, image + g * channels, (first + i) / a->out[1], (first + i) % a->out[1], patches + i * w->shape.k);
      }
      w->kernel->run(&w->shape, count, patches, w->shape.k, w->packed + g * w->stride,
                     output + first * a->out_channels + g * w->shape.n, a->out_channels);
    }
  }
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const size_t in = a->in[0] * a->in[1] * a->in_channels, out = a->out[0] * a->out[1] * a->out_channels;
  for (size_t b = 0; b < a->batch; ++b) {
    run_image(a, a->input + b * in, a->output + b * out, scratch);
  }
}

/* ---- prepare ---- */

void qrt_prepare_conv2d_weight_only(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  qrt_node_ints(node, QRT_FIELD(conv2d_weight_only, kernel_size), 2, a.g.kernel);
  qrt_node_ints(node, QRT_FIELD(conv2d_weight_only, stride), 2, a.g.stride);
  qrt_node_ints(node, QRT_FIELD(conv2d_weight_only, padding), 4, a.g.padding);
  qrt_node_ints(node, QRT_FIELD(conv2d_weight_only, dilation), 2, a.g.dilation);
  a.g.groups = QRT_NODE_INT(node, conv2d_weight_only, groups);
  a.batch = (size_t)input.shape[0];
  for (int axis = 0; axis < 2; ++axis) {
    a.in[axis] = (size_t)input.shape[1 + axis];
    a.out[axis] = (size_t)output.shape[1 + axis];
  }
  a.in_channels = (size_t)input.shape[3];
  a.out_channels = (size_t)output.shape[3];
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  const size_t groups = (size_t)a.g.groups,
               k = (size_t)a.g.kernel[0] * (size_t)a.g.kernel[1] * (a.in_channels / groups);
  qrt_bind_weight_only(binder, node, &fields, k, groups, &a.weights);
  qrt_bind_scratch(binder, (uint64_t)ROWS * k * sizeof(float));
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.weights.kernel->name;
}
