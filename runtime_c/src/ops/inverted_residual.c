/* inverted_residual.c - a block of MobileNets by bands of its output: convolutions that expand, go depthwise and
 * project, and the addition of the input; design rules 3 and 4. What is between them is in scratch: of what is
 * expanded, the rows that the band's windows meet, in a ring, so that rows are made once; of what is convolved, the
 * band. */
#include "../kernels/vadd/vadd.h"
#include "conv2d.h"
#include "windows.h"

enum { DEPTHWISE = 1, PROJECT = 4, EXPAND = 7, WITH_EXPANSION = 10 }; /* the first operand of each; operands in all */
enum { VALUES = 4 };                                                  /* expanded, convolved, projected, and the sum */

/* ---- check ---- */

/* Weight, bias and multiplier, from input `first` on; the shape that the weight must have, 0: any extent. */
static qrt_status check_weights(qrt_verify *v, const qrt_node *node, uint32_t first, const int32_t *shape,
                                qrt_tensor *weight) {
  qrt_tensor vector;
  QRT_TRY(qrt_expect_weight(v, node, first, weight));
  QRT_TRY(qrt_expect_rank(v, node, first, weight, 4));
  for (uint32_t axis = 0; axis < 4; ++axis) {
    if (shape[axis] && weight->shape[axis] != shape[axis]) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u] is tensors[%u], whose shape[%u] is %d instead of %d",
                           first, weight->index, axis, weight->shape[axis], shape[axis]);
    }
    if ((axis == 1 || axis == 2) && weight->shape[axis] > QRT_LIMIT_OPTION) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "a kernel of %d", weight->shape[axis]);
    }
  }
  QRT_TRY(qrt_expect_vector(v, node, first + 1, QRT_FB_DType_int32, weight->shape[0], &vector));
  return qrt_expect_multipliers(v, node, first + 2, weight->shape[0], &vector);
}

static uint32_t adds(const qrt_node *node) {
  uint32_t count;
  qrt_flat_vector(node->model->file, node->options, QRT_FIELD(inverted_residual, residual_multiplier), &count);
  return count > 0;
}

static float residual_multiplier(const qrt_node *node, uint32_t i) {
  uint32_t count;
  uint32_t at =
      qrt_flat_vector(node->model->file, node->options, QRT_FIELD(inverted_residual, residual_multiplier), &count);
  return qrt_load_float(node->model->file + at + 4 * i);
}

static qrt_status check_multipliers(qrt_verify *v, const qrt_node *node) {
  uint32_t count;
  qrt_flat_vector(node->model->file, node->options, QRT_FIELD(inverted_residual, residual_multiplier), &count);
  if (count != 0 && count != 2) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "residual_multiplier has %u elements instead of 0 or 2", count);
  }
  for (uint32_t i = 0; i < count; ++i) {
    if (!qrt_multiplier_ok(residual_multiplier(node, i))) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "residual_multiplier[%u] is not within 2^-60 and 2^60", i);
    }
  }
  return QRT_OK;
}

static qrt_status check_ranges(qrt_verify *v, const qrt_node *node, uint32_t values) {
  int32_t zero_point[VALUES], least[VALUES], most[VALUES];
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(inverted_residual, zero_point), values - 1, -128, 127, zero_point));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(inverted_residual, output_min), values, -128, 127, least));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(inverted_residual, output_max), values, -128, 127, most));
  for (uint32_t i = 0; i < values; ++i) {
    if (least[i] > most[i]) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "output_min[%u]..output_max[%u] is %d..%d", i, i, least[i],
                           most[i]);
    }
  }
  return QRT_OK;
}

/* Options of the expansion and of the depthwise convolution, as a check has accepted them. */
typedef struct windows {
  int32_t stride[4], padding[8], dilation[2];
} windows;

static qrt_status check_windows(qrt_verify *v, const qrt_node *node, uint32_t stages, windows *w) {
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(inverted_residual, stride), 2 * stages, 1, QRT_LIMIT_OPTION, w->stride));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(inverted_residual, padding), 4 * stages, 0, QRT_LIMIT_OPTION, w->padding));
  return qrt_expect_ints(v, node, QRT_FIELD(inverted_residual, dilation), 2, 1, QRT_LIMIT_OPTION, w->dilation);
}

/* *shape, a tensor's, becomes that of its convolution. */
static void convolve(int32_t *shape, const qrt_tensor *weight, const int32_t *stride, const int32_t *padding,
                     const int32_t *dilation) {
  for (uint32_t i = 0; i < 2; ++i) {
    const qrt_axis x = {shape[1 + i],   weight->shape[1 + i],       stride[i], padding[i],
                        padding[2 + i], dilation ? dilation[i] : 1, -1};
    shape[1 + i] = qrt_output_extent(&x);
  }
  shape[3] = weight->shape[0];
}

