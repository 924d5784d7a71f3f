/* conv2d.c - int8 convolution, NHWC; design rule 3. Patches of the input become the rows of a matrix multiplication, in
 * one of two ways, a strip of the output at a time. Where each row of the window is one run of bytes, the kernel finds
 * the patches itself, in the input or, where there is padding, in a padded copy of as many of its rows as the strip
 * needs. Else patches are gathered into scratch. Depthwise convolution has a file of its own. */
#include "conv2d.h"

#include "pack.h"

typedef struct arguments {
  const qrt_gemm_kernel *kernel;
  qrt_conv2d_shape shape;
  size_t n, k; /* per group */
  int padded;
  size_t strip; /* lines of the output at a time */
  const int8_t *input;
  const uint8_t *packed;
  size_t packed_stride;
  int8_t *output;
  int32_t zero_point; /* of the input: what padding holds */
  qrt_output_range range;
} arguments;

/* ---- check ---- */

/* (extent + padding - dilation * (kernel - 1) - 1) / stride + 1, or 0 if the kernel is larger than the padded input */
static int32_t output_extent(int32_t extent, int32_t padding, int32_t kernel, int32_t stride, int32_t dilation) {
  int64_t room = (int64_t)extent + padding - (int64_t)dilation * (kernel - 1) - 1;
  int64_t outputs = room < 0 ? 0 : room / stride + 1;
  return outputs > INT32_MAX ? 0 : (int32_t)outputs;
}

static qrt_status check_groups(qrt_verify *v, const qrt_node *node, const qrt_tensor *input, const qrt_tensor *weight) {
  int32_t groups;
  QRT_TRY(qrt_expect_int(v, node, QRT_FIELD(conv2d, groups), 1, QRT_LIMIT_OPTION, &groups));
  if (input->shape[3] % groups || weight->shape[0] % groups || weight->shape[3] != input->shape[3] / groups) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "groups: %d do not fit %d to %d channels with weights of %d", groups,
                         input->shape[3], weight->shape[0], weight->shape[3]);
  }
  return QRT_OK;
}

qrt_status qrt_check_conv2d(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, weight, output;
  int32_t stride[2], padding[4], dilation[2];
  QRT_TRY(qrt_expect_quantized(v, node, 0, &input));
  QRT_TRY(qrt_expect_rank(v, node, 0, &input, 4));
  QRT_TRY(qrt_expect_weight(v, node, 1, &weight));
  QRT_TRY(qrt_expect_rank(v, node, 1, &weight, 4));
  QRT_TRY(qrt_expect_bias_and_multiplier(v, node, weight.shape[0]));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(conv2d, stride), 2, 1, QRT_LIMIT_OPTION, stride));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(conv2d, padding), 4, 0, QRT_LIMIT_OPTION, padding));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(conv2d, dilation), 2, 1, QRT_LIMIT_OPTION, dilation));
  QRT_TRY(check_groups(v, node, &input, &weight));
  if (weight.shape[1] > QRT_LIMIT_OPTION || weight.shape[2] > QRT_LIMIT_OPTION) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "kernel of %d by %d", weight.shape[1], weight.shape[2]);
  }
  int32_t shape[4] = {
      input.shape[0],
      output_extent(input.shape[1], padding[0] + padding[2], weight.shape[1], stride[0], dilation[0]),
      output_extent(input.shape[2], padding[1] + padding[3], weight.shape[2], stride[1], dilation[1]),
      weight.shape[0],
  };
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, 4, shape, &output));
  return qrt_expect_range(v, node, QRT_FIELD(conv2d, output_min), QRT_FIELD(conv2d, output_max));
}

/* ---- run ---- */

/* One kernel row of a patch: kw pixels of `channels` bytes, those left and right of the input being padding. */
static void gather_row(const arguments *a, const int8_t *row, int64_t x, size_t channels, int8_t *patch) {
  const qrt_conv2d_shape *s = &a->shape;
  if (s->dilation_w == 1 && s->groups == 1 && x >= 0 && x + s->kw <= s->in_w) {
    memcpy(patch, row + (size_t)x * channels, (size_t)s->kw * channels);
    return;
  }
  for (int64_t t = 0; t < s->kw; ++t, x += s->dilation_w, patch += channels) {
    if (x >= 0 && x < s->in_w) {
      memcpy(patch, row + (size_t)x * (size_t)s->in_c, channels);
    } else {
      memset(patch, a->zero_point, channels);
    }
  }
}

