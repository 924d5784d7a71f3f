/* pool2d.c - see pool2d.h. */
#include "pool2d.h"

/* PyTorch's pooling_output_shape: in ceil_mode, the last window must begin inside the input or the padding before it.
 */
static int64_t output_extent(const qrt_pool2d_axis *axis, int ceil_mode) {
  int64_t room = axis->in + 2 * axis->padding - axis->dilation * (axis->kernel - 1) - 1;
  room += ceil_mode ? axis->stride - 1 : 0;
  if (room < 0) {
    return 0;
  }
  int64_t outputs = room / axis->stride + 1;
  return ceil_mode && (outputs - 1) * axis->stride >= axis->in + axis->padding ? outputs - 1 : outputs;
}

static qrt_status check_axis(qrt_verify *v, const qrt_node *node, const qrt_pool2d_axis *axis, const char *name) {
  if (axis->padding >= axis->kernel) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "padding: as large as kernel_size along the %s", name);
  }
  /* A window that begins in the padding has a tap below `dilation`; so every window has one inside the input. */
  if (axis->padding && axis->dilation > axis->in) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_UNSUPPORTED, "dilation: windows may miss the input along the %s", name);
  }
  return QRT_OK;
}

qrt_status qrt_check_pool2d(qrt_verify *v, const qrt_node *node, const qrt_pool2d_fields *fields, uint32_t dtype,
                            qrt_tensor *input, qrt_tensor *output) {
  int32_t kernel[2], stride[2], padding[2], dilation[2] = {1, 1};
  QRT_TRY(dtype == QRT_FB_DType_int8 ? qrt_expect_quantized(v, node, 0, input)
                                     : qrt_expect_input(v, node, 0, dtype, input));
  QRT_TRY(qrt_expect_rank(v, node, 0, input, 4));
  QRT_TRY(qrt_expect_ints(v, node, fields->kernel_size, 2, 1, QRT_LIMIT_OPTION, kernel));
  QRT_TRY(qrt_expect_ints(v, node, fields->stride, 2, 1, QRT_LIMIT_OPTION, stride));
  QRT_TRY(qrt_expect_ints(v, node, fields->padding, 2, 0, QRT_LIMIT_OPTION, padding));
  if (fields->dilation) {
    QRT_TRY(qrt_expect_ints(v, node, fields->dilation, 2, 1, QRT_LIMIT_OPTION, dilation));
  }
  if ((int64_t)kernel[0] * kernel[1] > QRT_LIMIT_WINDOW) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "kernel_size: %d by %d is more than 2^23", kernel[0], kernel[1]);
  }
  int ceil_mode = qrt_flat_byte(node->model->file, node->options, fields->ceil_mode);
  int32_t shape[4] = {input->shape[0], 0, 0, input->shape[3]};
  for (uint32_t i = 0; i < 2; ++i) {
    qrt_pool2d_axis axis = {input->shape[1 + i], 0, kernel[i], stride[i], padding[i], dilation[i]};
    QRT_TRY(check_axis(v, node, &axis, i ? "width" : "height"));
    int64_t outputs = output_extent(&axis, ceil_mode);
    shape[1 + i] = outputs > INT32_MAX ? 0 : (int32_t)outputs;
  }
  return qrt_expect_output(v, node, dtype, 4, shape, output);
}

void qrt_pool2d_read(const qrt_node *node, const qrt_pool2d_fields *fields, qrt_pool2d_shape *shape) {
  qrt_tensor input, output;
  int32_t kernel[2], stride[2], padding[2], dilation[2] = {1, 1};
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  qrt_node_ints(node, fields->kernel_size, 2, kernel);
  qrt_node_ints(node, fields->stride, 2, stride);
  qrt_node_ints(node, fields->padding, 2, padding);
  if (fields->dilation) {
    qrt_node_ints(node, fields->dilation, 2, dilation);
  }
  shape->batch = (size_t)input.shape[0];
  shape->channels = (size_t)input.shape[3];
  shape->h = (qrt_pool2d_axis){input.shape[1], output.shape[1], kernel[0], stride[0], padding[0], dilation[0]};
  shape->w = (qrt_pool2d_axis){input.shape[2], output.shape[2], kernel[1], stride[1], padding[1], dilation[1]};
}

void qrt_run_pool2d(const qrt_pool2d_shape *shape, const int8_t *input, int8_t *output, qrt_pool2d_visit *visit,
                    const void *context, size_t begin, size_t end) {
  const size_t in_row = (size_t)shape->w.in * shape->channels, out_h = (size_t)shape->h.out;
  output += begin * (size_t)shape->w.out * shape->channels;
  for (size_t i = begin; i < end; ++i) {
    const int8_t *image = input + i / out_h * (size_t)shape->h.in * in_row;
    qrt_pool2d_span rows = qrt_pool2d_window(&shape->h, (int64_t)(i % out_h));
    for (int64_t x = 0; x < shape->w.out; ++x, output += shape->channels) {
      qrt_pool2d_span columns = qrt_pool2d_window(&shape->w, x);
      qrt_pool_window window = {
          .a = image + (size_t)rows.first * in_row + (size_t)columns.first * shape->channels,
          .rows = (size_t)rows.taps,
          .columns = (size_t)columns.taps,
          .row_stride = (size_t)shape->h.dilation * in_row,
          .column_stride = (size_t)shape->w.dilation * shape->channels,
          .channels = shape->channels,
      };
      visit(context, &window, &rows, &columns, output);
    }
  }
}

void qrt_bind_pool2d(const qrt_binder *binder, const qrt_pool2d_shape *shape, qrt_step *step,
                     void (*run_units)(const void *arguments, void *scratch, size_t begin, size_t end)) {
  const size_t rows = shape->batch * (size_t)shape->h.out;
  const uint64_t taps = (uint64_t)(shape->w.out * shape->h.kernel * shape->w.kernel) * shape->channels;
  qrt_bind_units(binder, step, run_units, rows, rows * taps * QRT_MACS_OF_A_BYTE);
}