/* Is it a shape, and small enough for a tensor? */
static qrt_status check_between(qrt_verify *v, const qrt_node *node, const char *what, const int32_t *shape) {
  size_t size = 1;
  for (uint32_t axis = 0; axis < 4; ++axis) {
    if (shape[axis] < 1) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "what is %s has an extent of %d", what, shape[axis]);
    }
    if ((uint32_t)shape[axis] > (size_t)QRT_MAX_BYTES / size) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "what is %s has more than %llu bytes", what,
                           (unsigned long long)QRT_MAX_BYTES);
    }
    size *= (uint32_t)shape[axis];
  }
  return QRT_OK;
}

qrt_status qrt_check_inverted_residual(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, weight, project, expand, output;
  windows w;
  const uint32_t expands = node->input_count == WITH_EXPANSION;
  if (!expands && node->input_count != EXPAND) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "%u inputs, not %d or %d", node->input_count, EXPAND,
                         WITH_EXPANSION);
  }
  QRT_TRY(qrt_expect_quantized(v, node, 0, &input));
  QRT_TRY(qrt_expect_rank(v, node, 0, &input, 4));
  QRT_TRY(check_windows(v, node, 1 + expands, &w));
  QRT_TRY(check_multipliers(v, node));
  int32_t shape[4];
  memcpy(shape, input.shape, sizeof shape);
  if (expands) {
    const int32_t wanted[4] = {0, 0, 0, input.shape[3]};
    QRT_TRY(check_weights(v, node, EXPAND, wanted, &expand));
    convolve(shape, &expand, w.stride, w.padding, NULL);
    QRT_TRY(check_between(v, node, "expanded", shape));
  }
  const int32_t by_channel[4] = {shape[3], 0, 0, 1}, by_pixel[4] = {0, 1, 1, shape[3]};
  QRT_TRY(check_weights(v, node, DEPTHWISE, by_channel, &weight));
  QRT_TRY(check_weights(v, node, PROJECT, by_pixel, &project));
  convolve(shape, &weight, w.stride + 2 * expands, w.padding + 4 * expands, w.dilation);
  QRT_TRY(check_between(v, node, "convolved", shape));
  shape[3] = project.shape[0];
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, 4, shape, &output));
  if (adds(node) && memcmp(shape, input.shape, sizeof shape) != 0) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "an input is added whose shape is not that of the output");
  }
  return check_ranges(v, node, 2 + expands + adds(node));
}

/* ---- run ---- */

typedef struct arguments {
  const qrt_gemm_kernel *gemm;
  const qrt_dwconv_kernel *dwconv;
  const qrt_vadd_kernel *vadd; /* NULL: the input is not added */
  int expands, by_pixel;       /* by_pixel: the expansion is a matrix multiplication */
  qrt_conv2d expand;
  qrt_conv2d_shape shape; /* of the depthwise convolution */
  qrt_dwconv_shape row;
  const void *depthwise, *project;
  qrt_output_range convolved, projected;
  qrt_vadd_params sum;
  const int8_t *input;
  int8_t *output;
  size_t channels;                 /* of the output */
  size_t band;                     /* rows of the output at a time */
  size_t ring;                     /* rows of what is expanded that are kept */
  size_t ring_at, band_at, copies; /* in scratch, behind the rows' addresses */
} arguments;

/* Rows begin..end of what is expanded of an image, to their places in the ring. */
static void expand(const arguments *a, size_t image, size_t begin, size_t end, uint8_t *scratch) {
  const qrt_conv2d_shape *s = &a->expand.shape;
  const size_t width = (size_t)s->out_w, k = (size_t)s->in_c, n = (size_t)s->out_c, height = (size_t)s->out_h;
  for (size_t count; begin < end; begin += count) {
    const size_t place = begin % a->ring;
    int8_t *to = (int8_t *)scratch + a->ring_at + place * width * n;
    count = end - begin < a->ring - place ? end - begin : a->ring - place;
    if (a->by_pixel) {
      const qrt_gemm_rows rows = qrt_gemm_matrix(a->input + (image * height + begin) * width * k, k, k);
      a->gemm->run(count * width, n, &rows, a->expand.packed, &a->expand.range, to, n);
    } else {
      qrt_run_conv2d_lines(&a->expand, scratch + a->copies, image, begin, begin + count, to);
    }
  }
}

typedef struct span {
  int64_t begin, end;
} span;

/* The rows of an image that `count` rows of the output from y on meet. */
static span span_of(const arguments *a, size_t y, size_t count) {
  const qrt_conv2d_shape *s = &a->shape;
  const int64_t begin = (int64_t)y * s->stride_h - s->pad_top;
  const int64_t end = begin + (int64_t)(count - 1) * s->stride_h + (s->kh - 1) * s->dilation_h + 1;
  const int64_t within = end < s->in_h ? end : s->in_h;
  return (span){begin > 0 ? begin : 0, within > 0 ? within : 0};
}