/* The patch under output pixel `pixel` (over batch, height and width), for one group. */
static void gather_patch(const arguments *a, size_t pixel, size_t group, int8_t *patch) {
  const qrt_conv2d_shape *s = &a->shape;
  size_t channels = (size_t)(s->in_c / s->groups), out_w = (size_t)s->out_w, out_h = (size_t)s->out_h;
  size_t image = pixel / (out_h * out_w);
  int64_t y = (int64_t)(pixel / out_w % out_h) * s->stride_h - s->pad_top;
  int64_t x = (int64_t)(pixel % out_w) * s->stride_w - s->pad_left;
  for (int64_t r = 0; r < s->kh; ++r, y += s->dilation_h, patch += (size_t)s->kw * channels) {
    if (y >= 0 && y < s->in_h) {
      size_t row = (image * (size_t)s->in_h + (size_t)y) * (size_t)s->in_w * (size_t)s->in_c;
      gather_row(a, a->input + row + group * channels, x, channels, patch);
    } else {
      memset(patch, a->zero_point, (size_t)s->kw * channels);
    }
  }
}

static void run_gather(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const qrt_conv2d_shape *s = &a->shape;
  size_t pixels = (size_t)(s->batch * s->out_h * s->out_w), channels = (size_t)s->out_c, mr = a->kernel->mr;
  int8_t *patches = scratch;
  qrt_gemm_rows rows = qrt_gemm_matrix(patches, a->k, a->k);
  for (size_t i = 0; i < pixels; i += mr) {
    size_t m = pixels - i < mr ? pixels - i : mr;
    for (size_t g = 0; g < (size_t)s->groups; ++g) {
      for (size_t j = 0; j < m; ++j) {
        gather_patch(a, i + j, g, patches + j * a->k);
      }
      a->kernel->run(m, a->n, &rows, a->packed + g * a->packed_stride, &a->range, a->output + i * channels + g * a->n,
                     channels);
    }
  }
}

/* Lines of the input, and pixels of one, that `lines` lines of the output meet. */
static size_t lines_met(const qrt_conv2d_shape *s, size_t lines) {
  return (size_t)((int64_t)(lines - 1) * s->stride_h + (s->kh - 1) * s->dilation_h + 1);
}

static size_t pixels_met(const qrt_conv2d_shape *s) {
  return (size_t)((s->out_w - 1) * s->stride_w + s->kw);
}

/* `count` lines of an image from y on, of as many pixels as the output meets, with padding around the image. */
static void pad_lines(const arguments *a, const int8_t *image, int64_t y, size_t count, int8_t *line) {
  const qrt_conv2d_shape *s = &a->shape;
  size_t channels = (size_t)s->in_c, in_row = (size_t)s->in_w * channels, size = pixels_met(s) * channels;
  size_t left = (size_t)s->pad_left * channels;
  left = left < size ? left : size;
  size_t middle = in_row < size - left ? in_row : size - left;
  for (; count > 0; --count, ++y, line += size) {
    if (y >= 0 && y < s->in_h) {
      memset(line, a->zero_point, left);
      memcpy(line + left, image + (size_t)y * in_row, middle);
      memset(line + left + middle, a->zero_point, size - left - middle);
    } else {
      memset(line, a->zero_point, size);
    }
  }
}

static void run_strips(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const qrt_conv2d_shape *s = &a->shape;
  size_t out_h = (size_t)s->out_h, out_w = (size_t)s->out_w, channels = (size_t)s->in_c;
  size_t in_row = (size_t)s->in_w * channels;
  size_t line = a->padded ? pixels_met(s) * channels : in_row;
  qrt_gemm_rows rows = {NULL,
                        (size_t)s->kh,
                        (size_t)s->kw * channels,
                        (size_t)s->dilation_h * line,
                        out_w,
                        (size_t)s->stride_w * channels,
                        (size_t)s->stride_h * line};
  int8_t *output = a->output;
  for (size_t i = 0; i < (size_t)s->batch; ++i) {
    const int8_t *image = a->input + i * (size_t)s->in_h * in_row;
    for (size_t y = 0; y < out_h; y += a->strip) {
      size_t lines = out_h - y < a->strip ? out_h - y : a->strip;
      if (a->padded) {
        pad_lines(a, image, (int64_t)y * s->stride_h - s->pad_top, lines_met(s, lines), scratch);
        rows.a = scratch;
      } else {
        rows.a = image + y * (size_t)s->stride_h * in_row;
      }
      a->kernel->run(lines * out_w, a->n, &rows, a->packed, &a->range, output, a->n);
      output += lines * out_w * a->n;
    }
  }
}

