/* conv2d_depthwise.c - convolution of each channel on its own, some output rows at a time; design rule 3. */
#include "conv2d.h"

typedef struct arguments {
  const qrt_dwconv_kernel *kernel;
  qrt_conv2d_shape shape;
  qrt_dwconv_shape row;
  const int8_t *input;
  const void *packed;
  int8_t *output;
  qrt_output_range range;
  size_t strip; /* rows of the output at a time */
} arguments;

/* The rows of the input that output row i, of all images, meets. */
static void find_rows(const arguments *a, size_t i, const int8_t **rows) {
  const qrt_conv2d_shape *s = &a->shape;
  size_t in_row = (size_t)(s->in_w * s->in_c);
  const int8_t *input = a->input + i / (size_t)s->out_h * (size_t)s->in_h * in_row;
  int64_t y = (int64_t)(i % (size_t)s->out_h) * s->stride_h - s->pad_top;
  for (int64_t r = 0; r < s->kh; ++r, y += s->dilation_h) {
    rows[r] = y >= 0 && y < s->in_h ? input + (size_t)y * in_row : NULL;
  }
}

/* Rows begin..end of the output, of all images. */
static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  const int8_t **rows = scratch;
  for (size_t i = begin, count; i < end; i += count) {
    count = a->strip < end - i ? a->strip : end - i;
    for (size_t k = 0; k < count; ++k) {
      find_rows(a, i + k, rows + k * a->row.kh);
    }
    a->kernel->run(&a->row, count, rows, a->packed, &a->range, a->output + i * a->row.out_w * a->row.channels);
  }
}

/* So many that 64 channels of the input, a cache line of each pixel, stay in the nearest cache; an even number, because
 * some kernels take two at a time. */
static size_t strip_of(const qrt_conv2d_shape *s) {
  enum { LINE = 64, BYTES = 16384, MOST = 16 };
  const uint64_t row = (uint64_t)s->in_w * (uint64_t)s->stride_h * (uint64_t)(s->in_c < LINE ? s->in_c : LINE);
  const uint64_t rows = BYTES / row / 2 * 2;
  return QRT_COMPACT ? 1 : rows < 2 ? 2 : rows > MOST ? MOST : (size_t)rows;
}

/* Inlined, because a build without those that call it from elsewhere is then smaller. */
static inline __attribute__((always_inline)) const void *pack(qrt_binder *binder, const qrt_node *node,
                                                              const qrt_dwconv_kernel *kernel,
                                                              const qrt_dwconv_shape *row) {
  qrt_tensor weight, bias, multiplier;
  if (!qrt_pack_fits(binder, row->channels, row->kh, row->kw)) {
    return NULL;
  }
  void *to;
  qrt_node_input(node, 1, &weight);
  qrt_node_input(node, 2, &bias);
  qrt_node_input(node, 3, &multiplier);
  const qrt_dwconv_weights weights = {
      .channels = row->channels,
      .kh = row->kh,
      .kw = row->kw,
      .w = qrt_tensor_data(binder->model, &weight),
      .bias = qrt_tensor_data(binder->model, &bias),
      .multiplier = qrt_tensor_data(binder->model, &multiplier),
      .a_zero_point = row->a_zero_point,
  };
  const qrt_recipe recipe = {.pack_id = kernel->name,
                             .source = {weights.w, weights.bias, weights.multiplier},
                             .size = kernel->packed_size(row->channels, row->kh, row->kw),
                             .shape = {row->channels, row->kh, row->kw},
                             .parameter = row->a_zero_point};
  const void *packed = qrt_bind_packed(binder, &weight, kernel->layout, &recipe, &to);
  if (qrt_bind_origin(binder) == QRT_IN_FILE && !qrt_dwconv_usable(kernel, packed, row->channels, row->kh, row->kw)) {
    packed = qrt_bind_repacked(binder, &recipe, &to);
  }
  if (to) {
    kernel->pack(&weights, to);
  }
  return packed;
}

const void *qrt_pack_depthwise(qrt_binder *binder, const qrt_node *node, const qrt_dwconv_kernel *kernel,
                               const qrt_dwconv_shape *row) {
  return pack(binder, node, kernel, row);
}

void qrt_prepare_depthwise(qrt_binder *binder, const qrt_node *node, const qrt_conv2d_shape *shape, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  a.kernel = qrt_dwconv_select(binder->isa);
  a.shape = *shape;
  a.row = qrt_depthwise_row(shape, input.zero_point);
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.packed = pack(binder, node, a.kernel, &a.row);
  a.range = QRT_NODE_RANGE(node, conv2d, &output);
  a.strip = strip_of(shape);
  qrt_bind_scratch(binder, (uint64_t)a.strip * (uint64_t)shape->kh * sizeof(const int8_t *));
  const uint64_t outputs = (uint64_t)(shape->batch * shape->out_h) * (uint64_t)(shape->out_w * shape->out_c);
  enum { SLOWER = 4 }; /* than a matrix multiplication, per multiplication */
  qrt_bind_units(binder, step, run, (size_t)(shape->batch * shape->out_h),
                 outputs * (uint64_t)(shape->kh * shape->kw) * SLOWER);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