/* Where the rows are that row y of an image's output meets. */
static void find_rows(const arguments *a, size_t image, size_t y, const uint8_t *scratch, const int8_t **rows) {
  const qrt_conv2d_shape *s = &a->shape;
  const size_t size = (size_t)(s->in_w * s->in_c);
  const int8_t *ring = (const int8_t *)scratch + a->ring_at, *input = a->input + image * (size_t)s->in_h * size;
  int64_t at = (int64_t)y * s->stride_h - s->pad_top;
  for (int64_t r = 0; r < s->kh; ++r, at += s->dilation_h) {
    const size_t row = (size_t)at;
    rows[r] = at < 0 || at >= s->in_h ? NULL : a->expands ? ring + row % a->ring * size : input + row * size;
  }
}

/* Rows begin..end of the output, of all images. */
static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  const size_t height = (size_t)a->shape.out_h, width = (size_t)a->shape.out_w, k = a->row.channels, n = a->channels;
  int8_t *band = (int8_t *)scratch + a->band_at;
  const int8_t **rows = scratch;
  const qrt_gemm_rows pixels = qrt_gemm_matrix(band, k, k);
  size_t made = 0; /* rows of the image that have been expanded */
  for (size_t i = begin, count; i < end; i += count) {
    const size_t image = i / height, y = i % height, left = height - y < end - i ? height - y : end - i;
    count = left < a->band ? left : a->band;
    const span met = span_of(a, y, count);
    made = y == 0 || made < (size_t)met.begin ? (size_t)met.begin : made;
    if (a->expands && made < (size_t)met.end) {
      expand(a, image, made, (size_t)met.end, scratch);
      made = (size_t)met.end;
    }
    for (size_t r = 0; r < count; ++r) {
      find_rows(a, image, y + r, scratch, rows + r * a->row.kh);
    }
    int8_t *output = a->output + i * width * n;
    a->dwconv->run(&a->row, count, rows, a->depthwise, &a->convolved, band);
    a->gemm->run(count * width, n, &pixels, a->project, &a->projected, output, n);
    if (a->vadd) {
      a->vadd->run(count * width * n, a->input + i * width * n, output, 1, &a->sum, output);
    }
  }
}

/* ---- prepare ---- */

static void read_shape(const qrt_tensor *weight, const int32_t *in, const int32_t *out, const int32_t *stride,
                       const int32_t *padding, const int32_t *dilation, qrt_conv2d_shape *s) {
  *s = (qrt_conv2d_shape){
      .batch = in[0],
      .in_h = in[1],
      .in_w = in[2],
      .in_c = in[3],
      .out_h = out[1],
      .out_w = out[2],
      .out_c = weight->shape[0],
      .kh = weight->shape[1],
      .kw = weight->shape[2],
      .groups = 1,
      .stride_h = stride[0],
      .stride_w = stride[1],
      .dilation_h = dilation ? dilation[0] : 1,
      .dilation_w = dilation ? dilation[1] : 1,
      .pad_top = padding[0],
      .pad_left = padding[1],
  };
}

/* Ranges of the values, in their order. */
static void read_ranges(const qrt_node *node, const qrt_tensor *output, uint32_t values, qrt_output_range *range) {
  int32_t zero_point[VALUES], least[VALUES], most[VALUES];
  qrt_node_ints(node, QRT_FIELD(inverted_residual, zero_point), values - 1, zero_point);
  qrt_node_ints(node, QRT_FIELD(inverted_residual, output_min), values, least);
  qrt_node_ints(node, QRT_FIELD(inverted_residual, output_max), values, most);
  zero_point[values - 1] = output->zero_point;
  for (uint32_t i = 0; i < values; ++i) {
    range[i] = (qrt_output_range){zero_point[i], least[i], most[i]};
  }
}

/* Rows of the output at a time, an even number, because some kernels take two. With more pixels kernels begin less
 * often; what is expanded for these still fits in the second cache. One row where memory counts. */
static size_t band_of(const qrt_conv2d_shape *s) {
  enum { PIXELS = 336 };
  const size_t pairs = (PIXELS + 2 * (size_t)s->out_w - 1) / (2 * (size_t)s->out_w), rows = QRT_COMPACT ? 1 : 2 * pairs;
  return rows < (size_t)s->out_h ? rows : (size_t)s->out_h;
}

static uint64_t aligned(uint64_t size) {
  return (size + QRT_ALIGNMENT - 1) / QRT_ALIGNMENT * QRT_ALIGNMENT;
}