/* ---- prepare ---- */

static void read_shape(const qrt_node *node, const qrt_tensor *input, const qrt_tensor *weight,
                       const qrt_tensor *output, qrt_conv2d_shape *s, int *padded) {
  int32_t stride[2], padding[4], dilation[2];
  qrt_node_ints(node, QRT_FIELD(conv2d, stride), 2, stride);
  qrt_node_ints(node, QRT_FIELD(conv2d, padding), 4, padding);
  qrt_node_ints(node, QRT_FIELD(conv2d, dilation), 2, dilation);
  *s = (qrt_conv2d_shape){
      .batch = input->shape[0],
      .in_h = input->shape[1],
      .in_w = input->shape[2],
      .in_c = input->shape[3],
      .out_h = output->shape[1],
      .out_w = output->shape[2],
      .out_c = output->shape[3],
      .kh = weight->shape[1],
      .kw = weight->shape[2],
      .groups = QRT_NODE_INT(node, conv2d, groups),
      .stride_h = stride[0],
      .stride_w = stride[1],
      .dilation_h = dilation[0],
      .dilation_w = dilation[1],
      .pad_top = padding[0],
      .pad_left = padding[1],
  };
  *padded = padding[0] || padding[1] || padding[2] || padding[3];
}

/* Bytes of input and output that a strip may have, so that they stay in a cache while all weights go by. */
#define STRIP_BYTES 131072

static void prepare_gemm(qrt_binder *binder, const qrt_node *node, arguments *a, qrt_step *step) {
  const qrt_conv2d_shape *s = &a->shape;
  a->kernel = qrt_gemm_select(binder->isa);
  a->n = (size_t)(s->out_c / s->groups);
  size_t runs = (size_t)s->kh, run = (size_t)(s->kw * (s->in_c / s->groups));
  a->k = runs * run;
  int whole_runs = s->groups == 1 && (s->dilation_w == 1 || s->kw == 1) && (runs == 1 || run >= a->kernel->kr);
  /* A kernel that takes rows one by one would gain nothing by a padded copy, which is larger than a patch. */
  if (whole_runs && !(a->padded && a->kernel->mr == 1)) {
    size_t in_line = (size_t)(s->in_w * s->in_c * s->stride_h), out_line = (size_t)(s->out_w * s->out_c);
    a->strip = STRIP_BYTES / (in_line + out_line);
    a->strip = a->strip<1 ? 1 : a->strip>(size_t) s->out_h ? (size_t)s->out_h : a->strip;
    if (a->padded) {
      qrt_bind_scratch(binder, (uint64_t)lines_met(s, a->strip) * pixels_met(s) * (size_t)s->in_c);
    }
    step->run = run_strips;
  } else {
    runs = 1;
    run = a->k;
    qrt_bind_scratch(binder, (uint64_t)a->kernel->mr * a->k);
    step->run = run_gather;
  }
  a->packed = qrt_pack_gemm(binder, node, a->kernel, (size_t)s->groups, a->n, runs, run, &a->packed_stride);
  step->arguments = qrt_bind_copy(binder, a, sizeof *a);
  step->kernel = a->kernel->name;
}

void qrt_prepare_conv2d(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, weight, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &weight);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  read_shape(node, &input, &weight, &output, &a.shape, &a.padded);
  if (a.shape.groups == a.shape.in_c && a.shape.groups == a.shape.out_c) {
    qrt_prepare_depthwise(binder, node, &a.shape, step);
    return;
  }
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.zero_point = input.zero_point;
  a.range = QRT_NODE_RANGE(node, conv2d, &output);
  prepare_gemm(binder, node, &a, step);
}