static void bind_scratch(qrt_binder *binder, arguments *a, uint64_t copies) {
  const qrt_conv2d_shape *s = &a->shape;
  const uint64_t addresses = aligned(a->band * (uint64_t)s->kh * sizeof(const int8_t *));
  const uint64_t ring = aligned(a->expands ? a->ring * (uint64_t)(s->in_w * s->in_c) : 0);
  const uint64_t band = aligned(a->band * (uint64_t)(s->out_w * s->out_c));
  a->ring_at = (size_t)addresses;
  a->band_at = (size_t)(addresses + ring);
  a->copies = (size_t)(addresses + ring + band);
  qrt_bind_scratch(binder, addresses + ring + band + copies);
}

/* The expansion, `a->ring` lines of it at a time. The bytes of scratch that it takes. */
static uint64_t bind_expansion(qrt_binder *binder, const qrt_node *node, int32_t zero_point, int padded, arguments *a) {
  qrt_conv2d *c = &a->expand;
  const qrt_conv2d_shape *s = &c->shape;
  size_t runs = 1;
  uint64_t copies = 0;
  c->kernel = a->gemm;
  c->input = a->input;
  c->zero_point = zero_point;
  c->padded = padded;
  a->by_pixel = s->kh == 1 && s->kw == 1 && s->stride_h == 1 && s->stride_w == 1 && !padded;
  if (!a->by_pixel) {
    copies = qrt_bind_conv2d_lines(c, a->ring, &runs);
  }
  c->packed = qrt_pack_matrix(binder, node, a->gemm, EXPAND, zero_point, (size_t)s->out_c, runs,
                              (size_t)(s->kh * s->kw * s->in_c) / runs);
  return copies;
}

void qrt_prepare_inverted_residual(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, weight, expansion, output;
  arguments a;
  windows w;
  qrt_output_range range[VALUES];
  uint64_t copies = 0;
  const uint32_t expands = node->input_count == WITH_EXPANSION, values = 2 + expands + adds(node);
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, DEPTHWISE, &weight);
  qrt_node_output(node, &output);
  qrt_node_ints(node, QRT_FIELD(inverted_residual, stride), 2 + 2 * expands, w.stride);
  qrt_node_ints(node, QRT_FIELD(inverted_residual, padding), 4 + 4 * expands, w.padding);
  qrt_node_ints(node, QRT_FIELD(inverted_residual, dilation), 2, w.dilation);
  read_ranges(node, &output, values, range);
  memset(&a, 0, sizeof a);
  a.gemm = qrt_gemm_select(binder->isa);
  a.dwconv = qrt_dwconv_select(binder->isa);
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.channels = (size_t)output.shape[3];
  a.expands = (int)expands;
  int32_t shape[4];
  memcpy(shape, input.shape, sizeof shape);
  if (expands) {
    qrt_node_input(node, EXPAND, &expansion);
    convolve(shape, &expansion, w.stride, w.padding, NULL);
    read_shape(&expansion, input.shape, shape, w.stride, w.padding, NULL, &a.expand.shape);
    a.expand.range = range[0];
  }
  read_shape(&weight, shape, output.shape, w.stride + 2 * expands, w.padding + 4 * expands, w.dilation, &a.shape);
  a.convolved = range[expands];
  a.projected = range[expands + 1];
  a.band = band_of(&a.shape);
  const uint64_t met = (uint64_t)((int64_t)(a.band - 1) * a.shape.stride_h + (a.shape.kh - 1) * a.shape.dilation_h + 1);
  a.ring = met < (uint64_t)a.shape.in_h ? (size_t)met : (size_t)a.shape.in_h;
  a.row = qrt_depthwise_row(&a.shape, expands ? range[0].zero_point : input.zero_point);
  /* First: instruction sets with matrix multiplications of their own may have this packed form in common. */
  a.depthwise = qrt_pack_depthwise(binder, node, a.dwconv, &a.row);
  if (expands) {
    const int padded = w.padding[0] || w.padding[1] || w.padding[2] || w.padding[3];
    copies = bind_expansion(binder, node, input.zero_point, padded, &a);
  }
  a.project = qrt_pack_matrix(binder, node, a.gemm, PROJECT, a.convolved.zero_point, a.channels, 1, a.row.channels);
  if (adds(node)) {
    a.vadd = qrt_vadd_select(binder->isa);
    a.sum = (qrt_vadd_params){input.zero_point, a.projected.zero_point, residual_multiplier(node, 0),
                              residual_multiplier(node, 1), range[expands + 2]};
  }
  bind_scratch(binder, &a, copies);
  const uint64_t rows = (uint64_t)(a.shape.batch * a.shape.out_h);
  const uint64_t products = (uint64_t)a.shape.out_c * ((uint64_t)(a.shape.kh * a.shape.kw) + a.channels);
  qrt_bind_units(binder, step, run, (size_t)rows, rows * (uint64_t)a.shape.out_w * products);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.gemm->name;
}
